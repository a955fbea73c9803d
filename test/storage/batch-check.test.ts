import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { scanRow, ScanStatus } from '../../src/memory/core.ts';
import { isCompressed, readScanRow, refusalOf, type ScannedBatch } from '../../src/storage/batch-check.ts';
import { defaultLogConfig, type LogConfig } from '../../src/storage/log-config.ts';

const nowMs = 1_700_000_000_000;
const good: ScannedBatch = {
  sizeBytes: 100,
  status: ScanStatus.OK,
  attributes: 0,
  baseTimestamp: nowMs,
  maxTimestamp: nowMs,
  minTimestamp: nowMs,
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
  recordCount: 2,
  lastOffsetDelta: 1,
  keylessCount: 1,
  firstBadRecord: -1,
};

function codeFor(
  change: Partial<ScannedBatch>,
  config: Partial<LogConfig> = {},
  origin: 'client' | 'coordinator' = 'client',
): number {
  const refusal = refusalOf({ ...good, ...change }, 100, origin, { ...defaultLogConfig, ...config }, nowMs);
  expect(refusal?.message).not.toBe('');
  return refusal?.errorCode ?? ErrorCode.NONE;
}

describe('refusalOf', () => {
  it('takes a good batch', () => {
    expect(codeFor({})).toBe(ErrorCode.NONE);
  });

  it.each([
    [ScanStatus.TRUNCATED, ErrorCode.CORRUPT_MESSAGE],
    [ScanStatus.BAD_LENGTH, ErrorCode.CORRUPT_MESSAGE],
    [ScanStatus.BAD_MAGIC, ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT],
    [ScanStatus.BAD_CRC, ErrorCode.CORRUPT_MESSAGE],
    [ScanStatus.BAD_COUNT, ErrorCode.INVALID_RECORD],
    [ScanStatus.BAD_RECORD, ErrorCode.INVALID_RECORD],
    [ScanStatus.BAD_ATTRIBUTES, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE],
  ])('refuses the status %i with %i, whoever sent it', (status, errorCode) => {
    expect(codeFor({ status })).toBe(errorCode);
    expect(codeFor({ status }, {}, 'coordinator')).toBe(errorCode);
  });

  it('names the record that does not parse', () => {
    const refusal = refusalOf(
      { ...good, status: ScanStatus.BAD_RECORD, firstBadRecord: 7 },
      100,
      'client',
      defaultLogConfig,
      nowMs,
    );
    expect(refusal?.recordErrors.map((error) => error.index)).toEqual([7]);
  });

  it('refuses a second batch behind the first', () => {
    expect(codeFor({ sizeBytes: 80 })).toBe(ErrorCode.INVALID_RECORD);
  });

  it('takes control batches from coordinators only', () => {
    expect(codeFor({ attributes: 0x20 })).toBe(ErrorCode.INVALID_RECORD);
    expect(codeFor({ attributes: 0x20 }, {}, 'coordinator')).toBe(ErrorCode.NONE);
  });

  it('wants a sequence from an idempotent producer', () => {
    expect(codeFor({ producerId: 5, producerEpoch: 0 })).toBe(ErrorCode.INVALID_RECORD);
    expect(codeFor({ producerId: 5, producerEpoch: 0, baseSequence: 0 })).toBe(ErrorCode.NONE);
  });

  it('wants keys on a compacted topic', () => {
    expect(codeFor({}, { compactPolicy: true })).toBe(ErrorCode.INVALID_RECORD);
    expect(codeFor({ keylessCount: 0 }, { compactPolicy: true })).toBe(ErrorCode.NONE);
  });

  it('bounds timestamps both ways, unless the topic stamps its own', () => {
    const after = { maxTimestamp: nowMs + defaultLogConfig.timestampAfterMaxMs + 1 };
    expect(codeFor(after)).toBe(ErrorCode.INVALID_TIMESTAMP);
    expect(codeFor({ maxTimestamp: nowMs + defaultLogConfig.timestampAfterMaxMs })).toBe(ErrorCode.NONE);
    expect(codeFor(after, { timestampType: 'LogAppendTime' })).toBe(ErrorCode.NONE);
    expect(codeFor({ minTimestamp: nowMs - 11 }, { timestampBeforeMaxMs: 10 })).toBe(ErrorCode.INVALID_TIMESTAMP);
    expect(codeFor({ minTimestamp: nowMs - 10 }, { timestampBeforeMaxMs: 10 })).toBe(ErrorCode.NONE);
    const none = { minTimestamp: -1, maxTimestamp: -1 };
    expect(codeFor(none, { timestampBeforeMaxMs: 10 })).toBe(ErrorCode.NONE);
  });
});

it('reads a scan row as the core lays it out', () => {
  const view = new DataView(new ArrayBuffer(scanRow.sizeOfRow + 16));
  view.setInt32(16 + scanRow.sizeBytes, 321, true);
  view.setInt32(16 + scanRow.attributes, 0x1c, true);
  view.setFloat64(16 + scanRow.producerId, 2 ** 40, true);
  view.setFloat64(16 + scanRow.maxTimestamp, nowMs, true);
  const batch = readScanRow(view, 16);
  expect(batch).toMatchObject({ sizeBytes: 321, producerId: 2 ** 40, maxTimestamp: nowMs, firstBadRecord: -1 });
  expect(isCompressed(batch)).toBe(true);
  expect(isCompressed({ ...batch, attributes: 0x18 })).toBe(false);
});
