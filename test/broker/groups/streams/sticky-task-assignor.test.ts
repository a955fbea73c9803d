import { describe, expect, it } from 'vitest';
import {
  stickySteps,
  type AssignableStreamsMember,
} from '../../../../src/broker/groups/streams/sticky-task-assignor.ts';
import type { Steps } from '../../../../src/broker/groups/steps.ts';
import { noAssignedTasks, type EpochedTaskSet, type TaskSet } from '../../../../src/broker/groups/streams/tasks.ts';

function member(
  id: string,
  {
    active = [],
    standby = [],
    processId = id,
    offsets = [],
  }: {
    readonly active?: readonly string[];
    readonly standby?: readonly string[];
    readonly processId?: string;
    readonly offsets?: readonly (readonly [task: string, offset: number])[];
  } = {},
): AssignableStreamsMember {
  const taskOffsets = new Map<string, Map<number, number>>();
  for (const [task, offset] of offsets) {
    const [subtopologyId = '', partition] = task.split('_');
    taskOffsets.set(subtopologyId, (taskOffsets.get(subtopologyId) ?? new Map()).set(Number(partition), offset));
  }
  return {
    id,
    processId,
    assigned: { ...noAssignedTasks, active: tasksNamed(active), standby: tasksNamed(standby) },
    taskOffsets,
  };
}

function tasksNamed(names: readonly string[]): EpochedTaskSet {
  const tasks = new Map<string, Map<number, number>>();
  for (const name of names) {
    const [subtopologyId = '', partition] = name.split('_');
    tasks.set(subtopologyId, (tasks.get(subtopologyId) ?? new Map()).set(Number(partition), 0));
  }
  return tasks;
}

function namesOf(tasks: TaskSet): string[] {
  return [...tasks].flatMap(([id, partitions]) => [...partitions].map((partition) => `${id}_${partition}`)).toSorted();
}

function assign(
  members: readonly AssignableStreamsMember[],
  taskCount: number,
  standbyCount = 0,
): Record<string, { active: string[]; standby: string[] }> {
  const subtopologies = [{ id: '0', taskCount, isStateful: true }];
  const assigned = resultOf(stickySteps({ members, subtopologies, standbyCount })).result;
  return Object.fromEntries(
    [...assigned].map(([id, { active, standby }]) => [id, { active: namesOf(active), standby: namesOf(standby) }]),
  );
}

function resultOf<Result>(steps: Steps<Result>): { readonly result: Result; readonly stepCount: number } {
  for (let stepCount = 1; ; stepCount++) {
    const { done, value } = steps.next();
    if (done === true) return { result: value, stepCount };
  }
}

describe('the sticky assignor of tasks', () => {
  it('leaves tasks where they are, and moves no more than an equal part needs', () => {
    const members = [member('a', { active: ['0_0', '0_1', '0_2', '0_3'] }), member('b')];
    const { a, b } = assign(members, 4);
    expect(a!.active).toHaveLength(2);
    expect(b!.active).toHaveLength(2);
    const again = assign([member('a', { active: a!.active }), member('b', { active: b!.active })], 4);
    expect(again).toEqual({ a, b });
  });

  it('gives a task whose member is gone to who has its state', () => {
    const members = [member('a', { active: ['0_0'] }), member('b', { active: ['0_1'], standby: ['0_2'] })];
    expect(assign(members, 3).b!.active).toContain('0_2');
  });

  it('takes who is further of those that only tell of their state', () => {
    const members = [member('a', { offsets: [['0_0', 10]] }), member('b', { offsets: [['0_0', 20]] })];
    expect(assign(members, 1).b!.active).toEqual(['0_0']);
  });

  it('gives processes tasks by how many members they have', () => {
    const members = ['a', 'b', 'c'].map((id) => member(id, { processId: id === 'c' ? 'small' : 'large' }));
    const assigned = assign(members, 6);
    expect(Object.values(assigned).map(({ active }) => active.length)).toEqual([2, 2, 2]);
  });

  it('never gives a process a task twice, and does with fewer standby tasks where there are too few processes', () => {
    const members = ['a', 'b'].map((id) => member(id, { processId: 'one' }));
    expect(Object.values(assign(members, 4, 1)).flatMap(({ standby }) => standby)).toEqual([]);
    const three = ['a', 'b', 'c'].map((id) => member(id));
    const assigned = assign(three, 3, 2);
    for (const { active, standby } of Object.values(assigned)) {
      expect(standby).toHaveLength(2);
      expect(new Set([...active, ...standby])).toEqual(new Set(['0_0', '0_1', '0_2']));
    }
  });

  it('brings back a standby task to who followed it', () => {
    const members = [
      member('a', { active: ['0_0'], standby: ['0_1'] }),
      member('b', { active: ['0_1'], standby: ['0_2'] }),
      member('c', { active: ['0_2'], standby: ['0_0'] }),
    ];
    expect(assign(members, 3, 1)).toEqual({
      a: { active: ['0_0'], standby: ['0_1'] },
      b: { active: ['0_1'], standby: ['0_2'] },
      c: { active: ['0_2'], standby: ['0_0'] },
    });
  });

  it('gives many tasks to many members evenly', () => {
    const members = Array.from({ length: 300 }, (_, i) => member(`m${i}`, { processId: `p${i % 100}` }));
    const counts = Object.values(assign(members, 3000, 1)).map(({ active, standby }) => active.length + standby.length);
    expect(Math.max(...counts)).toBe(20);
    expect(Math.min(...counts)).toBe(20);
  });

  it('goes in steps that are no longer where there is more to do', () => {
    const subtopologies = ['0', '1'].map((id) => ({ id, taskCount: 5000, isStateful: true }));
    const first = Array.from({ length: 50 }, (_, i) => member(`m${i}`));
    const fresh = resultOf(stickySteps({ members: first, subtopologies, standbyCount: 1 }));
    // Each of 10,000 tasks is looked at when it is made and when it is given, as an active and as a standby one.
    expect(fresh.stepCount).toBeGreaterThan(40);
    const members = first.map((before) => {
      const { active, standby } = fresh.result.get(before.id)!;
      return member(before.id, { active: namesOf(active), standby: namesOf(standby) });
    });
    const again = resultOf(stickySteps({ members, subtopologies, standbyCount: 1 }));
    expect(again.result).toEqual(fresh.result);
    expect(again.stepCount).toBeGreaterThan(fresh.stepCount / 2);
  });
});
