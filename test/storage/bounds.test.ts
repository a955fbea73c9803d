import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { OpenLogs } from '../../src/storage/open-logs.ts';
import type { Closable } from '../../src/storage/store-context.ts';
import { FaultHarness, Ledger, smallSegments } from './fault-harness.ts';

describe('few descriptors', () => {
  test('serve many logs that are written, rolled and checkpointed in turn and at once', async () => {
    const harness = new FaultHarness(8, 256 * 1024);
    await harness.open();
    const limited = harness.store.limitOpenFiles(20, 3);
    await harness.turns();
    await limited;
    const ledgers = Array.from({ length: 60 }, () => new Ledger());
    let most = 0;
    for (let round = 0; round < 6; round++) {
      const durability = round % 2 === 0 ? 'written' : 'synced';
      for (const part of [ledgers.slice(0, 30), ledgers.slice(30)]) {
        const appends = part.map((ledger) => ledger.append(harness.log(ledgers.indexOf(ledger)), durability, 3));
        let isDone = false;
        const all = Promise.all(appends).then((results) => {
          isDone = true;
          return results;
        });
        await harness.until(() => {
          most = Math.max(most, harness.disk.openCount);
          return isDone;
        });
        for (const { errorCode } of await all) expect(errorCode).toBe(ErrorCode.NONE);
      }
      if (round % 2 === 1) await harness.pass(6000);
    }
    // The I/O thread's own come beside those of partitions: checkpoints, eight at a time.
    expect(most).toBeLessThanOrEqual(20 + 8);
    const reads = ledgers.map((ledger, index) => ledger.expectIn(harness.log(index), `partition ${index}`));
    await harness.turns(2);
    expect(harness.disk.openCount).toBeLessThanOrEqual(20 + 3);
    await Promise.all(reads);
    await harness.store.close();
    expect(harness.disk.openCount).toBe(0);
    await harness.expectSound();
    await harness.open();
    expect(harness.store.startedClean).toBe(true);
    for (const [index, ledger] of ledgers.entries()) await ledger.expectIn(harness.log(index), `partition ${index}`);
    harness.kill();
  });

  test('are taken from files that are open already, and appends wait while a sync does not end', async () => {
    const harness = new FaultHarness(9, 256 * 1024);
    await harness.open();
    const ledgers = Array.from({ length: 50 }, () => new Ledger());
    const appendAll = () =>
      Promise.all(ledgers.map((ledger, index) => ledger.append(harness.log(index), 'written', 1)));
    await appendAll();
    expect(harness.disk.openCount).toBeGreaterThan(50);
    await harness.store.limitOpenFiles(16, 3);
    expect(harness.disk.openCount).toBeLessThanOrEqual(16);
    const syncLater = harness.mortal.syncLater.bind(harness.mortal);
    let go: () => void = () => {};
    const gone = new Promise<void>((resolve) => (go = resolve));
    harness.mortal.syncLater = async (file) => {
      await gone;
      return syncLater(file);
    };
    let isDone = false;
    const appends = appendAll().then((results) => {
      isDone = true;
      return results;
    });
    await harness.turns(200);
    expect(isDone).toBe(false);
    expect(harness.disk.openCount).toBeLessThanOrEqual(16);
    go();
    for (const { errorCode } of await appends) expect(errorCode).toBe(ErrorCode.NONE);
    for (const [index, ledger] of ledgers.entries()) await ledger.expectIn(harness.log(index));
    await harness.store.close();
    harness.kill();
  });

  test('and few slots serve many logs, which are bound again when they are written', async () => {
    const harness = new FaultHarness(1, 256 * 1024, { maxOpenLogs: 4, maxOpenSegmentFiles: 3 });
    await harness.open();
    const ledgers = Array.from({ length: 40 }, () => new Ledger());
    let most = 0;
    for (let round = 0; round < 6; round++) {
      for (const [index, ledger] of ledgers.entries()) {
        const result = await ledger.append(harness.log(index), round % 2 === 0 ? 'synced' : 'written', 2);
        expect(result.errorCode).toBe(ErrorCode.NONE);
        await harness.turns(4);
        most = Math.max(most, harness.disk.openCount);
      }
      await harness.pass(6000);
    }
    // One a log, those that are being closed, and the readers'.
    expect(most).toBeLessThan(24);
    for (const [index, ledger] of ledgers.entries()) await ledger.expectIn(harness.log(index), `partition ${index}`);
    await harness.store.close();
    expect(harness.disk.openCount).toBe(0);
    await harness.expectSound();
    await harness.open();
    for (const [index, ledger] of ledgers.entries()) await ledger.expectIn(harness.log(index), `partition ${index}`);
    expect(harness.disk.openCount).toBeLessThanOrEqual(3);
    harness.kill();
  });

  test('are given back by others where the longest unused logs cannot', async () => {
    const logs = new OpenLogs(10);
    const closed: number[] = [];
    const logOf = (index: number, isIdle: boolean): Closable => ({
      older: null,
      newer: null,
      closeFilesIfIdle: async () => {
        if (isIdle) closed.push(index);
        return isIdle;
      },
    });
    for (let i = 0; i < 30; i++) {
      logs.used(logOf(i, i >= 12));
      await Promise.resolve();
    }
    // The first twelve say no for ever, and there are more of them than are asked at a time.
    expect(closed.length).toBeGreaterThanOrEqual(10);
  });
});

test('a disk without room for the last index entries of idle logs leaves them open, and all goes on once there is', async () => {
  const harness = new FaultHarness(5, 256 * 1024, { maxOpenLogs: 2 });
  await harness.open();
  const ledgers = Array.from({ length: 6 }, () => new Ledger());
  const appendAll = async (): Promise<void> => {
    for (const [index, ledger] of ledgers.entries()) {
      for (let i = 0; i < 6; i++) {
        const { errorCode } = await ledger.append(harness.log(index, { ...smallSegments, segmentBytes: 6000 }));
        expect(errorCode).toBe(ErrorCode.NONE);
      }
      await harness.turns(8);
    }
  };
  const failure = { call: 'open', path: /\.(time)?index$/, code: 'ENOSPC' } as const;
  harness.disk.inject({ ...failure, times: 1000 });
  await appendAll();
  for (const index of ledgers.keys()) expect(harness.log(index).refusal).toBeNull();
  // More than may be, because none could be closed.
  expect(harness.disk.openCount).toBe(ledgers.length);
  harness.disk.clearFailures();
  await harness.pass(1500);
  await appendAll();
  await harness.turns(50);
  for (const [index, ledger] of ledgers.entries()) {
    expect(harness.log(index).refusal).toBeNull();
    await ledger.expectIn(harness.log(index));
  }
  expect(harness.disk.openCount).toBeLessThan(3 * ledgers.length);
  await harness.store.close();
  await harness.expectSound();
  await harness.open();
  expect(harness.store.startedClean).toBe(true);
  for (const [index, ledger] of ledgers.entries()) await ledger.expectIn(harness.log(index));
  harness.kill();
});

test.each([['deleted segments', '.deleted'] as const, ['old producer snapshots', '.snapshot'] as const])(
  'a store is not closed before the removal of %s that is under way has ended',
  async (_what, suffix) => {
    const harness = new FaultHarness(6);
    await harness.open();
    const ledger = new Ledger();
    const log = harness.log();
    const producer = { id: 7, next: 0 };
    const removals: string[] = [];
    let go: () => void = () => {};
    const gone = new Promise<void>((resolve) => (go = resolve));
    const remove = harness.mortal.removeLater.bind(harness.mortal);
    harness.mortal.removeLater = async (path) => {
      if (path.endsWith(suffix)) {
        removals.push(path);
        await gone;
      }
      return remove(path);
    };
    for (let i = 0; i < 3; i++) {
      for (let k = 0; k < 10; k++) await ledger.append(log, 'synced', 1, producer);
      await harness.pass(6000);
    }
    await log.deleteRecordsBefore(asOffset(25));
    await harness.pass(12_000);
    expect(removals.length).toBeGreaterThan(0);
    let closed = false;
    const closing = harness.store.close().then(() => (closed = true));
    await harness.turns(200);
    expect(closed).toBe(false);
    go();
    await closing;
    for (const path of removals) expect(harness.disk.sizeAt(path)).toBeNull();
    await harness.expectSound();
  },
);

describe('a small ring', () => {
  test('comes round many times, and readers get the same bytes from files', async () => {
    const harness = new FaultHarness(2, 8 * 1024);
    await harness.open();
    const ledger = new Ledger();
    const log = harness.log();
    for (let i = 0; i < 300; i++) {
      const result = await ledger.append(log, i % 2 === 0 ? 'synced' : 'written', 1 + (i % 7));
      expect(result.errorCode).toBe(ErrorCode.NONE);
      if (i % 50 === 49) await ledger.expectIn(log, `after ${i}`);
    }
    const read = (offset: number) =>
      log.read({ offset: asOffset(offset), maxBytes: 300, minOneBatch: true, isolation: 'read_uncommitted' });
    const near = await read(log.highWatermark - 3);
    const bytes = Buffer.from(near.records);
    near.release();
    for (let i = 0; i < 200; i++) await ledger.append(log, 'written', 5);
    const far = await read(asOffset(log.highWatermark - 1003));
    const again = Buffer.from(far.records);
    far.release();
    expect(again.subarray(0, bytes.length)).toEqual(bytes);
    await harness.store.close();
    await harness.expectSound();
  });

  test('that is full makes appends wait for the disk and loses none', async () => {
    const harness = new FaultHarness(2, 8 * 1024);
    await harness.open();
    const ledger = new Ledger();
    const log = harness.log();
    harness.executor.held = true;
    let proceeded = 0;
    const outcomes: Promise<unknown>[] = [];
    for (let i = 0; i < 150; i++) {
      harness.store.whenRoom(300, () => {
        proceeded++;
        outcomes.push(ledger.append(log, 'written', 2));
      });
    }
    expect(proceeded).toBeLessThan(150);
    harness.executor.held = false;
    await harness.until(() => proceeded === 150);
    await Promise.all(outcomes);
    expect(ledger.acknowledged.size).toBe(300);
    await ledger.expectIn(log);
  });
});

describe('few bytes of indexes', () => {
  test('are loaded and put away again, and reads find the same', async () => {
    const harness = new FaultHarness(3, 16 * 1024, { sealedIndexBytesMax: 100 });
    await harness.open();
    const ledger = new Ledger();
    for (let i = 0; i < 100; i++) await ledger.append(harness.log(), 'written', 1);
    for (let pass = 0; pass < 3; pass++) await ledger.expectIn(harness.log());
    for (const timestampMs of [1000, 1200, 1499]) {
      const found = await harness.log().offsetForTimestamp(timestampMs);
      expect(found === null || found.timestampMs >= timestampMs).toBe(true);
    }
  });
});

describe('readers', () => {
  test('that are under way while segments roll, are deleted and retained get whole batches or are told', async () => {
    const harness = new FaultHarness(4, 8 * 1024, { maxOpenSegmentFiles: 2 });
    await harness.open();
    const ledger = new Ledger();
    const log = harness.log(0, { ...smallSegments, retentionBytes: 3000, fileDeleteDelayMs: 0 });
    const problems: string[] = [];
    let isDone = false;
    const reader = async (from: number): Promise<void> => {
      let offset = from;
      while (!isDone) {
        const result = await log.read({
          offset: asOffset(offset),
          maxBytes: 400,
          minOneBatch: true,
          isolation: 'read_uncommitted',
        });
        if (result.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) offset = log.logStartOffset;
        else if (result.errorCode !== ErrorCode.NONE) problems.push(`error ${result.errorCode} at ${offset}`);
        else if (result.records.length > 0) {
          const view = Buffer.from(result.records);
          const base = Number(view.readBigInt64BE(0));
          const last = base + view.readInt32BE(23);
          if (base > offset && offset >= log.logStartOffset) problems.push(`asked for ${offset}, got ${base}`);
          offset = last + 1;
        } else if (offset > 30) offset -= 30;
        result.release();
        await harness.turns(1);
      }
    };
    const readers = Array.from({ length: 8 }, (_, i) => reader(i * 10));
    const seekers = [1100, 1400].map(async (timestampMs) => {
      while (!isDone) {
        await log.offsetForTimestamp(timestampMs).catch((error: unknown) => problems.push(String(error)));
        await harness.turns(1);
      }
    });
    for (let i = 0; i < 200; i++) {
      await ledger.append(log, i % 3 === 0 ? 'synced' : 'written', 2);
      if (i % 10 === 9) await log.enforceRetention();
      if (i % 25 === 24) await log.deleteRecordsBefore(asOffset(log.logStartOffset + 5));
      if (i % 40 === 39) await harness.pass(5250);
    }
    isDone = true;
    await Promise.all([...readers, ...seekers]);
    expect(problems).toEqual([]);
    await ledger.expectIn(log);
    expect(log.logStartOffset).toBeGreaterThan(100);
    await harness.store.close();
    expect(harness.disk.openCount).toBe(0);
    await harness.expectSound();
  });
});

describe('a checkpoint', () => {
  test('that a deletion of the topic overtakes does not hold up the store', async () => {
    const harness = new FaultHarness(5);
    await harness.open();
    const [ledger, otherLedger] = [new Ledger(), new Ledger()];
    await ledger.append(harness.log(0), 'written');
    await otherLedger.append(harness.log(1), 'written');
    harness.executor.held = true;
    harness.clock.advance(5000);
    const gone = harness.log(0).destroy();
    harness.executor.held = false;
    await gone;
    await otherLedger.append(harness.log(1), 'written');
    await harness.pass(11_000);
    let isClosed = false;
    const closing = harness.store.close().then(() => (isClosed = true));
    await harness.until(() => isClosed);
    await closing;
    await harness.open();
    expect(harness.store.startedClean).toBe(true);
    await otherLedger.expectIn(harness.log(1));
  });
});

describe('files that were changed while nobody had them open', () => {
  test('a log that is shorter than a clean stop said takes no writes, and is refused at the next start', async () => {
    const harness = new FaultHarness(6);
    await harness.open();
    const ledger = new Ledger();
    for (let i = 0; i < 4; i++) await ledger.append(harness.log());
    await harness.store.close();
    const file = harness.disk.open(`/data/orders-0/${'0'.repeat(20)}.log`, 'write');
    harness.disk.truncate(file, harness.disk.sizeOf(file) - 10);
    harness.disk.close(file);
    await harness.open();
    expect((await ledger.append(harness.log())).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
    await harness.store.close();
    harness.kill();
    await harness.open();
    expect(harness.store.startedClean).toBe(false);
    expect(harness.log().refusal).toContain('millrace verify --repair');
  });
});
