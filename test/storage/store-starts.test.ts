/** What a start finds after a clean stop, a kill, and damage, over a real directory. */

import { readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync, appendFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset, noOffset } from '../../src/base/numbers.ts';
import { append, batchOf, segmentLog, StoreHarness, until, valuesFrom } from './store-harness.ts';

let harness: StoreHarness;
beforeEach(async () => {
  harness = new StoreHarness();
  await harness.open();
});
afterEach(() => harness.remove());

describe('starts', () => {
  test('after a clean stop opens nothing and keeps the epoch; after a kill recovers and raises it', async () => {
    await append(harness.log(), batchOf(['a', 'b']));
    expect(harness.store.leaderEpoch).toBe(0);
    await harness.store.close();
    await harness.open();
    expect(harness.store).toMatchObject({ startedClean: true, leaderEpoch: 0 });
    expect(harness.log().highWatermark).toBe(2);
    await append(harness.log(), batchOf(['c']), 'written');
    harness.abandon();
    await harness.open();
    expect(harness.store).toMatchObject({ startedClean: false, leaderEpoch: 1 });
    expect(harness.store.recovery).toMatchObject({ partitions: 1, cutBytes: 0, refusedPartitions: 0 });
    const log = harness.log();
    expect(await valuesFrom(log)).toEqual(['0:a', '1:b', '2:c']);
    await append(log, batchOf(['d']));
    expect(log.epochAt(asOffset(2))).toBe(0);
    expect(log.epochAt(asOffset(3))).toBe(1);
    expect(log.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, endOffset: 3 });
  });

  test('knows where epochs end in which nothing was written', async () => {
    const log = harness.log();
    expect(log.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, endOffset: 0 });
    expect(log.endOffsetForEpoch(1)).toEqual({ leaderEpoch: -1, endOffset: -1 });
    for (const leaderEpoch of [1, 2]) {
      harness.abandon();
      await harness.open();
      expect(harness.log().leaderEpoch).toBe(leaderEpoch);
      expect(harness.log().endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, endOffset: 0 });
      expect(harness.log().endOffsetForEpoch(leaderEpoch)).toEqual({ leaderEpoch, endOffset: 0 });
    }
    await append(harness.log(), batchOf(['a', 'b']));
    for (const leaderEpoch of [3, 4]) {
      harness.abandon();
      await harness.open();
      expect(harness.log().endOffsetForEpoch(1)).toEqual({ leaderEpoch: 1, endOffset: 0 });
      expect(harness.log().endOffsetForEpoch(2)).toEqual({ leaderEpoch: 2, endOffset: 2 });
      expect(harness.log().endOffsetForEpoch(leaderEpoch)).toEqual({ leaderEpoch, endOffset: 2 });
    }
    expect(harness.log().endOffsetForEpoch(3)).toEqual({ leaderEpoch: 2, endOffset: 2 });
    expect(harness.log().endOffsetForEpoch(5)).toEqual({ leaderEpoch: -1, endOffset: -1 });
  });

  test('cuts a torn end off at every byte of the last batch, and keeps what was cut', async () => {
    const log = harness.log();
    await append(log, batchOf(['a']));
    await append(log, batchOf(['b', 'c']));
    harness.abandon();
    const path = `${harness.directory}/orders-0/${segmentLog(0)}`;
    const whole = readFileSync(path);
    const first = batchOf(['a']).length;
    for (let size = whole.length - 1; size > first; size--) {
      writeFileSync(path, whole.subarray(0, size));
      await harness.open();
      // Zeros are room for batches; the first seven bytes of this one are no more than that.
      expect(harness.store.recovery.cutBytes).toBe(size - first < 8 ? 0 : size - first);
      expect(await valuesFrom(harness.log())).toEqual(['0:a']);
      harness.abandon();
      expect(readFileSync(path).length).toBe(first);
    }
    // Each cut is kept beside those before it.
    const cuts = readdirSync(`${harness.directory}/orders-0`).filter((name) => name.endsWith('.cut'));
    const lengths = cuts.map((name) => readFileSync(`${harness.directory}/orders-0/${name}`).length);
    expect(lengths.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: whole.length - 1 - first }, (_, i) => i + 1).filter((size) => size >= 8),
    );
  });

  test('takes zeros behind the last batch for room, of the last segment and of one before it', async () => {
    const log = harness.log('orders', 0, { segmentBytes: 150 });
    for (const value of ['a', 'b', 'c']) await append(log, batchOf([value]));
    harness.abandon();
    const paths = [0, 2].map((baseOffset) => `${harness.directory}/orders-0/${segmentLog(baseOffset)}`);
    const sizes = paths.map((path) => readFileSync(path).length);
    for (const path of paths) appendFileSync(path, Buffer.alloc(5000));
    await harness.open();
    expect(harness.store.recovery.cutBytes).toBe(0);
    expect(paths.map((path) => readFileSync(path).length)).toEqual(sizes);
    expect(readdirSync(`${harness.directory}/orders-0`).filter((name) => name.endsWith('.cut'))).toEqual([]);
    expect(await valuesFrom(harness.log())).toEqual(['0:a', '1:b', '2:c']);
  });

  test('cuts zeros off a segment before the recovery point that has all its batches', async () => {
    const log = harness.log('orders', 0, { segmentBytes: 150 });
    for (const value of ['a', 'b', 'c', 'd', 'e']) await append(log, batchOf([value]));
    await harness.store.close();
    await harness.open();
    harness.abandon();
    const path = `${harness.directory}/orders-0/${segmentLog(0)}`;
    const whole = readFileSync(path);
    appendFileSync(path, Buffer.alloc(5000));
    await harness.open();
    expect(harness.log().refusal).toBeNull();
    expect(readFileSync(path)).toEqual(whole);
    expect(await valuesFrom(harness.log())).toEqual(['0:a', '1:b', '2:c', '3:d', '4:e']);
  });

  test('takes zeros for damage where batches were on disk, and lets them be', async () => {
    const log = harness.log();
    for (const value of ['a', 'b']) await append(log, batchOf([value]));
    await harness.store.close();
    await harness.open();
    harness.abandon();
    const path = `${harness.directory}/orders-0/${segmentLog(0)}`;
    const zeroed = readFileSync(path).fill(0, 69);
    writeFileSync(path, zeroed);
    await harness.open();
    expect(harness.log().refusal).toContain('position 69');
    expect(readFileSync(path)).toEqual(zeroed);
  });

  test('ends the log at a batch whose bytes changed, and at one that is not next', async () => {
    const log = harness.log();
    for (const value of ['a', 'b', 'c']) await append(log, batchOf([value]));
    harness.abandon();
    const path = `${harness.directory}/orders-0/${segmentLog(0)}`;
    const bytes = readFileSync(path);
    bytes[bytes.length / 3 + 65]! ^= 1;
    writeFileSync(path, bytes);
    await harness.open();
    expect(await valuesFrom(harness.log())).toEqual(['0:a']);
    harness.abandon();
    appendFileSync(path, batchOf(['stale'], { baseOffset: 7 }));
    await harness.open();
    expect(await valuesFrom(harness.log())).toEqual(['0:a']);
  });

  test('refuses writes where something is missing before the recovery point, also after a clean stop', async () => {
    const log = harness.log();
    for (const value of ['a', 'b', 'c']) await append(log, batchOf([value]));
    await harness.store.close();
    await harness.open();
    harness.abandon();
    truncateSync(`${harness.directory}/orders-0/${segmentLog(0)}`, 100);
    for (let i = 0; i < 2; i++) {
      await harness.open();
      const damaged = harness.log();
      expect(damaged.refusal).toContain('position 69');
      expect(await append(damaged, batchOf(['d']))).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
      expect(await valuesFrom(damaged)).toEqual(['0:a']);
      // Who has read what is missing waits there: told that the log ends before, a client would begin anew.
      expect(damaged).toMatchObject({ isDamaged: true, highWatermark: 1, endOffset: 3 });
      for (const offset of [1, 2, 3]) expect(await valuesFrom(damaged, offset)).toEqual([]);
      const beyond = { offset: asOffset(4), maxBytes: 1, minOneBatch: true, isolation: 'read_uncommitted' } as const;
      expect(await damaged.read(beyond)).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
      expect(damaged.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, endOffset: 3 });
      await harness.store.close();
    }
  });
});

describe('a log start that is durable', () => {
  test('holds where a deletion was not finished, whichever files are left of it', async () => {
    const log = harness.log('orders', 0, { segmentBytes: 200 });
    for (let i = 0; i < 10; i++) await append(log, batchOf([`v${i}`]));
    await log.deleteRecordsBefore(asOffset(7));
    const directory = `${harness.directory}/orders-0`;
    let deleted: string[] = [];
    await until(() => {
      deleted = readdirSync(directory).filter((name) => name.endsWith('.log.deleted'));
      return deleted.length > 2;
    });
    harness.abandon();
    // As if the names of all but one had come back.
    renameSync(`${directory}/${deleted[0]!}`, `${directory}/${deleted[0]!.slice(0, -'.deleted'.length)}`);
    await harness.open();
    expect(harness.store.recovery).toMatchObject({ cutBytes: 0, refusedPartitions: 0 });
    expect(harness.log()).toMatchObject({ logStartOffset: 7, highWatermark: 10 });
    expect(readdirSync(directory)).not.toContain(deleted[0]!.slice(0, -'.deleted'.length));
  });

  test('is where the log goes on when what was deleted never reached the disk, with its directory or without', async () => {
    for (const loss of ['records', 'directory'] as const) {
      const topic = `orders-${loss}`;
      const log = harness.log(topic);
      for (let i = 0; i < 3; i++) await append(log, batchOf([`v${i}`]), 'written');
      await log.deleteRecordsBefore(noOffset);
      harness.abandon();
      const directory = `${harness.directory}/${topic}-0`;
      if (loss === 'records') truncateSync(`${directory}/${segmentLog(0)}`, 0);
      else rmSync(directory, { recursive: true });
      await harness.open();
      const again = harness.log(topic);
      expect(again).toMatchObject({ logStartOffset: 3, endOffset: 3 });
      expect(await append(again, batchOf(['next']))).toMatchObject({ baseOffset: 3 });
      await harness.store.close();
      await harness.open();
      expect(await valuesFrom(harness.log(topic), 3)).toEqual(['3:next']);
    }
  });
});

test('a log whose first segment never reached the disk is empty, and goes on so after the next start', async () => {
  const log = harness.log('orders', 0, { segmentBytes: 200 });
  for (let i = 0; i < 6; i++) await append(log, batchOf([`v${i}`]), 'written');
  harness.abandon();
  rmSync(`${harness.directory}/orders-0/${segmentLog(0)}`);
  for (let i = 0; i < 2; i++) {
    await harness.open();
    expect(harness.store.recovery.cutBytes > 0).toBe(i === 0);
    expect(harness.log()).toMatchObject({ logStartOffset: 0, endOffset: 0, refusal: null });
    harness.abandon();
  }
});

test('an empty file of a segment that could not be made cuts nothing off', async () => {
  const log = harness.log('orders', 0, { segmentBytes: 200 });
  for (let i = 0; i < 6; i++) await append(log, batchOf([`v${i}`]));
  harness.abandon();
  writeFileSync(`${harness.directory}/orders-0/${segmentLog(1)}`, '');
  await harness.open();
  expect(harness.store.recovery).toMatchObject({ cutBytes: 0, refusedPartitions: 0 });
  expect(await valuesFrom(harness.log())).toHaveLength(6);
});

test('a hole among segments below the log start cuts nothing off', async () => {
  const log = harness.log('orders', 0, { segmentBytes: 200 });
  for (let i = 0; i < 9; i++) await append(log, batchOf([`v${i}`]));
  // Nothing is deleted yet: the recovery point has not moved.
  await log.deleteRecordsBefore(asOffset(7));
  harness.abandon();
  const bases = readdirSync(`${harness.directory}/orders-0`).filter((name) => /^\d{20}\.log$/.test(name));
  expect(bases.length).toBeGreaterThan(3);
  rmSync(`${harness.directory}/orders-0/${bases[1]}`);
  await harness.open();
  expect(harness.store.recovery).toMatchObject({ cutBytes: 0, refusedPartitions: 0 });
  expect(await valuesFrom(harness.log(), 7)).toEqual(['7:v7', '8:v8']);
});

test('a partition whose directory is gone though it was on disk takes no writes until it is there again', async () => {
  const fromProducer = { producerId: 7, producerEpoch: 0, baseSequence: 0 };
  await append(harness.log(), batchOf(['a', 'b'], fromProducer));
  await harness.store.close();
  await harness.open();
  harness.abandon();
  const kept = `${harness.directory}/kept`;
  renameSync(`${harness.directory}/orders-0`, kept);
  for (let i = 0; i < 2; i++) {
    await harness.open();
    expect(harness.store.damaged()).toMatchObject([{ topic: 'orders', partition: 0 }]);
    const log = harness.log();
    expect(log.refusal).toContain('orders-0 is missing');
    expect(await append(log, batchOf(['c']))).toMatchObject({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    expect(log.refusal).toContain('orders-0 is missing');
    expect(log).toMatchObject({ highWatermark: 0, endOffset: 2 });
    await harness.store.close();
  }
  // What was written down of it held on meanwhile: its epochs, and its producers, whose retries are known again.
  renameSync(kept, `${harness.directory}/orders-0`);
  await harness.open();
  const back = harness.log();
  expect(back).toMatchObject({ refusal: null, endOffset: 2 });
  expect(back.epochAt(asOffset(0))).toBe(0);
  expect(await append(back, batchOf(['a', 'b'], fromProducer))).toMatchObject({
    errorCode: ErrorCode.NONE,
    baseOffset: 0,
  });
  expect(await valuesFrom(back)).toEqual(['0:a', '1:b']);
  harness.abandon();
  rmSync(`${harness.directory}/orders-0`, { recursive: true });
  await harness.open();
  harness.store.discardOrphans(() => false);
  expect(harness.log()).toMatchObject({ endOffset: 0, refusal: null });
});
