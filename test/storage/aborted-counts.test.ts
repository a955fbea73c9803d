import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { asOffset } from '../../src/base/numbers.ts';
import {
  abortedCountsOf,
  abortedCountsText,
  parseAbortedCounts,
  remainingCounts,
} from '../../src/storage/aborted-counts.ts';
import { readWholeFile } from '../../src/storage/checkpoint-file.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import { markerRoomBytes, type AppendResult } from '../../src/storage/partition-log.ts';
import { transactionEntrySizeBytes } from '../../src/storage/transaction-index.ts';
import { expectCommittedReads, expectedReads } from './committed-reads.ts';
import { compacted, compactionSettings, keyed, settled } from './compaction-harness.ts';
import { FaultHarness } from './fault-harness.ts';
import { append, batchOf } from './store-harness.ts';

/** Long enough for the store's recovery points to move. */
const checkpointMs = 5250;

const segment = (baseOffset: number, count: number) => ({
  baseOffset: asOffset(baseOffset),
  transactionIndexSizeBytes: count * transactionEntrySizeBytes,
});

describe('what stands beside a recovery point', () => {
  test('is read as it was written, and nothing else is', () => {
    const counts = abortedCountsOf([segment(0, 3), segment(10, 0), segment(4096, 1)]);
    expect(abortedCountsText(counts)).toBe('0:3,4096:1');
    expect(parseAbortedCounts('0:3,4096:1')).toEqual(counts);
    expect(parseAbortedCounts('')).toEqual([]);
    for (const text of [',', '1', '1:', ':1', '1:2,', '1:2:3', `${2 ** 53}:1`, '1:1234567890']) {
      expect(parseAbortedCounts(text), text).toBeNull();
    }
  });

  test('asks for nothing of segments that are gone, and for no more than one has', () => {
    const counts = abortedCountsOf([segment(0, 3), segment(10, 2), segment(20, 1)]);
    expect(remainingCounts(counts, [segment(10, 1), segment(20, 4)])).toEqual([
      { baseOffset: 10, count: 1 },
      { baseOffset: 20, count: 1 },
    ]);
  });
});

/** Aborts a transaction in each of several segments, all of them before the recovery point, and commits one behind it. */
async function abortInSegments(harness: FaultHarness): Promise<void> {
  const log = harness.log();
  const done = async (promise: Promise<AppendResult>): Promise<void> => {
    expect(await promise).toMatchObject({ errorCode: 0 });
  };
  const transaction = async (sequence: number, outcome: 'commit' | 'abort'): Promise<void> => {
    const options = { producerId: 1, producerEpoch: 0, baseSequence: sequence, transactional: true };
    await done(append(log, batchOf([`${outcome} ${sequence}`, 'x'.repeat(150)], options)));
    const marker = { producerId: 1, producerEpoch: 0, coordinatorEpoch: 0, outcome };
    await done(
      new Promise((resolve) => harness.store.whenRoom(markerRoomBytes, () => log.appendMarker(marker, resolve))),
    );
  };
  for (let i = 0; i < 6; i++) await transaction(i * 2, i % 3 === 2 ? 'commit' : 'abort');
  await harness.pass(checkpointMs);
  await transaction(12, 'commit');
}

const indexPaths = (harness: FaultHarness): string[] =>
  harness.disk
    .list('/data/orders-0')
    .filter((name) => name.endsWith('.txnindex'))
    .map((name) => `/data/orders-0/${name}`);

/** What is done to a transaction index behind the store's back; all of it is durable. */
const losses: readonly (readonly [string, (harness: FaultHarness, path: string) => void])[] = [
  ['is gone', ({ disk }, path) => disk.remove(path)],
  [
    'is empty',
    ({ disk }, path) => {
      const file = disk.open(path, 'write');
      disk.truncate(file, 0);
      disk.sync(file);
      disk.close(file);
    },
  ],
  [
    'ends one entry earlier',
    ({ disk }, path) => {
      const file = disk.open(path, 'write');
      disk.truncate(file, disk.sizeOf(file) - transactionEntrySizeBytes);
      disk.sync(file);
      disk.close(file);
    },
  ],
];

describe('a start after a crash, where the transaction index of a segment before the recovery point', () => {
  for (const [what, lose] of losses) {
    test(`${what}, hides what was aborted all the same`, async () => {
      const harness = new FaultHarness(7);
      await harness.open();
      await abortInSegments(harness);
      harness.kill();
      const paths = indexPaths(harness);
      expect(paths.length).toBeGreaterThan(1);
      lose(harness, paths[0]!);
      harness.disk.syncDirectory('/data/orders-0');
      for (const start of ['first start', 'start after a kill']) {
        await harness.open();
        await expectCommittedReads(harness.log(), start);
        expect((await expectedReads(harness.log())).aborted.length, start).toBeGreaterThan(0);
        harness.kill();
        await harness.expectSound(start);
      }
    });
  }
});

const pointsText = ({ disk }: FaultHarness): string =>
  Buffer.from(readWholeFile(disk, '/data/millrace.recovery-points', 65_536) ?? []).toString();

describe('a log that is compacted', () => {
  test('has no counts, and is left alone while the file still has those of before', async () => {
    const harness = new FaultHarness(8);
    await harness.open();
    await abortInSegments(harness);
    expect(pointsText(harness)).toContain(' aborted=');
    harness.kill();
    await harness.open();
    const compacting: Partial<LogConfig> = { ...compacted, fileDeleteDelayMs: 0 };
    const log = harness.log(0, compacting);
    const before = harness.disk.list('/data/orders-0');
    await settled(harness, harness.store.compactDirtiest(compactionSettings));
    expect(harness.disk.list('/data/orders-0')).toEqual(before);
    await harness.pass(checkpointMs);
    expect(pointsText(harness)).not.toContain(' aborted=');
    for (let i = 0; i < 4; i++) await settled(harness, append(log, keyed([['key', `${i}`]])));
    await harness.pass(checkpointMs);
    while (await settled(harness, harness.store.compactDirtiest(compactionSettings)));
    await harness.pass(1000);
    expect(indexPaths(harness).length).toBe(0);
    const warned = vi.spyOn(silentLogger, 'warn');
    onTestFinished(() => warned.mockRestore());
    harness.kill();
    await harness.open();
    expect(warned.mock.calls.map(([, text]) => text).filter((text) => /transaction index/.test(String(text)))).toEqual(
      [],
    );
    await expectCommittedReads(harness.log(0, compacting), 'after compaction');
  });
});
