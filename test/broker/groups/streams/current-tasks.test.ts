import { describe, expect, it } from 'vitest';
import { reconciledTasks } from '../../../../src/broker/groups/streams/current-tasks.ts';
import { newStreamsMember, type StreamsMember } from '../../../../src/broker/groups/streams/streams-member.ts';
import { TaskProcesses } from '../../../../src/broker/groups/streams/task-processes.ts';
import { byRole, roles, type Role, type Tasks } from '../../../../src/broker/groups/streams/tasks.ts';

type Named = Partial<Record<Role, readonly number[]>>;

const tasks = (named: Named): Tasks =>
  byRole((role) => (named[role] === undefined ? new Map() : new Map([['0', new Set(named[role])]])));

/** A member at epoch 1 with these tasks. */
function member(id: string, has: Named, processId = id): StreamsMember {
  const assigned = byRole((role) =>
    has[role] === undefined ? new Map() : new Map([['0', new Map(has[role].map((partition) => [partition, 1]))]]),
  );
  return { ...newStreamsMember(id), processId, epoch: 1, previousEpoch: 1, assigned };
}

interface Step {
  readonly target: Named;
  readonly owned?: Named;
  readonly others?: readonly StreamsMember[];
}

/** The member's next step towards a target of epoch 2. */
function next(before: StreamsMember, { target, owned, others = [] }: Step): StreamsMember {
  const processes = new TaskProcesses();
  for (const each of [before, ...others]) processes.add(each);
  const said = owned === undefined ? null : tasks(owned);
  return reconciledTasks(before, { targetEpoch: 2, target: tasks(target), owned: said, processes });
}

/** Its tasks by role, those that it gives up behind a minus. */
function shown({ state, epoch, assigned, revoking }: StreamsMember): Record<string, unknown> {
  const named = roles.flatMap((role) => [
    ...[...(assigned[role].get('0')?.keys() ?? [])].map((partition) => `${role} ${partition}`),
    ...[...(revoking[role].get('0')?.keys() ?? [])].map((partition) => `-${role} ${partition}`),
  ]);
  return { state, epoch, tasks: named.toSorted() };
}

describe('a step of a member of a streams group', () => {
  it('gives up first, and then gets', () => {
    const before = member('a', { active: [0] });
    const giving = next(before, { target: { active: [1] } });
    expect(shown(giving)).toEqual({ state: 'unrevoked', epoch: 1, tasks: ['-active 0'] });
    expect(next(giving, { target: { active: [1] }, owned: { active: [0] } })).toBe(giving);
    const given = next(giving, { target: { active: [1] }, owned: {} });
    expect(shown(given)).toEqual({ state: 'stable', epoch: 2, tasks: ['active 1'] });
  });

  it('waits for what another process runs, and for what another member of its own has in any role', () => {
    const waiting = { state: 'unreleased', epoch: 2, tasks: [] };
    const target = { active: [0] };
    expect(shown(next(member('a', {}), { target, others: [member('b', { active: [0] })] }))).toEqual(waiting);
    const siblings = [member('b', { standby: [0] }, 'a'), member('b', { warmup: [0] }, 'a')];
    for (const sibling of siblings)
      expect(shown(next(member('a', {}), { target, others: [sibling] }))).toEqual(waiting);
    const standby = { standby: [0] };
    for (const sibling of [member('b', { active: [0] }, 'a'), member('b', standby, 'a')]) {
      expect(shown(next(member('a', {}), { target: standby, others: [sibling] }))).toEqual(waiting);
    }
    const elsewhere = { target: standby, others: [member('b', { active: [0] }), member('c', standby)] };
    expect(shown(next(member('a', {}), elsewhere)).tasks).toEqual(['standby 0']);
  });

  it('keeps the state of a standby task that becomes active, also while another process runs it', () => {
    const before = member('a', { standby: [0] });
    const target = { active: [0] };
    const promoted = { state: 'stable', epoch: 2, tasks: ['active 0'] };
    expect(shown(next(before, { target }))).toEqual(promoted);
    const waits = next(before, { target, others: [member('b', { active: [0] })] });
    expect(shown(waits)).toEqual({ state: 'unreleased', epoch: 2, tasks: ['standby 0'] });
    expect(shown(next(waits, { target }))).toEqual(promoted);
  });

  it('has an active task as a standby one as soon as it gives it up', () => {
    const giving = next(member('a', { active: [0] }), { target: { standby: [0] } });
    expect(shown(giving)).toEqual({ state: 'unrevoked', epoch: 1, tasks: ['-active 0', 'standby 0'] });
    const given = next(giving, { target: { standby: [0] }, owned: { standby: [0] } });
    expect(shown(given)).toEqual({ state: 'stable', epoch: 2, tasks: ['standby 0'] });
  });

  it('makes a standby task of a warm-up one and the other way round, without giving it up', () => {
    expect(shown(next(member('a', { warmup: [0] }), { target: { standby: [0] } })).tasks).toEqual(['standby 0']);
    expect(shown(next(member('a', { standby: [0] }), { target: { warmup: [0] } })).tasks).toEqual(['warmup 0']);
  });

  it('is none for who is where it is to be', () => {
    const there = { ...member('a', { active: [0] }), epoch: 2 };
    expect(next(there, { target: { active: [0] } })).toBe(there);
    expect(shown(next(member('a', {}), { target: {} }))).toMatchObject({ state: 'stable', epoch: 2 });
  });
});
