/** What the client makes of answers that a broker gives seldom, or never should. */

import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Client, type ClientOptions, Consumer, ErrorCode, KafkaError, Producer, text } from '../../src/client/index.ts';
import { encodeAssignment } from '../../src/client/consumer-protocol.ts';
import { ApiKey } from '../../src/protocol/generated/index.ts';
import { buildBatch } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { baseSequenceAt, hasValidCrc, producerEpochAt, producerIdAt } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { first } from './client-harness.ts';
import {
  type Answer,
  type Asked,
  produceAnswer,
  ScriptedBroker,
  type ScriptedConnection,
  silence,
  versionsAnswer,
} from './scripted-broker.ts';

function scripted(
  script: (asked: Asked) => Answer,
  options: Partial<ClientOptions> = {},
): { client: Client; broker: ScriptedBroker; retries: string[] } {
  const broker = new ScriptedBroker(script);
  const retries: string[] = [];
  const client = new Client({
    url: 'scripted',
    transport: broker.transport,
    nodeUrl: () => 'scripted',
    backoff: { firstMs: 1, longestMs: 5 },
    onRetry: (error) => retries.push((error as KafkaError).codeName),
    ...options,
  });
  onTestFinished(() => client.close());
  return { client, broker, retries };
}

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

describe('a consumer', () => {
  const utf8 = new TextEncoder();
  const batch = (baseOffset: number, texts: readonly string[], options: object = {}): Uint8Array =>
    buildBatch(
      crc32c,
      texts.map((value) => ({ key: null, value: utf8.encode(value), timestampMs: 5 })),
      { baseOffset, ...options },
    );
  const marker = (baseOffset: number, producerId: number, isCommit: boolean): Uint8Array => {
    const record = { key: Uint8Array.of(0, 0, 0, isCommit ? 1 : 0), value: new Uint8Array(6), timestampMs: 5 };
    return buildBatch(crc32c, [record], { baseOffset, producerId, control: true, transactional: true });
  };

  function fetchAnswer(records: Uint8Array, partition: object = {}): object {
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      sessionId: 0,
      nodeEndpoints: [],
      responses: [
        {
          topic: 't',
          topicId: 'A'.repeat(22),
          partitions: [
            {
              partitionIndex: 0,
              errorCode: ErrorCode.NONE,
              highWatermark: 100,
              lastStableOffset: 100,
              logStartOffset: 0,
              abortedTransactions: [],
              preferredReadReplica: -1,
              records,
              divergingEpoch: { epoch: -1, endOffset: -1 },
              currentLeader: { leaderId: -1, leaderEpoch: -1 },
              snapshotId: { endOffset: -1, epoch: -1 },
              ...partition,
            },
          ],
        },
      ],
    };
  }

  /** A consumer of partition 0 from its beginning, whose fetches are answered one after the other. */
  function reading(answers: readonly ((asked: Asked) => Answer)[], options: object = {}) {
    const made = scripted((asked) => {
      if (asked.apiKey !== ApiKey.Fetch) return undefined;
      return answers[asked.count]?.(asked) ?? silence;
    });
    const partitions = [{ topic: 't', partition: 0, from: { offset: 0 } }];
    const consumer = new Consumer(made.client, { partitions, value: text, ...options });
    onTestFinished(() => consumer.close());
    return { ...made, consumer };
  }

  const concat = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
  const valuesOf = async (consumer: Consumer<Uint8Array, string>, count: number) =>
    (await first(consumer, count)).map(({ value }) => value);

  it('leaves out markers and what aborted transactions wrote, and commits behind them', async () => {
    const records = concat(
      batch(0, ['a'], { producerId: 1, transactional: true }),
      batch(1, ['b'], { producerId: 2, transactional: true }),
      batch(2, ['plain']),
      marker(3, 1, false),
      batch(4, ['c'], { producerId: 1, transactional: true }),
      marker(5, 1, true),
      marker(6, 2, true),
    );
    const abortedTransactions = [{ producerId: 1, firstOffset: 0 }];
    const { consumer } = reading([() => fetchAnswer(records, { abortedTransactions })]);
    expect(await valuesOf(consumer, 3)).toEqual(['b', 'plain', 'c']);
    const next = consumer[Symbol.asyncIterator]().next();
    expect(consumer.position({ topic: 't', partition: 0 })).toBe(7);
    await consumer.close();
    expect(await next).toMatchObject({ done: true });
    const open = reading([() => fetchAnswer(records, { abortedTransactions: null })], {
      isolation: 'read_uncommitted',
    });
    expect(await valuesOf(open.consumer, 4)).toEqual(['a', 'b', 'plain', 'c']);
  });

  it('goes on where it was though its commit is heard of before an answer that does not know of it', async () => {
    const none = { throttleTimeMs: 0, errorCode: ErrorCode.NONE };
    const protocol = { protocolType: 'consumer', protocolName: 'range' };
    const topicOf = (partition: object) => ({
      name: 't',
      topicId: 'A'.repeat(22),
      partitions: [{ partitionIndex: 0, errorCode: ErrorCode.NONE, ...partition }],
    });
    const nothing = topicOf({ committedOffset: -1, committedLeaderEpoch: -1, metadata: null });
    const fetched = {
      ...none,
      topics: [nothing],
      groups: [{ groupId: 'g', errorCode: ErrorCode.NONE, topics: [nothing] }],
    };
    let hasCommitted = false;
    let isAssignedAgain = false;
    let answerCommit = (): void => {};
    const answers: Record<number, (asked: Asked) => Answer> = {
      [ApiKey.FindCoordinator]: () => {
        const node = { nodeId: 0, host: 'scripted', port: 1, errorMessage: null };
        return { ...none, ...node, coordinators: [{ ...node, key: 'g', errorCode: ErrorCode.NONE }] };
      },
      [ApiKey.JoinGroup]: ({ count }) => {
        const memberId = `member-${count}`;
        return {
          ...none,
          ...protocol,
          generationId: count,
          leader: 'another',
          skipAssignment: false,
          memberId,
          members: [],
        };
      },
      [ApiKey.SyncGroup]: () => ({
        ...none,
        ...protocol,
        assignment: encodeAssignment([{ topic: 't', partition: 0 }]),
      }),
      [ApiKey.Heartbeat]: ({ body }) => {
        const isOver = hasCommitted && body.memberId === 'member-0';
        return { ...none, errorCode: isOver ? ErrorCode.UNKNOWN_MEMBER_ID : ErrorCode.NONE };
      },
      [ApiKey.ListOffsets]: () => ({ ...none, topics: [topicOf({ timestamp: -1, offset: 0, leaderEpoch: 0 })] }),
      [ApiKey.OffsetFetch]: ({ count }) => {
        isAssignedAgain = count > 0;
        if (isAssignedAgain) answerCommit();
        return fetched;
      },
      [ApiKey.OffsetCommit]: ({ count }) => {
        const answer = { ...none, topics: [topicOf({})] };
        if (count > 0) return answer;
        hasCommitted = true;
        return new Promise((resolve) => {
          answerCommit = () => resolve(answer);
        });
      },
      [ApiKey.Fetch]: ({ body }) => {
        const offset = body.topics[0]?.partitions[0].fetchOffset;
        if (offset === 0) return fetchAnswer(batch(0, ['a', 'b', 'c']));
        if (offset === 3 && isAssignedAgain) return fetchAnswer(batch(3, ['d']));
        return new Promise((resolve) => setTimeout(resolve, 5, fetchAnswer(new Uint8Array(0))));
      },
      [ApiKey.LeaveGroup]: () => ({ ...none, members: [] }),
    };
    const { client } = scripted((asked) => answers[asked.apiKey]?.(asked));
    const often = { heartbeatIntervalMs: 5, autoCommitIntervalMs: 5 };
    const consumer = new Consumer(client, { topics: ['t'], group: 'g', value: text, ...often });
    onTestFinished(() => consumer.close());
    expect(await valuesOf(consumer, 3)).toEqual(['a', 'b', 'c']);
    await vi.waitUntil(() => hasCommitted);
    expect(await valuesOf(consumer, 1)).toEqual(['d']);
  });

  it('begins in the middle of a batch, and takes the part of a batch that was cut off the next time', async () => {
    const [one, two] = [batch(0, ['a', 'b', 'c']), batch(3, ['d', 'e'])];
    const cutOff = concat(one, two.subarray(0, 70));
    const partitions = [{ topic: 't', partition: 0, from: { offset: 1 } }];
    const { consumer, broker } = reading([() => fetchAnswer(cutOff), () => fetchAnswer(two)], { partitions });
    expect(await valuesOf(consumer, 4)).toEqual(['b', 'c', 'd', 'e']);
    const offsets = broker.of(ApiKey.Fetch).map(({ body }) => body.topics[0].partitions[0].fetchOffset as number);
    expect(offsets.slice(0, 2)).toEqual([1, 3]);
  });

  it('ends where bytes are damaged or nothing inflates them, and says where', async () => {
    const damaged = batch(0, ['a', 'b']);
    damaged[damaged.length - 1]! ^= 1;
    const one = reading([() => fetchAnswer(damaged)]);
    await expect(valuesOf(one.consumer, 1)).rejects.toThrow(
      /CORRUPT_MESSAGE: the batch before offset 2 of partition 0 of t/,
    );
    const unknown = batch(0, ['a']);
    unknown[22] = 4;
    new DataView(unknown.buffer, unknown.byteOffset).setUint32(17, crc32c(unknown.subarray(21)));
    const two = reading([() => fetchAnswer(unknown)]);
    await expect(valuesOf(two.consumer, 1)).rejects.toThrow(
      /UNSUPPORTED_COMPRESSION_TYPE: .*zstd: give the client that codec/,
    );
    const old = concat(batch(0, ['a']));
    old[16] = 1;
    const three = reading([() => fetchAnswer(old)]);
    await expect(valuesOf(three.consumer, 1)).rejects.toThrow(/UNSUPPORTED_FOR_MESSAGE_FORMAT/);
  });

  it('goes on where the log was cut off before what it had read', async () => {
    const { consumer, broker, retries } = reading([
      () => fetchAnswer(batch(0, ['a', 'b', 'c'], { leaderEpoch: 3 })),
      () => fetchAnswer(new Uint8Array(0), { divergingEpoch: { epoch: 3, endOffset: 2 } }),
      () => fetchAnswer(batch(2, ['new'], { leaderEpoch: 4 })),
    ]);
    expect(await valuesOf(consumer, 3)).toEqual(['a', 'b', 'c']);
    expect(await valuesOf(consumer, 1)).toEqual(['new']);
    const asked = broker.of(ApiKey.Fetch).map(({ body }) => {
      const { fetchOffset, lastFetchedEpoch } = body.topics[0].partitions[0];
      return [fetchOffset, lastFetchedEpoch];
    });
    expect(asked.slice(0, 3)).toEqual([
      [0, -1],
      [3, 3],
      [2, -1],
    ]);
    expect(retries).toContain('OFFSET_OUT_OF_RANGE');
  });

  it('asks for the leader again where a fetch goes to the wrong one, or with the wrong epoch', async () => {
    const { consumer, broker } = reading([
      () => fetchAnswer(new Uint8Array(0), { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER }),
      () => fetchAnswer(new Uint8Array(0), { errorCode: ErrorCode.FENCED_LEADER_EPOCH }),
      ({ connection }) => {
        connection.cut();
        return silence;
      },
      () => fetchAnswer(batch(0, ['a'])),
    ]);
    expect(await valuesOf(consumer, 1)).toEqual(['a']);
    expect(broker.of(ApiKey.Metadata).length).toBeGreaterThan(2);
  });
});
