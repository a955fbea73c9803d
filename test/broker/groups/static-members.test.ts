import { expect, it } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { isWaiting, settle, TestMember } from './test-member.ts';

const withoutDelay = { config: { 'group.initial.rebalance.delay.ms': '0' } };

/** A stable group of static members `i`, which leads, and `j`. */
async function twoStatic(harness: BrokerHarness): Promise<[TestMember, TestMember]> {
  const members = ['i', 'j'].map((instanceId) => new TestMember(harness, 'group', { instanceId }));
  const joins = members.map((member) => member.join());
  await settle();
  harness.clock.advance(0);
  await Promise.all(joins);
  await Promise.all(members.map((member) => member.sync()));
  return members as [TestMember, TestMember];
}

it('comes back within its session without a rebalance', async () => {
  const harness = await BrokerHarness.open(withoutDelay);
  const [i, j] = await twoStatic(harness);
  j.connection.close();
  harness.clock.advance(9000);
  expect(await i.heartbeat()).toBe(ErrorCode.NONE);
  const back = new TestMember(harness, 'group', { instanceId: 'j' });
  expect((await back.join()).generationId).toBe(1);
  expect((await back.sync()).assignment).toEqual(new Uint8Array([1]));
  harness.clock.advance(9000);
  expect(await i.heartbeat()).toBe(ErrorCode.NONE);
  expect(await j.heartbeat()).toBe(ErrorCode.FENCED_INSTANCE_ID);
});

it('has a session again where the disk took longer than one to take it back', async () => {
  const harness = await BrokerHarness.open(withoutDelay);
  const [i] = await twoStatic(harness);
  const pass = async (): Promise<number> => {
    harness.clock.advance(6000);
    await settle();
    return i.heartbeat();
  };
  harness.store.held = [];
  const back = new TestMember(harness, 'group', { instanceId: 'j' });
  const joining = back.join();
  for (let n = 0; n < 3; n++) expect(await pass()).toBe(ErrorCode.NONE);
  harness.store.finishHeld();
  expect((await joining).generationId).toBe(1);
  expect(await pass()).toBe(ErrorCode.NONE);
  // It has not been heard of since.
  expect(await pass()).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
});

it('rebalances when it comes back with other protocols that change the selection', async () => {
  const harness = await BrokerHarness.open(withoutDelay);
  const members = ['i', 'j'].map(
    (instanceId) => new TestMember(harness, 'group', { instanceId, protocolNames: ['range', 'sticky'] }),
  );
  const joins = members.map((member) => member.join());
  await settle();
  harness.clock.advance(0);
  await Promise.all(joins);
  await Promise.all(members.map((member) => member.sync()));
  const back = new TestMember(harness, 'group', { instanceId: 'j', protocolNames: ['sticky'] });
  const joining = back.join();
  expect(await isWaiting(joining)).toBe(true);
  expect(await members[0]!.heartbeat()).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
  expect((await members[0]!.join()).protocolName).toBe('sticky');
  expect((await joining).generationId).toBe(2);
});

it('keeps its old id where the new one could not be written', async () => {
  const harness = await BrokerHarness.open(withoutDelay);
  const [i, j] = await twoStatic(harness);
  harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  const back = new TestMember(harness, 'group', { instanceId: 'i' });
  expect((await back.join()).errorCode).toBe(ErrorCode.NOT_COORDINATOR);
  harness.store.failAppends = ErrorCode.NONE;
  expect([await i.heartbeat(), await j.heartbeat()]).toEqual([ErrorCode.NONE, ErrorCode.NONE]);
  expect((await i.sync()).assignment).toEqual(new Uint8Array([0]));
});

it('takes part in a rebalance that begins while its new id is written', async () => {
  const harness = await BrokerHarness.open(withoutDelay);
  const [, j] = await twoStatic(harness);
  harness.store.held = [];
  const back = new TestMember(harness, 'group', { instanceId: 'i' });
  const joining = back.join();
  await settle();
  const another = new TestMember(harness, 'group');
  const alsoJoining = another.join();
  await settle();
  harness.store.finishHeld();
  expect(await isWaiting(joining)).toBe(true);
  await j.join();
  expect((await joining).generationId).toBe(2);
  expect((await alsoJoining).generationId).toBe(2);
  expect([back, j, another].filter(({ isLeader }) => isLeader)).toEqual([back]);
});

it('stays in the group where it misses a rebalance, until its session ends', async () => {
  const harness = await BrokerHarness.open(withoutDelay);
  const [i, j] = await twoStatic(harness);
  const third = new TestMember(harness, 'group', { rebalanceTimeoutMs: 1000 });
  const joining = third.join();
  for (let passedMs = 0; passedMs < 20_000; passedMs += 5000) {
    await j.heartbeat();
    harness.clock.advance(5000);
  }
  const { generationId, members } = await joining;
  expect([generationId, members.length]).toEqual([2, 2]);
  expect(members.map(({ groupInstanceId }) => groupInstanceId)).toContain('j');
  expect(await i.heartbeat()).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
});
