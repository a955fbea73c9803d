import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { Arena } from '../../src/memory/arena.ts';
import { firstNamedProducerId, largestRecordNumber } from '../../src/records/named-records.ts';
import { hasValidCrc, producerEpochAt, producerIdAt, baseSequenceAt } from '../../src/records/record-batch.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { openDataDirectory } from '../../src/storage/data-directory.ts';
import { nodeFileSystem } from '../../src/storage/node-file-system.ts';
import type { PartitionLog } from '../../src/storage/partition-log.ts';
import { verifyDirectory } from '../../src/verify/verify-directory.ts';
import { ManualClock } from '../broker/manual-clock.ts';
import { FaultHarness } from './fault-harness.ts';
import { namedBatch, resume, submit } from './named-client.ts';
import { append, batchOf, StoreHarness, valuesFrom } from './store-harness.ts';

const { NONE, OUT_OF_ORDER_SEQUENCE_NUMBER, PRODUCER_FENCED, KAFKA_STORAGE_ERROR, THROTTLING_QUOTA_EXCEEDED } =
  ErrorCode;
const dayMs = 86_400_000;
const harnesses: StoreHarness[] = [];

afterEach(() => {
  for (const harness of harnesses.splice(0)) harness.remove();
});

function newHarness(options: ConstructorParameters<typeof StoreHarness>[0] = {}): StoreHarness {
  const harness = new StoreHarness(options);
  harnesses.push(harness);
  openDataDirectory(nodeFileSystem, harness.directory, 1, new SeededRandom(1));
  return harness;
}

function partitionFiles(harness: StoreHarness): string[] {
  return readdirSync(`${harness.directory}/orders-0`);
}

async function verify(harness: StoreHarness) {
  const arena = Arena.create({
    flushWorkerCount: 1,
    queueCapacity: 2,
    ringSizeBytes: 64,
    scratchSizeBytes: 2 * 1024 * 1024,
    heapSizeBytes: 2 * 1024 * 1024,
  });
  const { findings } = await verifyDirectory({ directory: harness.directory, fileSystem: nodeFileSystem, arena });
  return findings.filter(({ severity }) => severity === 'damage');
}

async function lastNumber(log: PartitionLog, name = 'sensor'): Promise<number> {
  const { errorCode, lastNumber: number } = await resume(log, name);
  expect(errorCode).toBe(NONE);
  return number;
}

describe('a log with named producers', () => {
  it('stores what is new of a submission that overlaps, and tells where the rest lies', async () => {
    const harness = newHarness();
    await harness.open();
    const log = harness.log();
    expect(await submit(log, 'sensor', [5, 6, 7])).toMatchObject({ errorCode: NONE, offset: 2, wasStored: false });
    expect(await submit(log, 'sensor', [6, 7, 8])).toMatchObject({ errorCode: NONE, offset: 3, wasStored: false });
    expect(await submit(log, 'sensor', [6, 7])).toMatchObject({ errorCode: NONE, offset: 2, wasStored: true });
    expect(await submit(log, 'sensor', [largestRecordNumber])).toMatchObject({ errorCode: NONE, offset: 4 });
    expect(await valuesFrom(log)).toEqual([
      '0:sensor:5',
      '1:sensor:6',
      '2:sensor:7',
      '3:sensor:8',
      `4:sensor:${largestRecordNumber}`,
    ]);
  });

  it('shows an idempotent producer to Kafka: an id, an epoch, contiguous sequences and a right CRC', async () => {
    const harness = newHarness();
    await harness.open();
    const log = harness.log();
    await submit(log, 'sensor', [5, 6, 900]);
    await submit(log, 'sensor', [2 ** 40]);
    await resume(log, 'sensor', 'takeover');
    await submit(log, 'sensor', [2 ** 40 + 1], { epoch: 1 });
    const { records, release } = await log.read({
      offset: asOffset(0),
      maxBytes: 1e6,
      minOneBatch: true,
      isolation: 'read_uncommitted',
    });
    const seen: number[][] = [];
    for (let at = 0; at < records.length;) {
      const sizeBytes = 12 + new DataView(records.buffer, records.byteOffset + at).getInt32(8);
      expect(hasValidCrc(records, at, sizeBytes, crc32c)).toBe(true);
      expect(producerIdAt(records, at)).toBeGreaterThanOrEqual(firstNamedProducerId);
      seen.push([producerEpochAt(records, at), baseSequenceAt(records, at)]);
      at += sizeBytes;
    }
    release();
    expect(seen).toEqual([
      [0, 0],
      [0, 3],
      [1, 0],
    ]);
    expect(log.activeProducers()).toEqual([
      expect.objectContaining({ producerEpoch: 1, lastSequence: 0, lastTimestampMs: 1000 }),
    ]);
  });

  it('lets no client use the ids of named producers', async () => {
    const harness = newHarness();
    await harness.open();
    const options = { producerId: firstNamedProducerId, producerEpoch: 0, baseSequence: 0 };
    const result = await append(harness.log(), batchOf(['a'], options));
    expect(result).toMatchObject({ errorCode: ErrorCode.INVALID_RECORD, baseOffset: -1 });
  });

  it('knows them after every kind of end, from snapshots and from the log alone', async () => {
    const harness = newHarness();
    await harness.open();
    await submit(harness.log(), 'sensor', [5, 6, 2 ** 50]);
    await submit(harness.log(), 'other', [1]);
    await append(harness.log(), batchOf(['plain'], { producerId: 7, producerEpoch: 0, baseSequence: 0 }));
    const check = async (what: string): Promise<void> => {
      const log = harness.log();
      expect(log.refusal, what).toBeNull();
      expect(await lastNumber(log), what).toBe(2 ** 50);
      expect(await lastNumber(log, 'other'), what).toBe(1);
      expect(await submit(log, 'sensor', [6, 2 ** 50]), what).toMatchObject({ wasStored: true, offset: 2 });
      expect(log.activeProducers(), what).toHaveLength(3);
    };
    await check('at once');
    harness.abandon();
    await harness.open();
    await check('after a kill');
    await harness.store.close();
    expect(partitionFiles(harness).filter((name) => /named|snapshot/.test(name))).toEqual([
      '00000000000000000005.named',
      '00000000000000000005.snapshot',
    ]);
    expect(await verify(harness)).toEqual([]);
    await harness.open();
    await check('after a clean stop');
    harness.abandon();
    for (const name of partitionFiles(harness)) {
      if (/named|snapshot/.test(name)) rmSync(`${harness.directory}/orders-0/${name}`);
    }
    await harness.open();
    await check('without snapshots');
  });

  it('reads a snapshot of before there were named producers', async () => {
    const harness = newHarness();
    await harness.open();
    await append(harness.log(), batchOf(['plain'], { producerId: 7, producerEpoch: 0, baseSequence: 0 }));
    await harness.store.close();
    expect(partitionFiles(harness).some((name) => name.endsWith('.named'))).toBe(false);
    await harness.open();
    expect(await lastNumber(harness.log())).toBe(-1);
    expect(harness.log().activeProducers()).toHaveLength(1);
    expect(await submit(harness.log(), 'sensor', [3])).toMatchObject({ errorCode: NONE, wasStored: false });
  });

  it('takes no writes where the file of the named producers is missing, and has it made again', async () => {
    const harness = newHarness();
    await harness.open();
    await submit(harness.log(), 'sensor', [5]);
    await harness.store.close();
    const path = `${harness.directory}/orders-0/00000000000000000001.named`;
    const bytes = readFileSync(path);
    rmSync(path);
    expect(await verify(harness)).toMatchObject([{ file: 'orders-0/00000000000000000001.named' }]);
    await harness.open();
    expect(await resume(harness.log(), 'sensor')).toMatchObject({ errorCode: KAFKA_STORAGE_ERROR, lastNumber: -1 });
    expect(await submit(harness.log(), 'sensor', [5])).toMatchObject({ errorCode: KAFKA_STORAGE_ERROR });
    expect(harness.log().refusal).toContain('00000000000000000001.named, it is missing');
    harness.abandon();
    await harness.open();
    expect(await lastNumber(harness.log()), 'a recovery reads the log').toBe(5);
    await harness.store.close();
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    expect(await verify(harness)).toMatchObject([{ what: expect.stringContaining('its checksum does not match') }]);
  });

  it('keeps the last number through a retention that deletes it', async () => {
    const harness = newHarness();
    await harness.open();
    const config = { segmentBytes: 600, retentionBytes: 600, retentionMs: -1, fileDeleteDelayMs: 0 };
    const log = harness.log('orders', 0, config);
    await submit(log, 'sensor', [5]);
    for (let i = 0; i < 20; i++) await append(log, batchOf([`filler ${i}`.padEnd(80)]));
    await harness.store.close();
    await harness.open();
    const again = harness.log('orders', 0, config);
    await again.enforceRetention();
    expect(again.logStartOffset).toBeGreaterThan(1);
    expect(await submit(again, 'sensor', [5])).toMatchObject({ errorCode: NONE, wasStored: true, offset: 0 });
    harness.abandon();
    await harness.open();
    expect(await lastNumber(harness.log('orders', 0, config))).toBe(5);
  });

  it('forgets a producer that has sent nothing for long, whatever the times of its records', async () => {
    const clock = new ManualClock();
    clock.advance(30 * dayMs);
    const harness = newHarness({ clock });
    await harness.open();
    const log = harness.log('orders', 0, { retentionMs: -1 });
    await submit(log, 'sensor', [5]);
    await submit(log, 'other', [5]);
    clock.advance(dayMs - 1);
    await submit(log, 'other', [6]);
    await log.enforceRetention();
    expect(await lastNumber(log)).toBe(5);
    clock.advance(1);
    await log.enforceRetention();
    expect(await lastNumber(log)).toBe(-1);
    expect(await lastNumber(log, 'other')).toBe(6);
    await harness.store.close();
    await harness.open();
    expect(await lastNumber(harness.log())).toBe(-1);
    expect(await lastNumber(harness.log(), 'other')).toBe(6);
  });

  it('fences who has the epoch of before a takeover, also after a crash', async () => {
    const harness = newHarness();
    await harness.open();
    await submit(harness.log(), 'sensor', [5]);
    expect(await resume(harness.log(), 'sensor', 'takeover')).toMatchObject({ lastNumber: 5, epoch: 1 });
    expect(await submit(harness.log(), 'sensor', [6])).toMatchObject({ errorCode: PRODUCER_FENCED });
    expect(await submit(harness.log(), 'sensor', [6], { epoch: 1 })).toMatchObject({ errorCode: NONE });
    harness.abandon();
    await harness.open();
    expect(await submit(harness.log(), 'sensor', [7])).toMatchObject({ errorCode: PRODUCER_FENCED });
    expect(await resume(harness.log(), 'sensor', 0)).toMatchObject({ errorCode: PRODUCER_FENCED });
    expect(await resume(harness.log(), 'sensor')).toMatchObject({ errorCode: NONE, lastNumber: 6, epoch: 1 });
    expect(await resume(harness.log(), 'sensor', 2 ** 15)).toMatchObject({
      errorCode: ErrorCode.INVALID_PRODUCER_EPOCH,
    });
  });

  it('answers a retry that races its first attempt only once that one is on disk', async () => {
    const harness = newHarness();
    await harness.open();
    await submit(harness.log(), 'sensor', [4]);
    harness.executor.held = true;
    const told: string[] = [];
    const first = submit(harness.log(), 'sensor', [5]).then(() => told.push('first'));
    const retry = submit(harness.log(), 'sensor', [5]).then(({ wasStored }) => told.push(`retry ${wasStored}`));
    const asked = resume(harness.log(), 'sensor').then(({ lastNumber: at }) => told.push(`asked ${at}`));
    expect(await submit(harness.log(), 'sensor', [5], { durability: 'none' })).toMatchObject({ errorCode: NONE });
    expect(told).toEqual([]);
    harness.executor.held = false;
    await Promise.all([first, retry, asked]);
    expect(told.toSorted()).toEqual(['asked 5', 'first', 'retry true']);
  });

  it('takes no number above one that the disk had no room for, until that one comes', async () => {
    const harness = new FaultHarness();
    await harness.open();
    const log = harness.log();
    await submit(log, 'sensor', [4]);
    harness.disk.inject({ call: 'write', path: /\.log$/, nth: 1, times: 1, code: 'ENOSPC' });
    expect(await submit(log, 'sensor', [5])).toMatchObject({ errorCode: KAFKA_STORAGE_ERROR });
    expect(await submit(log, 'unknown', [7])).toMatchObject({ errorCode: KAFKA_STORAGE_ERROR });
    await harness.pass(600);
    expect(await submit(log, 'sensor', [6])).toMatchObject({ errorCode: OUT_OF_ORDER_SEQUENCE_NUMBER });
    expect(await submit(log, 'unknown', [8])).toMatchObject({ errorCode: OUT_OF_ORDER_SEQUENCE_NUMBER });
    expect(await submit(log, 'sensor', [5])).toMatchObject({ errorCode: NONE, wasStored: false });
    expect(await submit(log, 'sensor', [6])).toMatchObject({ errorCode: NONE, wasStored: false });
    expect(await lastNumber(log, 'unknown')).toBe(-1);
    expect(await submit(log, 'unknown', [8])).toMatchObject({ errorCode: NONE, wasStored: false });
    harness.kill();
  });

  it('takes no more names than there may be, whatever the partition, and gives their places back', async () => {
    const harness = new FaultHarness(1, 256 * 1024, { maxNamedProducers: 2 });
    await harness.open();
    await submit(harness.log(0), 'a', [1]);
    await submit(harness.log(1), 'b', [1]);
    expect(await submit(harness.log(0), 'c', [1])).toMatchObject({ errorCode: THROTTLING_QUOTA_EXCEEDED });
    expect(await submit(harness.log(0), 'a', [2])).toMatchObject({ errorCode: NONE });
    await harness.log(1).destroy();
    expect(await submit(harness.log(0), 'c', [1])).toMatchObject({ errorCode: NONE });
    harness.kill();
  });

  it('asserts that a batch says whose it is', async () => {
    const harness = newHarness();
    await harness.open();
    const log = harness.log();
    const named = { name: 'sensor', epoch: 0, firstNumber: 5, lastNumber: 5, previousNumber: null };
    const send = (batch: Uint8Array) => () =>
      log.append(batch, { durability: 'synced', origin: 'client', named }, () => {});
    expect(send(batchOf(['a']))).toThrow('says whose it is');
    expect(send(namedBatch('other', [5]))).toThrow('says whose it is');
    expect(send(namedBatch('sensor', [6]))).toThrow('says whose it is');
  });
});
