import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { parseUuid, zeroUuid, type Uuid } from '../../../src/base/uuid.ts';
import { deleteTopicsApi, type DeleteTopicsResponseResponses } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, versionsOf } from '../broker-harness.ts';

const unknownId = parseUuid('BBBBBBBBBBBBBBBBBBBBBA')!;

async function remove(
  harness: BrokerHarness,
  version: number,
  names: string[],
): Promise<DeleteTopicsResponseResponses[]> {
  const topics = names.map((name) => ({ name, topicId: zeroUuid }));
  const fields = version >= 6 ? { topics } : { topicNames: names };
  return (await harness.request(deleteTopicsApi, version, { ...fields, timeoutMs: 1000 })).responses;
}

async function removeThese(
  harness: BrokerHarness,
  ...topics: [name: string | null, topicId: Uuid][]
): Promise<DeleteTopicsResponseResponses[]> {
  const named = topics.map(([name, topicId]) => ({ name, topicId }));
  return (await harness.request(deleteTopicsApi, 6, { topics: named })).responses;
}

describe.each(versionsOf(deleteTopicsApi))('DeleteTopics version %i', (version) => {
  it('deletes topics with their logs', async () => {
    const harness = await BrokerHarness.open();
    const { id } = await harness.createTopic('a', 2);
    await harness.createTopic('b');
    const { log } = harness.broker.findPartition(harness.broker.topics.topic('a'), 1)!;
    const topicId = version >= 6 ? id : zeroUuid;
    expect(await remove(harness, version, ['a', 'none'])).toMatchObject([
      { name: 'a', topicId, errorCode: ErrorCode.NONE, errorMessage: null },
      { name: 'none', topicId: zeroUuid, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
    ]);
    expect(log).toMatchObject({ state: 'destroyed' });
    expect(harness.broker.topics.topic('a')).toBeNull();
    expect(harness.broker.topics.topic('b')).not.toBeNull();
    const again = await BrokerHarness.open({ store: harness.store });
    expect(again.broker.topics.topic('a')).toBeNull();
  });

  it('deletes a topic whose files the disk does not let go', async () => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('a');
    const { log } = harness.broker.findPartition(harness.broker.topics.topic('a'), 0)!;
    log.destroy = () => Promise.reject(new Error('EIO: the disk reports an error'));
    expect(await remove(harness, version, ['a'])).toMatchObject([{ name: 'a', errorCode: ErrorCode.NONE }]);
    expect(harness.broker.topics.topic('a')).toBeNull();
  });

  it('deletes nothing that is named twice', async () => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('a');
    const answers = await remove(harness, version, ['a', 'a']);
    expect(answers).toMatchObject([{ name: 'a', topicId: zeroUuid, errorCode: ErrorCode.INVALID_REQUEST }]);
    expect(answers).toHaveLength(1);
    expect(harness.broker.topics.topic('a')).not.toBeNull();
  });

  it('deletes nothing where the broker must not', async () => {
    const harness = await BrokerHarness.open({ config: { 'delete.topic.enable': 'false' } });
    await harness.createTopic('a');
    const errorCode = version >= 3 ? ErrorCode.TOPIC_DELETION_DISABLED : ErrorCode.INVALID_REQUEST;
    expect(await remove(harness, version, ['a'])).toMatchObject([{ name: 'a', errorCode }]);
    expect(harness.broker.topics.topic('a')).not.toBeNull();
  });
});

test('deletes by id', async () => {
  const harness = await BrokerHarness.open();
  const { id } = await harness.createTopic('a');
  expect(await removeThese(harness, [null, id], [null, unknownId])).toMatchObject([
    { name: 'a', topicId: id, errorCode: ErrorCode.NONE },
    { name: null, topicId: unknownId, errorCode: ErrorCode.UNKNOWN_TOPIC_ID },
  ]);
  expect(harness.broker.topics.topic('a')).toBeNull();
});

test('deletes nothing that is named by id twice, or by name and by id', async () => {
  const harness = await BrokerHarness.open();
  const { id } = await harness.createTopic('a');
  const errorCode = ErrorCode.INVALID_REQUEST;
  expect(await removeThese(harness, [null, id], [null, id])).toMatchObject([{ name: null, topicId: id, errorCode }]);
  const answers = await removeThese(harness, [null, id], ['a', zeroUuid]);
  expect(answers).toMatchObject([{ name: 'a', topicId: id, errorCode }]);
  expect(answers).toHaveLength(1);
  expect(harness.broker.topics.topic('a')).not.toBeNull();
});

test('refuses a name together with an id, and neither', async () => {
  const harness = await BrokerHarness.open();
  const { id } = await harness.createTopic('a');
  expect(await removeThese(harness, ['a', id], [null, zeroUuid])).toMatchObject([
    { name: 'a', topicId: id, errorCode: ErrorCode.INVALID_REQUEST },
    { name: null, topicId: zeroUuid, errorCode: ErrorCode.INVALID_REQUEST },
  ]);
  expect(harness.broker.topics.topic('a')).not.toBeNull();
});

test('keeps a topic whose end could not be made durable', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('a');
  harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
  expect(await remove(harness, 6, ['a'])).toMatchObject([{ errorCode: ErrorCode.KAFKA_STORAGE_ERROR }]);
  expect(harness.broker.topics.topic('a')).not.toBeNull();
});
