import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset, noOffset } from '../../src/base/numbers.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';
import { append, batchOf, segmentLog, StoreHarness, topicId, until, valuesFrom } from './store-harness.ts';

let harness: StoreHarness;
beforeEach(async () => {
  harness = new StoreHarness();
  await harness.open();
});
afterEach(() => harness.remove());

describe('a log', () => {
  test('gives back what was appended, with its offsets, from the ring', async () => {
    const log = harness.log();
    expect(await append(log, batchOf(['a', 'b']))).toMatchObject({ errorCode: 0, baseOffset: 0, logStartOffset: 0 });
    expect(await append(log, batchOf(['c']), 'written')).toMatchObject({ errorCode: 0, baseOffset: 2 });
    expect(log.highWatermark).toBe(3);
    expect(await valuesFrom(log)).toEqual(['0:a', '1:b', '2:c']);
    expect(await valuesFrom(log, 1)).toEqual(['1:b', '2:c']);
  });

  test('shows nothing before it is written, and an acks=all batch not before it is synced', async () => {
    const log = harness.log();
    harness.executor.held = true;
    const written = append(log, batchOf(['a']), 'written');
    expect(log.endOffset).toBe(1);
    expect(log.highWatermark).toBe(0);
    expect(await valuesFrom(log)).toEqual([]);
    harness.executor.held = false;
    await written;
    expect(await valuesFrom(log)).toEqual(['0:a']);
  });

  test('answers reads out of range, and empty ones at the end', async () => {
    const log = harness.log();
    await append(log, batchOf(['a']));
    const read = async (offset: number) =>
      log.read({ offset: asOffset(offset), maxBytes: 1000, minOneBatch: true, isolation: 'read_uncommitted' });
    expect((await read(2)).errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
    expect(await read(1)).toMatchObject({ errorCode: ErrorCode.NONE, highWatermark: 1, records: new Uint8Array() });
  });

  test('returns the first batch where nothing is asked for but that, and nothing where not even that is', async () => {
    const log = harness.log();
    const batch = batchOf(['a']);
    await append(log, batch);
    const read = async (minOneBatch: boolean) =>
      log.read({ offset: asOffset(0), maxBytes: 0, minOneBatch, isolation: 'read_uncommitted' });
    expect((await read(true)).records).toHaveLength(batch.length);
    expect((await read(false)).records).toHaveLength(0);
  });

  test('refuses damaged batches and goes on as if nothing had been', async () => {
    const log = harness.log();
    const damaged = batchOf(['a']);
    damaged[damaged.length - 1]! ^= 1;
    expect(await append(log, damaged)).toMatchObject({ errorCode: ErrorCode.CORRUPT_MESSAGE, baseOffset: -1 });
    expect(await append(log, batchOf(['b']))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    expect(await valuesFrom(log)).toEqual(['0:b']);
  });

  test('rolls segments, keeps every batch readable from files, and finds records by time', async () => {
    const log = harness.log('orders', 0, { segmentBytes: 1000, indexIntervalBytes: 100 });
    for (let i = 0; i < 60; i++) await append(log, batchOf([`value ${i}`], {}, 1000 + i * 10), 'written');
    await append(log, batchOf(['last'], {}, 5000));
    const names = readdirSync(`${harness.directory}/orders-0`).filter((name) => name.endsWith('.log'));
    expect(names.length).toBeGreaterThan(3);
    await harness.store.close();
    await harness.open();
    const again = harness.log('orders', 0, { segmentBytes: 1000, indexIntervalBytes: 100 });
    const expected = [...Array.from({ length: 60 }, (_, i) => `${i}:value ${i}`), '60:last'];
    expect(await valuesFrom(again)).toEqual(expected);
    expect(await valuesFrom(again, 17, 1)).toEqual(expected.slice(17));
    expect(await again.offsetForTimestamp(1000 + 25 * 10 - 3)).toMatchObject({ offset: 25, timestampMs: 1250 });
    expect(await again.offsetForTimestamp(9999)).toBeNull();
    expect(await again.offsetOfMaxTimestamp()).toMatchObject({ offset: 60, timestampMs: 5000 });
  });
});

test('no request is larger than what recovery can look at as a whole', () => {
  expect(harness.store.maxRequestBytes).toBeLessThan(harness.arena.layout.scratchSizeBytes);
  expect(harness.arena.layout.ringSizeBytes / 2).toBeGreaterThan(harness.arena.layout.scratchSizeBytes);
});

describe('a damaged length in a segment', () => {
  test('is an error for who reads there, and no reason to read megabytes', async () => {
    const config = { maxMessageBytes: 2 * 1024 * 1024 };
    const large = 'x'.repeat(1024 * 1024);
    const log = harness.log('orders', 0, config);
    for (let i = 0; i < 10; i++) await append(log, batchOf([large]), 'written');
    await harness.store.close();
    const path = `${harness.directory}/orders-0/${segmentLog(0)}`;
    const bytes = readFileSync(path);
    bytes.writeInt32BE(9 * 1024 * 1024, 8);
    writeFileSync(path, bytes);
    await harness.open();
    const read = async (offset: number) => {
      const options = { offset: asOffset(offset), maxBytes: 1000, minOneBatch: true } as const;
      const { errorCode, records, release } = await harness
        .log('orders', 0, config)
        .read({ ...options, isolation: 'read_uncommitted' });
      release();
      return { errorCode, sizeBytes: records.length };
    };
    expect(await read(0)).toEqual({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR, sizeBytes: 0 });
    expect((await read(9)).errorCode).toBe(ErrorCode.NONE);
  });
});

describe('idempotent producers', () => {
  const produced = (sequence: number, value: string): Uint8Array =>
    batchOf([value], { producerId: 7, producerEpoch: 0, baseSequence: sequence });

  test('answers a repetition with the first offset, also after a clean stop and after a kill', async () => {
    let log = harness.log();
    for (let i = 0; i < 3; i++) await append(log, produced(i, `v${i}`));
    expect(await append(log, produced(1, 'v1'))).toMatchObject({ errorCode: 0, baseOffset: 1 });
    await harness.store.close();
    await harness.open();
    log = harness.log();
    expect(await append(log, produced(1, 'v1'))).toMatchObject({ errorCode: 0, baseOffset: 1 });
    expect(await append(log, produced(3, 'v3'))).toMatchObject({ errorCode: 0, baseOffset: 3 });
    harness.abandon();
    await harness.open();
    log = harness.log();
    for (const i of [0, 1, 2, 3]) expect(await append(log, produced(i, `v${i}`))).toMatchObject({ baseOffset: i });
    expect(await append(log, produced(9, 'gap'))).toMatchObject({ errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER });
    expect(log.endOffset).toBe(4);
  });

  test('with ids and epochs that nobody gave out cannot make the partition unusable for the others', async () => {
    let log = harness.log();
    const from = (producerId: number, producerEpoch: number): Uint8Array =>
      batchOf(['x'], { producerId, producerEpoch, baseSequence: 0 });
    expect(await append(log, from(8, -5))).toMatchObject({ errorCode: ErrorCode.INVALID_PRODUCER_EPOCH });
    expect(await append(log, from(2 ** 60, 0))).toMatchObject({ errorCode: ErrorCode.INVALID_RECORD });
    expect(await append(log, produced(0, 'v0'))).toMatchObject({ errorCode: 0, baseOffset: 0 });
    await harness.store.close();
    await harness.open();
    log = harness.log();
    expect(await append(log, produced(1, 'v1'))).toMatchObject({ errorCode: 0, baseOffset: 1 });
  });
});

describe('the beginning of a log', () => {
  test('moves with DeleteRecords, durably, and segments before it go', async () => {
    const log = harness.log('orders', 0, { segmentBytes: 200 });
    for (let i = 0; i < 10; i++) await append(log, batchOf([`v${i}`]));
    expect(await log.deleteRecordsBefore(asOffset(11))).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
    expect(await log.deleteRecordsBefore(asOffset(5))).toEqual({ errorCode: 0, lowWatermark: 5 });
    harness.abandon();
    await harness.open();
    expect(harness.log().logStartOffset).toBe(5);
    expect((await valuesFrom(harness.log(), 5))[0]).toBe('5:v5');
    expect(await harness.log().deleteRecordsBefore(noOffset)).toEqual({ errorCode: 0, lowWatermark: 10 });
    await harness.store.close();
    await harness.open();
    expect(harness.log()).toMatchObject({ logStartOffset: 10, highWatermark: 10 });
  });

  test('moves with retention by size and time, and the active segment ends when it is too old', async () => {
    const log = harness.log('orders', 0, { segmentBytes: 200, retentionBytes: 400, retentionMs: -1 });
    for (let i = 0; i < 20; i++) await append(log, batchOf([`v${i}`], {}, Date.now()));
    await log.enforceRetention();
    expect(log.logStartOffset).toBeGreaterThan(3);
    // The files go once recovery does not need them any more.
    await until(() => log.sizeBytes <= 600);
    log.updateConfig({ ...defaultLogConfig, segmentBytes: 200, retentionMs: 0 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await log.enforceRetention();
    expect(log.logStartOffset).toBe(20);
    await until(() => log.sizeBytes === 0);
    expect(await append(log, batchOf(['next']))).toMatchObject({ baseOffset: 20 });
  });
});

describe('directories', () => {
  test('of a deleted topic go away, and its name begins anew', async () => {
    const log = harness.log();
    await append(log, batchOf(['a']));
    const waiting = append(log, batchOf(['b']));
    await log.destroy();
    expect((await waiting).errorCode).not.toBe(ErrorCode.NONE);
    const other = harness.store.open('orders', 'AAAAAAAAAAAAAAAAAAAAAQ', 0, defaultLogConfig);
    expect(other).toMatchObject({ endOffset: 0, logStartOffset: 0 });
    await append(other, batchOf(['new']));
    expect(await valuesFrom(other)).toEqual(['0:new']);
  });

  test('that belong to no topic are discarded', async () => {
    await append(harness.log('orders'), batchOf(['a']));
    await append(harness.log('gone'), batchOf(['a']));
    await harness.store.close();
    await harness.open();
    expect(harness.store.found()).toHaveLength(2);
    harness.store.discardOrphans((topic, id) => topic === 'orders' && id === topicId);
    expect(harness.store.found()).toEqual([{ topic: 'orders', topicId, partition: 0 }]);
    await harness.store.close();
    expect(readdirSync(harness.directory).filter((name) => name.startsWith('gone'))).toEqual([]);
  });
});
