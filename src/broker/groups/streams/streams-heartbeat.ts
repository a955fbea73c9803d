/**
 * StreamsGroupHeartbeat: a member joins with its topology, says what has changed and what it has, and hears what it is to
 * run. I/O thread. Errors and their order are those of Kafka 4.4's coordinator; what can be told from the request alone
 * was checked by the handler. Members that leave are in streams-leave.ts.
 *
 *   planned ──► topology and member put ──► epoch, where something changed ──► target, where it is due ──► next step
 */

import { configNumber } from '../../config-definition.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import { isReconciledTo, MemberEpoch } from '../consumer/consumer-member.ts';
import { StreamsStatus, type ConfiguredTopic, type Status } from './configured-topology.ts';
import { reconciledTasks } from './current-tasks.ts';
import { partitionsByEndpoint, type EndpointPartitions } from './endpoint-partitions.ts';
import type { StreamsBeat, StreamsPlan } from './streams-plan.ts';
import { assignmentConfigs, rackTagsOf, refreshTarget, sameConfigs, type Target } from './streams-assignment.ts';
import { StreamsEdit } from './streams-edit.ts';
import type { StreamsGroup } from './streams-group.ts';
import { isSameForEpoch, sameEndpoint, sameStreamsIdentity, type StreamsMember } from './streams-member.ts';
import type { StreamsRun } from './streams-run.ts';
import { sameAssignedTasks, type AssignedTasks, type Tasks } from './tasks.ts';

/** What a member hears. */
export interface StreamsBeatAnswer {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly statuses: readonly Status[];
  /** Null where it is what the member was told last. */
  readonly assigned: AssignedTasks | null;
  readonly endpointEpoch: number;
  /** Null where the member knows of it. */
  readonly endpointPartitions: readonly EndpointPartitions[] | null;
  /** What the broker has to make before the group can run. */
  readonly missingTopics: readonly ConfiguredTopic[];
}

const firstVersionWithTags = 1;

/** Takes over a heartbeat as planned. `records` are written along with the change, before it. */
export function acceptStreamsBeat(
  run: StreamsRun,
  beat: StreamsBeat,
  plan: StreamsPlan,
  records: readonly KeyedRecord[],
): StreamsBeatAnswer {
  const { group } = run;
  const edit = new StreamsEdit(group, records);
  const statuses: Status[] = [];
  const wasEmpty = group.isEmpty;
  const isNew = group.topology === null;
  if (plan.replaced !== null) replace(run, edit, plan.replaced, plan.before);
  edit.putMember(plan.updated);
  if (isNew) edit.setTopology(plan.topology);
  if (plan.taskOffsets !== null) group.putTaskOffsets(beat.memberId, plan.taskOffsets);
  if (plan.updated.topologyEpoch < plan.topology.epoch) statuses.push(stale(plan.updated, plan.topology.epoch));
  refreshStreamsEpoch(run, edit, plan, beat.instanceId !== null);
  if (wasEmpty) delayFirstAssignment(run);
  const target = refreshTarget(run, edit, statuses);
  const member = reconcile(run, edit, plan.updated, target, beat.owned);
  run.touch(member);
  if (beat.stopsApplication) group.requestShutdown(beat.memberId);
  run.commit(edit);
  const isChanged = !sameAssignedTasks(plan.before.assigned, member.assigned);
  // As with Kafka, a group that comes into being with this very heartbeat has no endpoints to tell of yet.
  if (!isNew) countEndpoints(group, plan.before, member, isChanged);
  const { status, missingTopics } = plan.configured;
  if (status !== null) statuses.push(status);
  statuses.push(...closingStatuses(group, member, beat.apiVersion));
  return {
    memberId: member.id,
    memberEpoch: member.epoch,
    statuses,
    assigned: beat.memberEpoch === MemberEpoch.JOINING || isChanged ? member.assigned : null,
    endpointEpoch: group.endpointEpoch,
    endpointPartitions:
      group.endpointEpoch === beat.endpointEpoch ? null : partitionsByEndpoint(group, member, run.surroundings.topics),
    missingTopics,
  };
}

/** A static member that comes back gets the place of the one before. */
function replace(run: StreamsRun, edit: StreamsEdit, replaced: StreamsMember, member: StreamsMember): void {
  const target = run.group.targetOf(replaced.id);
  edit.removeMember(replaced.id);
  run.dropTimers(replaced.id);
  edit.putMember(member);
  edit.putTarget(member.id, target);
}

function stale({ topologyEpoch }: StreamsMember, groupEpoch: number): Status {
  const statusDetail = `The member's topology epoch ${topologyEpoch} is behind the group's topology epoch ${groupEpoch}.`;
  return { statusCode: StreamsStatus.STALE_TOPOLOGY, statusDetail };
}

/** Begins the next epoch where members, topology, topics or settings are not what they were. */
function refreshStreamsEpoch(run: StreamsRun, edit: StreamsEdit, plan: StreamsPlan, isStatic: boolean): void {
  const { group, surroundings } = run;
  const { metadataHash, configured, before, updated } = plan;
  group.configured = configured;
  group.hashedVersion = surroundings.topics.version;
  const validatedTopologyEpoch = configured.status === null ? plan.topology.epoch : -1;
  const configs = assignmentConfigs(run);
  const isMemberChanged = isStatic ? !isSameForEpoch(before, updated) : !sameStreamsIdentity(before, updated);
  const isSame =
    !isMemberChanged &&
    metadataHash === group.epochs.metadataHash &&
    validatedTopologyEpoch === group.epochs.validatedTopologyEpoch &&
    sameConfigs(configs, group.epochs.assignmentConfigs);
  if (isSame) return;
  const epoch = group.epoch + 1;
  edit.setEpochs({ epoch, metadataHash, validatedTopologyEpoch, assignmentConfigs: configs });
  surroundings.logger.info({ group: group.id, epoch, members: group.members.size }, 'A streams group rebalances.');
}

function delayFirstAssignment(run: StreamsRun): void {
  const delayMs = configNumber(run.surroundings.text(run.group.id, 'streams.initial.rebalance.delay.ms'));
  if (delayMs > 0) run.delayAssignment(delayMs);
}

/** Brings the member one step nearer to its target. Returns it as it is then. */
function reconcile(
  run: StreamsRun,
  edit: StreamsEdit,
  member: StreamsMember,
  target: Target,
  owned: Tasks | null,
): StreamsMember {
  if (isReconciledTo(member, target.epoch)) return member;
  const { processes } = run.group;
  const input = { targetEpoch: target.epoch, target: target.tasksOf(member.id), owned, processes };
  const moved = reconciledTasks(member, input);
  if (moved === member) return member;
  edit.putMember(moved);
  if (moved.state === 'unrevoked') run.setTimer(moved.id, 'rebalance', moved.rebalanceTimeoutMs);
  else run.clearTimer(moved.id, 'rebalance');
  return moved;
}

/** Whoever asks for endpoints next hears of them, where they are not what they were. */
function countEndpoints(group: StreamsGroup, before: StreamsMember, member: StreamsMember, isChanged: boolean): void {
  const hasMoved = !sameEndpoint(before.endpoint, member.endpoint);
  if (hasMoved || (isChanged && member.endpoint !== null)) group.endpointEpoch++;
}

function closingStatuses(group: StreamsGroup, { clientTags }: StreamsMember, apiVersion: number): Status[] {
  const statuses: Status[] = [];
  if (group.shutdownBy !== null) {
    const statusDetail = `Streams group member ${group.shutdownBy} encountered a fatal error and requested a shutdown for the entire application.`;
    statuses.push({ statusCode: StreamsStatus.SHUTDOWN_APPLICATION, statusDetail });
  }
  const missing = rackTagsOf(group.epochs.assignmentConfigs).filter((tag) => !clientTags.has(tag));
  if (apiVersion >= firstVersionWithTags && missing.length > 0) {
    const statusDetail = `Missing required client tags for rack-aware standby assignment: [${missing.join(', ')}]. Configure them via 'client.tag.<tagKey>' in your Streams config.`;
    statuses.push({ statusCode: StreamsStatus.MISSING_CLIENT_TAGS, statusDetail });
  }
  return statuses;
}
