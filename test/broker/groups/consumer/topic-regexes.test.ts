import { expect, test } from 'vitest';
import { ErrorCode } from '../../../../src/base/error-code.ts';
import { BrokerHarness } from '../../broker-harness.ts';
import { assignmentIntervalMs, describeGroup, reconcileAll, TestConsumer } from './test-consumer.ts';

/** Expressions are looked up beside the requests. */
async function looked(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

test('a member gets the topics that its expression matches, also those that are created later', async () => {
  const harness = await BrokerHarness.open();
  const first = await harness.createTopic('orders-1', 1);
  await harness.createTopic('payments', 1);
  const member = new TestConsumer(harness, 'm0', { topics: [], regex: 'orders-.*' });
  const joined = await member.join();
  expect([joined.errorCode, joined.memberEpoch, joined.assignment]).toEqual([
    ErrorCode.NONE,
    1,
    { topicPartitions: [] },
  ]);
  await looked();
  await reconcileAll(harness, [member]);
  expect(member.owned).toEqual([{ topicId: first.id, partitions: [0] }]);
  const second = await harness.createTopic('orders-2', 2);
  harness.clock.advance(10_000);
  await member.beat();
  await looked();
  await reconcileAll(harness, [member]);
  expect(member.owned).toContainEqual({ topicId: second.id, partitions: [0, 1] });
  await harness.broker.topics.delete(first.id);
  await reconcileAll(harness, [member]);
  expect(member.owned).toEqual([{ topicId: second.id, partitions: [0, 1] }]);
  const restarted = await BrokerHarness.open({ store: harness.store, seed: 2 });
  member.harness = restarted;
  member.connection = restarted.connect();
  await member.beat();
  await looked();
  await reconcileAll(restarted, [member]);
  expect(member.owned).toEqual([{ topicId: second.id, partitions: [0, 1] }]);
});

test('names and expressions add up, and an expression that is taken back takes its topics along', async () => {
  const harness = await BrokerHarness.open();
  const named = await harness.createTopic('named', 1);
  const matched = await harness.createTopic('matched', 1);
  const member = new TestConsumer(harness, 'm0', { topics: ['named'], regex: 'match.*' });
  await member.join();
  await looked();
  await reconcileAll(harness, [member]);
  expect(member.owned.map(({ topicId }) => topicId).toSorted()).toEqual([named.id, matched.id].toSorted());
  await member.send({ subscribedTopicRegex: '' });
  harness.clock.advance(assignmentIntervalMs);
  await reconcileAll(harness, [member]);
  expect(member.owned).toEqual([{ topicId: named.id, partitions: [0] }]);
  expect((await describeGroup(harness)).members[0]!.subscribedTopicRegex).toBe('');
});

test('an expression that is not valid is refused, and changes nothing', async () => {
  const harness = await BrokerHarness.open();
  const member = new TestConsumer(harness, 'm0', { topics: [], regex: 'a(' });
  const { errorCode, errorMessage } = await member.join();
  expect(errorCode).toBe(ErrorCode.INVALID_REGULAR_EXPRESSION);
  expect(errorMessage).toContain('missing closing )');
  expect((await describeGroup(harness)).errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
});
