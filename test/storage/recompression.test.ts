import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { buildBatch } from '../../src/records/batch-builder.ts';
import { writeInt64 } from '../../src/records/big-endian.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import {
  attributesAt,
  batchField,
  batchHeaderSizeBytes,
  Compression,
  compressionOf,
  hasValidCrc,
  maxTimestampAt,
  producerIdAt,
} from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import { append, StoreHarness } from './store-harness.ts';

const harnesses: StoreHarness[] = [];
const value = 'the same text in every record, '.repeat(4);

afterEach(() => {
  for (const harness of harnesses.splice(0)) harness.remove();
});

async function opened(): Promise<StoreHarness> {
  const harness = new StoreHarness();
  harnesses.push(harness);
  await harness.open();
  return harness;
}

/** A producer's batch of `count` records, uncompressed. */
function plain(count: number, options = {}): Uint8Array {
  const timestampMs = Date.now();
  return buildBatch(
    crc32c,
    Array.from({ length: count }, (_, i) => {
      return { key: Buffer.from(`key-${i}`), value: Buffer.from(value), timestampMs: timestampMs + i };
    }),
    { producerId: 5, producerEpoch: 1, baseSequence: 0, ...options },
  );
}

/** The batch as a log with `config` stored it; `topic` is new for each. */
async function stored(harness: StoreHarness, topic: string, config: Partial<LogConfig>, batch: Uint8Array) {
  const log = harness.log(topic, 0, config);
  const result = await append(log, batch);
  expect(result).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: 0 });
  const read = await log.read({
    offset: asOffset(0),
    maxBytes: 1024 * 1024,
    minOneBatch: true,
    isolation: 'read_uncommitted',
  });
  const bytes = read.records.slice();
  read.release();
  expect(hasValidCrc(bytes, 0, bytes.length, crc32c)).toBe(true);
  return bytes;
}

describe('compression.type', () => {
  test.each(Object.entries(Compression))(
    '%s is what batches are stored with, whatever they came in',
    async (name, codec) => {
      const harness = await opened();
      const batch = plain(50);
      const once = await stored(harness, `first-${name}`, { compression: codec }, batch);
      expect(compressionOf(attributesAt(once, 0))).toBe(codec);
      expect(producerIdAt(once, 0)).toBe(5);
      expect(maxTimestampAt(once, 0)).toBe(maxTimestampAt(batch, 0));
      if (codec !== Compression.NONE) expect(once.length).toBeLessThan(batch.length / 2);
      // From there into each other codec, and back to plain bytes.
      for (const [other, target] of Object.entries(Compression)) {
        const again = await stored(harness, `${name}-to-${other}`, { compression: target }, once);
        expect(compressionOf(attributesAt(again, 0))).toBe(target);
      }
      const back = await stored(harness, `${name}-back`, { compression: Compression.NONE }, once);
      expect(back.length).toBe(batch.length);
      expect(Buffer.compare(back.subarray(batchHeaderSizeBytes), batch.subarray(batchHeaderSizeBytes))).toBe(0);
    },
  );

  test('changes without a restart, and `producer` keeps batches as they came', async () => {
    const harness = await opened();
    const log = harness.log('orders', 0, { compression: Compression.GZIP });
    await append(log, plain(20));
    log.updateConfig({ ...log.config, compression: null });
    await append(log, plain(20, { baseSequence: 20 }));
    const read = await log.read({
      offset: asOffset(0),
      maxBytes: 1024 * 1024,
      minOneBatch: true,
      isolation: 'read_uncommitted',
    });
    const { records } = read;
    expect(compressionOf(attributesAt(records, 0))).toBe(Compression.GZIP);
    const first = new DataView(records.buffer, records.byteOffset).getInt32(8) + 12;
    expect(compressionOf(attributesAt(records, first))).toBe(Compression.NONE);
    expect(gunzipSync(records.subarray(batchHeaderSizeBytes, first)).length).toBeGreaterThan(20 * value.length);
  });

  test('counts for max.message.bytes, and nothing of what is refused stays', async () => {
    const harness = await opened();
    const log = harness.log('orders', 0, { compression: Compression.NONE, maxMessageBytes: 2000 });
    const batch = plain(50);
    const small = await stored(harness, 'small', { compression: Compression.ZSTD }, batch);
    expect(small.length).toBeLessThan(2000);
    expect(await append(log, small)).toMatchObject({ errorCode: ErrorCode.MESSAGE_TOO_LARGE, baseOffset: -1 });
    expect(log.endOffset).toBe(0);
    log.updateConfig({ ...log.config, maxMessageBytes: 1024 * 1024 });
    expect(await append(log, small)).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: 0 });
  });
});

describe('records that a topic refuses', () => {
  test.each([Compression.NONE, Compression.LZ4])(
    'are named one by one, also inside a compressed batch (%s), whatever base offset it came with',
    async (codec) => {
      const harness = await opened();
      const nowMs = Date.now();
      const mixed = buildBatch(
        crc32c,
        [null, 'a', null].map((key, i) => ({
          key: key === null ? null : Buffer.from(key),
          value: Buffer.from(value),
          timestampMs: i === 1 ? nowMs - 60_000 : nowMs,
        })),
      );
      const batch = await stored(harness, 'source', { compression: codec }, mixed);
      const compactedTopic = harness.log('compacted', 0, { compactPolicy: true });
      const strictTopic = harness.log('strict', 0, { timestampBeforeMaxMs: 1000 });
      for (const baseOffset of [0, -3, 2 ** 62, -(2 ** 63)]) {
        writeInt64(batch, batchField.baseOffset, baseOffset);
        const keyless = await append(compactedTopic, batch);
        expect(keyless.errorCode).toBe(ErrorCode.INVALID_RECORD);
        expect(keyless.recordErrors.map(({ index }) => index)).toEqual([0, 2]);
        const late = await append(strictTopic, batch);
        expect(late.errorCode).toBe(ErrorCode.INVALID_TIMESTAMP);
        expect(late.recordErrors.map(({ index }) => index)).toEqual([1]);
      }
      expect(compactedTopic.endOffset).toBe(0);
    },
  );
});

test('LogAppendTime holds for batches that are compressed again', async () => {
  const harness = await opened();
  const config = { compression: Compression.SNAPPY, timestampType: 'LogAppendTime' } as const;
  const bytes = await stored(harness, 'orders', config, plain(5, { baseTimestampMs: 5 }));
  const back = await stored(harness, 'plain', { compression: Compression.NONE }, bytes);
  expect(Math.abs(maxTimestampAt(bytes, 0) - Date.now())).toBeLessThan(60_000);
  expect(new RecordReader(back, 0, back.length).next()).toBe(true);
});
