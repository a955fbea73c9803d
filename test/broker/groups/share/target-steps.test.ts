/** Targets of share groups that are made in steps, with members that come and go meanwhile. */

import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TestShareConsumer } from '../../share/test-share-consumer.ts';
import { BrokerHarness } from '../../broker-harness.ts';

const partitionCount = 6000;
const intervalMs = 1000;

/** Lets what goes in steps come to its end. */
async function steps(harness: BrokerHarness): Promise<void> {
  for (let i = 0; i < 100; i++) {
    harness.clock.advance(1);
    await setImmediate();
  }
}

const countOf = ({ assigned }: TestShareConsumer): number =>
  assigned.reduce((sum, { partitions }) => sum + partitions.length, 0);

async function opened(): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open();
  await harness.createTopic('topic', partitionCount);
  return harness;
}

test('a target of many partitions is made in steps, and until then members have what they had', async () => {
  const harness = await opened();
  const [first, second] = [new TestShareConsumer(harness), new TestShareConsumer(harness)];
  // The first of all hears at once what it is to read.
  await first.join();
  const { epoch } = first;
  expect(countOf(first)).toBe(partitionCount);
  harness.clock.advance(intervalMs);
  await second.join();
  expect([second.epoch, countOf(second)]).toEqual([epoch, 0]);
  await first.beat();
  expect([first.epoch, countOf(first)]).toEqual([epoch, partitionCount]);
  await steps(harness);
  await first.beat();
  await second.beat();
  expect([first, second].map((member) => [member.epoch, countOf(member)])).toEqual([
    [epoch + 1, partitionCount / 2],
    [epoch + 1, partitionCount / 2],
  ]);
});

test('who has gone meanwhile gets nothing of it, and what it was to get waits for the next', async () => {
  const harness = await opened();
  const members = [0, 1, 2].map(() => new TestShareConsumer(harness));
  const [first, second, third] = members as [TestShareConsumer, TestShareConsumer, TestShareConsumer];
  await first.join();
  harness.clock.advance(intervalMs);
  await second.join();
  await third.join();
  await third.leave();
  await steps(harness);
  harness.clock.advance(intervalMs);
  for (const member of [first, second]) await member.beat();
  await steps(harness);
  for (const member of [first, second]) await member.beat();
  expect([countOf(first), countOf(second)]).toEqual([partitionCount / 2, partitionCount / 2]);
});

test('one that was begun for members that have all gone is dropped', async () => {
  const harness = await opened();
  const [first, second] = [new TestShareConsumer(harness), new TestShareConsumer(harness)];
  await first.join();
  harness.clock.advance(intervalMs);
  await second.join();
  await first.leave();
  await second.leave();
  await steps(harness);
  const third = new TestShareConsumer(harness);
  await third.join();
  await steps(harness);
  await third.beat();
  expect(countOf(third)).toBe(partitionCount);
});

test('who has left a topic meanwhile does not get it', async () => {
  const harness = await opened();
  const { id } = await harness.createTopic('other', 100);
  const topics = ['topic', 'other'];
  const [first, second] = [
    new TestShareConsumer(harness, 'group', topics),
    new TestShareConsumer(harness, 'group', topics),
  ];
  await first.join();
  const { epoch } = first;
  harness.clock.advance(intervalMs);
  await second.join();
  await first.beat({ subscribedTopicNames: ['other'] });
  await steps(harness);
  await first.beat();
  expect([first.epoch, first.assigned.map(({ topicId }) => topicId)]).toEqual([epoch + 1, [id]]);
  harness.clock.advance(intervalMs);
  await first.beat();
  await steps(harness);
  for (const member of [first, second]) await member.beat();
  expect(first.assigned.map(({ topicId }) => topicId)).toEqual([id]);
  expect(second.assigned.find(({ topicId }) => topicId !== id)?.partitions).toHaveLength(partitionCount);
});
