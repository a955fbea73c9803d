/** Offsets that are committed within transactions of unknown outcome. */

import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import { stateLogTopics } from '../../../src/broker/topic-name.ts';
import { deleteGroupsApi, offsetCommitApi, offsetDeleteApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { offsetOf, settle, TestProducer } from './test-producer.ts';

describe('an offset that is pending', () => {
  async function commitAlone(harness: BrokerHarness, topic: TopicImage, offset: number): Promise<void> {
    const partition = { partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: null };
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
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic');
    const producer = new TestProducer(harness, 'id');
    await producer.init();
    await producer.commitOffset('group', topic, 5);
    await harness.request(deleteGroupsApi, 2, { groupsNames: ['group'] });
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    expect(await producer.describe()).toMatchObject({ transactionState: 'CompleteCommit' });
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([-1, ErrorCode.NONE]);
  });

  test('goes with its group, also while it is on its way', async () => {
    const { harness, topic, producer } = await begun();
    harness.store.held = [];
    const committing = producer.commitOffset('group', topic, 5);
    await settle();
    const deleting = deleteGroup(harness);
    await settle();
    harness.store.finishHeld();
    expect(await Promise.all([committing, deleting])).toEqual([ErrorCode.NONE, ErrorCode.NONE]);
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([-1, ErrorCode.NONE]);
  });

  test('is deleted also while it is on its way', async () => {
    const { harness, topic, producer } = await begun();
    harness.store.held = [];
    const committing = producer.commitOffset('group', topic, 5);
    await settle();
    const topics = [{ name: topic.name, partitions: [{ partitionIndex: 0 }] }];
    const deleting = harness.request(offsetDeleteApi, 0, { groupId: 'group', topics });
    await settle();
    harness.store.finishHeld();
    expect(await committing).toBe(ErrorCode.NONE);
    expect((await deleting).topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.NONE);
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    expect(await offsetOf(harness, 'group', topic, true)).toEqual([-1, ErrorCode.NONE]);
  });

  test('does not come back where its transaction ends before the deletion of its group is durable', async () => {
    const { harness, topic, producer } = await begun();
    await producer.commitOffset('group', topic, 5);
    // The groups' log takes longer than that of the transactions.
    const held: (() => void)[] = [];
    held.push = (finish) => {
      if (harness.store.appended.at(-1)!.topic !== stateLogTopics.groups) finish!();
      else ofGroups.push(finish!);
      return 0;
    };
    const ofGroups: (() => void)[] = [];
    harness.store.held = held;
    const deleting = deleteGroup(harness);
    await settle();
    expect((await producer.end(true)).errorCode).toBe(ErrorCode.NONE);
    await settle();
    for (let finish = ofGroups.shift(); finish !== undefined; finish = ofGroups.shift()) {
      finish();
      await settle();
    }
    harness.store.held = null;
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

  async function begun(): Promise<{ harness: BrokerHarness; topic: TopicImage; producer: TestProducer }> {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    const producer = new TestProducer(harness, 'id');
    await producer.init();
    // The group is in the transaction from here on.
    await producer.commitOffset('group', topic, 1, 1);
    return { harness, topic, producer };
  }

  async function deleteGroup(harness: BrokerHarness): Promise<number> {
    const { results } = await harness.request(deleteGroupsApi, 2, { groupsNames: ['group'] });
    return results[0]!.errorCode;
  }
});
