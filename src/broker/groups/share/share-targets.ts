/**
 * The target assignment of a share group: at once, or in steps beside requests where much is to be looked at. I/O thread.
 */

import { isTargetDue } from '../consumer/rebalance-epoch.ts';
import type { Partitions } from '../consumer/partitions.ts';
import { changedTargetSteps } from '../consumer/target-assignment.ts';
import { atOnce, inTurns, type Steps } from '../steps.ts';
import { ShareEdit } from './share-edit.ts';
import type { ShareRun } from './share-run.ts';
import { simpleSteps } from './simple-assignor.ts';

/** With more topics of members and partitions to look at a target is made in steps: others wait for no more than one. */
const looksAtOnce = 5000;

/**
 * Makes the target assignment of the group's epoch where there is none yet, and the interval since the last has passed.
 * One that is made in steps holds once it is made; until then members have what they had.
 */
export function refreshShareTargets(run: ShareRun, edit: ShareEdit): void {
  const { group, surroundings } = run;
  if (!isTargetDue(run, surroundings.setting(group.id, 'share.assignment.interval.ms'))) return;
  // The first member of all has to hear of an epoch.
  if (group.assignmentEpoch > 0 && looks(run) > looksAtOnce) prepareTargets(run);
  else putTargets(run, edit, atOnce(targetSteps(run)), group.epoch);
}

/** How much there is to look at. */
function looks({ group, surroundings }: ShareRun): number {
  let count = 0;
  for (const { subscribedTopics } of group.members.values()) count += subscribedTopics.size;
  for (const topic of group.subscriptions.topics()) count += surroundings.topics.partitionCountOf(topic) ?? 0;
  return count;
}

/** The targets that change, of the members that were in the group when this was called. */
function targetSteps({ group, surroundings }: ShareRun): Steps<Map<string, Partitions>> {
  const members = [...group.members.values()].map(({ id, subscribedTopics }) => {
    return { id, instanceId: null, topics: subscribedTopics };
  });
  const { isHomogeneous } = group;
  return changedTargetSteps(
    { members, targets: new Map(group.targets), isHomogeneous },
    simpleSteps,
    surroundings.topics,
  );
}

/** Makes the target of the group's epoch in steps, unless one is being made, and writes it. */
function prepareTargets(run: ShareRun): void {
  if (run.isPreparing) return;
  run.isPreparing = true;
  void prepare(run)
    .catch((error: unknown) => {
      const { group, surroundings } = run;
      surroundings.logger.error({ group: group.id, error }, 'The partitions of a share group were not assigned.');
    })
    .finally(() => (run.isPreparing = false));
}

async function prepare(run: ShareRun): Promise<void> {
  const { group, surroundings } = run;
  const { epoch } = group;
  // A group without members, or read anew, needs none.
  const isNeeded = (): boolean => run.isServing && group.assignmentEpoch < epoch;
  const changed = await inTurns(targetSteps(run), surroundings.clock, isNeeded);
  if (changed === null) return;
  const edit = new ShareEdit(group);
  putTargets(run, edit, changed, epoch);
  run.commit(edit);
}

/** Puts the targets in place; the target is the one of `epoch` then. Who has gone meanwhile gets nothing of it. */
function putTargets(
  { group, surroundings }: ShareRun,
  edit: ShareEdit,
  changed: ReadonlyMap<string, Partitions>,
  epoch: number,
): void {
  for (const [memberId, target] of changed) if (group.members.has(memberId)) edit.putTarget(memberId, target);
  edit.setEpochs({ assignmentEpoch: epoch, assignedMs: surroundings.clock.nowMs() });
}
