/** Syncs in the I/O thread: when they are done there, that they promise no more than a worker's, and what a failure costs. */

import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { FileDescriptor, FileSystem } from '../../src/storage/file-system.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import { nodeFileSystem } from '../../src/storage/node-file-system.ts';
import { markerRoomBytes, type AppendResult, type PartitionLog } from '../../src/storage/partition-log.ts';
import { ManualClock } from '../broker/manual-clock.ts';
import { append, batchOf, StoreHarness, valuesFrom } from './store-harness.ts';

const value = 'x'.repeat(400);

let clock: ManualClock;
let harness: StoreHarness;
/** The harness's worker never syncs so: these are the I/O thread's, as paths. */
let inPlace: string[];
/** The paths of the worker's. */
let byWorker: string[];
let isOneAlone: boolean;
let onSync: () => void;
/** How long each of the worker's takes. */
let workerMs: number;

beforeEach(async () => {
  clock = new ManualClock();
  inPlace = [];
  byWorker = [];
  isOneAlone = true;
  onSync = () => {};
  workerMs = 0;
  const paths = new Map<FileDescriptor, string>();
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    open: (path, mode) => {
      const file = nodeFileSystem.open(path, mode);
      paths.set(file, path);
      return file;
    },
    sync: (file) => {
      const path = paths.get(file) ?? '';
      if (path.endsWith('.log')) {
        inPlace.push(path);
        onSync();
      }
      nodeFileSystem.sync(file);
    },
    syncLater: (file) => {
      byWorker.push(paths.get(file)!);
      return nodeFileSystem.syncLater(file).then(() => clock.pass(workerMs));
    },
  };
  harness = new StoreHarness({ clock, fileSystem, mayWait: () => isOneAlone });
  await harness.open();
});
afterEach(() => harness.remove());

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await setImmediate();
}

/** Until all is done that the worker was asked for, and it sleeps. */
async function settled(log: PartitionLog): Promise<void> {
  await log.sync();
  await turns(3);
}

/** A log with room ahead, of which all is synced. */
async function warmLog(partition = 0, config: Partial<LogConfig> = {}): Promise<PartitionLog> {
  const log = harness.log('orders', partition, config);
  for (let i = 0; i < 14; i++) {
    await append(log, batchOf([value]), 'synced');
    await turns(3);
  }
  inPlace.length = 0;
  byWorker.length = 0;
  return log;
}

describe('a sync in the I/O thread', () => {
  it('answers acks=all within the tick, once for all of the tick, and wakes no worker', async () => {
    const log = await warmLog();
    const from = log.endOffset;
    const answers: AppendResult[] = [];
    for (const durability of ['written', 'synced', 'synced'] as const) {
      log.append(batchOf(['a']), { durability, origin: 'client' }, (result) => answers.push(result));
    }
    expect(log.highWatermark).toBe(from);
    await Promise.resolve();
    expect(answers.map(({ errorCode, baseOffset }) => [errorCode, baseOffset - from])).toEqual([
      [ErrorCode.NONE, 0],
      [ErrorCode.NONE, 1],
      [ErrorCode.NONE, 2],
    ]);
    expect(log.highWatermark).toBe(from + 3);
    expect(inPlace).toHaveLength(1);
    await turns(5);
    expect(byWorker).toEqual([]);
  });

  it('is read back after a stop, with what the worker and others wrote between', async () => {
    const log = harness.log('orders', 0, { segmentBytes: 24_000, indexIntervalBytes: 512 });
    const random = new SeededRandom(3);
    const expected: string[] = [];
    for (let i = 0; i < 600; i++) {
      const text = `${i}:${'y'.repeat(random.below(600))}`;
      expected.push(`${i}:${text}`);
      isOneAlone = random.chance(0.9);
      expect((await append(log, batchOf([text]), random.chance(0.8) ? 'synced' : 'written')).errorCode).toBe(0);
      if (random.chance(0.6)) await turns(3);
    }
    expect(inPlace.length).toBeGreaterThan(100);
    expect(byWorker.length).toBeGreaterThan(100);
    expect(await valuesFrom(log)).toEqual(expected);
    await harness.store.close();
    await harness.open();
    expect(harness.store.startedClean).toBe(true);
    expect(await valuesFrom(harness.log())).toEqual(expected);
  });

  it.each([
    [
      'others are there',
      async (log: PartitionLog) => {
        isOneAlone = false;
        await append(log, batchOf(['a']), 'synced');
      },
    ],
    ['the group is large', (log: PartitionLog) => append(log, batchOf(['x'.repeat(66_000)]), 'synced')],
    [
      'another partition is written in the same tick',
      (log: PartitionLog) =>
        Promise.all([
          append(log, batchOf(['a']), 'synced'),
          append(harness.log('orders', 1), batchOf(['b']), 'synced'),
        ]),
    ],
    [
      'the room ahead is used up',
      async (log: PartitionLog) => {
        while (inPlace.length > 0 || byWorker.length === 0) {
          inPlace.length = 0;
          await append(log, batchOf([value]), 'synced');
        }
      },
    ],
    ['nothing of the partition is on disk yet', () => append(harness.log('orders', 2), batchOf(['a']), 'synced')],
    [
      'the worker is at work',
      async (log: PartitionLog) => {
        harness.executor.held = true;
        const answer = append(log, batchOf(['a']), 'synced');
        await turns(2);
        harness.executor.held = false;
        await answer;
      },
    ],
  ] as const)('is not done where %s', async (_, write) => {
    await warmLog(1);
    const log = await warmLog();
    await write(log);
    expect(inPlace).toEqual([]);
    expect(byWorker.some((path) => path.endsWith('.log'))).toBe(true);
  });

  it('is not done for a marker with which an entry of the transaction index goes, which the worker takes from the ring', async () => {
    const log = await warmLog(0, { segmentMs: Infinity });
    const mark = (outcome: 'commit' | 'abort'): Promise<AppendResult> =>
      new Promise((resolve) => {
        const marker = { producerId: 1, producerEpoch: 0, coordinatorEpoch: 0, outcome } as const;
        harness.store.whenRoom(markerRoomBytes, () => log.appendMarker(marker, resolve));
      });
    for (const [i, outcome] of (['commit', 'abort'] as const).entries()) {
      const options = { producerId: 1, producerEpoch: 0, baseSequence: i, transactional: true };
      expect((await append(log, batchOf(['a'], options), 'synced')).errorCode).toBe(ErrorCode.NONE);
      await turns(3);
      byWorker.length = 0;
      inPlace.length = 0;
      expect((await mark(outcome)).errorCode).toBe(ErrorCode.NONE);
      expect([inPlace.length, byWorker.length > 0], outcome).toEqual(outcome === 'commit' ? [1, false] : [0, true]);
    }
  });

  it('is not done in a segment whose name, and what was left for it, are not on disk yet', async () => {
    const log = await warmLog(0, { segmentBytes: 16_384 });
    const segments = (): string[] =>
      nodeFileSystem.list(`${harness.directory}/orders-0`).filter((name) => name.endsWith('.log'));
    while (segments().length === 1) {
      await append(log, batchOf([value]), 'written');
      await turns(3);
    }
    expect([...inPlace, ...byWorker]).toEqual([]);
    await append(log, batchOf([value]), 'synced');
    expect(inPlace).toEqual([]);
    expect(byWorker.filter((path) => path.endsWith('.log'))).toHaveLength(2);
  });

  it('is left to the worker after three slow ones in a row, until syncs are quick again', async () => {
    const log = await warmLog();
    const ways: boolean[] = [];
    // One slow one among quick ones says nothing.
    let slow = 1;
    onSync = () => {
      if (slow-- > 0) clock.advance(1);
    };
    for (let i = 0; i < 12; i++) {
      if (i === 2) slow = 3;
      inPlace.length = 0;
      await append(log, batchOf(['a']), 'synced');
      await turns(3);
      ways.push(inPlace.length > 0);
    }
    expect(ways).toEqual([true, true, true, true, true, false, false, false, false, true, true, true]);
  });

  it('is not done while those of the worker are slow, and again once several in a row were quick', async () => {
    const log = await warmLog();
    const other = await warmLog(1);
    /** What is written for others goes by way of the worker. */
    const syncByWorker = async (durationMs: number, times: number): Promise<void> => {
      isOneAlone = false;
      workerMs = durationMs;
      for (let i = 0; i < times; i++) {
        await append(other, batchOf(['a']), 'synced');
        await turns(3);
      }
      isOneAlone = true;
      workerMs = 0;
    };
    await syncByWorker(1, 3);
    inPlace.length = 0;
    await append(log, batchOf(['a']), 'synced');
    expect(inPlace).toEqual([]);
    await turns(3);
    await syncByWorker(0, 3);
    await append(log, batchOf(['a']), 'synced');
    expect(inPlace).toHaveLength(1);
  });

  it.each(['here', 'in the worker'])('rests after one that hung %s, however quick others are', async (where) => {
    const log = await warmLog();
    const ways = async (count: number): Promise<boolean[]> => {
      const found: boolean[] = [];
      for (let i = 0; i < count; i++) {
        inPlace.length = 0;
        await append(log, batchOf(['a']), 'synced');
        await turns(3);
        found.push(inPlace.length > 0);
      }
      return found;
    };
    if (where === 'here') onSync = () => clock.pass(5000);
    else {
      isOneAlone = false;
      workerMs = 5000;
    }
    expect(await ways(1)).toEqual([where === 'here']);
    onSync = () => {};
    isOneAlone = true;
    workerMs = 0;
    expect(new Set(await ways(10))).toEqual(new Set([false]));
    clock.advance(9999);
    expect(new Set(await ways(10))).toEqual(new Set([false]));
    clock.advance(1);
    expect(await ways(3)).toContain(true);
  });
});

describe('a sync in the I/O thread that fails', () => {
  it.each(['EIO', 'ENOSPC', 'EDQUOT', 'EROFS'])(
    'with %s is final for its partition, and for no other',
    async (code) => {
      const other = await warmLog(1);
      const log = await warmLog();
      const before = await valuesFrom(log);
      onSync = () => {
        throw Object.assign(new Error(code), { code });
      };
      const early = append(log, batchOf(['written']), 'written');
      const refused = append(log, batchOf(['lost']), 'synced');
      // What comes behind it before the worker has heard.
      await Promise.resolve();
      const behind = append(log, batchOf(['behind']), 'written');
      expect((await early).errorCode).toBe(ErrorCode.NONE);
      expect((await refused).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
      expect((await behind).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
      expect(log.refusal).toMatch(/a sync failed/);
      expect((await append(log, batchOf(['later']), 'written')).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
      await turns(5);
      // Nobody believes a second one.
      expect(inPlace).toHaveLength(1);
      expect(byWorker).toEqual([]);
      await expect(log.sync()).rejects.toThrow();
      onSync = () => {};
      expect((await append(other, batchOf(['a']), 'synced')).errorCode).toBe(ErrorCode.NONE);
      await settled(other);
      byWorker.length = 0;
      inPlace.length = 0;
      await harness.store.close();
      expect([...inPlace, ...byWorker].filter((path) => path.includes('orders-0/'))).toEqual([]);
      // The stop was no clean one; what had been acknowledged is there.
      await harness.open();
      expect(harness.store.startedClean).toBe(false);
      expect((await valuesFrom(harness.log())).slice(0, before.length)).toEqual(before);
    },
  );

  it('ends the broker where the descriptor is none, which is a defect', async () => {
    const log = await warmLog();
    onSync = () => {
      throw Object.assign(new Error('EBADF'), { code: 'EBADF' });
    };
    expect((await append(log, batchOf(['a']), 'synced')).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
    expect(log.refusal).toMatch(/defect/);
  });
});
