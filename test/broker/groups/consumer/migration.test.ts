import { expect, test } from 'vitest';
import { ErrorCode } from '../../../../src/base/error-code.ts';
import { encodeAssignment } from '../../../../src/broker/groups/consumer-protocol.ts';
import {
  describeGroupsApi,
  heartbeatApi,
  joinGroupApi,
  leaveGroupApi,
  listGroupsApi,
  syncGroupApi,
} from '../../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../../broker-harness.ts';
import { subscription } from '../conversations.ts';
import { settle, stableGroup } from '../test-member.ts';
import { assignmentIntervalMs, describeGroup, TestConsumer } from './test-consumer.ts';

const withoutDelay = { 'group.initial.rebalance.delay.ms': '0' };

/** A member of the classic protocol that reads what it is assigned as consumers do. */
class ClassicConsumer {
  harness: BrokerHarness;
  id = '';
  generation = -1;

  constructor(harness: BrokerHarness) {
    this.harness = harness;
  }

  async join(): Promise<number> {
    const joining = this.harness.request(joinGroupApi, 9, {
      groupId: 'group',
      memberId: this.id,
      groupInstanceId: null,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 20_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription('topic') }],
      reason: null,
    });
    await settle();
    this.harness.clock.advance(0);
    const { errorCode, memberId, generationId } = await joining;
    if (memberId !== '') this.id = memberId;
    if (errorCode === ErrorCode.NONE) this.generation = generationId;
    return errorCode === ErrorCode.MEMBER_ID_REQUIRED ? this.join() : errorCode;
  }

  /** The error, or the partitions that it is assigned. `partitions`: what it assigns to itself as the leader. */
  async sync(partitions: readonly number[] | null = null): Promise<number | number[]> {
    const own = partitions === null ? [] : [{ topic: 'topic', partitions }];
    const { errorCode, assignment } = await this.harness.request(syncGroupApi, 5, {
      groupId: 'group',
      memberId: this.id,
      groupInstanceId: null,
      generationId: this.generation,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: partitions === null ? [] : [{ memberId: this.id, assignment: encodeAssignment(0, own) }],
    });
    if (errorCode !== ErrorCode.NONE) return errorCode;
    const bytes = Buffer.from(assignment);
    if (bytes.readInt32BE(2) === 0) return [];
    return Array.from({ length: bytes.readInt32BE(13) }, (_, i) => bytes.readInt32BE(17 + 4 * i));
  }

  async heartbeat(): Promise<number> {
    const fields = { groupId: 'group', memberId: this.id, groupInstanceId: null, generationId: this.generation };
    return (await this.harness.request(heartbeatApi, 4, fields)).errorCode;
  }

  async leave(): Promise<void> {
    const members = [{ memberId: this.id, groupInstanceId: null, reason: null }];
    await this.harness.request(leaveGroupApi, 5, { groupId: 'group', members });
  }
}

async function stableClassic(harness: BrokerHarness): Promise<ClassicConsumer> {
  const classic = new ClassicConsumer(harness);
  expect(await classic.join()).toBe(ErrorCode.NONE);
  expect(await classic.sync([0, 1])).toEqual([0, 1]);
  return classic;
}

async function typeOf(harness: BrokerHarness): Promise<string | undefined> {
  return (await harness.request(listGroupsApi, 5, {})).groups[0]?.groupType;
}

test('a group goes from the classic to the consumer protocol and back, with its members and through restarts', async () => {
  const before = await BrokerHarness.open({ config: withoutDelay });
  await before.createTopic('topic', 2);
  const classic = await stableClassic(before);
  const consumer = new TestConsumer(before, 'm0');
  expect((await consumer.join()).errorCode).toBe(ErrorCode.NONE);
  expect(await typeOf(before)).toBe('consumer');
  const upgraded = await BrokerHarness.open({ store: before.store, config: withoutDelay, seed: 2 });
  for (const member of [classic, consumer]) member.harness = upgraded;
  expect(await classic.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
  // A classic member of version 0 gives up all when it joins, and gets what is left to it.
  expect(await classic.join()).toBe(ErrorCode.NONE);
  const kept = await classic.sync();
  expect(kept).toHaveLength(1);
  expect(await consumer.beat()).toBe(ErrorCode.NONE);
  expect([...(kept as number[]), ...consumer.partitions].toSorted()).toEqual([0, 1]);
  expect(await classic.heartbeat()).toBe(ErrorCode.NONE);
  await consumer.leave();
  expect(await typeOf(upgraded)).toBe('classic');
  const downgraded = await BrokerHarness.open({ store: before.store, config: withoutDelay, seed: 3 });
  classic.harness = downgraded;
  const [described] = (await downgraded.request(describeGroupsApi, 6, { groups: ['group'] })).groups;
  expect(described!.members.map(({ memberId }) => memberId)).toEqual([classic.id]);
  expect(await classic.heartbeat()).toBe(ErrorCode.NONE);
});

test('a classic member that does not join again in time is taken out, and so is one that does not sync', async () => {
  const harness = await BrokerHarness.open({ config: withoutDelay });
  await harness.createTopic('topic', 2);
  const classic = await stableClassic(harness);
  const consumer = new TestConsumer(harness, 'm0');
  await consumer.join();
  for (let i = 0; i < 4; i++) {
    expect(await classic.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    harness.clock.advance(5000);
  }
  expect(await classic.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  const late = new ClassicConsumer(harness);
  expect(await late.join()).toBe(ErrorCode.NONE);
  for (let i = 0; i < 4; i++) {
    await late.heartbeat();
    harness.clock.advance(5000);
  }
  expect(await late.sync()).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
});

test('where the log takes no change, the group stays what it was', async () => {
  const harness = await BrokerHarness.open({ config: withoutDelay });
  await harness.createTopic('topic', 2);
  const classic = await stableClassic(harness);
  const consumer = new TestConsumer(harness, 'm0');
  harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  expect((await consumer.join()).errorCode).toBe(ErrorCode.NOT_COORDINATOR);
  harness.store.failAppends = ErrorCode.NONE;
  expect(await typeOf(harness)).toBe('classic');
  expect(await classic.heartbeat()).toBe(ErrorCode.NONE);
  expect((await consumer.join()).errorCode).toBe(ErrorCode.NONE);
  const told = await describeGroup(harness);
  harness.clock.advance(assignmentIntervalMs);
  harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  await consumer.leave();
  harness.store.failAppends = ErrorCode.NONE;
  expect(await typeOf(harness)).toBe('consumer');
  expect(await describeGroup(harness)).toEqual(told);
});

test('a change that is not written is taken back, and members go on from what is', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('topic', 2);
  const first = new TestConsumer(harness, 'm0');
  await first.join();
  const told = await describeGroup(harness);
  const second = new TestConsumer(harness, 'm1');
  harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  expect((await second.join()).errorCode).toBe(ErrorCode.NOT_COORDINATOR);
  // Nothing changes, so nothing has to be written.
  expect((await first.send()).errorCode).toBe(ErrorCode.NONE);
  harness.store.failAppends = ErrorCode.NONE;
  expect(await describeGroup(harness)).toEqual(told);
  expect((await second.join()).errorCode).toBe(ErrorCode.NONE);
});

test('groups that cannot become consumer groups are left alone', async () => {
  const disabled = await BrokerHarness.open({ config: { 'group.consumer.migration.policy': 'Downgrade' } });
  await disabled.createTopic('topic', 2);
  const [member] = await stableGroup(disabled, 1);
  expect((await new TestConsumer(disabled, 'm0').join()).errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
  expect(await member!.heartbeat()).toBe(ErrorCode.NONE);
  const harness = await BrokerHarness.open({ seed: 2 });
  await harness.createTopic('topic', 2);
  // What this leader assigns are no assignments of consumers.
  const [other] = await stableGroup(harness, 1);
  const { errorCode, errorMessage } = await new TestConsumer(harness, 'm0').join();
  expect(errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
  expect(errorMessage).toContain('malformed');
  expect(await other!.heartbeat()).toBe(ErrorCode.NONE);
});

test('a member says no more of itself than there is room for', async () => {
  const harness = await BrokerHarness.open({ config: { 'group.consumer.max.size': '1' } });
  await harness.createTopic('topic', 2);
  const topics = Array.from({ length: 200_000 }, (_, i) => `topic-${i}`);
  const large = new TestConsumer(harness, 'm0', { topics });
  expect((await large.join()).errorCode).toBe(ErrorCode.INVALID_REQUEST);
  expect((await describeGroup(harness)).errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
  expect((await new TestConsumer(harness, 'm1').join()).errorCode).toBe(ErrorCode.NONE);
  expect((await new TestConsumer(harness, 'm2').join()).errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
});
