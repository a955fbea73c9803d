import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ScanFlag, ScanStatus } from '../../src/memory/core.ts';
import { arbitraryBatch, contiguousRecords } from './batch-arbitraries.ts';
import {
  batchBytes,
  bodyBytes,
  parseRecords,
  recordBodyBytes,
  recordBytes,
  type TwinBatch,
  varint,
} from './batch-twin.ts';
import { arena, inputAddress, outputAddress, place } from './core-arena.ts';
import { readResult, readRow } from './scan-row.ts';

const { core } = arena;

const plainBatch: TwinBatch = {
  baseOffset: 10,
  leaderEpoch: 0,
  attributes: 0,
  lastOffsetDelta: 0,
  baseTimestamp: 1000,
  maxTimestamp: 1000,
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
  recordCount: 1,
};
const plainRecord = { offsetDelta: 0, timestampDelta: 0, key: null, value: Uint8Array.of(1, 2), headers: [] };
const plainBody = recordBytes(plainRecord);

function scan(bytes: Uint8Array, flags: number = ScanFlag.CONTIGUOUS, maxBatchBytes = 1 << 20): number {
  return core.scanBatches(place(bytes), bytes.length, outputAddress, 64, maxBatchBytes, flags);
}

function statusOf(bytes: Uint8Array, flags: number = ScanFlag.CONTIGUOUS, maxBatchBytes = 1 << 20): number {
  expect(scan(bytes, flags, maxBatchBytes)).toBe(1);
  return readRow(0).status;
}

function changed(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = Uint8Array.from(bytes);
  change(new DataView(copy.buffer));
  return copy;
}

describe('scanBatches', () => {
  it('writes a row for each batch', () => {
    fc.assert(
      fc.property(fc.array(arbitraryBatch, { maxLength: 5 }), (batches) => {
        expect(scan(Buffer.concat(batches.map(({ bytes }) => bytes)))).toBe(batches.length);
        let position = 0;
        batches.forEach(({ batch, bytes }, i) => {
          expect(readRow(i)).toEqual({
            ...batch,
            position,
            sizeBytes: bytes.length,
            status: ScanStatus.OK,
          });
          position += bytes.length;
        });
      }),
    );
  });

  it('stops at the first byte that is missing, and after as many rows as there is room for', () => {
    fc.assert(
      fc.property(arbitraryBatch, arbitraryBatch, fc.nat(), (first, second, cut) => {
        const kept = 1 + (cut % (second.bytes.length - 1));
        expect(scan(Buffer.concat([first.bytes, second.bytes.subarray(0, kept)]))).toBe(2);
        expect(readRow(0).status).toBe(ScanStatus.OK);
        expect(readRow(1)).toMatchObject({ position: first.bytes.length, status: ScanStatus.TRUNCATED });
        const both = Buffer.concat([first.bytes, second.bytes]);
        expect(core.scanBatches(place(both), both.length, outputAddress, 1, 1 << 20, ScanFlag.CONTIGUOUS)).toBe(1);
        expect(core.scanBatches(inputAddress, both.length, outputAddress, 0, 1 << 20, ScanFlag.CONTIGUOUS)).toBe(0);
      }),
    );
  });

  it('finds any flipped bit that the CRC covers', () => {
    fc.assert(
      fc.property(arbitraryBatch, fc.nat(), fc.nat(7), ({ bytes }, pick, bit) => {
        const at = 17 + (pick % (bytes.length - 17));
        const flipped = changed(bytes, (view) => view.setUint8(at, view.getUint8(at) ^ (1 << bit)));
        expect(statusOf(flipped)).toBe(ScanStatus.BAD_CRC);
      }),
    );
  });

  it('names what is wrong with a header', () => {
    const batch = batchBytes(plainBatch, plainBody);
    const lengthOf = (length: number): Uint8Array => changed(batch, (view) => view.setInt32(8, length));
    expect(statusOf(changed(batch, (view) => view.setInt8(16, 1)))).toBe(ScanStatus.BAD_MAGIC);
    expect(statusOf(lengthOf(48))).toBe(ScanStatus.BAD_LENGTH);
    expect(statusOf(lengthOf(-1))).toBe(ScanStatus.BAD_LENGTH);
    expect(statusOf(lengthOf(2 ** 31 - 1))).toBe(ScanStatus.BAD_LENGTH);
    expect(statusOf(lengthOf(2 ** 31 - 1), ScanFlag.CONTIGUOUS, 2 ** 32 - 1)).toBe(ScanStatus.TRUNCATED);
    expect(statusOf(batch, ScanFlag.CONTIGUOUS, batch.length - 1)).toBe(ScanStatus.BAD_LENGTH);
    expect(statusOf(batch, ScanFlag.CONTIGUOUS, batch.length)).toBe(ScanStatus.OK);
    expect(statusOf(batchBytes({ ...plainBatch, attributes: 5 }, plainBody))).toBe(ScanStatus.BAD_ATTRIBUTES);
    for (const [recordCount, lastOffsetDelta] of [
      [0, -1],
      [-1, 0],
      [1, 1],
      [2, 0],
    ] as const) {
      const bytes = batchBytes({ ...plainBatch, recordCount, lastOffsetDelta }, plainBody);
      expect(statusOf(bytes)).toBe(ScanStatus.BAD_COUNT);
    }
  });

  it('does not look at records, compressed or not', () => {
    for (const codec of [0, 1, 2, 3, 4]) {
      const nonsense = batchBytes({ ...plainBatch, attributes: codec }, Uint8Array.of(9, 9, 9));
      expect(statusOf(nonsense)).toBe(ScanStatus.OK);
    }
  });

  it('allows gaps, even an empty batch, where offsets need not be contiguous', () => {
    const body = bodyBytes([plainRecord]);
    for (const [recordCount, lastOffsetDelta, isGapless] of [
      [2, 7, false],
      [0, 7, false],
      [8, 7, true],
    ] as const) {
      const bytes = batchBytes({ ...plainBatch, recordCount, lastOffsetDelta }, body);
      expect(statusOf(bytes, 0)).toBe(ScanStatus.OK);
      expect(statusOf(bytes)).toBe(isGapless ? ScanStatus.OK : ScanStatus.BAD_COUNT);
    }
    expect(statusOf(batchBytes({ ...plainBatch, recordCount: 9, lastOffsetDelta: 7 }, body), 0)).toBe(
      ScanStatus.BAD_COUNT,
    );
  });
});

describe('validateRecords', () => {
  function validate(body: Uint8Array, count: number, flags: number = ScanFlag.CONTIGUOUS): number {
    const status = core.validateRecords(place(body), body.length, count, flags, outputAddress);
    expect(readResult().status).toBe(status);
    return status;
  }

  it('says what the records amount to', () => {
    fc.assert(
      fc.property(contiguousRecords, (records) => {
        expect(validate(bodyBytes(records), records.length)).toBe(ScanStatus.OK);
        const deltas = records.map(({ timestampDelta }) => timestampDelta);
        expect(readResult()).toEqual({
          status: ScanStatus.OK,
          firstBadRecord: -1,
          maxTimestampDelta: Math.max(...deltas),
          minTimestampDelta: Math.min(...deltas),
          offsetDeltaOfMaxTimestamp: deltas.indexOf(Math.max(...deltas)),
          keylessCount: records.filter(({ key }) => key === null).length,
          lastOffsetDelta: records.length - 1,
          largestRecordBytes: Math.max(...records.map((record) => recordBodyBytes(record).length)),
        });
      }),
    );
  });

  it('accepts exactly what the twin accepts, when bytes were changed', () => {
    const edit = fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff)));
    fc.assert(
      fc.property(
        contiguousRecords,
        fc.array(edit, { maxLength: 2 }),
        fc.nat(3),
        fc.integer({ min: -1, max: 1 }),
        (records, edits, cut, excess) => {
          const whole = Uint8Array.from(bodyBytes(records));
          for (const [pick, value] of edits) whole[pick % whole.length] = value;
          const body = whole.subarray(0, whole.length - cut);
          const count = records.length + excess;
          const expected = parseRecords(body, count) === null ? ScanStatus.BAD_RECORD : ScanStatus.OK;
          expect(validate(body, count, 0)).toBe(expected);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('takes gaps for what they are where offsets need not be contiguous', () => {
    const gap = bodyBytes([
      { ...plainRecord, offsetDelta: 2 },
      { ...plainRecord, offsetDelta: 5 },
    ]);
    expect(validate(gap, 2, 0)).toBe(ScanStatus.OK);
    expect(readResult().lastOffsetDelta).toBe(5);
    expect(validate(new Uint8Array(0), 0, 0)).toBe(ScanStatus.OK);
    expect(validate(gap, 2)).toBe(ScanStatus.BAD_RECORD);
    expect(readResult().firstBadRecord).toBe(0);
  });

  it('names the record that is bad', () => {
    const body = bodyBytes([plainRecord, { ...plainRecord, offsetDelta: 2 }]);
    expect(validate(body, 2)).toBe(ScanStatus.BAD_RECORD);
    expect(readResult().firstBadRecord).toBe(1);
    expect(validate(body, 2, 0)).toBe(ScanStatus.OK);
    expect(validate(body, 1, 0)).toBe(ScanStatus.BAD_RECORD);
    expect(readResult().firstBadRecord).toBe(1);
    expect(validate(body, 3, 0)).toBe(ScanStatus.BAD_RECORD);
    expect(readResult().firstBadRecord).toBe(2);
  });

  it('ends at once at a header count that nothing backs, and at varints that are too wide', () => {
    const start = [0, ...varint(0), ...varint(0), ...varint(-1), ...varint(-1)];
    const record = (rest: number[]): Uint8Array =>
      Uint8Array.from([...varint(start.length + rest.length), ...start, ...rest]);
    expect(validate(record(varint(0)), 1)).toBe(ScanStatus.OK);
    expect(validate(record([0x80, 0x80, 0x80, 0x80, 0x00]), 1)).toBe(ScanStatus.OK);
    expect(validate(record(varint(2 ** 31 - 1)), 1)).toBe(ScanStatus.BAD_RECORD);
    expect(validate(record(varint(-1)), 1)).toBe(ScanStatus.BAD_RECORD);
    expect(validate(record([0x80, 0x80, 0x80, 0x80, 0x10]), 1)).toBe(ScanStatus.BAD_RECORD);
    expect(validate(record([0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), 1)).toBe(ScanStatus.BAD_RECORD);
  });
});
