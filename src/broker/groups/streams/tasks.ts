/**
 * Tasks of a streams group (KIP-1071): a task is a partition of a subtopology, and a member has it in one of three roles.
 * Any thread; the values are never changed once they are in use.
 */

import {
  sameEpochedPartitions,
  samePartitions,
  type EpochedPartitions,
  type Partitions,
} from '../consumer/partitions.ts';

/** The partitions of each subtopology. */
export type TaskSet = Partitions<string>;
/** The same, each with the member epoch at which it was given; 0 for all but active tasks. */
export type EpochedTaskSet = EpochedPartitions<string>;

/** Active tasks process; standby tasks follow their state; warm-up tasks catch up with it before they become active. */
export const roles = ['active', 'standby', 'warmup'] as const;
export type Role = (typeof roles)[number];

export type Tasks = Readonly<Record<Role, TaskSet>>;
export type AssignedTasks = Readonly<Record<Role, EpochedTaskSet>>;

/** Tasks of one subtopology as requests and responses carry them. */
export interface TasksField {
  readonly subtopologyId: string;
  readonly partitions: readonly number[];
}

export const noTasks: Tasks = { active: new Map(), standby: new Map(), warmup: new Map() };
export const noAssignedTasks: AssignedTasks = { active: new Map(), standby: new Map(), warmup: new Map() };

/** What `task` makes of each role. */
export function byRole<T>(task: (role: Role) => T): Record<Role, T> {
  return { active: task('active'), standby: task('standby'), warmup: task('warmup') };
}

export function sameTasks(a: Tasks, b: Tasks): boolean {
  return a === b || roles.every((role) => samePartitions(a[role], b[role]));
}

export function sameAssignedTasks(a: AssignedTasks, b: AssignedTasks): boolean {
  return a === b || roles.every((role) => sameEpochedPartitions(a[role], b[role]));
}

export function hasNoTasks(tasks: Readonly<Record<Role, ReadonlyMap<string, unknown>>>): boolean {
  return roles.every((role) => tasks[role].size === 0);
}

/** A subtopology that stands twice has what both say. */
export function taskSetOf(fields: readonly TasksField[]): TaskSet {
  const tasks = new Map<string, Set<number>>();
  for (const { subtopologyId, partitions } of fields) {
    const known = tasks.get(subtopologyId);
    if (known === undefined) tasks.set(subtopologyId, new Set(partitions));
    else for (const partition of partitions) known.add(partition);
  }
  return tasks;
}

/** In ascending order. */
export function taskFields(tasks: ReadonlyMap<string, { keys(): Iterable<number> }>): {
  subtopologyId: string;
  partitions: number[];
}[] {
  const fields = [...tasks].map(([subtopologyId, partitions]) => ({
    subtopologyId,
    partitions: [...partitions.keys()].toSorted((a, b) => a - b),
  }));
  return fields.toSorted((a, b) => compareNames(a.subtopologyId, b.subtopologyId));
}

/** Whether a task of `owned` is among `tasks` in the same role. */
export function containsAnyTask(tasks: AssignedTasks, owned: Tasks): boolean {
  return roles.some((role) => {
    for (const [subtopologyId, partitions] of owned[role]) {
      const known = tasks[role].get(subtopologyId);
      if (known !== undefined && [...partitions].some((partition) => known.has(partition))) return true;
    }
    return false;
  });
}

/** Whether all tasks of `owned` are among `tasks` in the same role. */
export function containsAllTasks(tasks: AssignedTasks, owned: Tasks): boolean {
  return roles.every((role) => {
    for (const [subtopologyId, partitions] of owned[role]) {
      const known = tasks[role].get(subtopologyId);
      if (known === undefined || ![...partitions].every((partition) => known.has(partition))) return false;
    }
    return true;
  });
}

/** By UTF-16 code units, as Java compares strings. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
