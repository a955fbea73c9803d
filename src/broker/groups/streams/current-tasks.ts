/**
 * Brings a member of a streams group nearer to its target assignment (KIP-1071), by the rules of Kafka 4.4's coordinator:
 * what it has to give up first, what it gets at once, and what it waits for because another process still runs it, or
 * another member of its own process still has it in some role. Any thread; pure functions.
 *
 * A task that stays with a member in another role is not given up in between: an active task becomes a standby one where
 * it stands, and a standby or warm-up task stays until it becomes active.
 */

import { hasPartition } from '../consumer/partitions.ts';
import { sameStreamsProgress, type StreamsMember, type StreamsProgress } from './streams-member.ts';
import type { TaskProcesses } from './task-processes.ts';
import {
  byRole,
  containsAnyTask,
  hasNoTasks,
  noAssignedTasks,
  roles,
  type AssignedTasks,
  type Role,
  type Tasks,
} from './tasks.ts';

export interface TaskReconciliation {
  readonly targetEpoch: number;
  readonly target: Tasks;
  /** What the member says that it has; null where it does not say. */
  readonly owned: Tasks | null;
  readonly processes: TaskProcesses;
}

type OpenTasks = Map<string, Map<number, number>>;

/** Of one role: what the member keeps, gives up, and gets. */
interface Difference {
  readonly kept: OpenTasks;
  readonly revoking: OpenTasks;
  readonly pending: OpenTasks;
}

/** The member after its next step; the same object where there is none. */
export function reconciledTasks(member: StreamsMember, input: TaskReconciliation): StreamsMember {
  const progress = nextProgress(member, input);
  return progress === member || sameStreamsProgress(progress, member) ? member : { ...member, ...progress };
}

function nextProgress(member: StreamsMember, input: TaskReconciliation): StreamsProgress {
  switch (member.state) {
    case 'stable':
      return member.epoch === input.targetEpoch ? member : towardsTarget(member, member.epoch, input);
    case 'unrevoked':
      return stillOwns(member.revoking, input.owned) ? member : towardsTarget(member, member.epoch + 1, input);
    case 'unreleased':
      return towardsTarget(member, member.epoch, input);
  }
}

/** Who does not say what it has, has all that it had. */
function stillOwns(revoking: AssignedTasks, owned: Tasks | null): boolean {
  return owned === null || containsAnyTask(revoking, owned);
}

/** `epoch` counts for as long as the member has something to give up. */
function towardsTarget(member: StreamsMember, epoch: number, input: TaskReconciliation): StreamsProgress {
  let hasUnreleased = false;
  const differences = byRole((role) => {
    const difference = differenceOf(role, member, input);
    hasUnreleased ||= difference.hasUnreleased;
    return difference;
  });
  const { active, standby, warmup } = differences;
  moveWhereHeld(member.assigned.active, standby);
  moveBetweenReplicas(member.assigned.standby, standby, warmup);
  moveBetweenReplicas(member.assigned.warmup, warmup, standby);
  for (const role of ['standby', 'warmup'] as const) {
    for (const [id, partition] of tasksOf(member.assigned[role])) {
      if (hasPartition(input.target.active, id, partition)) drop(differences[role].revoking, id, partition);
    }
  }
  const revoking = byRole((role) => differences[role].revoking);
  const mustRevoke = !hasNoTasks(revoking) && stillOwns(revoking, input.owned);
  for (const role of ['standby', 'warmup'] as const) {
    for (const [id, partition] of tasksOf(member.assigned[role])) {
      const isPromoted = !mustRevoke && hasPartition(active.pending, id, partition);
      if (hasPartition(input.target.active, id, partition) && !isPromoted)
        put(differences[role].kept, id, partition, 0);
    }
  }
  const assigned = byRole((role) => differences[role].kept);
  if (mustRevoke) return { epoch, previousEpoch: member.epoch, state: 'unrevoked', assigned, revoking };
  for (const role of roles) {
    for (const [id, partition, since] of tasksOf(differences[role].pending)) put(assigned[role], id, partition, since);
  }
  return {
    epoch: input.targetEpoch,
    previousEpoch: member.epoch,
    state: hasUnreleased ? 'unreleased' : 'stable',
    assigned,
    revoking: noAssignedTasks,
  };
}

function differenceOf(
  role: Role,
  member: StreamsMember,
  input: TaskReconciliation,
): Difference & { readonly hasUnreleased: boolean } {
  const current = member.assigned[role];
  const target = input.target[role];
  const kept: OpenTasks = new Map();
  const revoking: OpenTasks = new Map();
  const pending: OpenTasks = new Map();
  for (const [id, partition, epoch] of tasksOf(current)) {
    put(hasPartition(target, id, partition) ? kept : revoking, id, partition, epoch);
  }
  let hasUnreleased = false;
  for (const [id, partitions] of target) {
    for (const partition of partitions) {
      if (hasPartition(current, id, partition)) continue;
      if (isUnreleased[role](member, input.processes, id, partition)) hasUnreleased = true;
      else put(pending, id, partition, role === 'active' ? input.targetEpoch : 0);
    }
  }
  return { kept, revoking, pending, hasUnreleased };
}

type Check = (member: StreamsMember, processes: TaskProcesses, id: string, partition: number) => boolean;

/** Whether a task that the member does not have in a role yet has to be waited for. */
const isUnreleased: Readonly<Record<Role, Check>> = {
  active: (member, processes, id, partition) =>
    processes.isRun('active', id, partition) ||
    isWithSibling('standby', member, processes, id, partition) ||
    isWithSibling('warmup', member, processes, id, partition),
  standby: (member, processes, id, partition) =>
    isWithSibling('active', member, processes, id, partition) ||
    processes.isRunBy(member.processId, 'standby', id, partition) ||
    isWithSibling('warmup', member, processes, id, partition),
  warmup: (member, processes, id, partition) =>
    processes.isRunBy(member.processId, 'active', id, partition) ||
    isWithSibling('standby', member, processes, id, partition) ||
    processes.isRunBy(member.processId, 'warmup', id, partition),
};

/** Whether another member of the same process has the task in the role. */
function isWithSibling(
  role: Role,
  member: StreamsMember,
  processes: TaskProcesses,
  id: string,
  partition: number,
): boolean {
  return (
    processes.isRunBy(member.processId, role, id, partition) && !hasPartition(member.assigned[role], id, partition)
  );
}

/** An active task that is to be a standby one is so at once. */
function moveWhereHeld(active: AssignedTasks['active'], standby: Difference): void {
  for (const [id, partition] of tasksOf(active)) {
    if (drop(standby.pending, id, partition)) put(standby.kept, id, partition, 0);
  }
}

/** A replica that changes its role is not given up in between. */
function moveBetweenReplicas(held: AssignedTasks['standby'], from: Difference, to: Difference): void {
  for (const [id, partition] of tasksOf(held)) {
    if (!drop(to.pending, id, partition)) continue;
    put(to.kept, id, partition, 0);
    drop(from.revoking, id, partition);
  }
}

function* tasksOf(
  tasks: ReadonlyMap<string, ReadonlyMap<number, number>>,
): Generator<readonly [id: string, partition: number, epoch: number]> {
  for (const [id, partitions] of tasks) for (const [partition, epoch] of partitions) yield [id, partition, epoch];
}

function put(tasks: OpenTasks, id: string, partition: number, epoch: number): void {
  const partitions = tasks.get(id);
  if (partitions === undefined) tasks.set(id, new Map([[partition, epoch]]));
  else partitions.set(partition, epoch);
}

/** Whether the task was there. */
function drop(tasks: OpenTasks, id: string, partition: number): boolean {
  const partitions = tasks.get(id);
  if (partitions === undefined || !partitions.delete(partition)) return false;
  if (partitions.size === 0) tasks.delete(id);
  return true;
}
