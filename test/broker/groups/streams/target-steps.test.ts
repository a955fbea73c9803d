/** Targets of streams groups that are made in steps, with members that come and go meanwhile. */

import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BrokerHarness } from '../../broker-harness.ts';
import {
  allTasks,
  assignmentIntervalMs,
  describeStreams,
  initialDelayMs,
  reconcileStreams,
  tasksOf,
  TestStreamsMember,
} from './test-streams-member.ts';

/** Lets what goes in steps come to its end. */
async function steps(harness: BrokerHarness): Promise<void> {
  for (let i = 0; i < 50; i++) {
    harness.clock.advance(1);
    await setImmediate();
  }
}

test('a target of many tasks is made in steps, and who has gone meanwhile gets nothing of it', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 700);
  const members = ['m0', 'm1', 'm2'].map((id) => new TestStreamsMember(harness, id));
  const [first, second, third] = members as [TestStreamsMember, TestStreamsMember, TestStreamsMember];
  for (const member of members) await member.join();
  harness.clock.advance(initialDelayMs);
  const { status } = await first.send();
  expect(status).toEqual([{ statusCode: 5, statusDetail: 'Assignment delayed until it is worked out.' }]);
  await third.leave();
  await steps(harness);
  await first.beat();
  await second.beat();
  const parts = [first.named().length, second.named().length];
  expect(parts.every((count) => count >= 466 && count <= 467)).toBe(true);
  expect((await describeStreams(harness)).groupState).toBe('Assigning');
  // What the third was to get waits for the next target.
  harness.clock.advance(assignmentIntervalMs);
  expect((await second.beat()).status).toHaveLength(1);
  await steps(harness);
  await reconcileStreams(harness, [first, second]);
  expect(allTasks([first, second])).toEqual([...tasksOf('0', 700), ...tasksOf('1', 700)].toSorted());
  expect(first.named()).toHaveLength(700);
});

test('a static member that comes back while the target is made in steps gets what it was to get', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 700);
  const other = new TestStreamsMember(harness, 'm0');
  const before = new TestStreamsMember(harness, 'm1', { instanceId: 'static' });
  for (const member of [other, before]) await member.join();
  harness.clock.advance(initialDelayMs);
  await before.leave(-2);
  const after = new TestStreamsMember(harness, 'm2', { instanceId: 'static', processId: 'm1' });
  await after.join();
  await steps(harness);
  await reconcileStreams(harness, [other, after]);
  expect(allTasks([other, after])).toEqual([...tasksOf('0', 700), ...tasksOf('1', 700)].toSorted());
});

test('a target that was begun for members that have all gone is dropped', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 700);
  const member = new TestStreamsMember(harness, 'm0');
  await member.join();
  harness.clock.advance(initialDelayMs);
  await member.leave();
  await steps(harness);
  expect((await describeStreams(harness)).groupState).toBe('Empty');
  await member.join();
  harness.clock.advance(initialDelayMs);
  await member.beat();
  await steps(harness);
  await reconcileStreams(harness, [member]);
  expect(member.named()).toHaveLength(1400);
});
