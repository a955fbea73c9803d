import { expect, test } from 'vitest';
import { ErrorCode } from '../../../../src/base/error-code.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import { BrokerHarness } from '../../broker-harness.ts';
import { describeStreams, initialDelayMs, reconcileStreams, TestStreamsMember } from './test-streams-member.ts';

/** What a member may be running: what it was told last, and what it has not yet said to have given up. */
type Running = Map<TestStreamsMember, Set<string>>;

/** Active tasks run once; a process has a task in one member. */
function check(running: Running, processOf: (member: TestStreamsMember) => string): void {
  const active = new Set<string>();
  const held = new Set<string>();
  for (const [member, tasks] of running) {
    for (const name of tasks) {
      const [role, task] = name.split(' ');
      if (role === 'activeTasks') {
        expect(active, `${task} runs twice`).not.toContain(task);
        active.add(task!);
      }
      const place = `${processOf(member)} ${task}`;
      expect(held, `${place} is there twice`).not.toContain(place);
      held.add(place);
    }
  }
}

function tasksOf(member: TestStreamsMember): string[] {
  return (['activeTasks', 'standbyTasks'] as const).flatMap((role) =>
    member.named(role).map((name) => `${role} ${name}`),
  );
}

test.each([1, 2, 3, 4, 5, 6])('members that come, go and are slow never run a task twice (seed %i)', async (seed) => {
  const random = new SeededRandom(seed);
  const harness = await BrokerHarness.open({ config: { 'group.streams.num.standby.replicas': `${seed % 3}` } });
  await harness.createTopic('lines', 6);
  const running: Running = new Map();
  const processes = new Map<TestStreamsMember, string>();
  let count = 0;
  const join = async (): Promise<void> => {
    const processId = `p${random.below(3)}`;
    const member = new TestStreamsMember(harness, `m${count++}`, { processId, rebalanceTimeoutMs: 1_000_000 });
    processes.set(member, processId);
    await member.join();
    running.set(member, new Set(tasksOf(member)));
  };
  await join();
  harness.clock.advance(initialDelayMs);
  for (let step = 0; step < 200; step++) {
    const members = [...running.keys()];
    const member = members[random.below(members.length)];
    const action = random.below(20);
    if (member === undefined || (action === 0 && members.length < 6)) await join();
    else if (action === 1 && members.length > 1) {
      await member.leave();
      running.delete(member);
    } else if (action === 2) harness.clock.advance(1000);
    else if (action < 12) {
      // It hears what it is to run and begins with it; what it is to give up it still has.
      expect((await member.send()).errorCode).toBe(ErrorCode.NONE);
      for (const name of tasksOf(member)) {
        const task = name.split(' ')[1]!;
        for (const other of [`activeTasks ${task}`, `standbyTasks ${task}`]) running.get(member)!.delete(other);
        running.get(member)!.add(name);
      }
    } else {
      running.set(member, new Set(tasksOf(member)));
      expect((await member.send(member.tasks)).errorCode).toBe(ErrorCode.NONE);
      running.set(member, new Set(tasksOf(member)));
    }
    check(running, (each) => processes.get(each)!);
  }
  const members = [...running.keys()];
  await reconcileStreams(harness, members);
  const active = members.flatMap((member) => member.named()).toSorted();
  expect(active).toHaveLength(12);
  expect(new Set(active).size).toBe(12);
  expect((await describeStreams(harness)).groupState).toBe('Stable');
});
