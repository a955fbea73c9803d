import { expect, test } from 'vitest';
import { ErrorCode } from '../../../../src/base/error-code.ts';
import { deleteGroupsApi, listGroupsApi, offsetFetchApi } from '../../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../../broker-harness.ts';
import { assignmentIntervalMs, describeGroup, reconcileAll, stableConsumers, TestConsumer } from './test-consumer.ts';

/** All partitions that the members have, in order. */
function all(members: readonly TestConsumer[]): number[] {
  return members.flatMap(({ partitions }) => partitions).toSorted((a, b) => a - b);
}

test('members share the partitions, and one that leaves gives its own to the others', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('topic', 7);
  const members = await stableConsumers(harness, 3);
  expect(all(members)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(members.map(({ partitions }) => partitions.length).toSorted()).toEqual([2, 2, 3]);
  await members[1]!.leave();
  const left = [members[0]!, members[2]!];
  const kept = left.map(({ partitions }) => [...partitions]);
  await reconcileAll(harness, left);
  expect(all(left)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  for (const [i, { partitions }] of left.entries()) expect(partitions).toEqual(expect.arrayContaining(kept[i]!));
});

test('a partition goes to the next member only once the last has given it up', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('topic', 2);
  const [first] = (await stableConsumers(harness, 1)) as [TestConsumer];
  const second = new TestConsumer(harness, 'm1');
  harness.clock.advance(assignmentIntervalMs);
  await second.join();
  const told = await first.send();
  expect(told.assignment!.topicPartitions[0]!.partitions).toHaveLength(1);
  // It says that it still has both: nothing moves.
  const { topicId } = told.assignment!.topicPartitions[0]!;
  await first.send({ topicPartitions: [{ topicId, partitions: [0, 1] }] });
  await second.beat();
  expect(second.partitions).toEqual([]);
  await first.send({ topicPartitions: told.assignment!.topicPartitions });
  await second.beat();
  expect(all([first, second])).toEqual([0, 1]);
});

test('a member that does not give up its partitions in time is taken out', async () => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('topic', 2);
  const [first] = (await stableConsumers(harness, 1, { rebalanceTimeoutMs: 5000 })) as [TestConsumer];
  const second = new TestConsumer(harness, 'm1');
  harness.clock.advance(assignmentIntervalMs);
  await second.join();
  await first.send();
  harness.clock.advance(4999);
  expect((await first.send()).errorCode).toBe(ErrorCode.NONE);
  harness.clock.advance(1);
  expect((await first.send()).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  expect(await first.commit(topic, 0)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  await reconcileAll(harness, [second]);
  expect(second.partitions).toEqual([0, 1]);
});

test('a member that is not heard of is taken out when its session ends', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('topic', 2);
  const [first, second] = (await stableConsumers(harness, 2)) as [TestConsumer, TestConsumer];
  harness.clock.advance(44_000);
  expect(await first.beat()).toBe(ErrorCode.NONE);
  harness.clock.advance(1000);
  expect((await second.send()).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  await reconcileAll(harness, [first]);
  expect(first.partitions).toEqual([0, 1]);
});

test('a response that was lost can be asked for again, and only with what the member had', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('topic', 3);
  const [first] = (await stableConsumers(harness, 1)) as [TestConsumer];
  const before = first.epoch;
  const second = new TestConsumer(harness, 'm1');
  harness.clock.advance(assignmentIntervalMs);
  await second.join();
  await first.beat();
  expect(first.epoch).toBe(before + 1);
  const kept = [...first.owned];
  expect((await first.send({ memberEpoch: before })).errorCode).toBe(ErrorCode.FENCED_MEMBER_EPOCH);
  const again = await first.send({ memberEpoch: before, topicPartitions: kept });
  expect([again.errorCode, again.memberEpoch]).toEqual([ErrorCode.NONE, before + 1]);
});

test('topics that are created, grow and go are taken up with the next heartbeat', async () => {
  const harness = await BrokerHarness.open();
  const options = { topics: ['topic', 'later'] };
  const topic = await harness.createTopic('topic', 1);
  const [member] = (await stableConsumers(harness, 1, options)) as [TestConsumer];
  expect(member.owned).toEqual([{ topicId: topic.id, partitions: [0] }]);
  const later = await harness.createTopic('later', 2);
  await reconcileAll(harness, [member]);
  expect(member.owned).toContainEqual({ topicId: later.id, partitions: [0, 1] });
  await harness.broker.topics.addPartitions('topic', 3, false);
  await reconcileAll(harness, [member]);
  expect(member.owned).toContainEqual({ topicId: topic.id, partitions: [0, 1, 2] });
  await harness.broker.topics.delete(later.id);
  await reconcileAll(harness, [member]);
  expect(member.owned).toEqual([{ topicId: topic.id, partitions: [0, 1, 2] }]);
  const again = await harness.createTopic('later', 1);
  await reconcileAll(harness, [member]);
  expect(member.owned).toContainEqual({ topicId: again.id, partitions: [0] });
});

test('two topics that grow together are taken up, whatever their ids are', async () => {
  const harness = await BrokerHarness.open();
  for (let i = 0; i < 20; i++) {
    const topics = [`one-${i}`, `other-${i}`];
    for (const topic of topics) await harness.createTopic(topic, 2);
    const [member] = (await stableConsumers(harness, 1, { groupId: `g${i}`, topics })) as [TestConsumer];
    for (const topic of topics) await harness.broker.topics.addPartitions(topic, 3, false);
    await reconcileAll(harness, [member]);
    expect(member.partitions).toEqual([0, 1, 2, 0, 1, 2]);
  }
});

test('a heartbeat with nothing new writes nothing', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('topic', 3);
  const [member] = (await stableConsumers(harness, 1)) as [TestConsumer];
  await member.beat();
  const log = harness.store.open('__millrace_groups', `${'A'.repeat(21)}g`, 0, {} as never);
  const end = log.endOffset;
  for (let i = 0; i < 10; i++) await member.send({ topicPartitions: member.owned });
  expect(log.endOffset).toBe(end);
});

test('a restart finds members, epochs and assignments, and a snapshot has all of them', async () => {
  const before = await BrokerHarness.open();
  const topic = await before.createTopic('topic', 5);
  const members = await stableConsumers(before, 2);
  const joining = new TestConsumer(before, 'm2', { instanceId: 'i' });
  before.clock.advance(assignmentIntervalMs);
  await joining.join();
  await members[0]!.send();
  const told = await describeGroup(before);
  expect(told.groupState).toBe('Reconciling');
  // 5 MiB of changes make a snapshot due.
  for (let i = 0; i < 1400; i++) await members[1]!.commit(topic, members[1]!.partitions[0]!);
  const harness = await BrokerHarness.open({ store: before.store, seed: 2 });
  expect(await describeGroup(harness)).toEqual(told);
  const everybody = [...members, joining];
  for (const member of everybody) {
    member.harness = harness;
    member.connection = harness.connect();
  }
  await reconcileAll(harness, everybody);
  expect(all(everybody)).toEqual([0, 1, 2, 3, 4]);
  // Who is not heard of after the restart is taken out too.
  harness.clock.advance(45_000);
  expect(await joining.beat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  expect((await describeGroup(harness)).groupState).toBe('Empty');
});

test('an empty group can be deleted, with its offsets, and stays away', async () => {
  const before = await BrokerHarness.open();
  const topic = await before.createTopic('topic', 1);
  const [member] = (await stableConsumers(before, 1)) as [TestConsumer];
  expect(await member.commit(topic, 0)).toBe(ErrorCode.NONE);
  const remove = async (): Promise<number> =>
    (await before.request(deleteGroupsApi, 2, { groupsNames: ['group'] })).results[0]!.errorCode;
  expect(await remove()).toBe(ErrorCode.NON_EMPTY_GROUP);
  await member.leave();
  expect(await remove()).toBe(ErrorCode.NONE);
  const harness = await BrokerHarness.open({ store: before.store, seed: 2 });
  expect((await harness.request(listGroupsApi, 5, {})).groups).toEqual([]);
  const fetched = await harness.request(offsetFetchApi, 7, { groupId: 'group', topics: null });
  expect(fetched.topics).toEqual([]);
});

test('offsets of topics that no member subscribes to expire', async () => {
  const config = { 'offsets.retention.minutes': '1', 'offsets.retention.check.interval.ms': '1000' };
  const harness = await BrokerHarness.open({ config });
  const topic = await harness.createTopic('topic', 1);
  const other = await harness.createTopic('other', 1);
  const [member] = (await stableConsumers(harness, 1)) as [TestConsumer];
  await member.commit(topic, 0);
  await member.commit(other, 0);
  for (let i = 0; i < 4; i++) {
    harness.clock.advance(20_000);
    await member.beat();
  }
  const fetched = await harness.request(offsetFetchApi, 7, { groupId: 'group', topics: null });
  expect(fetched.topics.map(({ name }) => name)).toEqual(['topic']);
});

test('a group can have times of its own, held to what the broker allows', async () => {
  const config = { 'group.consumer.min.session.timeout.ms': '1000', 'group.consumer.min.heartbeat.interval.ms': '100' };
  const harness = await BrokerHarness.open({ config });
  await harness.createTopic('topic', 1);
  const set = async (name: string, value: string): Promise<void> => {
    const { groupConfigs } = harness.broker.topics.image;
    const configs = new Map([...groupConfigs.of('group'), [name, value]]);
    groupConfigs.apply(['group'], { configs: Object.fromEntries(configs) });
  };
  await set('consumer.heartbeat.interval.ms', '200');
  await set('consumer.session.timeout.ms', '3000');
  const [member] = (await stableConsumers(harness, 1)) as [TestConsumer];
  expect((await member.send()).heartbeatIntervalMs).toBe(200);
  await set('consumer.heartbeat.interval.ms', '1');
  expect((await member.send()).heartbeatIntervalMs).toBe(100);
  harness.clock.advance(2999);
  expect((await member.send()).errorCode).toBe(ErrorCode.NONE);
  harness.clock.advance(3000);
  expect((await member.send()).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
});
