/** Offsets that are committed within transactions of unknown outcome. */

import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import { stateLogTopics } from '../../../src/broker/topic-name.ts';
import { deleteGroupsApi, offsetCommitApi, offsetDeleteApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { holdAppends } from '../hold-appends.ts';
import { offsetOf, settle, TestProducer } from './test-producer.ts';

describe('an offset that is pending', () => {
  async function commitAlone(harness: BrokerHarness, topic: TopicImage, offset: number, index = 0): Promise<void> {
    const partition = {
      partitionIndex: index,
      committedOffset: offset,
      committedLeaderEpoch: -1,
      committedMetadata: null,
    };
    const topics = [{ topicId: topic.id, name: topic.name, partitions: [partition] }];
    const response = await harness.request(offsetCommitApi, 8, { groupId: 'group', topics });
    expect(response.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.NONE);
  }

  test.each([false, true])('gives way to one that was committed later, after a restart: %s', async (restarts) => {
    let harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id');
    await producer.init();
    await producer.commitOffset('group', topic, 5);
    harness.clock.advance(-1000);
    await commitAlone(harness, topic, 3);
    if (restarts) producer.harness = harness = await BrokerHarness.open({ store: harness.store });
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([3, ErrorCode.NONE]);
  });

  test.each([
    [[0, 1], 7],
    [[1, 0], 7],
  ])('of two transactions that end in the order %j, the one committed later stays', async (order, expected) => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producers = [new TestProducer(harness, 'one'), new TestProducer(harness, 'two')];
    for (const [i, producer] of producers.entries()) {
      await producer.init();
      await producer.commitOffset('group', topic, 5 + 2 * i);
    }
    for (const i of order) {
      await producers[i]!.end(true);
      await settle();
    }
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([expected, ErrorCode.NONE]);
  });

  test('goes with its group', async () => {
    const { harness, topic, producer } = await begun();
    await producer.commitOffset('group', topic, 5);
    await harness.request(deleteGroupsApi, 2, { groupsNames: ['group'] });
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteCommit' });
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([-1, ErrorCode.NONE]);
  });

  test.each([
    ['with its group', deleteGroup],
    ['where it is deleted', deleteOffset],
  ])('goes %s, also while it is on its way', async (_, remove) => {
    const { harness, topic, producer } = await begun();
    harness.store.held = [];
    const committing = producer.commitOffset('group', topic, 5);
    await settle();
    const removing = remove(harness, topic);
    await settle();
    harness.store.finishHeld();
    expect(await Promise.all([committing, removing])).toEqual([ErrorCode.NONE, ErrorCode.NONE]);
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([-1, ErrorCode.NONE]);
  });

  test('does not come back where its transaction ends before the deletion of its group is durable', async () => {
    const { harness, topic, producer } = await begun();
    await producer.commitOffset('group', topic, 5);
    // The groups' log takes longer than that of the transactions.
    const held = holdAppends(harness.store, stateLogTopics.groups);
    const deleting = deleteGroup(harness);
    await settle();
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    await held.finishAll();
    expect(await deleting).toBe(ErrorCode.NONE);
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteCommit' });
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([-1, ErrorCode.NONE]);
  });

  test('stays where the deletion of its group could not be written', async () => {
    const { harness, topic, producer } = await begun();
    await producer.commitOffset('group', topic, 5);
    harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    expect(await deleteGroup(harness)).toBe(ErrorCode.NOT_COORDINATOR);
    harness.store.failAppends = ErrorCode.NONE;
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([5, ErrorCode.NONE]);
  });

  test.each([
    [true, true, 7],
    [true, false, 5],
    [false, true, 7],
    [false, false, -1],
  ])(
    'of two transactions that end at once is valid what was committed last (%s, %s)',
    async (first, second, expected) => {
      const { harness, topic, producer } = await begun();
      const other = new TestProducer(harness, 'other');
      await other.init();
      await producer.commitOffset('group', topic, 5);
      await other.commitOffset('group', topic, 7);
      const held = holdAppends(harness.store, stateLogTopics.groups);
      const committing = commitAlone(harness, topic, 1, 1);
      await settle();
      expect((await other.end(second)).errorCode).toBe(ErrorCode.NONE);
      expect((await producer.end(first)).errorCode).toBe(ErrorCode.NONE);
      await settle();
      await held.finishAll();
      await committing;
      expect(await offsetOf(harness, 'group', topic, true)).toEqual([expected, ErrorCode.NONE]);
      const restarted = await BrokerHarness.open({ store: harness.store });
      expect(await offsetOf(restarted, 'group', topic, true)).toEqual([expected, ErrorCode.NONE]);
    },
  );

  test('gives way to one that was committed while its transaction ended', async () => {
    const { harness, topic, producer } = await begun();
    await producer.commitOffset('group', topic, 5);
    const held = holdAppends(harness.store, stateLogTopics.groups);
    const before = commitAlone(harness, topic, 1, 1);
    await settle();
    // The end of the transaction is durable before the first commit is, and before the second comes.
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    const committing = commitAlone(harness, topic, 9);
    await settle();
    await held.finishAll();
    await Promise.all([before, committing]);
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([9, ErrorCode.NONE]);
  });

  test('is gone where the first of two deletions fails and its transaction ends between them', async () => {
    const { harness, topic, producer } = await begun();
    await producer.commitOffset('group', topic, 5);
    const { store } = harness;
    const rooms: (() => void)[] = [];
    store.waitingForRoom = rooms;
    const failing = deleteOffset(harness, topic);
    await settle();
    store.waitingForRoom = null;
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    const deleting = deleteOffset(harness, topic);
    await settle();
    store.waitingForRoom = rooms;
    store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    rooms.shift()!();
    store.failAppends = ErrorCode.NONE;
    await settle();
    store.waitingForRoom = null;
    rooms.shift()!();
    await settle();
    expect(await failing).not.toBe(ErrorCode.NONE);
    expect(await deleting).toBe(ErrorCode.NONE);
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([-1, ErrorCode.NONE]);
  });

  async function begun(): Promise<{ harness: BrokerHarness; topic: TopicImage; producer: TestProducer }> {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    const producer = new TestProducer(harness, 'id');
    await producer.init();
    // The group is in the transaction from here on.
    await producer.commitOffset('group', topic, 1, 1);
    return { harness, topic, producer };
  }

  async function deleteOffset(harness: BrokerHarness, topic: TopicImage): Promise<number> {
    const topics = [{ name: topic.name, partitions: [{ partitionIndex: 0 }] }];
    const response = await harness.request(offsetDeleteApi, 0, { groupId: 'group', topics });
    return response.errorCode === ErrorCode.NONE ? response.topics[0]!.partitions[0]!.errorCode : response.errorCode;
  }

  async function deleteGroup(harness: BrokerHarness): Promise<number> {
    const { results } = await harness.request(deleteGroupsApi, 2, { groupsNames: ['group'] });
    return results[0]!.errorCode;
  }
});
