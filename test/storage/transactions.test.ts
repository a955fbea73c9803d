import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import {
  markerRoomBytes,
  type AppendResult,
  type PartitionLog,
  type TransactionMarker,
} from '../../src/storage/partition-log.ts';
import { append, batchOf, StoreHarness } from './store-harness.ts';

let harness: StoreHarness;
beforeEach(async () => {
  harness = new StoreHarness();
  await harness.open();
});
afterEach(() => harness.remove());

/** The next sequence of each producer and epoch of a log, so that tests need not count. */
const sequences = new WeakMap<PartitionLog, Map<string, number>>();

/** Appends a transactional batch of `values` of producer `producerId`. */
function write(log: PartitionLog, producerId: number, values: readonly string[], producerEpoch = 0) {
  const ofLog = sequences.get(log) ?? new Map<string, number>();
  sequences.set(log, ofLog);
  const key = `${producerId} ${producerEpoch}`;
  const baseSequence = ofLog.get(key) ?? 0;
  ofLog.set(key, baseSequence + values.length);
  return append(log, batchOf(values, { producerId, producerEpoch, baseSequence, transactional: true }));
}

function mark(
  log: PartitionLog,
  producerId: number,
  outcome: 'commit' | 'abort',
  more: Partial<TransactionMarker> = {},
): Promise<AppendResult> {
  return new Promise((resolve) => {
    const marker = { producerId, producerEpoch: 0, coordinatorEpoch: 0, outcome, ...more };
    harness.store.whenRoom(markerRoomBytes, () => log.appendMarker(marker, resolve));
  });
}

describe('the last stable offset', () => {
  test('stays before the oldest open transaction, and goes on when that ends', async () => {
    const log = harness.log();
    await append(log, batchOf(['plain']));
    await write(log, 1, ['a', 'b']);
    await write(log, 2, ['c']);
    expect(log).toMatchObject({ highWatermark: 4, lastStableOffset: 1 });
    expect(await mark(log, 2, 'commit')).toMatchObject({ errorCode: 0, baseOffset: 4 });
    expect(log).toMatchObject({ highWatermark: 5, lastStableOffset: 1 });
    await mark(log, 1, 'abort');
    expect(log).toMatchObject({ highWatermark: 6, lastStableOffset: 6 });
  });

  test('goes on only once the marker is on disk, and tells those who wait', async () => {
    const log = harness.log();
    await write(log, 1, ['a']);
    const seen: number[] = [];
    log.onAdvance(() => seen.push(log.lastStableOffset));
    harness.executor.held = true;
    const ended = mark(log, 1, 'commit');
    expect(log).toMatchObject({ highWatermark: 1, lastStableOffset: 0 });
    harness.executor.held = false;
    await ended;
    expect(log).toMatchObject({ highWatermark: 2, lastStableOffset: 2 });
    expect(seen.at(-1)).toBe(2);
  });

  test.each(['clean stop', 'kill -9'])('stays where it is through a %s', async (end) => {
    const log = harness.log();
    await write(log, 1, ['a']);
    await mark(log, 1, 'commit');
    await write(log, 2, ['b']);
    await write(log, 3, ['c']);
    if (end === 'kill -9') harness.abandon();
    else await harness.store.close();
    await harness.open();
    const again = harness.log();
    expect(again).toMatchObject({ highWatermark: 4, lastStableOffset: 2 });
    expect(again.hasOpenTransaction(2, 0)).toBe(true);
    expect(again.hasOpenTransaction(1, 0)).toBe(false);
    await mark(again, 2, 'commit');
    expect(again.lastStableOffset).toBe(3);
    await mark(again, 3, 'commit');
    expect(again.lastStableOffset).toBe(6);
  });
});

describe('producers that expire', () => {
  test('are not those whose transaction is open', async () => {
    const log = harness.log('orders', 0, { producerExpirationMs: 1, retentionMs: -1 });
    await write(log, 1, ['a']);
    await write(log, 2, ['b']);
    await mark(log, 2, 'commit', { timestampMs: 1000 });
    await log.enforceRetention();
    expect(log.activeProducers()).toMatchObject([{ producerId: 1, currentTransactionFirstOffset: 0 }]);
    expect(log.lastStableOffset).toBe(0);
    await mark(log, 1, 'abort', { timestampMs: 1000 });
    await log.enforceRetention();
    expect(log.activeProducers()).toEqual([]);
    expect(log.lastStableOffset).toBe(log.endOffset);
  });
});

describe('a marker', () => {
  test('of a lower coordinator epoch or producer epoch is refused, and changes nothing', async () => {
    const log = harness.log();
    await write(log, 1, ['a'], 3);
    await mark(log, 1, 'commit', { producerEpoch: 3, coordinatorEpoch: 5 });
    expect(await mark(log, 1, 'commit', { producerEpoch: 3, coordinatorEpoch: 4 })).toMatchObject({
      errorCode: ErrorCode.TRANSACTION_COORDINATOR_FENCED,
      baseOffset: -1,
    });
    expect(await mark(log, 1, 'commit', { producerEpoch: 2, coordinatorEpoch: 5 })).toMatchObject({
      errorCode: ErrorCode.INVALID_PRODUCER_EPOCH,
    });
    expect(log.endOffset).toBe(2);
  });

  test('of transaction version 2 raises the epoch; repeated once the transaction has ended it does no harm', async () => {
    const log = harness.log();
    await write(log, 1, ['a']);
    expect(await mark(log, 1, 'commit', { transactionVersion: 2 })).toMatchObject({
      errorCode: ErrorCode.INVALID_PRODUCER_EPOCH,
    });
    const bumped = { transactionVersion: 2, producerEpoch: 1 };
    expect(await mark(log, 1, 'commit', bumped)).toMatchObject({ errorCode: 0 });
    expect(await mark(log, 1, 'commit', bumped)).toMatchObject({ errorCode: 0 });
    expect(log.lastStableOffset).toBe(log.endOffset);
    // What comes late from the transaction that has ended is refused.
    expect(await write(log, 1, ['zombie'])).toMatchObject({ errorCode: ErrorCode.INVALID_PRODUCER_EPOCH });
    expect(await write(log, 1, ['b'], 1)).toMatchObject({ errorCode: 0 });
    expect(await mark(log, 1, 'commit', bumped)).toMatchObject({ errorCode: ErrorCode.INVALID_PRODUCER_EPOCH });
  });

  test('is not taken from clients, and a producer writes nothing outside its transaction', async () => {
    const log = harness.log();
    const control = batchOf(['x'], { producerId: 1, producerEpoch: 0, baseSequence: 0, control: true });
    expect(await append(log, control)).toMatchObject({ errorCode: ErrorCode.INVALID_RECORD });
    await write(log, 1, ['a']);
    const plain = batchOf(['b'], { producerId: 1, producerEpoch: 0, baseSequence: 1 });
    expect(await append(log, plain)).toMatchObject({ errorCode: ErrorCode.INVALID_TXN_STATE });
    expect(log.activeProducers()).toMatchObject([{ coordinatorEpoch: -1, currentTransactionFirstOffset: 0 }]);
  });
});

test('a clean stop that was written before there were transactions is understood', async () => {
  await append(harness.log(), batchOf(['a']));
  await harness.store.close();
  const path = `${harness.directory}/millrace.clean-stop`;
  const written = readFileSync(path, 'utf8');
  const body = written.slice(written.indexOf('\n') + 1);
  const { partitions } = JSON.parse(body) as { partitions: Record<string, unknown>[] };
  for (const partition of partitions) delete partition['firstOpenTransaction'];
  const older = Buffer.from(JSON.stringify({ version: 1, partitions }));
  writeFileSync(path, `crc32c ${crc32c(older).toString(16).padStart(8, '0')}\n${older.toString()}`);
  const store = await harness.open();
  expect(store.startedClean).toBe(true);
  const log = harness.log();
  expect(log).toMatchObject({ highWatermark: 1, lastStableOffset: 1 });
  await write(log, 1, ['b']);
  await mark(log, 1, 'abort');
  expect(log.lastStableOffset).toBe(3);
});

test('read_committed reads stop at the last stable offset', async () => {
  const log = harness.log();
  await append(log, batchOf(['plain']));
  await write(log, 1, ['a']);
  const read = async (offset: number) =>
    log.read({ offset: asOffset(offset), maxBytes: 1000, minOneBatch: true, isolation: 'read_committed' });
  expect((await read(0)).records).toHaveLength(batchOf(['plain']).length);
  expect(await read(1)).toMatchObject({ errorCode: 0, records: new Uint8Array(), lastStableOffset: 1 });
  expect(log.availableBytes(asOffset(1), 'read_committed')).toBe(0);
  expect(log.availableBytes(asOffset(1), 'read_uncommitted')).toBeGreaterThan(0);
});
