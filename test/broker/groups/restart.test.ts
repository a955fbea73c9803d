import { expect, test } from 'vitest';
import { EnvironmentErrorCode } from '../../../src/base/environment-error.ts';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { encodeKeyedBatch, type KeyedRecord } from '../../../src/broker/keyed-batch.ts';
import { stateLogConfig } from '../../../src/broker/state-log.ts';
import { stateLogTopics } from '../../../src/broker/topic-name.ts';
import {
  deleteGroupsApi,
  describeGroupsApi,
  listGroupsApi,
  offsetFetchApi,
} from '../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { MemoryLogStore } from '../memory-log-store.ts';
import { settle, stableGroup, TestMember } from './test-member.ts';

const withoutDelay = { 'group.initial.rebalance.delay.ms': '0' };
const groupsLogId = `${'A'.repeat(21)}g`;

/** Another broker on what the first has written, as after a crash: nothing of the first is told. */
async function restart(before: BrokerHarness, members: readonly TestMember[]): Promise<BrokerHarness> {
  const harness = await BrokerHarness.open({ store: before.store, config: withoutDelay });
  for (const member of members) {
    member.harness = harness;
    member.connection = harness.connect();
  }
  return harness;
}

test('members go on with heartbeats, commits and the same assignment', async () => {
  const before = await BrokerHarness.open();
  const topic = await before.createTopic('topic', 3);
  const members = await stableGroup(before, 3);
  expect(await members[1]!.commit(topic, 1, 17, 'before')).toBe(ErrorCode.NONE);
  const told = await before.request(describeGroupsApi, 6, { groups: ['group'] });
  const harness = await restart(before, members);
  expect(await harness.request(describeGroupsApi, 6, { groups: ['group'] })).toEqual(told);
  for (const [i, member] of members.entries()) {
    expect(await member.heartbeat()).toBe(ErrorCode.NONE);
    expect(await member.commit(topic, i, i)).toBe(ErrorCode.NONE);
    expect((await member.sync()).assignment).toEqual(new Uint8Array([i]));
  }
});

test('sessions begin anew, and end for members that are gone', async () => {
  const before = await BrokerHarness.open();
  const members = await stableGroup(before, 2, { rebalanceTimeoutMs: 60_000 });
  before.clock.advance(9000);
  const harness = await restart(before, members);
  harness.clock.advance(9000);
  expect(await members[0]!.heartbeat()).toBe(ErrorCode.NONE);
  harness.clock.advance(1000);
  expect(await members[0]!.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
  expect(await members[1]!.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  expect((await members[0]!.join()).generationId).toBe(2);
});

test('a generation that was not assigned is forgotten, and its members join again', async () => {
  const before = await BrokerHarness.open();
  const members = await stableGroup(before, 2);
  await Promise.all(members.map((member) => member.join()));
  expect(members.map(({ generation }) => generation)).toEqual([2, 2]);
  await restart(before, members);
  expect(await members[0]!.heartbeat()).toBe(ErrorCode.ILLEGAL_GENERATION);
  expect((await members[0]!.sync()).errorCode).toBe(ErrorCode.ILLEGAL_GENERATION);
  await Promise.all(members.map((member) => member.join()));
  const synced = await Promise.all(members.map((member) => member.sync()));
  expect(synced.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.NONE, ErrorCode.NONE]);
});

test('static members keep their place, and the one they replaced stays fenced', async () => {
  const before = await BrokerHarness.open({ config: withoutDelay });
  const first = new TestMember(before, 'group', { instanceId: 'i' });
  const joining = first.join();
  await settle();
  before.clock.advance(0);
  await joining;
  await first.sync();
  const second = new TestMember(before, 'group', { instanceId: 'i' });
  expect((await second.join()).skipAssignment).toBe(true);
  const harness = await restart(before, [first, second]);
  expect(await first.heartbeat()).toBe(ErrorCode.FENCED_INSTANCE_ID);
  expect(await second.heartbeat()).toBe(ErrorCode.NONE);
  const third = new TestMember(harness, 'group', { instanceId: 'i' });
  expect((await third.join()).generationId).toBe(1);
  expect((await third.sync()).assignment).toEqual(new Uint8Array([0]));
});

test('an empty group stays with its generation, and a deleted one stays away', async () => {
  const before = await BrokerHarness.open({ config: withoutDelay });
  const [member] = (await stableGroup(before, 1)) as [TestMember];
  const [other] = (await stableGroup(before, 1, {}, 'other')) as [TestMember];
  await member.leave();
  await other.leave();
  await before.request(deleteGroupsApi, 3, { groupsNames: ['other'] });
  const harness = await restart(before, []);
  const { groups } = await harness.request(listGroupsApi, 5, {});
  expect(groups).toEqual([{ groupId: 'group', protocolType: 'consumer', groupState: 'Empty', groupType: 'classic' }]);
  const [again] = (await stableGroup(harness, 1)) as [TestMember];
  expect(again.generation).toBe(3);
});

test('a snapshot of the log has everything', async () => {
  const before = await BrokerHarness.open({ config: withoutDelay });
  const topic = await before.createTopic('topic', 2);
  const members = await stableGroup(before, 2);
  // 5 MiB of changes make a snapshot due.
  for (let i = 0; i < 1400; i++) await members[0]!.commit(topic, 0, i, 'x'.repeat(4000));
  await settle();
  const log = before.store.open(stateLogTopics.groups, groupsLogId, 0, stateLogConfig);
  expect(log.logStartOffset).toBeGreaterThan(1000);
  const harness = await restart(before, members);
  expect(await members[1]!.heartbeat()).toBe(ErrorCode.NONE);
  const topics = [{ name: 'topic', partitionIndexes: [0, 1] }];
  const fetched = await harness.request(offsetFetchApi, 7, { groupId: 'group', topics });
  expect(fetched.topics[0]!.partitions.map(({ committedOffset }) => committedOffset)).toEqual([1399, -1]);
});

async function openWith(record: KeyedRecord): Promise<unknown> {
  const store = new MemoryLogStore();
  const log = store.open(stateLogTopics.groups, groupsLogId, 0, stateLogConfig);
  log.append(encodeKeyedBatch([record], 1), { durability: 'synced', origin: 'coordinator' }, () => {});
  return BrokerHarness.open({ store }).then(
    () => null,
    (error: unknown) => error,
  );
}

const groupKey = new Uint8Array([1, 2, 0x67]);

test.each([
  ['a newer version of a record', { key: groupKey, value: new Uint8Array([2, 1, 2, 3]) }],
  ['an unknown kind of record', { key: new Uint8Array([9, 1]), value: new Uint8Array([1]) }],
])('a start on %s says that a newer version wrote it', async (_what, record) => {
  expect(await openWith(record)).toMatchObject({ code: EnvironmentErrorCode.DATA_DIRECTORY_NEWER });
});

test.each([
  ['a record that ends too early', { key: groupKey, value: new Uint8Array([1, 0, 0]) }],
  ['a key that goes on too long', { key: new Uint8Array([...groupKey, 0]), value: new Uint8Array([1]) }],
  ['an empty key', { key: new Uint8Array(0), value: null }],
])('a start on %s says that it is damaged', async (_what, record) => {
  expect(await openWith(record)).toMatchObject({ code: EnvironmentErrorCode.DATA_CORRUPT });
});
