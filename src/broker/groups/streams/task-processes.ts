/**
 * Which processes have which tasks of a streams group, as far as the coordinator knows: what one of them runs goes to no
 * other before it is not here any more, and no process has a task in two members. I/O thread.
 */

import { changeCount } from '../consumer/counts.ts';
import type { StreamsMember } from './streams-member.ts';
import { byRole, roles, type AssignedTasks, type Role } from './tasks.ts';

export class TaskProcesses {
  /** By role, subtopology and partition: how many members of each process have the task or are giving it up. */
  readonly #counts = byRole(() => new Map<string, Map<number, Map<string, number>>>());

  /** Whether a process has the task in this role. */
  isRun(role: Role, subtopologyId: string, partition: number): boolean {
    return this.#counts[role].get(subtopologyId)?.has(partition) === true;
  }

  /** Whether this process has the task in this role. */
  isRunBy(processId: string, role: Role, subtopologyId: string, partition: number): boolean {
    return this.#counts[role].get(subtopologyId)?.get(partition)?.has(processId) === true;
  }

  add(member: StreamsMember): void {
    this.#change(member.processId, member.assigned, 1);
    this.#change(member.processId, member.revoking, 1);
  }

  remove(member: StreamsMember): void {
    this.#change(member.processId, member.assigned, -1);
    this.#change(member.processId, member.revoking, -1);
  }

  #change(processId: string, tasks: AssignedTasks, change: 1 | -1): void {
    for (const role of roles) {
      for (const [subtopologyId, partitions] of tasks[role]) {
        for (const partition of partitions.keys()) this.#count(processId, role, subtopologyId, partition, change);
      }
    }
  }

  #count(processId: string, role: Role, subtopologyId: string, partition: number, change: 1 | -1): void {
    const counts = this.#counts[role];
    let subtopology = counts.get(subtopologyId);
    if (subtopology === undefined) counts.set(subtopologyId, (subtopology = new Map()));
    let processes = subtopology.get(partition);
    if (processes === undefined) subtopology.set(partition, (processes = new Map()));
    changeCount(processes, processId, change);
    if (processes.size === 0) subtopology.delete(partition);
    if (subtopology.size === 0) counts.delete(subtopologyId);
  }
}
