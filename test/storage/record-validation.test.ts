import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asAddress } from '../../src/base/numbers.ts';
import { ScanFlag, ScanStatus } from '../../src/memory/core.ts';
import { readScanRow, refusalOf, type Refusal, type ScannedBatch } from '../../src/storage/batch-check.ts';
import { defaultLogConfig, type LogConfig } from '../../src/storage/log-config.ts';
import { RecordValidator } from '../../src/storage/record-validation.ts';
import { contiguousRecords } from '../core/batch-arbitraries.ts';
import { batchBytes, bodyBytes, type TwinBatch, type TwinRecord } from '../core/batch-twin.ts';
import { arena, outputAddress, place } from '../core/core-arena.ts';
import { compressors } from '../records/frames.ts';

const { core, view } = arena;
const scratchSizeBytes = 256 * 1024;
const validator = new RecordValidator(arena, asAddress(outputAddress + 4096), scratchSizeBytes);
const bodyCapacityBytes = scratchSizeBytes - 64;
const nowMs = 1_700_000_000_000;
const codecs = { plain: { codec: 0, compress: (body: Uint8Array) => body }, ...compressors };

const header: TwinBatch = {
  baseOffset: 0,
  leaderEpoch: -1,
  attributes: 0,
  lastOffsetDelta: 0,
  baseTimestamp: nowMs,
  maxTimestamp: nowMs,
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
  recordCount: 1,
};

interface Verdict {
  readonly batch: ScannedBatch;
  readonly refusal: Refusal | null;
}

/** Scans, validates and judges the batch as the local log does. */
function validate(bytes: Uint8Array, config: Partial<LogConfig> = {}): Verdict {
  const address = asAddress(place(bytes));
  const whole = { ...defaultLogConfig, ...config };
  expect(core.scanBatches(address, bytes.length, outputAddress, 1, 1 << 20, ScanFlag.CONTIGUOUS)).toBe(1);
  const batch = readScanRow(view, outputAddress);
  const refusal =
    validator.validateBatch(batch, address, whole) ?? refusalOf(batch, bytes.length, 'client', whole, nowMs);
  expect(Buffer.compare(arena.bytes.subarray(address, address + bytes.length), bytes)).toBe(0);
  return { batch, refusal };
}

function recordsOf(values: readonly string[]): TwinRecord[] {
  return values.map((value, offsetDelta) => {
    return { offsetDelta, timestampDelta: 0, key: null, value: Buffer.from(value), headers: [] };
  });
}

describe.each(Object.entries(codecs))('%s', (_, { codec, compress }) => {
  const batchOf = (records: readonly TwinRecord[], change: Partial<TwinBatch> = {}): Uint8Array => {
    const { length } = records;
    const batch = { ...header, attributes: codec, recordCount: length, lastOffsetDelta: length - 1, ...change };
    return batchBytes(batch, compress(bodyBytes(records)));
  };

  it('fills in what the records say, whatever the header does', () => {
    fc.assert(
      fc.property(contiguousRecords, fc.nat(2 ** 42), (records, maxTimestamp) => {
        const { batch } = validate(batchOf(records, { maxTimestamp }));
        const deltas = records.map(({ timestampDelta }) => timestampDelta);
        expect(batch).toMatchObject({
          status: ScanStatus.OK,
          maxTimestamp: nowMs + Math.max(...deltas),
          minTimestamp: nowMs + Math.min(...deltas),
          keylessCount: records.filter(({ key }) => key === null).length,
          firstBadRecord: -1,
        });
      }),
    );
  });

  it('refuses a header that counts other records than there are', () => {
    const records = recordsOf(['a', 'b']);
    expect(validate(batchOf(records)).refusal).toBeNull();
    const more = validate(batchOf(records, { recordCount: 3, lastOffsetDelta: 2 }));
    expect(more.refusal?.errorCode).toBe(ErrorCode.INVALID_RECORD);
    expect(more.batch).toMatchObject({ status: ScanStatus.BAD_RECORD, firstBadRecord: 2 });
    const fewer = validate(batchOf(records, { recordCount: 1, lastOffsetDelta: 0 }));
    expect(fewer.refusal?.errorCode).toBe(ErrorCode.INVALID_RECORD);
    expect(fewer.batch.firstBadRecord).toBe(1);
  });

  it('names a record that is out of line', () => {
    const records = recordsOf(['a', 'b']).map((record, i) => ({ ...record, offsetDelta: 2 * i }));
    const { refusal } = validate(batchOf(records));
    expect(refusal?.errorCode).toBe(ErrorCode.INVALID_RECORD);
    expect(refusal?.recordErrors.map(({ index }) => index)).toEqual([1]);
  });

  it('lets the checks see the keys and timestamps of every record', () => {
    const old = recordsOf(['a', 'b']).map((record, i) => ({ ...record, timestampDelta: i === 0 ? 0 : -5000 }));
    expect(validate(batchOf(old)).refusal).toBeNull();
    expect(validate(batchOf(old), { timestampBeforeMaxMs: 4999 }).refusal?.errorCode).toBe(ErrorCode.INVALID_TIMESTAMP);
    expect(validate(batchOf(old), { compactPolicy: true }).refusal?.errorCode).toBe(ErrorCode.INVALID_RECORD);
  });

  it('bounds the records of compressed batches, each by itself', () => {
    // A record of 100 bytes of value has 107 without its length.
    const batch = batchOf(recordsOf(Array.from({ length: 50 }, () => 'v'.repeat(100))));
    const isPlain = codec === 0;
    expect(validate(batch, { maxDecompressedBytes: 107 }).refusal).toBeNull();
    const refusal = validate(batch, { maxDecompressedBytes: 106 }).refusal;
    if (isPlain) return expect(refusal).toBeNull();
    expect(refusal?.errorCode).toBe(ErrorCode.INVALID_RECORD);
    expect(refusal?.message).toContain('107 bytes');
  });

  it('leaves a batch alone that is already wrong', () => {
    const bytes = batchOf(recordsOf(['a']));
    bytes[bytes.length - 1]! ^= 1;
    const { batch, refusal } = validate(bytes);
    expect(batch.status).toBe(ScanStatus.BAD_CRC);
    expect(refusal?.errorCode).toBe(ErrorCode.CORRUPT_MESSAGE);
  });
});

describe.each(Object.entries(compressors))('a body of %s', (_, { codec, compress }) => {
  const batchOf = (body: Uint8Array): Uint8Array => batchBytes({ ...header, attributes: codec }, body);

  it('is refused where it does not inflate', () => {
    const body = compress(bodyBytes(recordsOf(['some value'])));
    for (const wrong of [body.subarray(0, -5), Buffer.from('nothing that inflates'), new Uint8Array(0)]) {
      const { refusal } = validate(batchOf(wrong));
      expect(refusal?.errorCode).toBe(ErrorCode.INVALID_RECORD);
      expect(refusal?.message).toMatch(/not whole and right (gzip|snappy|lz4|zstd) data|more than/);
    }
  });

  it('is refused where it and what it inflates to are more than the scratch holds', () => {
    // Both sizes of value take the same bytes of length, and the compressed ones differ by less than is spared.
    const bodyOf = (sizeBytes: number): Uint8Array => bodyBytes(recordsOf(['v'.repeat(sizeBytes - 11)]));
    const packedBytes = batchOf(compress(bodyOf(bodyCapacityBytes - 20_000))).length;
    const spareBytes = 1000;
    const largest = bodyOf(bodyCapacityBytes - packedBytes - spareBytes);
    expect(largest).toHaveLength(bodyCapacityBytes - packedBytes - spareBytes);
    expect(validate(batchOf(compress(largest))).refusal).toBeNull();
    const { refusal } = validate(batchOf(compress(bodyOf(bodyCapacityBytes - packedBytes + spareBytes))));
    expect(refusal?.errorCode).toBe(ErrorCode.INVALID_RECORD);
    expect(refusal?.message).toContain('inflate to more than');
  });
});
