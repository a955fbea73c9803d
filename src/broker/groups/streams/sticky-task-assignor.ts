/**
 * Kafka 4.4's "sticky" assignor of tasks (KIP-1071): active tasks stay where they are as long as nobody has more than an
 * equal part, else they go to who has their state, else to the process with the least to do for each of its members;
 * standby tasks follow the same order, and never share a process with their active task. Any thread; it changes nothing.
 *
 *   equal part = tasks that are left / members that have less than their part, rounded up, and worked out again whenever
 *                somebody has a whole part
 */

import { assert, present } from '../../../base/assert.ts';
import { LeastLoaded } from './least-loaded.ts';
import { compareNames, noTasks, type AssignedTasks, type Tasks } from './tasks.ts';

/** A member as the assignor sees it. */
export interface AssignableStreamsMember {
  readonly id: string;
  readonly processId: string;
  readonly assigned: AssignedTasks;
  /** How far the member has come with the state of tasks, by subtopology and partition: whether it has them or not. */
  readonly taskOffsets: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

export interface TaskAssignmentInput {
  readonly members: readonly AssignableStreamsMember[];
  readonly subtopologies: readonly {
    readonly id: string;
    readonly taskCount: number;
    readonly isStateful: boolean;
  }[];
  readonly standbyCount: number;
}

interface Task {
  /** Its place where tasks stand by the names of their subtopologies, and then by partition. */
  readonly rank: number;
  readonly subtopologyId: string;
  readonly partition: number;
  /** Who was known to run it, and who to have its state, the best first. */
  readonly previous: Worker | null;
  readonly candidates: readonly Worker[];
  /** Who has got it. */
  readonly processes: Process[];
}

/** A member, with what it gets. */
interface Worker {
  readonly id: string;
  readonly process: Process;
  taskCount: number;
  readonly active: Map<string, Set<number>>;
  readonly standby: Map<string, Set<number>>;
}

interface Process {
  readonly workers: Worker[];
  /** By load; made when it is first asked for, and again once tasks were given out past it. */
  byLoad: LeastLoaded<Worker> | null;
  taskCount: number;
}

interface Candidate {
  readonly worker: Worker;
  readonly isStandby: boolean;
  readonly offset: number;
}

/** An equal part of what is left. */
class Quota {
  #tasks: number;
  #members: number;
  each = 0;

  constructor(tasks: number, members: number) {
    this.#tasks = tasks;
    this.#members = members;
    this.#update();
  }

  /** A member has `taskCount` tasks now. */
  given(taskCount: number): void {
    if (taskCount !== this.each) return;
    this.#members--;
    this.#tasks -= taskCount;
    this.#update();
  }

  #update(): void {
    this.each = this.#members <= 0 ? 0 : Math.ceil(this.#tasks / this.#members);
  }
}

/** The tasks of each member; without members, nobody's. */
export function assignSticky({ members, subtopologies, standbyCount }: TaskAssignmentInput): Map<string, Tasks> {
  if (members.length === 0) return new Map();
  return new StickyAssignment(members, subtopologies, standbyCount).result();
}

class StickyAssignment {
  readonly #workers: Worker[];
  readonly #processes: Process[];
  /** By partition, and then by the names of their subtopologies; so are those that have state. */
  readonly #tasks: readonly Task[];
  readonly #stateful: readonly Task[];
  readonly #standbyCount: number;
  readonly #activeQuota: Quota;
  readonly #totalQuota: Quota;

  constructor(
    members: readonly AssignableStreamsMember[],
    subtopologies: TaskAssignmentInput['subtopologies'],
    standbyCount: number,
  ) {
    const sorted = members.toSorted((a, b) => compareNames(a.id, b.id));
    const { workers, processes } = workersOf(sorted);
    this.#workers = workers;
    this.#processes = processes;
    this.#standbyCount = standbyCount;
    const known = knownHolders(sorted, workers);
    let total = 0;
    let rank = 0;
    const parts = subtopologies
      .toSorted((a, b) => compareNames(a.id, b.id))
      .map(({ id, taskCount, isStateful }) => {
        const holders = known.get(id);
        const tasks = Array.from({ length: taskCount }, (_, i) => taskOf(rank++, id, i, holders?.get(i)));
        total += taskCount * (isStateful ? 1 + standbyCount : 1);
        return { tasks, isStateful };
      });
    this.#tasks = byPartition(parts.map(({ tasks }) => tasks));
    this.#stateful = byPartition(parts.filter(({ isStateful }) => isStateful).map(({ tasks }) => tasks));
    this.#activeQuota = new Quota(this.#tasks.length, workers.length);
    this.#totalQuota = new Quota(total, workers.length);
  }

  result(): Map<string, Tasks> {
    this.#assignActive();
    if (this.#standbyCount > 0) this.#assignStandby();
    return new Map(this.#workers.map(({ id, active, standby }) => [id, { ...noTasks, active, standby }]));
  }

  #assignActive(): void {
    const unfollowed = this.#tasks.filter((task) => !this.#giveActive(task, task.previous));
    const left = unfollowed.filter((task) => !this.#giveActive(task, leastLoaded(task.candidates, null)));
    const processes = this.#byLoad();
    for (const task of left.toSorted((a, b) => a.rank - b.rank)) {
      const process = present(processes.poll(), 'there are members');
      this.#countActive(this.#giveToLeastLoaded(process, task, true));
      processes.add(process);
    }
  }

  /** Gives an active task to the worker, where there is one with less than its part. */
  #giveActive(task: Task, worker: Worker | null): boolean {
    if (worker === null || worker.taskCount >= this.#activeQuota.each) return false;
    this.#countActive(this.#give(worker, task, true));
    return true;
  }

  #countActive(taskCount: number): void {
    this.#activeQuota.given(taskCount);
    this.#totalQuota.given(taskCount);
  }

  #assignStandby(): void {
    const left: { readonly task: Task; readonly count: number }[] = [];
    for (const task of this.#stateful.toReversed()) {
      for (let i = 0; i < this.#standbyCount; i++) {
        if (this.#giveStandbyBack(task)) continue;
        left.push({ task, count: this.#standbyCount - i });
        break;
      }
    }
    const processes = this.#byLoad();
    for (const { task, count } of left.toSorted((a, b) => b.task.rank - a.task.rank)) {
      for (let i = 0; i < count && this.#giveStandby(task, processes); i++);
    }
  }

  /** Gives a standby task to who ran the task or followed it, where that has less than its part. */
  #giveStandbyBack(task: Task): boolean {
    const { previous } = task;
    const hasRun =
      previous !== null && !task.processes.includes(previous.process) && previous.taskCount < this.#totalQuota.each;
    const worker = hasRun ? previous : leastLoaded(task.candidates, task);
    if (worker === null || worker.taskCount >= this.#totalQuota.each) return false;
    this.#totalQuota.given(this.#give(worker, task, false));
    return true;
  }

  /** Gives a standby task to the process with the least to do that has not got the task; false where all have. */
  #giveStandby(task: Task, processes: LeastLoaded<Process>): boolean {
    const passed: Process[] = [];
    let isGiven = false;
    while (!isGiven) {
      const process = processes.poll();
      if (process === null) break;
      passed.push(process);
      if (task.processes.includes(process)) continue;
      this.#totalQuota.given(this.#giveToLeastLoaded(process, task, false));
      isGiven = true;
    }
    for (const process of passed.toReversed()) processes.add(process);
    return isGiven;
  }

  #byLoad(): LeastLoaded<Process> {
    return new LeastLoaded(this.#processes, ({ taskCount, workers }) => taskCount / workers.length);
  }

  /** As `#give`, but leaves the order of the process's workers as it is kept. */
  #giveToLeastLoaded(process: Process, task: Task, isActive: boolean): number {
    const byLoad = (process.byLoad ??= new LeastLoaded(process.workers, ({ taskCount }) => taskCount));
    const worker = present(byLoad.poll(), 'a process has members');
    const taskCount = this.#give(worker, task, isActive);
    byLoad.add(worker);
    process.byLoad = byLoad;
    return taskCount;
  }

  /** Returns how many tasks the worker has then. */
  #give(worker: Worker, task: Task, isActive: boolean): number {
    const { process } = worker;
    assert(!task.processes.includes(process), 'a process has a task once');
    const tasks = isActive ? worker.active : worker.standby;
    const partitions = tasks.get(task.subtopologyId);
    if (partitions === undefined) tasks.set(task.subtopologyId, new Set([task.partition]));
    else partitions.add(task.partition);
    task.processes.push(process);
    process.taskCount++;
    process.byLoad = null;
    return ++worker.taskCount;
  }
}

function workersOf(members: readonly AssignableStreamsMember[]): {
  readonly workers: Worker[];
  readonly processes: Process[];
} {
  const processes = new Map<string, Process>();
  const workers = members.map(({ id, processId }) => {
    let process = processes.get(processId);
    if (process === undefined) {
      processes.set(processId, (process = { workers: [], byLoad: null, taskCount: 0 }));
    }
    const worker = { id, process, taskCount: 0, active: new Map(), standby: new Map() };
    process.workers.push(worker);
    return worker;
  });
  return { workers, processes: [...processes.values()] };
}

/**
 * As many candidates as are looked at: a member may say that it has state of every task, and those that come first are
 * enough to keep to. Who has a task as a standby always counts.
 */
const maxCandidates = 1_000_000;

interface Holders {
  active: Worker | null;
  readonly candidates: Candidate[];
}

/** By subtopology and partition: who runs the task, and who has its state. */
function knownHolders(
  members: readonly AssignableStreamsMember[],
  workers: readonly Worker[],
): ReadonlyMap<string, ReadonlyMap<number, Holders>> {
  const known = new Map<string, Map<number, Holders>>();
  let left = maxCandidates;
  const holdersOf = (id: string, partition: number): Holders => {
    let partitions = known.get(id);
    if (partitions === undefined) known.set(id, (partitions = new Map()));
    let holders = partitions.get(partition);
    if (holders === undefined) partitions.set(partition, (holders = { active: null, candidates: [] }));
    return holders;
  };
  for (const [i, { assigned, taskOffsets }] of members.entries()) {
    const worker = workers[i]!;
    for (const [id, partitions] of assigned.active) {
      for (const partition of partitions.keys()) holdersOf(id, partition).active = worker;
    }
    for (const [id, partitions] of assigned.standby) {
      for (const partition of partitions.keys()) {
        const offset = taskOffsets.get(id)?.get(partition) ?? 0;
        holdersOf(id, partition).candidates.push({ worker, isStandby: true, offset });
      }
    }
    for (const [id, offsets] of taskOffsets) {
      for (const [partition, offset] of offsets) {
        if (left <= 0 || assigned.standby.get(id)?.has(partition) === true) continue;
        left--;
        holdersOf(id, partition).candidates.push({ worker, isStandby: false, offset });
      }
    }
  }
  return known;
}

const nobody: readonly Worker[] = [];

function taskOf(rank: number, subtopologyId: string, partition: number, holders: Holders | undefined): Task {
  const previous = holders?.active ?? null;
  const candidates = holders === undefined ? nobody : ranked(holders.candidates);
  return { rank, subtopologyId, partition, previous, candidates, processes: [] };
}

/** Who has the task as a standby comes first, and of those who is furthest. */
function ranked(candidates: readonly Candidate[]): readonly Worker[] {
  if (candidates.length === 0) return nobody;
  const sorted = candidates.toSorted(
    (a, b) => Number(b.isStandby) - Number(a.isStandby) || Math.sign(b.offset - a.offset),
  );
  return sorted.map(({ worker }) => worker);
}

/**
 * The first of those that know the task, unless a later one has less to do, itself and its process; those whose process
 * has got `task` are left out.
 */
function leastLoaded(candidates: readonly Worker[], task: Task | null): Worker | null {
  let best: Worker | null = null;
  let bestLoad = Infinity;
  for (const worker of candidates) {
    const { process } = worker;
    if (task?.processes.includes(process) === true) continue;
    const load = process.taskCount / process.workers.length;
    if (best !== null && !(load < bestLoad && worker.taskCount < best.taskCount)) continue;
    best = worker;
    bestLoad = load;
  }
  return best;
}

/** The first tasks of all subtopologies, then the second, and so on. */
function byPartition(parts: readonly (readonly Task[])[]): Task[] {
  const tasks: Task[] = [];
  const most = parts.reduce((count, part) => Math.max(count, part.length), 0);
  for (let i = 0; i < most; i++) {
    for (const part of parts) if (i < part.length) tasks.push(part[i]!);
  }
  return tasks;
}
