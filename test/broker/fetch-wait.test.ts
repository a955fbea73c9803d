import { describe, expect, it, vi } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { fetchApi, type FetchRequest } from '../../src/protocol/generated/index.ts';
import { answersOf, FetchClient, isSettled, newest, readLater, sizesOf, type AskedPartition } from './fetch-client.ts';
import type { FakeConnection } from './broker-harness.ts';

/** A fetch that waits; what it came to is in `response`. */
function start(client: FetchClient, asked: readonly AskedPartition[], fields: Partial<FetchRequest>) {
  return client.fetch(newest, asked, { maxWaitMs: 500, ...fields });
}

function listenersOf(client: FetchClient, partitions: number): number {
  return Array.from({ length: partitions }, (_, i) => client.log(i).listenerCount).reduce((sum, one) => sum + one, 0);
}

describe('a fetch that waits', () => {
  it('is answered once records come, however few', async () => {
    const client = await FetchClient.open(2);
    const fetch = start(client, [{ partition: 0 }, { partition: 1 }], {});
    expect(await isSettled(fetch)).toBe(false);
    const size = client.append(1, ['a']);
    expect(sizesOf(await fetch)).toEqual([
      [0, 0],
      [1, size],
    ]);
  });

  it('is answered when its time is up, not before', async () => {
    const client = await FetchClient.open();
    const fetch = start(client, [{}], {});
    client.harness.clock.advance(499);
    expect(await isSettled(fetch)).toBe(false);
    client.harness.clock.advance(1);
    expect(sizesOf(await fetch)).toEqual([[0, 0]]);
  });

  it('waits until min bytes are there in all partitions together', async () => {
    const client = await FetchClient.open(2);
    const size = client.append(0, ['a']);
    const asked = [{ partition: 0 }, { partition: 1 }];
    const fetch = start(client, asked, { minBytes: 3 * size });
    client.append(1, ['a']);
    expect(await isSettled(fetch)).toBe(false);
    client.append(0, ['a']);
    expect(sizesOf(await fetch)).toEqual([
      [0, 2 * size],
      [1, size],
    ]);
  });

  it('gives what there is when its time is up', async () => {
    const client = await FetchClient.open();
    const size = client.append(0, ['a']);
    const fetch = start(client, [{}], { minBytes: 100_000 });
    expect(await isSettled(fetch)).toBe(false);
    client.harness.clock.advance(500);
    expect(sizesOf(await fetch)).toEqual([[0, size]]);
  });

  it('does not wait for more than its own bounds let it have', async () => {
    const client = await FetchClient.open();
    const size = client.append(0, ['a']);
    expect(sizesOf(await start(client, [{}], { minBytes: 100_000, maxBytes: size }))).toEqual([[0, size]]);
    const bounded = start(client, [{ partitionMaxBytes: 1 }], { minBytes: 2 });
    expect(await isSettled(bounded)).toBe(false);
    client.append(0, ['a']);
    expect(await isSettled(bounded)).toBe(false);
    client.harness.clock.advance(500);
    await bounded;
  });

  it('waits for the high watermark, not for the append', async () => {
    const client = await FetchClient.open();
    const fetch = start(client, [{}], {});
    client.harness.store.held = [];
    client.append(0, ['a']);
    expect(await isSettled(fetch)).toBe(false);
    client.harness.store.finishHeld();
    expect(answersOf(await fetch)[0]).toMatchObject({ highWatermark: 1 });
  });

  it.each([
    ['no time', { maxWaitMs: 0 }, {}],
    ['negative time', { maxWaitMs: -1 }, {}],
    ['no bytes', { minBytes: 0 }, {}],
    ['an offset out of range', {}, { fetchOffset: 9 }],
    ['a fenced epoch', {}, { currentLeaderEpoch: 0 }],
    ['a diverging epoch', {}, { lastFetchedEpoch: 3, fetchOffset: 9 }],
    ['an unknown partition alone', {}, { partition: 9 }],
  ])('does not wait with %s', async (_, fields, asked) => {
    const client = await FetchClient.open();
    expect(await isSettled(start(client, [asked], fields))).toBe(true);
    expect(client.harness.broker.fetchWaits.count).toBe(0);
  });

  it('waits for known partitions beside an unknown one, as Kafka does', async () => {
    const client = await FetchClient.open();
    const fetch = start(client, [{ partition: 9 }, { partition: 0 }], {});
    expect(await isSettled(fetch)).toBe(false);
    client.append(0, ['a']);
    expect(answersOf(await fetch)).toMatchObject([
      { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
      { errorCode: ErrorCode.NONE },
    ]);
  });

  it('costs an append only the partition that grew', async () => {
    const partitions = 3000;
    const client = await FetchClient.open(partitions);
    const asked = Array.from({ length: partitions }, (_, partition) => ({ partition }));
    const fetch = start(client, asked, { minBytes: 1_000_000 });
    expect(await isSettled(fetch)).toBe(false);
    const looks = asked.map(({ partition }) => vi.spyOn(client.log(partition), 'availableBytes'));
    for (let i = 0; i < 10; i++) client.append(7, ['a']);
    expect(looks.reduce((sum, look) => sum + look.mock.calls.length, 0)).toBe(10);
    client.harness.clock.advance(500);
    await fetch;
  });

  it('counts anew what a partition has, also where that is less', async () => {
    const client = await FetchClient.open();
    const size = client.append(0, ['a']);
    const fetch = start(client, [{}], { minBytes: 3 * size });
    await client.log().deleteRecordsBefore(asOffset(1));
    client.append(0, ['b']);
    client.append(0, ['c']);
    expect(await isSettled(fetch)).toBe(false);
    client.append(0, ['d']);
    // What it asked for is gone by now, and it hears of that.
    expect(answersOf(await fetch)[0]).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
  });

  it('is answered at once when a topic of it is deleted, with what the others have', async () => {
    const client = await FetchClient.open();
    const { harness } = client;
    const other = await harness.createTopic('other');
    const third = await harness.createTopic('third');
    const fetch = start(client, [{}, { topic: other }], {});
    await harness.broker.topics.delete(third.id);
    expect(await isSettled(fetch)).toBe(false);
    await harness.broker.topics.delete(other.id);
    const { UNKNOWN_TOPIC_OR_PARTITION, NONE } = ErrorCode;
    expect(answersOf(await fetch).map(({ errorCode }) => errorCode)).toEqual([NONE, UNKNOWN_TOPIC_OR_PARTITION]);
  });

  it('is answered when its topic is deleted after some of what it waits for has come', async () => {
    const client = await FetchClient.open();
    const fetch = start(client, [{}], { minBytes: 100_000 });
    client.append(0, ['a']);
    expect(await isSettled(fetch)).toBe(false);
    await client.harness.broker.topics.delete(client.topic.id);
    expect(answersOf(await fetch)).toMatchObject([{ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }]);
  });

  it.each([
    ['records', (client: FetchClient) => void client.append(1, ['a'])],
    ['its deadline', (client: FetchClient) => client.harness.clock.advance(500)],
    ['the end of its connection', (client: FetchClient) => client.harness.connection.close()],
    ['the stop of the broker', (client: FetchClient) => client.harness.broker.fetchWaits.stop()],
  ])('leaves nothing behind after %s', async (_, end) => {
    const client = await FetchClient.open(3);
    const before = client.harness.clock.pendingCount;
    const fetch = start(client, [{ partition: 0 }, { partition: 1 }, { partition: 2 }], {});
    expect(await isSettled(fetch)).toBe(false);
    expect(listenersOf(client, 3)).toBe(3);
    expect(client.harness.broker.fetchWaits.count).toBe(1);
    end(client);
    await fetch;
    expect(listenersOf(client, 3)).toBe(0);
    expect(client.harness.broker.fetchWaits.count).toBe(0);
    expect(client.harness.clock.pendingCount).toBe(before);
    expect(client.harness.broker.fetchMemory.heldBytes).toBe(0);
  });

  it('does not read for a connection that has ended', async () => {
    const client = await FetchClient.open();
    client.append(0, ['a']);
    const read = vi.spyOn(client.log(), 'read');
    const fetch = start(client, [{}], { minBytes: 1000 });
    await isSettled(fetch);
    client.harness.connection.close();
    await fetch;
    expect(read).not.toHaveBeenCalled();
  });

  it('does not begin to wait once the broker stops', async () => {
    const client = await FetchClient.open();
    client.harness.broker.fetchWaits.stop();
    expect(await isSettled(start(client, [{}], {}))).toBe(true);
  });
});

describe('memory of a fetch', () => {
  const room = 8 * 1024 * 1024;

  async function filled(): Promise<{ client: FetchClient; size: number; other: FakeConnection }> {
    const client = await FetchClient.open(1, { fetchMemoryBytes: room });
    const size = client.append(0, ['x'.repeat(900_000)]);
    return { client, size, other: client.harness.connect() };
  }

  it('is held until the response has left', async () => {
    const { client, size } = await filled();
    const { fetchMemory } = client.harness.broker;
    const release = await client.fetchAndHold([{}]);
    expect(fetchMemory.heldBytes).toBe(size);
    expect(client.log().releases).toBe(0);
    release();
    expect(fetchMemory.heldBytes).toBe(0);
    expect(client.log().releases).toBe(1);
  });

  it('is not taken where there are no records', async () => {
    const { client } = await filled();
    await client.fetchAndHold([{ fetchOffset: 1 }]);
    expect(client.harness.broker.fetchMemory.heldBytes).toBe(0);
  });

  it('makes a connection that does not read wait, and lets another go on', async () => {
    const { client, size, other } = await filled();
    const release = await client.fetchAndHold([{}]);
    const second = client.fetchAndHold([{}]);
    expect(await isSettled(second)).toBe(false);
    const releaseOther = await client.fetchAndHold([{}], {}, other);
    expect(client.harness.broker.fetchMemory.heldBytes).toBe(2 * size);
    release();
    (await second)();
    releaseOther();
    expect(client.harness.broker.fetchMemory.heldBytes).toBe(0);
    expect(client.log().releases).toBe(3);
  });

  it('never exceeds the bound, whatever is asked at once; all are answered in the end', async () => {
    const { client, size } = await filled();
    const { fetchMemory } = client.harness.broker;
    const held: (() => void)[] = [];
    readLater(client.log(), held);
    let most = 0;
    const all = Promise.all(
      Array.from({ length: 40 }, async () => {
        const release = await client.fetchAndHold([{}], {}, client.harness.connect());
        most = Math.max(most, fetchMemory.heldBytes);
        release();
      }),
    );
    while (!(await isSettled(all))) {
      most = Math.max(most, fetchMemory.heldBytes);
      held.shift()?.();
    }
    expect(most).toBeLessThanOrEqual(room);
    expect(most).toBeGreaterThan(size);
    expect(fetchMemory.heldBytes).toBe(0);
    expect(client.log().releases).toBe(40);
  });

  it('answers without records where none becomes free in time', async () => {
    const { client } = await filled();
    const release = await client.fetchAndHold([{}]);
    const waiting = client.harness.request(fetchApi, newest, client.fields(newest, [{}], { maxWaitMs: 3000 }));
    expect(await isSettled(waiting)).toBe(false);
    client.harness.clock.advance(3000);
    expect(answersOf(await waiting)[0]).toMatchObject({ errorCode: ErrorCode.NONE, highWatermark: 1 });
    expect(client.harness.broker.fetchMemory.waitingCount).toBe(0);
    release();
  });

  it('gives its place up when the connection ends', async () => {
    const { client } = await filled();
    const release = await client.fetchAndHold([{}]);
    const waiting = client.fetchAndHold([{}]);
    await isSettled(waiting);
    client.harness.connection.close();
    (await waiting)();
    expect(client.harness.broker.fetchMemory.waitingCount).toBe(0);
    release();
    expect(client.harness.broker.fetchMemory.heldBytes).toBe(0);
  });

  it('is given back where the connection ends during a read', async () => {
    const { client } = await filled();
    const held: (() => void)[] = [];
    readLater(client.log(), held);
    const fetch = client.fetchAndHold([{}]);
    await isSettled(fetch);
    client.harness.connection.close();
    held[0]!();
    (await fetch)();
    expect(client.log().releases).toBe(1);
    expect(client.harness.broker.fetchMemory.heldBytes).toBe(0);
  });
});
