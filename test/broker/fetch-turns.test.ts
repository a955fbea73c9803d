import { describe, expect, it } from 'vitest';
import { FetchTurns, widePartitions } from '../../src/broker/fetch-turns.ts';
import { fetchApi } from '../../src/protocol/generated/index.ts';
import { encodeRequest } from './broker-harness.ts';
import { FetchClient, isSettled, newest, sizesOf } from './fetch-client.ts';
import { ManualClock } from './manual-clock.ts';

const wideFrameBytes = 100_000;

function turns() {
  const clock = new ManualClock();
  const order: string[] = [];
  const fetchTurns = new FetchTurns(clock);
  const run = (name: string, partitionCount = widePartitions) =>
    fetchTurns.run(partitionCount, () => void order.push(name));
  return { clock, order, fetchTurns, run };
}

/** Lets what was set off settle. */
const settled = () => isSettled(Promise.resolve());

describe('turns of fetches', () => {
  it('come one after the other, each in a turn of the loop of its own', async () => {
    const { clock, order, run } = turns();
    const all = Promise.all(['first', 'second', 'third'].map((name) => run(name)));
    await settled();
    expect(order).toEqual(['first']);
    clock.advance(0);
    await settled();
    expect(order).toEqual(['first', 'second']);
    clock.advance(0);
    await all;
    expect(order).toEqual(['first', 'second', 'third']);
  });

  it('are not for fetches of few partitions, which go on at once', () => {
    const { order, run } = turns();
    void run('wide');
    void run('also wide');
    void run('narrow', widePartitions - 1);
    expect(order).toEqual(['wide', 'narrow']);
  });

  it('pass on from work that fails', async () => {
    const { clock, order, fetchTurns, run } = turns();
    const failed = fetchTurns.run(widePartitions, () => Promise.reject(new Error('no')));
    const next = run('next');
    await expect(failed).rejects.toThrow('no');
    clock.advance(0);
    await next;
    expect(order).toEqual(['next']);
  });

  it('hold large frames back while others are decoded, and small ones never', async () => {
    const { clock, order, fetchTurns, run } = turns();
    expect(fetchTurns.admit(wideFrameBytes, () => {})).toBe(true);
    const decoded = run('decoded');
    for (const name of ['held', 'held longer']) {
      const serve = (): void => {
        order.push(`${name}: admitted ${fetchTurns.admit(wideFrameBytes, serve)}`);
        void run(name);
      };
      expect(fetchTurns.admit(wideFrameBytes, serve)).toBe(false);
    }
    expect(fetchTurns.admit(1000, () => {})).toBe(true);
    await decoded;
    clock.advance(0);
    await settled();
    expect(order).toEqual(['decoded', 'held: admitted true', 'held']);
    clock.advance(0);
    await settled();
    expect(order.slice(3)).toEqual(['held longer: admitted true', 'held longer']);
    expect(fetchTurns.waitingCount).toBe(0);
  });

  it('go to the next where one that was held back has no use for its own', async () => {
    const { clock, fetchTurns, run } = turns();
    await run('decoded');
    const called: string[] = [];
    // Its connection has ended.
    fetchTurns.admit(wideFrameBytes, () => called.push('gone'));
    fetchTurns.admit(wideFrameBytes, () => called.push('there'));
    clock.advance(0);
    expect(called).toEqual(['gone', 'there']);
  });
});

describe('a crowd of fetches of many partitions', () => {
  it('is answered one by one, and a fetch of one partition beside it at once', async () => {
    const client = await FetchClient.open(widePartitions);
    const { clock, dispatcher, connection } = client.harness;
    const sizeBytes = client.append(7, ['a']);
    const all = Array.from({ length: widePartitions }, (_, partition) => ({ partition }));
    const crowd = [client.fetch(newest, all), client.fetch(newest, all)];
    const [narrow] = sizesOf(await client.fetch(newest, [{ partition: 7 }]));
    expect(narrow).toEqual([7, sizeBytes]);
    const frame = encodeRequest(fetchApi, newest, client.fields(newest, all));
    expect(dispatcher.admit(frame, () => {})).toBe(false);
    const answers: number[] = [];
    crowd.forEach((fetch, i) => void fetch.then(() => answers.push(i)));
    for (let turn = 0; turn < 4; turn++) {
      await settled();
      clock.advance(0);
    }
    await settled();
    expect(answers.toSorted()).toEqual([0, 1]);
    for (const response of await Promise.all(crowd)) {
      expect(sizesOf(response)).toHaveLength(widePartitions);
      expect(sizesOf(response)[7]).toEqual([7, sizeBytes]);
    }
    expect(dispatcher.admit(frame, () => {})).toBe(true);
    expect(connection.open).toBe(true);
  });
});
