import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import { FetchPartition, FetchSessionCache, nextSessionEpoch, partitionKey } from '../../src/broker/fetch-session.ts';
import type { FetchRequest, FetchResponse } from '../../src/protocol/generated/index.ts';
import { answersOf, FetchClient, isSettled, newest, sizesOf, type AskedPartition } from './fetch-client.ts';
import { ManualClock } from './manual-clock.ts';

/** Fetches within a session, counting its epochs as a client does. */
class SessionClient {
  readonly client: FetchClient;
  readonly version: number;
  sessionId = 0;
  sessionEpoch = 0;

  constructor(client: FetchClient, version = newest) {
    this.client = client;
    this.version = version;
  }

  async fetch(asked: readonly AskedPartition[] = [], fields: Partial<FetchRequest> = {}): Promise<FetchResponse> {
    const { sessionId, sessionEpoch } = this;
    const response = await this.client.fetch(this.version, asked, { sessionId, sessionEpoch, ...fields });
    this.sessionId = response.sessionId;
    this.sessionEpoch = nextSessionEpoch(sessionEpoch);
    return response;
  }
}

const both = [{ partition: 0 }, { partition: 1 }];

async function opened(version = newest): Promise<{ client: FetchClient; session: SessionClient; size: number }> {
  const client = await FetchClient.open(2);
  client.append(0, ['a']);
  const size = client.append(1, ['b']);
  const session = new SessionClient(client, version);
  const response = await session.fetch(both.map((one) => ({ ...one, fetchOffset: 1 })));
  expect(sizesOf(response)).toEqual([
    [0, 0],
    [1, 0],
  ]);
  expect(session.sessionId).toBeGreaterThan(0);
  return { client, session, size };
}

describe.each([7, 12, newest])('a fetch session in version %i', (version) => {
  it('names in its responses only what changed', async () => {
    const { client, session, size } = await opened(version);
    expect(sizesOf(await session.fetch())).toEqual([]);
    client.append(1, ['b']);
    expect(sizesOf(await session.fetch())).toEqual([[1, size]]);
    expect(sizesOf(await session.fetch([{ partition: 1, fetchOffset: 2 }]))).toEqual([]);
  });

  it('keeps what the client said of a partition until it says otherwise', async () => {
    const { session, size } = await opened(version);
    expect(sizesOf(await session.fetch([{ partition: 1, fetchOffset: 0 }]))).toEqual([[1, size]]);
    expect(sizesOf(await session.fetch())).toEqual([[1, size]]);
  });

  it('tells a new high watermark or log start offset without records', async () => {
    const { client, session } = await opened(version);
    client.append(0, ['c']);
    await session.fetch([{ partition: 0, fetchOffset: 2 }]);
    await client.log(1).deleteRecordsBefore(asOffset(1));
    const response = await session.fetch();
    expect(answersOf(response)).toMatchObject([{ partitionIndex: 1, logStartOffset: 1, records: new Uint8Array() }]);
    expect(sizesOf(await session.fetch())).toEqual([]);
  });

  it('tells errors every time, and once when they are gone', async () => {
    const { session } = await opened(version);
    const wrong = await session.fetch([{ partition: 0, fetchOffset: 77 }]);
    expect(answersOf(wrong)).toMatchObject([{ partitionIndex: 0, errorCode: ErrorCode.OFFSET_OUT_OF_RANGE }]);
    expect(answersOf(await session.fetch())).toMatchObject([{ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE }]);
    const right = await session.fetch([{ partition: 0, fetchOffset: 1 }]);
    expect(answersOf(right)).toMatchObject([{ partitionIndex: 0, errorCode: ErrorCode.NONE, highWatermark: 1 }]);
    expect(sizesOf(await session.fetch())).toEqual([]);
  });

  it('forgets partitions, and ends with the last', async () => {
    const { client, session, size } = await opened(version);
    client.append(0, ['c']);
    client.append(1, ['c']);
    expect(sizesOf(await session.fetch([], client.forgotten(version, [0, 7])))).toEqual([[1, size]]);
    const { sessionId } = session;
    const last = await session.fetch([], { ...client.forgotten(version, [1]), maxWaitMs: 1000 });
    expect(last).toMatchObject({ errorCode: ErrorCode.NONE, sessionId: 0, responses: [] });
    const after = await session.fetch([], { sessionId });
    expect(after).toMatchObject({ errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0, responses: [] });
  });

  it('adds partitions', async () => {
    const client = await FetchClient.open(2);
    const session = new SessionClient(client, version);
    await session.fetch([{ partition: 0 }]);
    const size = client.append(1, ['a']);
    expect(sizesOf(await session.fetch([{ partition: 1 }]))).toEqual([[1, size]]);
    expect(sizesOf(await session.fetch())).toEqual([[1, size]]);
  });

  it('refuses another epoch than the next, and keeps the session', async () => {
    const { session } = await opened(version);
    const { sessionId } = session;
    for (const sessionEpoch of [2, 3, -2]) {
      const response = await session.client.fetch(version, [{}], { sessionId, sessionEpoch });
      const errorCode = ErrorCode.INVALID_FETCH_SESSION_EPOCH;
      expect(response).toMatchObject({ errorCode, sessionId: 0, responses: [] });
    }
    expect((await session.fetch()).errorCode).toBe(ErrorCode.NONE);
  });

  it('ends where the client ends it or starts anew', async () => {
    const { client, session } = await opened(version);
    const { sessionId } = session;
    const { fetchSessions } = client.harness.broker;
    const anew = await client.fetch(version, both, { sessionId, sessionEpoch: 0 });
    expect(anew.sessionId).not.toBe(sessionId);
    expect(fetchSessions.size).toBe(1);
    const ended = await client.fetch(version, both, { sessionId: anew.sessionId, sessionEpoch: -1 });
    expect(ended.sessionId).toBe(0);
    expect(answersOf(ended)).toHaveLength(2);
    expect(fetchSessions.size).toBe(0);
  });
});

describe('fetch sessions', () => {
  it('are not made where the client wants none', async () => {
    const client = await FetchClient.open();
    expect((await client.fetch(newest, [{}])).sessionId).toBe(0);
    expect(client.harness.broker.fetchSessions.size).toBe(0);
  });

  it('belong to versions with topic ids or to those without', async () => {
    for (const [made, used] of [
      [12, newest],
      [newest, 12],
    ] as const) {
      const { client, session } = await opened(made);
      const { sessionId } = session;
      const response = await client.fetch(used, [], { sessionId, sessionEpoch: 1 });
      const errorCode = ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR;
      expect(response).toMatchObject({ errorCode, sessionId: 0, responses: [] });
      expect((await session.fetch()).errorCode).toBe(ErrorCode.NONE);
    }
  });

  it('serve the partitions in turn, so that none starves', async () => {
    const client = await FetchClient.open(3);
    const sizes = [0, 1, 2].map((partition) => client.append(partition, ['a']));
    const session = new SessionClient(client);
    const asked = [0, 1, 2].map((partition) => ({ partition }));
    const served: number[] = [];
    // The client stays where it is, so all three have records all the time, and one fits into a response.
    await session.fetch(asked, { maxBytes: 1 });
    for (let round = 0; round < 6; round++) {
      const response = await session.fetch([], { maxBytes: 1 });
      served.push(...sizesOf(response).flatMap(([partition, size]) => (size === sizes[partition] ? [partition] : [])));
    }
    expect(served).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('tell of a topic that is deleted, and of one made anew with its name', async () => {
    const { client, session } = await opened();
    const named = new SessionClient(client, 12);
    await named.fetch([{ partition: 1 }]);
    const { topics } = client.harness.broker;
    await topics.delete(client.topic.id);
    const { UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID, NONE } = ErrorCode;
    const codes = (response: FetchResponse): number[] => answersOf(response).map(({ errorCode }) => errorCode);
    expect(codes(await session.fetch())).toEqual([UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_OR_PARTITION]);
    expect(codes(await client.fetch(newest, [{}]))).toEqual([UNKNOWN_TOPIC_ID]);
    await client.harness.createTopic('events', 2);
    expect(codes(await session.fetch([], { maxWaitMs: 500 }))).toEqual([INCONSISTENT_TOPIC_ID, INCONSISTENT_TOPIC_ID]);
    expect(codes(await named.fetch())).toEqual([NONE]);
  });

  it('find a topic that comes to exist after its id was asked for', async () => {
    const client = await FetchClient.open();
    const session = new SessionClient(client);
    const { topics } = client.harness.broker;
    const hidden = topics.topicById.bind(topics);
    topics.topicById = () => null;
    expect(answersOf(await session.fetch([{}]))).toMatchObject([{ errorCode: ErrorCode.UNKNOWN_TOPIC_ID }]);
    topics.topicById = hidden;
    expect(answersOf(await session.fetch())).toMatchObject([{ errorCode: ErrorCode.NONE, highWatermark: 0 }]);
  });

  it('answer a fetch whose session went on without it with an error, and read nothing twice', async () => {
    const { client, session } = await opened();
    const { sessionId } = session;
    const waiting = client.fetch(newest, [], { sessionId, sessionEpoch: 1, maxWaitMs: 500 });
    expect(await isSettled(waiting)).toBe(false);
    expect(await client.fetch(newest, [], { sessionId, sessionEpoch: 2 })).toMatchObject({ errorCode: ErrorCode.NONE });
    client.append(0, ['c']);
    const errorCode = ErrorCode.INVALID_FETCH_SESSION_EPOCH;
    expect(await waiting).toMatchObject({ errorCode, sessionId, responses: [] });
    expect(client.harness.broker.fetchMemory.heldBytes).toBe(0);
    expect(client.log(0).releases).toBe(1);
  });

  it('count their epochs round to 1', () => {
    expect(nextSessionEpoch(0)).toBe(1);
    expect(nextSessionEpoch(0x7fff_ffff)).toBe(1);
  });

  it('are as many as max.incremental.fetch.session.cache.slots says', async () => {
    const client = await FetchClient.open(1, { config: { 'max.incremental.fetch.session.cache.slots': '2' } });
    const ids: number[] = [];
    for (let i = 0; i < 3; i++) ids.push((await client.fetch(newest, [{}], { sessionEpoch: 0 })).sessionId);
    expect(ids[2]).toBe(0);
    expect(new Set(ids).size).toBe(3);
  });
});

describe('the cache of fetch sessions', () => {
  const twoMinutesMs = 120_000;

  function partitions(count: number): Map<string, FetchPartition> {
    const entries = Array.from({ length: count }, (_, index): [string, FetchPartition] => {
      const key = partitionKey('events', index);
      return [key, new FetchPartition('events', zeroUuid, key, index)];
    });
    return new Map(entries);
  }

  function cacheOf(slots: number): { cache: FetchSessionCache; clock: ManualClock } {
    const clock = new ManualClock();
    return { cache: new FetchSessionCache(slots, clock, new SeededRandom(7)), clock };
  }

  it('gives the place of a session that was unused for over two minutes', () => {
    const { cache, clock } = cacheOf(2);
    const first = cache.create(partitions(5), true)!;
    const second = cache.create(partitions(5), true)!;
    clock.advance(twoMinutesMs);
    cache.touch(first);
    expect(cache.create(partitions(1), true)).toBeNull();
    clock.advance(1);
    expect(cache.create(partitions(1), true)).not.toBeNull();
    expect(cache.get(second.id)).toBeNull();
    expect(cache.get(first.id)).toBe(first);
    expect(cache.partitionCount).toBe(6);
  });

  it('gives the place of the smallest that had its two minutes, to one that is no smaller', () => {
    const { cache, clock } = cacheOf(3);
    const large = cache.create(partitions(9), true)!;
    const small = cache.create(partitions(3), true)!;
    clock.advance(twoMinutesMs - 1);
    const young = cache.create(partitions(1), true)!;
    clock.advance(2);
    for (const session of [large, small, young]) cache.touch(session);
    expect(cache.create(partitions(2), true)).toBeNull();
    expect(cache.create(partitions(3), true)).not.toBeNull();
    expect(cache.get(small.id)).toBeNull();
    expect(cache.get(large.id)).toBe(large);
    expect(cache.get(young.id)).toBe(young);
  });

  it('makes no session where there are no slots', () => {
    expect(cacheOf(0).cache.create(partitions(1), true)).toBeNull();
  });

  it('bounds the partitions of all sessions together', () => {
    const cache = new FetchSessionCache(1000, new ManualClock(), new SeededRandom(7), 10);
    const first = cache.create(partitions(10), true)!;
    expect(cache.create(partitions(1), true)).toBeNull();
    const key = partitionKey('more', 0);
    first.partitions.set(key, new FetchPartition('more', zeroUuid, key, 0));
    cache.touch(first);
    expect(cache.size).toBe(0);
    expect(cache.partitionCount).toBe(0);
  });
});
