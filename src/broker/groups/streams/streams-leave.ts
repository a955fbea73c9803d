/**
 * Members of a streams group that go: by themselves, for a while (static members), or because they were not heard of in
 * time. I/O thread.
 */

import type { ConsumerLeaving } from '../consumer/leave.ts';
import { MemberEpoch } from '../consumer/consumer-member.ts';
import { withEpoch } from '../consumer/partitions.ts';
import { fencedInstance, unknownInstance, unknownMember, type Refusal } from '../consumer/refusal.ts';
import { StreamsEdit } from './streams-edit.ts';
import type { StreamsMember } from './streams-member.ts';
import type { StreamsRun } from './streams-run.ts';
import { noAssignedTasks } from './tasks.ts';

export interface StreamsLeaving extends ConsumerLeaving {
  /** Whether the whole application is to stop. */
  readonly stopsApplication: boolean;
}

/** Serves a heartbeat that says goodbye. */
export function leaveStreams(run: StreamsRun, leaving: StreamsLeaving): Refusal | null {
  const { group } = run;
  const { memberId, instanceId, memberEpoch } = leaving;
  if (leaving.stopsApplication) group.requestShutdown(memberId);
  if (instanceId === null) {
    const member = group.members.get(memberId);
    if (member === undefined) return unknownMember(group.id, memberId);
    removeMember(run, member);
    return null;
  }
  const member = group.memberOfInstance(instanceId);
  if (member === null) return unknownInstance(instanceId);
  if (member.id !== memberId) return fencedInstance(member.id, memberId, instanceId);
  if (memberEpoch === MemberEpoch.LEAVING_STATIC) pause(run, member);
  else removeMember(run, member);
  return null;
}

/** Takes the member out, and logs why. */
export function fenceStreamsMember(run: StreamsRun, member: StreamsMember, reason: string): void {
  const { logger } = run.surroundings;
  logger.info({ group: run.group.id, member: member.id, reason }, 'A member of a streams group was taken out.');
  removeMember(run, member);
}

/** Takes the member out; the others hear of their new targets when they are heard of next. */
function removeMember(run: StreamsRun, { id }: StreamsMember): void {
  const { group } = run;
  const edit = new StreamsEdit(group);
  edit.removeMember(id);
  run.dropTimers(id);
  const epoch = group.epoch + 1;
  // An empty group is assigned, and the member that joins next need not wait.
  edit.setEpochs({ epoch, ...(group.isEmpty ? { assignmentEpoch: epoch, assignedMs: 0 } : {}) });
  run.commit(edit);
}

/** A static member goes and means to come back: what it had waits for it, until its session ends. */
function pause(run: StreamsRun, member: StreamsMember): void {
  const edit = new StreamsEdit(run.group);
  edit.putMember({
    ...member,
    epoch: MemberEpoch.LEAVING_STATIC,
    assigned: { ...member.assigned, active: withEpoch(member.assigned.active, 0) },
    revoking: noAssignedTasks,
  });
  run.clearTimer(member.id, 'rebalance');
  run.commit(edit);
}
