import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import { recoveryPointsName } from '../../src/storage/store-files.ts';
import { FaultHarness, Ledger } from './fault-harness.ts';
import { append, batchOf } from './store-harness.ts';

const dense: Partial<LogConfig> = {
  indexIntervalBytes: 150,
  fileDeleteDelayMs: 1000,
  retentionMs: -1,
  producerExpirationMs: Number.MAX_SAFE_INTEGER,
};
const indexPath = '/data/orders-0/00000000000000000000.index';
/** Long enough for the store's recovery points to move. */
const checkpointMs = 5250;
/** A log whose end is longer than this gets index entries for it. */
const shortEndBytes = 256 * 1024;

async function appendMany(harness: FaultHarness, ledger: Ledger, count: number, recordsEach = 1): Promise<void> {
  for (let i = 0; i < count; i++) {
    expect(await ledger.append(harness.log(0, dense), 'written', recordsEach)).toMatchObject({ errorCode: 0 });
  }
}

/** Appends to another partition: a store that may have one log bound gives this one's files up, with its index entries. */
async function elsewhere(harness: FaultHarness): Promise<void> {
  await new Ledger().append(harness.log(1, dense), 'written');
  await harness.turns();
}

const indexBytes = (harness: FaultHarness): number => harness.disk.sizeAt(indexPath) ?? 0;

/** What the recovery points say of the partition, behind its epochs: the index point, where it is not the offset. */
function indexPointIn(harness: FaultHarness): string | undefined {
  const file = harness.disk.open(`/data/${recoveryPointsName}`, 'read');
  const bytes = new Uint8Array(harness.disk.sizeOf(file));
  harness.disk.read(file, bytes, 0);
  harness.disk.close(file);
  const line = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .find((each) => each.startsWith('orders 0 '));
  return line?.split(' ')[6];
}

describe('the index of a short end of the log', () => {
  test('is left as it is by a start after a kill, and cut by the first checkpoint of the next run', async () => {
    const harness = new FaultHarness(3, undefined, { maxOpenLogs: 1 });
    const ledger = new Ledger();
    await harness.open();
    await appendMany(harness, ledger, 20);
    await harness.pass(checkpointMs);
    const certainBytes = indexBytes(harness);
    expect(certainBytes).toBeGreaterThan(0);
    await appendMany(harness, ledger, 20);
    await elsewhere(harness);
    const foundBytes = indexBytes(harness);
    expect(foundBytes).toBeGreaterThan(certainBytes);
    harness.kill();

    await harness.open();
    expect(indexBytes(harness)).toBe(foundBytes);
    await ledger.expectIn(harness.log(0, dense));
    // Nobody wrote to it in this run: the file stays as it is, and so does what is said of it.
    await harness.store.close();
    expect(indexPointIn(harness)).toBe('20');
    await harness.expectSound();

    await harness.open();
    await appendMany(harness, ledger, 1);
    await harness.pass(checkpointMs);
    expect(indexPointIn(harness)).toBeUndefined();
    expect(indexBytes(harness)).toBeLessThan(foundBytes);
    harness.powerCut();
    expect(indexBytes(harness)).toBeLessThan(foundBytes);
    await harness.open();
    await appendMany(harness, ledger, 20);
    await ledger.expectIn(harness.log(0, dense));
    await harness.store.close();
    await harness.expectSound();
  });

  test('comes to nothing but longer searches, however often the process dies or the power fails', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = new SeededRandom(seed);
      const harness = new FaultHarness(seed, undefined, { maxOpenLogs: 1 });
      const ledger = new Ledger();
      await harness.open();
      await ledger.append(harness.log(0, dense));
      for (let run = 0; run < 4; run++) {
        await appendMany(harness, ledger, random.below(12), 1 + random.below(3));
        if (random.below(2) === 0) await harness.pass(checkpointMs);
        await appendMany(harness, ledger, random.below(12));
        if (random.below(2) === 0) await elsewhere(harness);
        const end = random.below(5);
        if (end === 0) await harness.store.close();
        if (end <= 2) harness.kill();
        else {
          harness.powerCut();
          ledger.forgetUnsynced();
        }
        await harness.expectSound(`seed ${seed}, run ${run}`);
        if (random.below(2) === 0) harness.lastCall = 1 + random.below(12);
        await harness.open().catch((error: unknown) => {
          if (!harness.died) throw error;
        });
        if (harness.died) {
          if (random.below(2) === 0) {
            harness.powerCut();
            ledger.forgetUnsynced();
          }
          await harness.open();
        } else harness.mortal.survive();
        await ledger.expectIn(harness.log(0, dense), `seed ${seed}, run ${run}`);
      }
      await harness.store.close();
      await harness.expectSound(`seed ${seed}`);
    }
  }, 120_000);

  test('is made again by the start where the end is not short', async () => {
    const harness = new FaultHarness(5);
    const ledger = new Ledger();
    await harness.open();
    await appendMany(harness, ledger, 1);
    await harness.pass(checkpointMs);
    const { sizeBytes } = harness.log(0, dense);
    const large = batchOf(['x'.repeat(50_000)], {}, 2000);
    for (let i = 0; i < 6; i++)
      expect(await append(harness.log(0, dense), large, 'written')).toMatchObject({ errorCode: 0 });
    expect(harness.log(0, dense).sizeBytes - sizeBytes).toBeGreaterThan(shortEndBytes);
    harness.kill();
    expect(indexBytes(harness)).toBe(0);
    await harness.open();
    expect(indexBytes(harness)).toBeGreaterThan(0);
    expect(indexPointIn(harness)).toBeUndefined();
    expect(harness.log(0, dense).endOffset).toBe(7);
  });
});

describe('a sync that fails while logs are recovered', () => {
  const failures = [
    { what: 'of a log that was cut', call: 'sync', path: /orders-17/ },
    { what: "of a cut log's directory", call: 'syncDirectory', path: /orders-17/ },
    { what: 'of the journal of tails', call: 'sync', path: /millrace\.tails/ },
    { what: "of the journal's directory", call: 'syncDirectory', path: /data$/ },
  ] as const;
  for (const { what, call, path } of failures) {
    test(`ends the start, with no file left open, and the next one loses nothing (${what})`, async () => {
      const harness = new FaultHarness(7);
      const ledger = new Ledger();
      await harness.open();
      await appendMany(harness, ledger, 5);
      for (let partition = 1; partition < 40; partition++) {
        const other = new Ledger();
        await other.append(harness.log(partition, dense), 'written');
      }
      harness.kill();
      const torn = harness.disk.open('/data/orders-17/00000000000000000000.log', 'write');
      harness.disk.write(torn, [new Uint8Array(50).fill(7)], harness.disk.sizeOf(torn));
      harness.disk.close(torn);
      harness.disk.inject({ call, path, code: 'EIO' });
      await expect(harness.open()).rejects.toMatchObject({ code: 'IO_FAILED' });
      expect(harness.disk.openCount).toBe(0);
      harness.disk.clearFailures();
      await harness.open();
      await ledger.expectIn(harness.log(0, dense));
      expect(harness.log(39, dense).endOffset).toBe(1);
      await harness.store.close();
      await harness.expectSound();
    });
  }
});
