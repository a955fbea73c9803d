/** Writing in place: when it is done, that nothing is lost where it fails, and that two threads never do it at once. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { QuickCalls } from '../../src/base/quick-calls.ts';
import { SeededRandom, systemRandom } from '../../src/base/random.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { systemClock } from '../../src/base/clock.ts';
import { WorkerExecutor } from '../../src/flush/worker-executor.ts';
import { Arena } from '../../src/memory/arena.ts';
import { FileTurns } from '../../src/memory/file-turns.ts';
import { FlushFailure } from '../../src/memory/flush-messages.ts';
import { FlushQueue } from '../../src/memory/flush-queue.ts';
import type { FileSystem } from '../../src/storage/file-system.ts';
import { LocalLogStore } from '../../src/storage/local-log-store.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';
import { LoneSync } from '../../src/storage/lone-sync.ts';
import { nodeFileSystem } from '../../src/storage/node-file-system.ts';
import type { AppendOptions, AppendResult, PartitionLog } from '../../src/storage/partition-log.ts';
import { ManualClock } from '../broker/manual-clock.ts';
import { append, batchOf, StoreHarness, topicId, valuesFrom } from './store-harness.ts';

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

describe('a group that is written in place', () => {
  let clock: ManualClock;
  let harness: StoreHarness;
  /** Groups that were published as written. */
  let inPlace: number[];
  /** What becomes of each write: the bytes it may take, or an error to throw. */
  let onWrite: (sizeBytes: number) => number;

  beforeEach(async () => {
    clock = new ManualClock();
    inPlace = [];
    onWrite = (sizeBytes) => sizeBytes;
    const publishWritten = FlushQueue.prototype.publishWritten;
    vi.spyOn(FlushQueue.prototype, 'publishWritten').mockImplementation(function (this: FlushQueue, count, sync) {
      inPlace.push(count);
      publishWritten.call(this, count, sync);
    });
    const fileSystem: FileSystem = {
      ...nodeFileSystem,
      write: (file, sources, position) => {
        const whole = Buffer.concat(sources);
        return nodeFileSystem.write(file, [whole.subarray(0, onWrite(whole.length))], position);
      },
    };
    harness = new StoreHarness({ clock, fileSystem });
    await harness.open();
  });
  afterEach(() => {
    vi.restoreAllMocks();
    harness.remove();
  });

  /** A log whose descriptor is known, with one record. */
  async function warmLog(partition = 0): Promise<PartitionLog> {
    const log = harness.log('orders', partition);
    await append(log, batchOf(['first']), 'written');
    await turns(3);
    return log;
  }

  it('is answered within the tick, without a worker, and read back', async () => {
    const log = await warmLog();
    expect(inPlace).toEqual([]);
    const answers: AppendResult[] = [];
    for (const value of ['a', 'b']) {
      log.append(batchOf([value]), { durability: 'written', origin: 'client' }, (result) => answers.push(result));
    }
    await Promise.resolve();
    expect(answers.map(({ errorCode, baseOffset }) => [errorCode, baseOffset])).toEqual([
      [ErrorCode.NONE, 1],
      [ErrorCode.NONE, 2],
    ]);
    expect(inPlace).toEqual([2]);
    expect(harness.store.pendingBytes).toBe(0);
    await append(log, batchOf(['c']), 'synced');
    expect(await valuesFrom(log)).toEqual(['0:first', '1:a', '2:b', '3:c']);
    await harness.store.close();
    await harness.open();
    expect(harness.store.startedClean).toBe(true);
    expect(await valuesFrom(harness.log())).toEqual(['0:first', '1:a', '2:b', '3:c']);
  });

  it.each([
    ['somebody waits for a sync', async (log: PartitionLog) => append(log, batchOf(['x']), 'synced')],
    ['it is large', async (log: PartitionLog) => append(log, batchOf(['x'.repeat(20_000)]), 'written')],
    [
      'it is of two partitions',
      async (log: PartitionLog) => {
        const other = append(harness.log('orders', 1), batchOf(['y']), 'written');
        await Promise.all([append(log, batchOf(['x']), 'written'), other]);
      },
    ],
    [
      'the worker is at work',
      async (log: PartitionLog) => {
        harness.executor.held = true;
        const answer = append(log, batchOf(['x']), 'written');
        await turns(2);
        harness.executor.held = false;
        await answer;
      },
    ],
  ] as const)('is not where %s', async (_, write) => {
    await warmLog(1);
    const log = await warmLog();
    inPlace.length = 0;
    await write(log);
    expect(inPlace).toEqual([]);
  });

  it('may be large where groups come seldom', async () => {
    const log = await warmLog();
    const write = async (sizeBytes: number): Promise<boolean> => {
      inPlace.length = 0;
      await append(log, batchOf(['x'.repeat(sizeBytes)]), 'written');
      await turns(3);
      return inPlace.length > 0;
    };
    expect(await write(100_000)).toBe(false);
    clock.advance(1);
    expect(await write(100_000)).toBe(false);
    clock.advance(2);
    expect(await write(100_000)).toBe(true);
    expect(await write(100_000)).toBe(false);
    clock.advance(2);
    expect(await write(300_000)).toBe(false);
    clock.advance(2);
    expect(await write(250_000)).toBe(true);
    expect((await valuesFrom(log)).map(({ length }) => length)).toEqual([
      7,
      ...[100, 100, 100, 100, 300, 250].map((k) => k * 1000 + 2),
    ]);
  });

  it.each([
    [
      'fails for want of room',
      () => {
        throw systemError('ENOSPC');
      },
    ],
    [
      'fails',
      () => {
        throw systemError('EIO');
      },
    ],
    ['is cut short', (sizeBytes: number) => sizeBytes - 1],
  ] as const)('is written again by the worker, whole, where it %s', async (_, once) => {
    const log = await warmLog();
    onWrite = (sizeBytes) => {
      onWrite = (size) => size;
      return once(sizeBytes);
    };
    expect(await append(log, batchOf(['again']), 'written')).toMatchObject({
      errorCode: ErrorCode.NONE,
      baseOffset: 1,
    });
    expect(inPlace).toEqual([]);
    expect(await valuesFrom(log)).toEqual(['0:first', '1:again']);
    await turns(3);
    await append(log, batchOf(['next']), 'written');
    expect(inPlace).toEqual([1]);
    expect(await valuesFrom(log)).toEqual(['0:first', '1:again', '2:next']);
  });

  it('goes by way of the worker after a slow one, until several came back soon in a row', async () => {
    const log = await warmLog();
    onWrite = (sizeBytes) => {
      clock.advance(3);
      onWrite = (size) => size;
      return sizeBytes;
    };
    const ways: boolean[] = [];
    for (let i = 0; i < 7; i++) {
      await turns(2);
      inPlace.length = 0;
      await append(log, batchOf(['x']), 'written');
      ways.push(inPlace.length > 0);
    }
    expect(ways).toEqual([true, false, false, false, false, true, true]);
  });

  it('wakes the worker before the queue is full of it', async () => {
    const log = await warmLog();
    for (let i = 0; i < 1000; i++) await append(log, batchOf([`${i}`]), 'written');
    expect(inPlace.length).toBeGreaterThan(500);
    expect((await valuesFrom(log)).length).toBe(1001);
  });
});

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await setImmediate();
}

describe('with real threads', () => {
  it('one thread at a time has the files', async () => {
    const buffer = new SharedArrayBuffer(64);
    const rounds = 50_000;
    // What both change in several steps is right only where they never do it at once.
    const change = (words: Int32Array): void => {
      const before = Atomics.load(words, 4);
      for (let i = 0; i < 20; i++) Atomics.load(words, 5);
      Atomics.store(words, 4, before + 1);
    };
    const code = `
      import('${new URL('../../dist/memory/file-turns.js', import.meta.url).href}').then(({ FileTurns }) => {
        const { workerData, parentPort } = require('node:worker_threads');
        const turns = new FileTurns(workerData, 0);
        const words = new Int32Array(workerData);
        const change = ${change.toString()};
        for (let i = 0; i < ${rounds}; i++) {
          turns.take();
          change(words);
          turns.leave();
        }
        parentPort.postMessage('done');
      });`;
    const worker = new Worker(code, { eval: true, workerData: buffer });
    let isDone = false;
    const done = new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject)).then(() => {
      isDone = true;
    });
    const turnsHere = new FileTurns(buffer, 0);
    const words = new Int32Array(buffer);
    let taken = 0;
    while (!isDone) {
      for (let i = 0; i < 1000; i++) {
        if (!turnsHere.tryTake()) continue;
        taken++;
        change(words);
        turnsHere.leave();
      }
      await setImmediate();
    }
    await done;
    await worker.terminate();
    expect(taken).toBeGreaterThan(0);
    expect(words[4]).toBe(rounds + taken);
  });

  it('many logs take batches of all kinds, while files are closed for others, and have each where it belongs', async () => {
    const written = vi.spyOn(FlushQueue.prototype, 'publishWritten');
    vi.spyOn(QuickCalls.prototype, 'areQuick', 'get').mockReturnValue(true);
    // Nor does a sync that hung have the worker do the next ones.
    vi.spyOn(LoneSync.prototype, 'took').mockReturnValue();
    const random = new SeededRandom(7);
    const directory = mkdtempSync(join(tmpdir(), 'millrace-in-place-'));
    const arena = Arena.create({
      flushWorkerCount: 2,
      queueCapacity: 64,
      ringSizeBytes: 4 * 1024 * 1024,
      scratchSizeBytes: 1024 * 1024,
      heapSizeBytes: 1024 * 1024,
    });
    const open = (executor: WorkerExecutor): Promise<LocalLogStore> =>
      LocalLogStore.open({
        directory,
        fileSystem: nodeFileSystem,
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger,
        arena,
        executor,
        mayWait: () => random.chance(0.8),
      });
    const store = await open(new WorkerExecutor({ arena }));
    await store.limitOpenFiles(32, 16);
    const config = { ...defaultLogConfig, segmentBytes: 16 * 1024, indexIntervalBytes: 256 };
    const logs = Array.from({ length: 40 }, (_, i) => store.open('orders', topicId, i, config));
    const expected = logs.map(() => [] as string[]);
    let current = 0;
    for (let i = 0; i < 6000; i++) {
      // Mostly the same one again, so that it is written in place; then another, whose file takes a descriptor.
      if (random.chance(0.1)) current = random.below(logs.length);
      const durability = (['written', 'written', 'none', 'synced', 'synced'] as const)[random.below(5)]!;
      const value = `${i}:${'x'.repeat(random.below(300))}`;
      expected[current]!.push(`${expected[current]!.length}:${value}`);
      const answer = appended(logs[current]!, value, durability);
      if (random.chance(0.7)) expect((await answer).errorCode).toBe(ErrorCode.NONE);
    }
    await Promise.all(logs.map((log) => log.sync()));
    for (const [i, log] of logs.entries()) expect(await valuesFrom(log)).toEqual(expected[i]);
    expect(written.mock.calls.length).toBeGreaterThan(500);
    expect(written.mock.calls.filter(([, sync]) => sync === FlushFailure.NONE).length).toBeGreaterThan(50);
    await store.close();
    // What the files themselves hold, from a fresh start.
    const again = await open(new WorkerExecutor({ arena }));
    for (const i of logs.keys()) {
      expect(await valuesFrom(again.open('orders', topicId, i, config))).toEqual(expected[i]);
    }
    await again.close();
    rmSync(directory, { recursive: true, force: true });
    vi.restoreAllMocks();
  });
});

function appended(log: PartitionLog, value: string, durability: AppendOptions['durability']): Promise<AppendResult> {
  return append(log, batchOf([value]), durability);
}
