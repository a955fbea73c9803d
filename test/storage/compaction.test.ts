import { afterEach, describe, expect, test } from 'vitest';
import { batchesOf, compacted, compactionSettings, contents, keyed, settled, type Pair } from './compaction-harness.ts';
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

  test('keeps a tombstone for delete.retention.ms after it was first compacted, and then nothing of its key', async () => {
    const harness = await opened();
    const log = harness.log(0, { ...compacted, deleteRetentionMs: 20_000 });
    const write = async (pairs: readonly Pair[]): Promise<void> => {
      await settled(harness, append(log, keyed(pairs, harness.clock.nowMs())));
    };
    await write([['gone', 'value']]);
    await write([['gone', null]]);
    let filler = 0;
    const compact = async (): Promise<string[]> => {
      for (let i = 0; i < 8; i++) await write([['filler', `${filler++}`]]);
      await harness.pass(5250);
      expect(await settled(harness, harness.store.compactDirtiest(compactionSettings))).toBe(true);
      return (await contents(harness, log)).filter((text) => text.includes(':gone='));
    };
    expect(await compact()).toEqual(['1:gone=null']);
    expect(await compact()).toEqual(['1:gone=null']);
    await harness.pass(20_000);
    expect(await compact()).toEqual([]);
    await settled(harness, harness.store.close());
    await harness.expectSound('after the horizon');
  });

  test('takes out what was aborted, keeps what was committed and is open, and drops markers once they are spent', async () => {
    const harness = await opened();
    const log = harness.log(0, { ...compacted, deleteRetentionMs: 20_000, producerExpirationMs: 40_000 });
    const sequences = new Map<number, number>();
    const write = async (producerId: number, pairs: readonly Pair[]): Promise<void> => {
      const baseSequence = sequences.get(producerId) ?? 0;
      sequences.set(producerId, baseSequence + pairs.length);
      const options = { producerId, producerEpoch: 0, baseSequence, transactional: true };
      const result = await settled(harness, append(log, keyed(pairs, harness.clock.nowMs(), options)));
      expect(result.errorCode).toBe(0);
    };
    const mark = (producerId: number, outcome: 'commit' | 'abort') =>
      settled(
        harness,
        new Promise((resolve) => {
          log.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 0, outcome }, resolve);
        }),
      );
    await write(1, [['a', 'committed']]);
    await write(2, [
      ['a', 'aborted'],
      ['b', 'aborted'],
    ]);
    await mark(1, 'commit');
    await mark(2, 'abort');
    let filler = 0;
    const compact = async (): Promise<string[]> => {
      for (let i = 0; i < 8; i++) {
        await settled(harness, append(log, keyed([['filler', `${filler++}`]], harness.clock.nowMs())));
      }
      await harness.pass(5250);
      await settled(harness, harness.store.compactDirtiest(compactionSettings));
      return batchesOf(harness, log);
    };
    // What was aborted goes at once; the batches that say where the producers are stay, empty.
    const first = await compact();
    expect(first).toContain('0 a=committed');
    expect(first.filter((text) => text.includes('aborted'))).toEqual([]);
    expect(first).toContain('1-2 empty');
    expect(first.filter((text) => text.includes('control'))).toHaveLength(2);
    // Producer 2 has expired: nothing of it is left once the marker's horizon has passed, and 1 has its marker.
    await harness.pass(41_000);
    await settled(harness, log.enforceRetention());
    await compact();
    await harness.pass(21_000);
    const last = await compact();
    expect(last).toContain('0 a=committed');
    expect(last.filter((text) => text.includes('control'))).toEqual(['3 control']);
    expect(last).not.toContain('1-2 empty');
    // An open transaction is beyond the last stable offset, and so is all that follows.
    await write(3, [['a', 'open']]);
    const open = await compact();
    expect(open).toContain('0 a=committed');
    expect(open.some((text) => text.endsWith('a=open'))).toBe(true);
    expect(await contents(harness, log, 'read_committed')).not.toContain('a=open');
    await settled(harness, harness.store.close());
    await harness.expectSound('with transactions');
  });

  test('keeps the last sequence of producers that may go on, also where nothing but the log is left', async () => {
    const harness = await opened();
    const log = harness.log(0, compacted);
    const options = { producerId: 9, producerEpoch: 3 };
    for (let i = 0; i < 4; i++) {
      await settled(harness, append(log, keyed([['same', `${i}`]], 1000, { ...options, baseSequence: i })));
    }
    for (let i = 0; i < 12; i++) await settled(harness, append(log, keyed([['same', `later ${i}`]])));
    await harness.pass(5250);
    expect(await settled(harness, harness.store.compactDirtiest(compactionSettings))).toBe(true);
    harness.kill();
    for (const name of harness.disk.list('/data/orders-0')) {
      if (name.endsWith('.snapshot')) harness.disk.remove(`/data/orders-0/${name}`);
    }
    await harness.open();
    const again = harness.log(0, compacted);
    const repeated = keyed([['same', '3']], 1000, { ...options, baseSequence: 3 });
    expect(await settled(harness, append(again, repeated))).toMatchObject({ errorCode: 0, baseOffset: 3 });
    const next = keyed([['same', '4']], 1000, { ...options, baseSequence: 4 });
    expect(await settled(harness, append(again, next))).toMatchObject({ errorCode: 0, baseOffset: 16 });
  });

  test('is due once more of a log is dirty than min.cleanable.dirty.ratio, or has waited for max.compaction.lag.ms', async () => {
    const harness = await opened();
    const lagMs = 60_000;
    const log = harness.log(0, { ...compacted, minCleanableRatio: 0.5, maxCompactionLagMs: lagMs });
    let written = 0;
    const write = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const pair = [`key-${written % 20}`, `${written++}`] as const;
        await settled(harness, append(log, keyed([pair], harness.clock.nowMs())));
      }
      await harness.pass(5250);
    };
    const compacts = () => settled(harness, harness.store.compactDirtiest(compactionSettings));
    await write(40);
    expect(await compacts(), 'all is dirty').toBe(true);
    await write(10);
    expect(await compacts(), 'less than half is dirty').toBe(false);
    await harness.pass(lagMs);
    // What is overdue ends the active segment as well, which may be compacted once that is on disk.
    let runs = 0;
    for (let i = 0; i < 5; i++) {
      if (await compacts()) runs++;
      await harness.pass(5250);
    }
    expect(runs).toBeGreaterThan(0);
    const newest = Array.from({ length: 20 }, (_, i) => written - 20 + i);
    expect(await contents(harness, log)).toEqual(newest.map((n) => `${n}:key-${n % 20}=${n}`));
    await write(4);
    expect(await compacts(), 'little is dirty').toBe(false);
    await write(40);
    expect(await compacts(), 'most is dirty').toBe(true);
  });

  test('goes beside retention.ms where both are asked for, and alone where they are not', async () => {
    const harness = await opened();
    const both = harness.log(0, { ...compacted, deletePolicy: true, retentionMs: 60_000 });
    const one = harness.log(1, { ...compacted, retentionMs: 60_000 });
    const write = async (value: string): Promise<void> => {
      for (const log of [both, one]) {
        for (let i = 0; i < 10; i++) {
          await settled(harness, append(log, keyed([[`key-${i % 5}`, `${value} ${i}`]], harness.clock.nowMs())));
        }
      }
      await harness.pass(5250);
    };
    const compactAll = async (): Promise<void> => {
      while (await settled(harness, harness.store.compactDirtiest(compactionSettings))) await harness.pass(100);
    };
    await write('first');
    await write('second');
    await compactAll();
    for (const log of [both, one]) {
      const found = await contents(harness, log);
      expect(found.filter((text) => text.includes('first'))).toEqual([]);
      expect(found.slice(-5)).toEqual([15, 16, 17, 18, 19].map((i) => `${i}:key-${i - 15}=second ${i - 10}`));
    }
    await harness.pass(60_001);
    for (const log of [both, one]) await settled(harness, log.enforceRetention());
    await harness.pass(5250);
    for (const log of [both, one]) await settled(harness, log.enforceRetention());
    expect(await contents(harness, both)).toEqual([]);
    expect(both.logStartOffset).toBe(20);
    expect((await contents(harness, one)).slice(-5)[0]).toBe('15:key-0=second 5');
    expect(one.logStartOffset).toBe(0);
  });
});
