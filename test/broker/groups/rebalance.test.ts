import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { ClassicGroup } from '../../../src/broker/groups/classic-group.ts';
import { Deadline } from '../../../src/broker/groups/deadline.ts';
import { GroupMember } from '../../../src/broker/groups/group-member.ts';
import { describeGroupsApi, leaveGroupApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { ManualClock } from '../manual-clock.ts';
import { isWaiting, settle, stableGroup, TestMember } from './test-member.ts';

const withoutDelay = { config: { 'group.initial.rebalance.delay.ms': '0' } };

async function stateOf(harness: BrokerHarness, groupId = 'group'): Promise<string> {
  const { groups } = await harness.request(describeGroupsApi, 5, { groups: [groupId] });
  return `${groups[0]!.groupState}, ${groups[0]!.members.length} members`;
}

describe('the initial delay', () => {
  it('lets the first members of a group join together', async () => {
    const harness = await BrokerHarness.open();
    const first = new TestMember(harness);
    const joining = first.join();
    await settle();
    harness.clock.advance(2999);
    expect(await isWaiting(joining)).toBe(true);
    const second = new TestMember(harness);
    const alsoJoining = second.join();
    await settle();
    harness.clock.advance(1);
    expect(await isWaiting(joining)).toBe(true);
    harness.clock.advance(3000);
    const [one, two] = await Promise.all([joining, alsoJoining]);
    expect(one.generationId).toBe(1);
    expect(two.generationId).toBe(1);
    expect([one.members.length, two.members.length]).toEqual([2, 0]);
  });

  it('is not prolonged beyond the rebalance timeout', async () => {
    const harness = await BrokerHarness.open();
    const joins: Promise<unknown>[] = [];
    for (let i = 0; i < 10; i++) {
      joins.push(new TestMember(harness, 'group', { rebalanceTimeoutMs: 7000 }).join());
      await settle();
      harness.clock.advance(1000);
    }
    expect(await isWaiting(joins[0]!)).toBe(false);
    expect(await isWaiting(joins[9]!)).toBe(true);
  });

  it('is over as soon as it passes where nobody else came', async () => {
    const harness = await BrokerHarness.open();
    const joining = new TestMember(harness).join();
    await settle();
    harness.clock.advance(3000);
    expect((await joining).generationId).toBe(1);
  });
});

describe('a session', () => {
  it('goes on with heartbeats and ends without', async () => {
    const harness = await BrokerHarness.open();
    const [one, two] = (await stableGroup(harness, 2, { rebalanceTimeoutMs: 60_000 })) as [TestMember, TestMember];
    for (let i = 0; i < 5; i++) {
      harness.clock.advance(6000);
      expect(await one.heartbeat()).toBe(i === 0 ? ErrorCode.NONE : ErrorCode.REBALANCE_IN_PROGRESS);
    }
    expect(await stateOf(harness)).toBe('PreparingRebalance, 1 members');
    expect(await two.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  it('goes on with commits', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const [one] = (await stableGroup(harness, 1)) as [TestMember];
    for (let i = 0; i < 5; i++) {
      harness.clock.advance(9000);
      expect(await one.commit(topic, 0, i)).toBe(ErrorCode.NONE);
    }
    expect(await stateOf(harness)).toBe('Stable, 1 members');
  });

  it('does not end while the member waits for the others', async () => {
    const harness = await BrokerHarness.open();
    const members = await stableGroup(harness, 2, { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 60_000 });
    const [one, two] = members as [TestMember, TestMember];
    const joining = one.join();
    for (let i = 0; i < 10; i++) {
      harness.clock.advance(5000);
      expect(await two.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    }
    expect(await isWaiting(joining)).toBe(true);
    await Promise.all([two.join(), joining]);
    expect([one.generation, two.generation]).toEqual([2, 2]);
  });

  it('ends for a member that waits and whose connection ends', async () => {
    const harness = await BrokerHarness.open();
    const members = await stableGroup(harness, 2, { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 60_000 });
    const [one, two] = members as [TestMember, TestMember];
    one.join().catch(() => {});
    one.connection.close();
    for (let i = 0; i < 2; i++) {
      harness.clock.advance(5000);
      await two.heartbeat();
    }
    expect(await stateOf(harness)).toBe('PreparingRebalance, 1 members');
    expect((await two.join()).members.map(({ memberId }) => memberId)).toEqual([two.id]);
  });

  it('begins anew with the assignment, for a member that waited longer for it', async () => {
    const harness = await BrokerHarness.open();
    const members = await stableGroup(harness, 2, { rebalanceTimeoutMs: 60_000 });
    const [leader, follower] = members as [TestMember, TestMember];
    await Promise.all(members.map((member) => member.join()));
    const syncing = follower.sync();
    for (let i = 0; i < 4; i++) {
      harness.clock.advance(6000);
      expect(await leader.heartbeat()).toBe(ErrorCode.NONE);
    }
    await leader.sync();
    expect((await syncing).errorCode).toBe(ErrorCode.NONE);
    for (let i = 0; i < 2; i++) {
      harness.clock.advance(5000);
      await leader.heartbeat();
    }
    expect(await stateOf(harness)).toBe('PreparingRebalance, 1 members');
    expect(await follower.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  it('leaves no timer behind when all are gone', async () => {
    const harness = await BrokerHarness.open();
    const timers = harness.clock.pendingCount;
    const members = await stableGroup(harness, 3);
    for (const member of members) expect(await member.leave()).toBe(ErrorCode.NONE);
    expect(await stateOf(harness)).toBe('Empty, 0 members');
    expect(harness.clock.pendingCount).toBe(timers);
  });
});

describe('a rebalance', () => {
  it('goes on without members that do not join in time', async () => {
    const harness = await BrokerHarness.open();
    const [one, two] = (await stableGroup(harness, 2)) as [TestMember, TestMember];
    const joining = one.join();
    for (let i = 0; i < 3; i++) {
      harness.clock.advance(6000);
      await two.heartbeat();
    }
    expect(await isWaiting(joining)).toBe(true);
    harness.clock.advance(2000);
    expect((await joining).members.map(({ memberId }) => memberId)).toEqual([one.id]);
    expect(await two.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  it('begins anew without members that do not sync in time', async () => {
    const harness = await BrokerHarness.open();
    const members = [new TestMember(harness), new TestMember(harness)];
    const joins = members.map((member) => member.join());
    await settle();
    harness.clock.advance(6000);
    await Promise.all(joins);
    const [leader, follower] = members as [TestMember, TestMember];
    const syncing = follower.sync();
    harness.clock.advance(9000);
    await leader.heartbeat();
    harness.clock.advance(9000);
    await leader.heartbeat();
    expect(await isWaiting(syncing)).toBe(true);
    harness.clock.advance(2000);
    expect((await syncing).errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    expect(await leader.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect((await follower.join()).generationId).toBe(2);
    expect(follower.isLeader).toBe(true);
  });

  it('takes another leader where the old one does not come', async () => {
    const harness = await BrokerHarness.open();
    const [leader, follower] = (await stableGroup(harness, 2)) as [TestMember, TestMember];
    expect([leader.isLeader, follower.isLeader]).toEqual([true, false]);
    expect(await leader.leave()).toBe(ErrorCode.NONE);
    expect(await follower.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    await follower.join();
    expect(follower.isLeader).toBe(true);
  });

  it('selects the protocol that most members prefer among those that all know', async () => {
    const harness = await BrokerHarness.open(withoutDelay);
    const names = [
      ['a', 'b', 'c'],
      ['b', 'c', 'x'],
      ['c', 'b'],
      ['b', 'c'],
    ];
    const members = names.map((protocolNames) => new TestMember(harness, 'group', { protocolNames }));
    const joins = members.map((member) => member.join());
    await settle();
    harness.clock.advance(0);
    const joined = await Promise.all(joins);
    expect(joined.map(({ protocolName }) => protocolName)).toEqual(['b', 'b', 'b', 'b']);
    const other = await new TestMember(harness, 'group', { protocolNames: ['a', 'x'] }).joinOnce();
    expect(other.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  });

  it('answers everybody with the error where the assignment cannot be written, and begins anew', async () => {
    const harness = await BrokerHarness.open(withoutDelay);
    const members = [new TestMember(harness), new TestMember(harness)] as [TestMember, TestMember];
    const joins = members.map((member) => member.join());
    await settle();
    harness.clock.advance(0);
    await Promise.all(joins);
    const following = members[1].sync();
    harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    expect((await members[0].sync()).errorCode).toBe(ErrorCode.NOT_COORDINATOR);
    expect((await following).errorCode).toBe(ErrorCode.NOT_COORDINATOR);
    harness.store.failAppends = ErrorCode.NONE;
    expect(await members[0].heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    await Promise.all(members.map((member) => member.join()));
    const synced = await Promise.all(members.map((member) => member.sync()));
    expect(synced.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.NONE, ErrorCode.NONE]);
  });

  it('gives nobody an assignment that is not durable', async () => {
    const harness = await BrokerHarness.open(withoutDelay);
    const member = new TestMember(harness);
    const joining = member.join();
    await settle();
    harness.clock.advance(0);
    await joining;
    harness.store.held = [];
    const syncing = member.sync();
    expect(await isWaiting(syncing)).toBe(true);
    expect(await stateOf(harness)).toBe('CompletingRebalance, 1 members');
    harness.store.finishHeld();
    expect((await syncing).errorCode).toBe(ErrorCode.NONE);
    expect(await stateOf(harness)).toBe('Stable, 1 members');
  });
});

describe('member ids that were only given', () => {
  it('hold up a rebalance until their session ends', async () => {
    const harness = await BrokerHarness.open();
    const [one] = (await stableGroup(harness, 1, { rebalanceTimeoutMs: 60_000 })) as [TestMember];
    await new TestMember(harness, 'group', { sessionTimeoutMs: 7000 }).joinOnce();
    const joining = one.join();
    harness.clock.advance(6999);
    expect(await isWaiting(joining)).toBe(true);
    harness.clock.advance(1);
    expect((await joining).generationId).toBe(2);
  });

  it('cost nothing once they have expired', async () => {
    const harness = await BrokerHarness.open();
    const timers = harness.clock.pendingCount;
    for (let i = 0; i < 50; i++) await new TestMember(harness, `group ${i}`).joinOnce();
    expect([...harness.broker.groups.groups()]).toHaveLength(50);
    harness.clock.advance(10_000);
    expect([...harness.broker.groups.groups()]).toEqual([]);
    expect(harness.clock.pendingCount).toBe(timers);
    expect(harness.store.appended).toEqual([]);
  });

  it('are given to so many clients of a group and no more', async () => {
    const harness = await BrokerHarness.open();
    for (let i = 0; i < 10_000; i++) await new TestMember(harness).joinOnce();
    expect((await new TestMember(harness).joinOnce()).errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    harness.clock.advance(10_000);
    expect((await new TestMember(harness).joinOnce()).errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED);
  });
});

describe('group.max.size', () => {
  const config = { 'group.max.size': '2', 'group.initial.rebalance.delay.ms': '0' };

  it('refuses further members, and not those that are there', async () => {
    const harness = await BrokerHarness.open({ config });
    const members = await stableGroup(harness, 2);
    const late = new TestMember(harness);
    expect((await late.joinOnce()).errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
    await Promise.all(members.map((member) => member.join()));
    expect(members.map(({ generation }) => generation)).toEqual([2, 2]);
  });

  it('sheds members of a larger group after a restart', async () => {
    const before = await BrokerHarness.open();
    const members = await stableGroup(before, 3);
    const harness = await BrokerHarness.open({ config, store: before.store });
    for (const member of members) member.harness = harness;
    expect(await members[0]!.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    const joins = members.map((member) => member.join());
    const joined = await Promise.all(joins);
    expect(joined.map(({ errorCode }) => errorCode)).toEqual([
      ErrorCode.NONE,
      ErrorCode.NONE,
      ErrorCode.GROUP_MAX_SIZE_REACHED,
    ]);
  });
});

test('a member that joined without an id is gone with its connection, for nobody knows its id', async () => {
  const harness = await BrokerHarness.open(withoutDelay);
  const [one] = (await stableGroup(harness, 1)) as [TestMember];
  const ghost = new TestMember(harness);
  ghost.joinOnce(3).catch(() => {});
  await settle();
  expect(await stateOf(harness)).toBe('PreparingRebalance, 2 members');
  ghost.connection.close();
  expect(await stateOf(harness)).toBe('PreparingRebalance, 1 members');
  expect((await one.join()).members).toHaveLength(1);
});

test('a second request of a member takes the place of the one that waits', async () => {
  const harness = await BrokerHarness.open();
  const [one, two] = (await stableGroup(harness, 2)) as [TestMember, TestMember];
  const joining = one.join();
  const again = one.join();
  expect((await joining).errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
  await Promise.all([two.join(), again]);
  const syncing = two.sync();
  const syncingAgain = two.sync();
  expect((await syncing).errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
  await one.sync();
  expect((await syncingAgain).assignment).toHaveLength(1);
});

test('a closing broker answers whoever waits, and leaves no timers', async () => {
  const harness = await BrokerHarness.open();
  const [one, two, three] = (await stableGroup(harness, 3)) as [TestMember, TestMember, TestMember];
  const joining = one.join();
  await settle();
  await harness.broker.close();
  expect((await joining).errorCode).toBe(ErrorCode.NOT_COORDINATOR);
  expect(harness.clock.pendingCount).toBe(0);
  expect(await two.heartbeat()).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
  expect((await three.joinOnce()).errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
  expect((await three.sync()).errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
  const leaving = await harness.request(leaveGroupApi, 2, { groupId: 'group', memberId: three.id });
  expect(leaving.errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
});

test('heartbeats of a large group cost no timers', async () => {
  const harness = await BrokerHarness.open();
  const members = await stableGroup(harness, 300);
  const timers = harness.clock.pendingCount;
  for (let i = 0; i < 3; i++) {
    for (const member of members) expect(await member.heartbeat()).toBe(ErrorCode.NONE);
  }
  expect(harness.clock.pendingCount).toBe(timers);
  expect(timers).toBeLessThanOrEqual(members.length + 5);
});

test('what a member says of itself and is assigned counts for as long as it is in its group', () => {
  const memory = { sizeBytes: 0 };
  const group = new ClassicGroup('group', 0, memory);
  const member = new GroupMember(
    'm',
    null,
    {
      clientId: 'client',
      clientHost: '/127.0.0.1',
      rebalanceTimeoutMs: 1000,
      sessionTimeoutMs: 1000,
      protocols: [{ name: 'range', metadata: new Uint8Array(100) }],
    },
    new Deadline(new ManualClock(), () => {}),
  );
  group.add(member, 'consumer');
  const saidBytes = memory.sizeBytes;
  expect(saidBytes).toBeGreaterThan(100);
  group.assign(member, new Uint8Array(5000));
  expect(memory.sizeBytes).toBe(saidBytes + 5000);
  group.assign(member, new Uint8Array(10));
  expect(memory.sizeBytes).toBe(saidBytes + 10);
  group.addPending('given', new Deadline(new ManualClock(), () => {}));
  expect(memory.sizeBytes).toBeGreaterThan(saidBytes + 10);
  group.remove('given');
  expect(memory.sizeBytes).toBe(saidBytes + 10);
  group.remove('m');
  expect(memory.sizeBytes).toBe(0);
});
