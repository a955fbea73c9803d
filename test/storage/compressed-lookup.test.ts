import { crc32c } from '@node-rs/crc32';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { Compression } from '../../src/records/record-batch.ts';
import type { AppendResult, PartitionLog } from '../../src/storage/partition-log.ts';
import { scratchBodySizeBytes } from '../../src/storage/scratch.ts';
import { StoreHarness } from './store-harness.ts';

let harness: StoreHarness;
let log: PartitionLog;

beforeEach(async () => {
  harness = new StoreHarness();
  await harness.open();
  log = harness.log('compressed', 0, { maxMessageBytes: 16 * 1024 * 1024 });
});

afterEach(() => harness.remove());

/** Appends two records, the second at the timestamp 2000, that are `inflatedBytes` bytes together. */
function append(inflatedBytes: number, fill: (bytes: Uint8Array) => void): Promise<AppendResult> {
  const builder = new BatchBuilder((bytes) => crc32c(bytes));
  builder.append({ key: null, value: Buffer.from('first'), timestampMs: 1000 });
  const value = new Uint8Array(inflatedBytes - builder.body.length - 14);
  fill(value);
  builder.append({ key: null, value, timestampMs: 2000 });
  expect(builder.body).toHaveLength(inflatedBytes);
  const batch = builder.sealCompressed(Compression.GZIP, gzipSync(builder.body, { level: 1 }));
  return new Promise((resolve) => {
    log.append(batch, { durability: 'written', origin: 'client' }, resolve);
  });
}

const nothing = (): void => {};
const noise = (bytes: Uint8Array): void => {
  for (let i = 0, state = 1; i < bytes.length; i++) bytes[i] = (state = (state * 48_271) % 2_147_483_647) >>> 9;
};

it.each([
  ['shrinks', nothing, 1],
  ['does not shrink', noise, 0.5],
])('finds a record by its timestamp in about the largest batch that it takes, which %s', async (_, fill, share) => {
  const roomBytes = scratchBodySizeBytes(harness.arena) * share;
  const tooLarge = await append(roomBytes, fill);
  expect(tooLarge.errorCode).toBe(ErrorCode.INVALID_RECORD);
  // Of nothing gzip makes a thousandth, of noise what it was and a little more.
  const { errorCode, baseOffset } = await append(Math.floor(roomBytes * 0.99), fill);
  expect(errorCode).toBe(ErrorCode.NONE);
  expect(await log.offsetForTimestamp(1500)).toMatchObject({ offset: baseOffset + 1, timestampMs: 2000 });
});
