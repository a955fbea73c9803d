/**
 * Members of a consumer group that go: by themselves, for a while (static members), or because they were not heard of in
 * time. I/O thread.
 */

import { ErrorCode } from '../../../base/error-code.ts';
import type { ConsumerRun } from './consumer-run.ts';
import { MemberEpoch, type ConsumerMember } from './consumer-member.ts';
import { GroupEdit } from './group-edit.ts';
import { fencedInstance, refusal, unknownInstance, unknownMember, type Refusal } from './refusal.ts';
import { noEpochedPartitions, withEpoch } from './partitions.ts';

/** Who leaves, with the epoch that says how. */
export interface ConsumerLeaving {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly memberEpoch: number;
}

/** Serves a heartbeat that says goodbye. */
export function leave(run: ConsumerRun, { memberId, instanceId, memberEpoch }: ConsumerLeaving): Refusal | null {
  const { group } = run;
  const member = instanceId === null ? group.members.get(memberId) : group.memberOfInstance(instanceId);
  if (instanceId === null && member === undefined) return unknownMember(group.id, memberId);
  if (member === null || member === undefined) return unknownInstance(instanceId!);
  if (instanceId !== null && member.id !== memberId) return fencedInstance(member.id, memberId, instanceId);
  if (instanceId !== null && memberEpoch === MemberEpoch.LEAVING_STATIC) pause(run, member);
  else fenceMembers(run, [member]);
  return null;
}

/** Takes the member out, and logs why. */
export function fenceMember(run: ConsumerRun, member: ConsumerMember, reason: string): void {
  const { logger } = run.surroundings;
  logger.info({ group: run.group.id, member: member.id, reason }, 'A member of a consumer group was taken out.');
  fenceMembers(run, [member]);
}

/** Takes the members out; the others hear of their new targets when they are heard of next. */
export function fenceMembers(run: ConsumerRun, members: readonly ConsumerMember[]): void {
  const { group, surroundings } = run;
  if (members.length === 0 || surroundings.downgrade(run, members)) return;
  const edit = new GroupEdit(group);
  for (const { id } of members) {
    edit.removeMember(id);
    run.dropTimers(id);
  }
  for (const { subscribedRegex } of members) dropUnusedRegex(edit, subscribedRegex);
  const epoch = group.epoch + 1;
  const metadataHash = surroundings.topics.hash(group.subscriptions.topics());
  // An empty group is assigned, and the member that joins next need not wait.
  edit.setEpochs({ epoch, metadataHash, ...(group.isEmpty ? { assignmentEpoch: epoch, assignedMs: 0 } : {}) });
  run.commit(edit);
}

/** An expression that no member has any more need not be kept. */
export function dropUnusedRegex(edit: GroupEdit, regex: string): void {
  if (regex !== '' && edit.group.subscriptions.regexMemberCount(regex) === 0) edit.removeRegex(regex);
}

/** A static member goes and means to come back: what it had waits for it, until its session ends. */
function pause(run: ConsumerRun, member: ConsumerMember): void {
  const edit = new GroupEdit(run.group);
  edit.putMember({
    ...member,
    epoch: MemberEpoch.LEAVING_STATIC,
    assigned: withEpoch(member.assigned, 0),
    revoking: noEpochedPartitions,
  });
  run.clearTimer(member.id, 'rebalance');
  run.commit(edit);
}

/** Why requests are not served while the group is read anew. */
export const notServing: Refusal = refusal(
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  'The group is being read from the log again.',
);
