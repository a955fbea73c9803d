/** What a consumer makes of answers that a broker gives seldom, or never should. */

import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Consumer, ErrorCode, text } from '../../src/client/index.ts';
import { encodeAssignment } from '../../src/client/consumer-protocol.ts';
import { ApiKey } from '../../src/protocol/generated/index.ts';
import { buildBatch } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { first } from './client-harness.ts';
import { type Answer, type Asked, silence } from './scripted-broker.ts';
import { scripted } from './scripted-client.ts';

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
