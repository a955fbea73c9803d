import { afterEach, describe, expect, test } from 'vitest';
import { compacted, compactionSettings, contents, keyed, settled } from './compaction-harness.ts';
import { FaultHarness } from './fault-harness.ts';
import { append } from './store-harness.ts';

const harnesses: FaultHarness[] = [];

async function opened(): Promise<FaultHarness> {
  const harness = new FaultHarness();
  harnesses.push(harness);
  await harness.open();
  return harness;
}

afterEach(() => {
  for (const harness of harnesses.splice(0)) harness.kill();
});

describe('compaction', () => {
  test('keeps the newest of each key at its offset', async () => {
    const harness = await opened();
    const log = harness.log(0, compacted);
    for (let i = 0; i < 40; i++) {
      expect(await settled(harness, append(log, keyed([[`key-${i % 5}`, `value-${i}`]])))).toMatchObject({
        errorCode: 0,
      });
    }
    await harness.pass(5250);
    expect(await settled(harness, harness.store.compactDirtiest(compactionSettings))).toBe(true);
    const found = await contents(harness, log);
    const active = found.findIndex((text) => text.startsWith('5:') || text.startsWith('35:'));
    expect(active).toBeGreaterThanOrEqual(0);
    expect(found.length).toBeLessThan(12);
    expect(found.slice(-5)).toEqual([35, 36, 37, 38, 39].map((i) => `${i}:key-${i % 5}=value-${i}`));
    await settled(harness, harness.store.close());
    await harness.expectSound('after compaction');
    harness.kill();
    await harness.open();
    expect(await contents(harness, harness.log(0, compacted))).toEqual(found);
  });
});
