/** Transactional producers against a broker in this process. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Client,
  Consumer,
  createTopics,
  ErrorCode,
  groupOffsets,
  KafkaError,
  Producer,
  text,
  TransactionalProducer,
} from '../../src/client/index.ts';
import { ClientHarness, first } from './client-harness.ts';

let harness: ClientHarness;
let client: Client;
let topic: string;
beforeAll(async () => {
  const often = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '50' };
  harness = await ClientHarness.start(often);
});
afterEach(() => harness.closeAll());
afterAll(() => harness[Symbol.asyncDispose]());

async function setUp(partitionCount = 2): Promise<void> {
  client = harness.client();
  topic = harness.newTopic();
  await createTopics(client, [{ name: topic, partitionCount }]);
}

function producerOf(
  transactionalId = `${topic}-id`,
  transactionTimeoutMs = 60_000,
): TransactionalProducer<Uint8Array, string> {
  return harness.closing(new TransactionalProducer(client, { transactionalId, transactionTimeoutMs, value: text }));
}

/** What those see who read what is committed, up to and with a last record that is sent without a transaction. */
async function committed(): Promise<string[]> {
  const plain = harness.closing(new Producer(client, { value: text }));
  for (const partition of [0, 1]) await plain.send({ topic, partition, value: 'last' });
  const consumer = harness.closing(new Consumer(client, { topics: [topic], value: text }));
  const values: string[] = [];
  let lasts = 0;
  for await (const { value } of consumer) {
    if (value === 'last' && ++lasts === 2) break;
    if (value !== 'last') values.push(value!);
  }
  return values.toSorted();
}

const failing = (code: number): unknown => expect.objectContaining({ code });

describe('TransactionalProducer', () => {
  it('makes records readable together, or never', async () => {
    await setUp();
    const producer = producerOf();
    for (const [n, commits] of [true, false, true, false, true].entries()) {
      await producer.begin();
      await producer.enqueue({ topic, partition: 0, value: `${n}a` });
      const { partition } = await producer.send({ topic, partition: 1, value: `${n}b` });
      expect(partition).toBe(1);
      if (commits) await producer.commit();
      else await producer.abort();
    }
    expect(await committed()).toEqual(['0a', '0b', '2a', '2b', '4a', '4b']);
  });

  it('commits and aborts what is empty without asking', async () => {
    await setUp();
    const producer = producerOf();
    await producer.begin();
    await producer.commit();
    await producer.begin();
    await producer.abort();
    await producer.begin();
    await producer.send({ topic, partition: 0, value: 'a' });
    await producer.commit();
    expect(await committed()).toEqual(['a']);
  });

  it('moves a group with the records that were made from its', async () => {
    await setUp();
    const plain = harness.closing(new Producer(client, { value: text }));
    for (let i = 0; i < 20; i++) await plain.send({ topic, partition: i % 2, value: `${i}` });
    const to = harness.newTopic();
    await createTopics(client, [{ name: to, partitionCount: 1 }]);
    const group = `${topic}-group`;
    const producer = producerOf();
    for (const commits of [false, true]) {
      const consumer = new Consumer(client, { topics: [topic], group, value: text, autoCommit: false });
      const records = await first(consumer, 20);
      await producer.begin();
      for (const { value } of records) await producer.enqueue({ topic: to, value });
      await producer.sendOffsets(consumer);
      expect(await groupOffsets(client, group)).toEqual([]);
      if (commits) await producer.commit();
      else await producer.abort();
      await consumer.close();
    }
    const offsets = await groupOffsets(client, group);
    expect(offsets.map(({ offset }) => offset)).toEqual([10, 10]);
    const copies = await first(harness.closing(new Consumer(client, { topics: [to], value: text })), 20);
    expect(new Set(copies.map(({ value }) => value)).size).toBe(20);
  });

  it('is fenced by the next of its id, which ends what it had open', async () => {
    await setUp();
    const old = producerOf();
    await old.begin();
    await old.send({ topic, partition: 0, value: 'old' });
    const next = producerOf();
    await next.begin();
    await next.send({ topic, partition: 0, value: 'next' });
    await expect(old.send({ topic, partition: 0, value: 'zombie' })).rejects.toEqual(
      failing(ErrorCode.INVALID_PRODUCER_EPOCH),
    );
    await expect(old.commit()).rejects.toBeInstanceOf(KafkaError);
    await expect(old.abort()).rejects.toEqual(failing(ErrorCode.PRODUCER_FENCED));
    await expect(old.begin()).rejects.toEqual(failing(ErrorCode.PRODUCER_FENCED));
    await next.commit();
    expect(await committed()).toEqual(['next']);
  });

  it('ends with init what the one before left open, so that consumers of its group go on', async () => {
    await setUp(1);
    const plain = harness.closing(new Producer(client, { value: text }));
    await plain.send({ topic, value: 'a' });
    const options = { topics: [topic], group: `${topic}-group`, value: text, autoCommit: false };
    const before = harness.closing(new Consumer(client, options));
    await first(before, 1);
    const dead = producerOf();
    await dead.begin();
    await dead.sendOffsets(before);
    await before.close();
    await producerOf().init();
    const after = harness.closing(new Consumer(client, options));
    expect((await first(after, 1)).map(({ value }) => value)).toEqual(['a']);
    await expect(dead.close()).rejects.toEqual(failing(ErrorCode.PRODUCER_FENCED));
  });

  it('goes on after its time was up', async () => {
    await setUp();
    const producer = producerOf(undefined, 100);
    await producer.begin();
    await producer.send({ topic, partition: 0, value: 'late' });
    let failure: unknown = null;
    // The broker ends it in its own time; then a write is refused.
    while (failure === null) {
      await producer.send({ topic, partition: 0, value: 'later' }).catch((error: unknown) => (failure = error));
    }
    expect(failure).toEqual(failing(ErrorCode.INVALID_PRODUCER_EPOCH));
    await expect(producer.commit()).rejects.toEqual(failing(ErrorCode.INVALID_PRODUCER_EPOCH));
    await producer.abort();
    await producer.begin();
    await producer.send({ topic, partition: 0, value: 'in time' });
    await producer.commit();
    expect(await committed()).toEqual(['in time']);
  });

  it('does not commit where a record could not be sent', async () => {
    await setUp();
    const producer = producerOf();
    await producer.begin();
    await producer.send({ topic, partition: 0, value: 'good' });
    const large = 'x'.repeat(2 * 1024 * 1024);
    await expect(producer.send({ topic, partition: 1, value: large })).rejects.toEqual(
      failing(ErrorCode.MESSAGE_TOO_LARGE),
    );
    await expect(producer.commit()).rejects.toEqual(failing(ErrorCode.MESSAGE_TOO_LARGE));
    await producer.abort();
    await producer.begin();
    await producer.send({ topic, partition: 1, value: 'small' });
    await producer.commit();
    expect(await committed()).toEqual(['small']);
  });

  it('takes records and offsets only between begin and end', async () => {
    await setUp();
    const producer = producerOf();
    const consumer = new Consumer(client, { topics: [topic], group: `${topic}-group`, autoCommit: false });
    const notOpen = failing(ErrorCode.INVALID_TXN_STATE);
    await expect(producer.send({ topic, value: 'a' })).rejects.toEqual(notOpen);
    expect(() => producer.enqueue({ topic, value: 'a' })).toThrow(KafkaError);
    await expect(producer.sendOffsets(consumer)).rejects.toEqual(notOpen);
    await expect(producer.commit()).rejects.toEqual(notOpen);
    await producer.abort();
    await producer.begin();
    await expect(producer.begin()).rejects.toEqual(notOpen);
    expect(() => producerOf('')).toThrow(KafkaError);
    await consumer.close();
  });
});
