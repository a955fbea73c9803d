/**
 * What moves a consumer group on: a new epoch where subscriptions or topics have changed, a target assignment for it, and
 * each member's next step towards its target. I/O thread.
 */

import type { ConsumerGroup } from './consumer-group.ts';
import type { ConsumerRun, ConsumerSurroundings } from './consumer-run.ts';
import type { ConsumerMember } from './consumer-member.ts';
import { reconciled } from './current-assignment.ts';
import type { GroupEdit } from './group-edit.ts';
import type { Partitions, TopicPartitionsField } from './partitions.ts';
import { isReconciledTo } from './consumer-member.ts';
import { assignorNamed, changedTargets, knownAssignors } from './target-assignment.ts';
import type { TopicSubscriptions } from './topic-subscriptions.ts';

/** The assignor that counts in the group: what most members ask for, else the first that is on. */
export function assignorOf({ group, surroundings }: ConsumerRun): string {
  return group.preferredAssignor ?? assignorsOf(surroundings)[0]!;
}

/** The assignors that members may ask for, in the order of `group.consumer.assignors`. */
export function assignorsOf({ config }: ConsumerRun['surroundings']): string[] {
  return knownAssignors((config.text('group.consumer.assignors') ?? '').split(','));
}

/** What of a run moves its group from epoch to epoch, of whatever kind the group is. */
interface EpochRun {
  readonly group: Pick<ConsumerGroup, 'id' | 'epoch' | 'epochs' | 'assignmentEpoch' | 'hashedVersion'> & {
    readonly members: { readonly size: number };
    readonly subscriptions: Pick<TopicSubscriptions, 'topics'>;
  };
  readonly surroundings: Pick<ConsumerSurroundings, 'clock' | 'logger' | 'topics'>;
}

type EpochEdit = Pick<GroupEdit, 'setEpochs' | 'putTarget'>;

/** Begins the next epoch where it is asked for, or where the subscribed topics are not what they were. */
export function refreshEpoch({ group, surroundings }: EpochRun, edit: EpochEdit, bump: boolean): void {
  const { topics } = surroundings;
  if (!bump && group.hashedVersion === topics.version) return;
  const metadataHash = topics.hash(group.subscriptions.topics());
  group.hashedVersion = topics.version;
  if (!bump && metadataHash === group.epochs.metadataHash) return;
  const epoch = group.epoch + 1;
  edit.setEpochs({ epoch, metadataHash });
  surroundings.logger.info({ group: group.id, epoch, members: group.members.size }, 'A group rebalances.');
}

/** As `refreshTargets`, for a consumer group. */
export function refreshTarget(run: ConsumerRun, edit: GroupEdit): void {
  const { group, surroundings } = run;
  const { subscriptions, targets, isHomogeneous } = group;
  refreshTargets(run, edit, surroundings.setting(group.id, 'consumer.assignment.interval.ms'), () => {
    const members = [...group.members.values()].map((member) => ({
      id: member.id,
      instanceId: member.instanceId,
      topics: subscriptions.topicsOf(member),
    }));
    return changedTargets({ members, targets, isHomogeneous }, assignorNamed(assignorOf(run)), surroundings.topics);
  });
}

/**
 * Makes the target assignment of the group's epoch where there is none yet, and the interval since the last has passed.
 * `changed` makes the targets that are new.
 */
export function refreshTargets(
  run: EpochRun,
  edit: EpochEdit,
  intervalMs: number,
  changed: () => ReadonlyMap<string, Partitions>,
): void {
  if (!isTargetDue(run, intervalMs)) return;
  for (const [memberId, target] of changed()) edit.putTarget(memberId, target);
  edit.setEpochs({ assignmentEpoch: run.group.epoch, assignedMs: run.surroundings.clock.nowMs() });
}

/** Whether the group's epoch has no target assignment yet, and the interval since the last has passed. */
export function isTargetDue({ group, surroundings }: EpochRun, intervalMs: number): boolean {
  if (group.assignmentEpoch >= group.epoch) return false;
  const { assignedMs } = group.epochs;
  return assignedMs <= 0 || intervalMs <= 0 || surroundings.clock.nowMs() >= assignedMs + intervalMs;
}

/** Brings the member one step nearer to its target. Returns it as it is then. */
export function reconcile(
  run: ConsumerRun,
  edit: GroupEdit,
  member: ConsumerMember,
  subscriptionChanged: boolean,
  owned: readonly TopicPartitionsField[] | null,
): ConsumerMember {
  const { group, surroundings } = run;
  if (!subscriptionChanged && isReconciledTo(member, group.assignmentEpoch)) return member;
  const subscribed = surroundings.topics.assignable(group.subscriptions.topicsOf(member));
  const moved = reconciled(member, {
    targetEpoch: group.assignmentEpoch,
    target: group.targetOf(member.id),
    subscriptionChanged,
    subscribedIds: new Set(subscribed.map(({ topicId }) => topicId)),
    owned,
    isOwned: (topicId, partition) => group.partitionEpochs.isOwned(topicId, partition),
  });
  if (moved === member) return member;
  edit.putMember(moved);
  if (moved.classic === null) {
    if (moved.state === 'unrevoked') run.setTimer(moved.id, 'rebalance', moved.rebalanceTimeoutMs);
    else run.clearTimer(moved.id, 'rebalance');
  }
  return moved;
}
