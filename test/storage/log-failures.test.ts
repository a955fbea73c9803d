/** What a log does when the disk fails in the middle of it: everybody is answered, and what holds afterwards is said. */

import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import type { FileSystem } from '../../src/storage/file-system.ts';
import { nodeFileSystem } from '../../src/storage/node-file-system.ts';
import { ManualClock } from '../broker/manual-clock.ts';
import { append, batchOf, StoreHarness, valuesFrom } from './store-harness.ts';

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

/** The real file system, with calls that a test can hold up or have fail. */
class FailingFileSystem {
  onWrite: () => void = () => {};
  onSync: () => Promise<void> = () => Promise.resolve();
  onOpen: (path: string) => void = () => {};

  get fileSystem(): FileSystem {
    return {
      ...nodeFileSystem,
      open: (path, mode) => {
        this.onOpen(path);
        return nodeFileSystem.open(path, mode);
      },
      write: (file, sources, position) => {
        this.onWrite();
        return nodeFileSystem.write(file, sources, position);
      },
      syncLater: async (file) => {
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

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

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
