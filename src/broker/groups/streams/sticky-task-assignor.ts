/**
 * Kafka 4.4's "sticky" assignor of tasks (KIP-1071): active tasks stay where they are as long as nobody has more than an
 * equal part, else they go to who has their state, else to the process with the least to do for each of its members;
 * standby tasks follow the same order, and never share a process with their active task. Any thread; it changes nothing.
 *
 *   equal part = tasks that are left / members that have less than their part, rounded up, and worked out again whenever
 *                somebody has a whole part
 *
 * It goes in steps, between which others may have their turn: what it was given must not change meanwhile.
 */

import { assert, present } from '../../../base/assert.ts';
import { Pace, type Steps } from '../steps.ts';
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
export function* stickySteps({ members, subtopologies, standbyCount }: TaskAssignmentInput): Steps<Map<string, Tasks>> {
  if (members.length === 0) return new Map();
  const sorted = members.toSorted((a, b) => compareNames(a.id, b.id));
  const { workers, processes } = workersOf(sorted);
  const pace = new Pace();
  const known = yield* knownHolders(pace, sorted, workers);
  const tasks = yield* tasksOf(pace, subtopologies, known);
  const assignment = new StickyAssignment(pace, workers, processes, tasks, standbyCount);
  yield* assignment.assignActive();
  if (standbyCount > 0) yield* assignment.assignStandby();
  return assignment.result();
}

const candidatesOf = ({ candidates }: Task): number => candidates.length;

/** All tasks, and those that have state; by partition, and then by the names of their subtopologies. */
interface OrderedTasks {
  readonly all: readonly Task[];
  readonly stateful: readonly Task[];
}

function* tasksOf(
  pace: Pace,
  subtopologies: TaskAssignmentInput['subtopologies'],
  known: ReadonlyMap<string, ReadonlyMap<number, Holders>>,
): Steps<OrderedTasks> {
  let rank = 0;
  const parts: { readonly tasks: Task[]; readonly isStateful: boolean }[] = [];
  for (const { id, taskCount, isStateful } of subtopologies.toSorted((a, b) => compareNames(a.id, b.id))) {
    const holders = known.get(id);
    const tasks: Task[] = [];
    yield* pace.over(
      Array(taskCount).keys(),
      (i) => tasks.push(taskOf(rank++, id, i, holders?.get(i))),
      (i) => holders?.get(i)?.candidates.length ?? 0,
    );
    parts.push({ tasks, isStateful });
  }
  return {
    all: byPartition(parts.map(({ tasks }) => tasks)),
    stateful: byPartition(parts.filter(({ isStateful }) => isStateful).map(({ tasks }) => tasks)),
  };
}

class StickyAssignment {
  readonly #pace: Pace;
  readonly #workers: readonly Worker[];
  readonly #processes: readonly Process[];
  readonly #tasks: OrderedTasks;
  readonly #standbyCount: number;
  readonly #activeQuota: Quota;
  readonly #totalQuota: Quota;

  constructor(
    pace: Pace,
    workers: readonly Worker[],
    processes: readonly Process[],
    tasks: OrderedTasks,
    standbyCount: number,
  ) {
    this.#pace = pace;
    this.#workers = workers;
    this.#processes = processes;
    this.#tasks = tasks;
    this.#standbyCount = standbyCount;
    const { all, stateful } = tasks;
    this.#activeQuota = new Quota(all.length, workers.length);
    this.#totalQuota = new Quota(all.length + stateful.length * standbyCount, workers.length);
  }

  /** Once the tasks are given out. */
  result(): Map<string, Tasks> {
    return new Map(this.#workers.map(({ id, active, standby }) => [id, { ...noTasks, active, standby }]));
  }

  *assignActive(): Steps<void> {
    const unfollowed: Task[] = [];
    yield* this.#pace.over(this.#tasks.all, (task) => {
      if (!this.#giveActive(task, task.previous)) unfollowed.push(task);
    });
    const left: Task[] = [];
    const follow = (task: Task): void => {
      if (!this.#giveActive(task, leastLoaded(task.candidates, null))) left.push(task);
    };
    yield* this.#pace.over(unfollowed, follow, candidatesOf);
    const processes = this.#byLoad();
    const inOrder = left.toSorted((a, b) => a.rank - b.rank);
    yield* this.#pace.over(inOrder, (task) => {
      const process = present(processes.poll(), 'there are members');
      this.#countActive(this.#giveToLeastLoaded(process, task, true));
      processes.add(process);
    });
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

  *assignStandby(): Steps<void> {
    const left: { readonly task: Task; readonly count: number }[] = [];
    const giveBack = (task: Task): void => {
      for (let i = 0; i < this.#standbyCount; i++) {
        if (this.#giveStandbyBack(task)) continue;
        left.push({ task, count: this.#standbyCount - i });
        break;
      }
    };
    yield* this.#pace.over(this.#tasks.stateful.toReversed(), giveBack, candidatesOf);
    const processes = this.#byLoad();
    const inOrder = left.toSorted((a, b) => b.task.rank - a.task.rank);
    yield* this.#pace.over(inOrder, ({ task, count }) => {
      for (let i = 0; i < count && this.#giveStandby(task, processes); i++);
    });
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
function* knownHolders(
  pace: Pace,
  members: readonly AssignableStreamsMember[],
  workers: readonly Worker[],
): Steps<ReadonlyMap<string, ReadonlyMap<number, Holders>>> {
  const known = new Map<string, Map<number, Holders>>();
  let left = maxCandidates;
  const partitionsOf = (id: string): Map<number, Holders> => {
    let partitions = known.get(id);
    if (partitions === undefined) known.set(id, (partitions = new Map()));
    return partitions;
  };
  for (const [i, { assigned, taskOffsets }] of members.entries()) {
    const worker = workers[i]!;
    for (const [id, partitions] of assigned.active) {
      const holders = partitionsOf(id);
      yield* pace.over(partitions.keys(), (partition) => (holdersIn(holders, partition).active = worker));
    }
    for (const [id, partitions] of assigned.standby) {
      const holders = partitionsOf(id);
      const offsets = taskOffsets.get(id);
      yield* pace.over(partitions.keys(), (partition) => {
        const offset = offsets?.get(partition) ?? 0;
        holdersIn(holders, partition).candidates.push({ worker, isStandby: true, offset });
      });
    }
    for (const [id, offsets] of taskOffsets) {
      const holders = partitionsOf(id);
      const followed = assigned.standby.get(id);
      yield* pace.over(offsets, ([partition, offset]) => {
        if (left <= 0 || followed?.has(partition) === true) return;
        left--;
        holdersIn(holders, partition).candidates.push({ worker, isStandby: false, offset });
      });
    }
  }
  return known;
}

function holdersIn(partitions: Map<number, Holders>, partition: number): Holders {
  let holders = partitions.get(partition);
  if (holders === undefined) partitions.set(partition, (holders = { active: null, candidates: [] }));
  return holders;
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
