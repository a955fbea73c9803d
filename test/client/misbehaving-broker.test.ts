/** What the client's connections and producers make of answers that a broker gives seldom, or never should. */

import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ErrorCode, KafkaError, Producer, text } from '../../src/client/index.ts';
import { ApiKey } from '../../src/protocol/generated/index.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { baseSequenceAt, hasValidCrc, producerEpochAt, producerIdAt } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { type Asked, produceAnswer, type ScriptedConnection, silence, versionsAnswer } from './scripted-broker.ts';
import { scripted } from './scripted-client.ts';

/** What a produce request carries for its one partition. */
function batchOf({ body }: Asked): { texts: string[]; sequence: number; epoch: number; producerId: number } {
  const { records } = body.topicData[0].partitionData[0] as { records: Uint8Array };
  expect(hasValidCrc(records, 0, records.length, crc32c)).toBe(true);
  const reader = new RecordReader(records, 0, records.length);
  const texts: string[] = [];
  while (reader.next()) texts.push(new TextDecoder().decode(reader.value!));
  return {
    texts,
    sequence: baseSequenceAt(records, 0),
    epoch: producerEpochAt(records, 0),
    producerId: producerIdAt(records, 0),
  };
}

/** Each record is a batch of its own. */
const single = { value: text, batchBytes: 1 };
const sendAll = (producer: Producer<Uint8Array, string>, texts: readonly string[]) =>
  Promise.all(texts.map((value) => producer.send({ topic: 't', value })));

describe('a producer', () => {
  it('sends what was refused again, before all behind it, with the numbers that it had', async () => {
    let offset = 0;
    const refused = new Set([1, 2, 3, 4]);
    const { client, broker, retries } = scripted(({ apiKey, body, count }) => {
      if (apiKey !== ApiKey.Produce) return undefined;
      if (refused.has(count)) {
        // The first finds no leader, those behind it then come out of order.
        const code = count === 1 ? ErrorCode.NOT_LEADER_OR_FOLLOWER : ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER;
        return produceAnswer(body, code, -1);
      }
      return produceAnswer(body, ErrorCode.NONE, offset++);
    });
    const producer = new Producer(client, single);
    const sent = await sendAll(producer, ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(sent.map((each) => each.offset)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const batches = broker.of(ApiKey.Produce).map(batchOf);
    expect(batches.slice(5).map(({ texts, sequence }) => [texts[0], sequence])).toEqual([
      ['b', 1],
      ['c', 2],
      ['d', 3],
      ['e', 4],
      ['f', 5],
      ['g', 6],
    ]);
    expect(new Set(batches.map(({ epoch }) => epoch))).toEqual(new Set([0]));
    expect(retries).toContain('NOT_LEADER_OR_FOLLOWER');
  });

  it('goes on with the next epoch where the broker has forgotten what it knew of it', async () => {
    let offset = 0;
    const { client, broker } = scripted(({ apiKey, body, count }) => {
      if (apiKey !== ApiKey.Produce) return undefined;
      if (count >= 2 && count <= 4) return produceAnswer(body, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
      return produceAnswer(body, ErrorCode.NONE, offset++);
    });
    const producer = new Producer(client, single);
    await sendAll(producer, ['a', 'b']);
    const sent = await sendAll(producer, ['c', 'd', 'e']);
    expect(sent.map((each) => each.offset)).toEqual([2, 3, 4]);
    const batches = broker.of(ApiKey.Produce).map(batchOf);
    expect(batches.slice(-3).map(({ texts, epoch, sequence }) => [texts[0], epoch, sequence])).toEqual([
      ['c', 1, 0],
      ['d', 1, 1],
      ['e', 1, 2],
    ]);
    expect(batches.every(({ producerId }) => producerId === 7)).toBe(true);
  });

  it('goes on with the next epoch behind a batch that it gave up, without being refused first', async () => {
    const { client, broker } = scripted(({ apiKey, body }) => {
      if (apiKey !== ApiKey.Produce) return undefined;
      const { texts } = batchOf({ body } as Asked);
      return produceAnswer(body, texts[0] === 'b' ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.NONE, 0);
    });
    const producer = new Producer(client, { ...single, deliveryTimeoutMs: 60 });
    await producer.send({ topic: 't', value: 'a' });
    await expect(producer.send({ topic: 't', value: 'b' })).rejects.toThrow('KAFKA_STORAGE_ERROR');
    await producer.send({ topic: 't', value: 'c' });
    const { texts, epoch, sequence } = batchOf(broker.of(ApiKey.Produce).at(-1)!);
    expect([texts, epoch, sequence]).toEqual([['c'], 1, 0]);
  });

  it('keeps the sequence of what may be stored behind a batch that it gave up', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    // The answers to both get lost; the first has had its time then, the second is sent again as it was.
    const connections: ScriptedConnection[] = [];
    const { client, broker } = scripted(({ apiKey, body, count, connection }) => {
      if (apiKey !== ApiKey.Produce) return undefined;
      connections.push(connection);
      return count < 2 ? silence : produceAnswer(body, ErrorCode.NONE, 0);
    });
    const producer = new Producer(client, { ...single, deliveryTimeoutMs: 1000 });
    const lost = expect(producer.send({ topic: 't', value: 'a' })).rejects.toThrow('REQUEST_TIMED_OUT');
    await vi.advanceTimersByTimeAsync(500);
    const second = producer.send({ topic: 't', value: 'b' });
    await vi.advanceTimersByTimeAsync(600);
    expect(connections).toHaveLength(2);
    connections[0]!.cut();
    await vi.advanceTimersByTimeAsync(100);
    await lost;
    await second;
    const third = producer.send({ topic: 't', value: 'c' });
    await vi.advanceTimersByTimeAsync(100);
    await third;
    const batches = broker.of(ApiKey.Produce).map(batchOf);
    expect(batches.map(({ texts, epoch, sequence }) => [texts[0], epoch, sequence])).toEqual([
      ['a', 0, 0],
      ['b', 0, 1],
      ['b', 0, 1],
      ['c', 1, 0],
    ]);
  });

  it('takes a duplicate for what it is: stored', async () => {
    const { client } = scripted(({ apiKey, body }) =>
      apiKey === ApiKey.Produce ? produceAnswer(body, ErrorCode.DUPLICATE_SEQUENCE_NUMBER, -1) : undefined,
    );
    const producer = new Producer(client, single);
    expect(await producer.send({ topic: 't', value: 'a' })).toEqual({ topic: 't', partition: 0, offset: -1 });
  });

  it('ends where another has taken its place', async () => {
    const { client } = scripted(({ apiKey, body }) =>
      apiKey === ApiKey.Produce ? produceAnswer(body, ErrorCode.INVALID_PRODUCER_EPOCH, -1) : undefined,
    );
    const producer = new Producer(client, single);
    const fenced = { code: ErrorCode.INVALID_PRODUCER_EPOCH };
    const outcomes = await Promise.allSettled(['a', 'b'].map((value) => producer.send({ topic: 't', value })));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: fenced });
    await expect(producer.send({ topic: 't', value: 'c' })).rejects.toMatchObject(fenced);
    expect(() => producer.enqueue({ topic: 't', value: 'd' })).toThrow(KafkaError);
  });

  it('fails one batch for good where the broker says so, and goes on with the next', async () => {
    const { client } = scripted(({ apiKey, body, count }) => {
      if (apiKey !== ApiKey.Produce) return undefined;
      return count === 0 ? produceAnswer(body, ErrorCode.INVALID_RECORD, -1) : produceAnswer(body, ErrorCode.NONE, 0);
    });
    const producer = new Producer(client, single);
    const [one, two] = await Promise.allSettled(['a', 'b'].map((value) => producer.send({ topic: 't', value })));
    expect(one).toMatchObject({ status: 'rejected', reason: { code: ErrorCode.INVALID_RECORD, retriable: false } });
    expect(two).toMatchObject({ status: 'fulfilled' });
  });

  it('sends all that had no answer again when a connection ends, or is silent for too long', async () => {
    for (const isSilent of [false, true]) {
      const { client, broker } = scripted(
        ({ apiKey, count, connection }) => {
          if (apiKey !== ApiKey.Produce || count > 2) return undefined;
          if (!isSilent && count === 2) connection.cut();
          return silence;
        },
        { requestTimeoutMs: 50 },
      );
      const producer = new Producer(client, { ...single, deliveryTimeoutMs: 60_000 });
      await sendAll(producer, ['a', 'b', 'c']);
      const texts = broker.of(ApiKey.Produce).map((asked) => batchOf(asked).texts[0]);
      expect(texts).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
      expect(broker.connectionCount).toBeGreaterThan(1);
    }
  });
});

describe('a connection', () => {
  it('agrees with a broker that knows only the oldest ApiVersions', async () => {
    const { client, broker } = scripted(({ apiKey, version }) => {
      if (apiKey !== ApiKey.ApiVersions || version === 0) return undefined;
      // Error 35, in version 0, and what is spoken: key 18, versions 0 to 0.
      return Uint8Array.of(0, 0, 0, 16, 0, 0, 0, 0, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 0);
    });
    await new Producer(client, single).send({ topic: 't', value: 'a' });
    expect(broker.of(ApiKey.ApiVersions).map(({ version }) => version)).toEqual([4, 0]);
  });

  it('says which request a broker does not speak, and does not try again', async () => {
    const { client, broker } = scripted(({ apiKey }) => {
      if (apiKey !== ApiKey.ApiVersions) return undefined;
      const answer = versionsAnswer();
      return { ...answer, apiKeys: answer.apiKeys.filter((each) => each.apiKey !== ApiKey.InitProducerId) };
    });
    const producer = new Producer(client, single);
    const sent = producer.send({ topic: 't', value: 'a' });
    await expect(sent).rejects.toThrow(/UNSUPPORTED_VERSION: the broker at scripted speaks no InitProducerId/);
    expect(broker.of(ApiKey.InitProducerId)).toEqual([]);
  });

  const broken: readonly (readonly [string, Uint8Array])[] = [
    ['a size that is negative', Uint8Array.of(255, 255, 255, 255)],
    ['a size beyond the bound', Uint8Array.of(127, 255, 255, 255)],
    ['an answer that nobody asked for', Uint8Array.of(0, 0, 0, 4, 0, 0, 48, 57)],
    ['a frame that is too short', Uint8Array.of(0, 0, 0, 2, 0, 0)],
    ['an answer that ends early', Uint8Array.of(0, 0, 0, 6, 0, 0, 0, 1, 0, 1)],
  ];
  it.each(broken)('ends with %s, and another takes its place', async (_, bytes) => {
    let isBroken = true;
    const { client, broker, retries } = scripted(({ apiKey }) => {
      if (apiKey !== ApiKey.Metadata || !isBroken) return undefined;
      isBroken = false;
      return bytes;
    });
    await new Producer(client, single).send({ topic: 't', value: 'a' });
    expect(broker.connectionCount).toBe(2);
    expect(retries).toContain('CORRUPT_MESSAGE');
  });

  it('gives up on one that is not answered in time', async () => {
    const { client } = scripted(({ apiKey }) => (apiKey === ApiKey.ApiVersions ? silence : undefined), {
      requestTimeoutMs: 20,
      retryTimeoutMs: 50,
    });
    const producer = new Producer(client, { ...single, deliveryTimeoutMs: 100 });
    const failure = { code: ErrorCode.REQUEST_TIMED_OUT };
    await expect(producer.send({ topic: 't', value: 'a' })).rejects.toMatchObject(failure);
  });
});
