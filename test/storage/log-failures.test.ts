/** What a log does when the disk fails in the middle of it: everybody is answered, and what holds afterwards is said. */

import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { silentLogger, type LogFields } from '../../src/base/logger.ts';
import { asOffset } from '../../src/base/numbers.ts';
import type { FileSystem } from '../../src/storage/file-system.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';
import { nodeFileSystem } from '../../src/storage/node-file-system.ts';
import { ManualClock } from '../broker/manual-clock.ts';
import { append, batchOf, StoreHarness, until, valuesFrom } from './store-harness.ts';

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

/** The real file system, with calls that a test can hold up or have fail. */
class FailingFileSystem {
  /** Files whose sync was asked for. */
  synced = 0;
  onWrite: () => void = () => {};
  onSync: () => Promise<void> = () => Promise.resolve();
  onRead: () => Promise<void> = () => Promise.resolve();
  onOpen: (path: string) => void = () => {};

  get fileSystem(): FileSystem {
    return {
      ...nodeFileSystem,
      open: (path, mode) => {
        this.onOpen(path);
        return nodeFileSystem.open(path, mode);
      },
      readLater: async (file, target, position) => {
        await this.onRead();
        return nodeFileSystem.readLater(file, target, position);
      },
      write: (file, sources, position) => {
        this.onWrite();
        return nodeFileSystem.write(file, sources, position);
      },
      syncLater: async (file) => {
        this.synced++;
        await this.onSync();
        await nodeFileSystem.syncLater(file);
      },
    };
  }
}

let disk: FailingFileSystem;
let clock: ManualClock;
let harness: StoreHarness;
beforeEach(async () => {
  disk = new FailingFileSystem();
  clock = new ManualClock();
  harness = new StoreHarness({ fileSystem: disk.fileSystem, clock });
  await harness.open();
});
afterEach(() => harness.remove());

/** Holds syncs up from now on; what is returned ends them all, with an error where one is given. */
function holdSyncs(): { readonly waiting: () => number; end(error?: Error): void } {
  const ends: ((error?: Error) => void)[] = [];
  disk.onSync = () =>
    new Promise((resolve, reject) => {
      ends.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  return {
    waiting: () => ends.length,
    end(error) {
      disk.onSync = () => Promise.resolve();
      for (const end of ends.splice(0)) end(error);
    },
  };
}

describe('a sync that fails', () => {
  test('is told to who waits for the sync, and to who waits for a write that is dropped because of it', async () => {
    const log = harness.log();
    const syncs = holdSyncs();
    const synced = append(log, batchOf(['a']));
    await until(() => syncs.waiting() > 0);
    harness.executor.held = true;
    syncs.end(systemError('EIO'));
    await setImmediate();
    // The worker knows of the failure, and nobody here does.
    const written = append(log, batchOf(['b']), 'written');
    harness.executor.held = false;
    expect(await written).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    expect(await synced).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    expect(log.endOffset).toBe(1);
    expect(log.refusal).toMatch(/a sync failed/);
    await expect(log.sync()).rejects.toThrow(/a sync failed/);
  });

  test('is told to who waits for the sync also where a write failed before', async () => {
    const log = harness.log();
    const syncs = holdSyncs();
    const synced = append(log, batchOf(['a']));
    await until(() => syncs.waiting() > 0);
    disk.onWrite = () => {
      throw systemError('EIO');
    };
    expect(await append(log, batchOf(['b']), 'written')).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    syncs.end(systemError('EIO'));
    expect(await synced).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
  });
});

describe('a full disk', () => {
  test('leaves what was written to be synced, though the batch that asked for it was not written', async () => {
    const log = harness.log();
    await append(log, batchOf(['a']), 'written');
    disk.onWrite = () => {
      throw systemError('ENOSPC');
    };
    expect(await append(log, batchOf(['b']))).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    disk.onWrite = () => {};
    await log.sync();
    expect(await valuesFrom(log)).toEqual(['0:a']);
    clock.advance(250);
    await until(() => log.refusal === null);
    expect(await append(log, batchOf(['c']))).toMatchObject({ errorCode: 0, baseOffset: 1 });
    expect(await valuesFrom(log, 0)).toEqual(['0:a', '1:c']);
    expect(log.logStartOffset).toBe(asOffset(0));
  });
});

describe('the memory for indexes', () => {
  test('may be used up: everything is taken and found all the same, in this run and in the next', async () => {
    harness.remove();
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (_: LogFields, sentence: string) => void warnings.push(sentence) };
    harness = new StoreHarness({ heapSizeBytes: 1024, clock, logger });
    await harness.open();
    const config = { segmentBytes: 6000, indexIntervalBytes: 100 };
    const names = ['a', 'b', 'c'];
    const count = 150;
    for (let i = 0; i < count; i++) {
      for (const name of names) {
        const log = harness.log(name, 0, config);
        expect(await append(log, batchOf([`v${i}`], {}, 1000 + i), 'written')).toMatchObject({ errorCode: 0 });
      }
    }
    const expected = Array.from({ length: count }, (_, i) => `${i}:v${i}`);
    const check = async (): Promise<void> => {
      for (const name of names) {
        const log = harness.log(name, 0, config);
        expect(await valuesFrom(log, 0, 500)).toEqual(expected);
        expect(await log.offsetForTimestamp(1000 + 77)).toMatchObject({ offset: 77 });
        expect(await log.offsetOfMaxTimestamp()).toMatchObject({ offset: count - 1 });
      }
    };
    await check();
    expect(warnings.filter((sentence) => sentence.includes('segment indexes is used up'))).toHaveLength(1);
    await harness.store.close();
    await harness.open();
    await check();
    await append(harness.log('a', 0, config), batchOf(['more'], {}, 5000));
    harness.abandon();
    await harness.open();
    expect(harness.store.recovery).toMatchObject({ cutBytes: 0, refusedPartitions: 0 });
    expect((await valuesFrom(harness.log('a', 0, config), 0, 500)).at(-1)).toBe(`${count}:more`);
  });

  test('costs one batch an answer where an index cannot be read, and nothing else', async () => {
    const config = { indexIntervalBytes: 100 };
    for (let i = 0; i < 5; i++) await append(harness.log('orders', 0, config), batchOf([`v${i}`]));
    await harness.store.close();
    await harness.open();
    const log = harness.log('orders', 0, config);
    disk.onOpen = (path) => {
      if (path.endsWith('.index')) throw systemError('EMFILE');
    };
    expect(await append(log, batchOf(['x']))).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    disk.onOpen = () => {};
    expect(await append(log, batchOf(['y']))).toMatchObject({ errorCode: 0, baseOffset: 5 });
    expect((await valuesFrom(log)).at(-1)).toBe('5:y');
  });
});

describe('a flush worker that ends by a defect', () => {
  test('leaves nobody waiting, and the store can be closed', async () => {
    const log = harness.log();
    await append(log, batchOf(['a']));
    harness.executor.held = true;
    const waiting = [append(log, batchOf(['b']), 'written'), append(log, batchOf(['c']))];
    const large = batchOf(['x'.repeat(1_000_000)]);
    while (harness.store.whenRoom(large.length, () => waiting.push(append(log, large))));
    const appended = waiting.length;
    clock.advance(5000);
    harness.executor.fail(new Error('planted'));
    // One more waited for room in the ring.
    expect(waiting).toHaveLength(appended + 1);
    for (const result of await Promise.all(waiting)) {
      expect(result).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    }
    const answer = await append(harness.log('another'), batchOf(['d']));
    expect(answer).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    await harness.store.close();
    await harness.open();
    expect(harness.store.startedClean).toBe(false);
    expect((await valuesFrom(harness.log()))[0]).toBe('0:a');
  });
});

describe('a log that is destroyed', () => {
  test('lets a store be closed meanwhile, and its checkpoint end', async () => {
    const log = harness.log();
    await append(log, batchOf(['a']), 'written');
    await append(harness.log('kept'), batchOf(['b']));
    const syncs = holdSyncs();
    clock.advance(5000);
    await until(() => syncs.waiting() > 0);
    const destroyed = [log.destroy(), log.destroy()];
    const closed = harness.store.close();
    syncs.end();
    await Promise.all([...destroyed, closed]);
    await harness.open();
    expect(harness.store.startedClean).toBe(true);
    expect(harness.store.found().map(({ topic }) => topic)).toEqual(['kept']);
  });

  test('gives nothing to who was reading it, since its name may be that of another by then', async () => {
    await append(harness.log(), batchOf(['a', 'b']));
    await harness.store.close();
    await harness.open();
    const log = harness.log();
    let goOn = (): void => {};
    disk.onRead = () => new Promise((resolve) => (goOn = resolve));
    const reading = log.read({ offset: asOffset(0), maxBytes: 100, minOneBatch: true, isolation: 'read_uncommitted' });
    await log.destroy();
    await append(harness.store.open('orders', 'AAAAAAAAAAAAAAAAAAAAAA', 0, defaultLogConfig), batchOf(['another']));
    goOn();
    const result = await reading;
    expect(result).toMatchObject({ errorCode: ErrorCode.NONE, records: new Uint8Array() });
    result.release();
  });

  test('has no segments deleted any more, nor its start moved', async () => {
    const log = harness.log();
    await append(log, batchOf(['a']));
    await log.destroy();
    expect(await log.enforceRetention()).toBe(0);
    expect(await log.deleteRecordsBefore(asOffset(1))).toMatchObject({ errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER });
  });
});

describe('retention', () => {
  test('that ends a segment to which nothing is added makes the next one durable, and counts the log as open', async () => {
    const log = harness.log('orders', 0, { retentionMs: 1000 });
    await append(log, batchOf(['a'], {}, clock.nowMs()));
    await harness.store.close();
    await harness.open();
    const again = harness.log('orders', 0, { retentionMs: 1000 });
    clock.advance(2000);
    const before = disk.synced;
    await again.enforceRetention();
    // The old one is deleted once the worker has told that it ended.
    await until(() => disk.synced > before + 2 && again.sizeBytes === 0);
    expect(again).toMatchObject({ logStartOffset: 1, highWatermark: 1 });
  });
});
