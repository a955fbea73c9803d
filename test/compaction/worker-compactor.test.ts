import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../broker/manual-clock.ts';
import { WorkerCompactor } from '../../src/compaction/worker-compactor.ts';
import { compacted, compactionSettings, keyed } from '../storage/compaction-harness.ts';
import { append, StoreHarness, valuesFrom } from '../storage/store-harness.ts';

const taskUrl = new URL('../../dist/compaction/compaction-task.js', import.meta.url);
const harnesses: StoreHarness[] = [];

afterEach(() => {
  for (const harness of harnesses.splice(0)) harness.remove();
});

class CountingCompactor extends WorkerCompactor {
  begun = 0;

  override begin(...given: Parameters<WorkerCompactor['begin']>): ReturnType<WorkerCompactor['begin']> {
    this.begun++;
    return super.begin(...given);
  }
}

async function opened() {
  const clock = new ManualClock();
  const compactor = new CountingCompactor(taskUrl);
  const harness = new StoreHarness({ clock, compactor });
  harnesses.push(harness);
  await harness.open();
  return { harness, clock, compactor };
}

/** Lets recovery points move until a compaction begins, because only what is behind them is compacted; resolves with it. */
async function begun(
  { store }: StoreHarness,
  clock: ManualClock,
  compactor: CountingCompactor,
  settings = compactionSettings,
): Promise<{ readonly compaction: Promise<boolean> }> {
  for (;;) {
    const compaction = store.compactDirtiest(settings);
    if (compactor.begun > 0) return { compaction };
    expect(await compaction).toBe(false);
    clock.advance(1000);
    await setTimeout(1);
  }
}

describe('a compaction in a worker thread', () => {
  test('leaves the newest of each key, and readers and writers go on', async () => {
    const { harness, clock, compactor } = await opened();
    const log = harness.log('orders', 0, compacted);
    for (let i = 0; i < 60; i++) await append(log, keyed([[`key-${i % 7}`, `value-${i}`]]));
    const { compaction } = await begun(harness, clock, compactor);
    const later = append(log, keyed([['key-0', 'value-60']]));
    expect(await compaction).toBe(true);
    expect(await later).toMatchObject({ errorCode: 0, baseOffset: 60 });
    const values = await valuesFrom(log);
    expect(values.length).toBeLessThan(20);
    expect(values.slice(-8)).toEqual([53, 54, 55, 56, 57, 58, 59, 60].map((i) => `${i}:value-${i}`));
    await harness.store.close();
    await harness.open();
    expect(await valuesFrom(harness.log('orders', 0, compacted))).toEqual(values);
  });

  test('keeps no write waiting, however long it takes', async () => {
    const { harness, clock, compactor } = await opened();
    const log = harness.log('orders', 0, compacted);
    for (let i = 0; i < 60; i++) await append(log, keyed([[`key-${i % 7}`, `value-${i}`]]));
    const { compaction } = await begun(harness, clock, compactor, { ...compactionSettings, maxBytesPerSecond: 100 });
    let isOver = false;
    void compaction.then(() => (isOver = true));
    for (let i = 60; i < 80; i++) {
      expect(await append(log, keyed([[`key-${i % 7}`, `value-${i}`]]))).toMatchObject({ errorCode: 0, baseOffset: i });
    }
    expect(isOver).toBe(false);
    await harness.store.close();
  });

  test('ends when the store closes, and is made good later', async () => {
    const { harness, clock, compactor } = await opened();
    const log = harness.log('orders', 0, compacted);
    for (let i = 0; i < 60; i++) await append(log, keyed([[`key-${i % 7}`, `value-${i}`]]));
    const { compaction } = await begun(harness, clock, compactor, { ...compactionSettings, maxBytesPerSecond: 100 });
    await harness.store.close();
    expect(await compaction).toBe(false);
    await harness.open();
    const again = harness.log('orders', 0, compacted);
    expect(await valuesFrom(again)).toHaveLength(60);
    expect(await harness.store.compactDirtiest(compactionSettings)).toBe(true);
    expect((await valuesFrom(again)).length).toBeLessThan(20);
    await harness.store.close();
  });
});
