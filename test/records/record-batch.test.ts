import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asOffset } from '../../src/base/numbers.ts';
import { BatchBuilder, buildBatch, type RecordToWrite } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import {
  attributesAt,
  baseOffsetAt,
  baseSequenceAt,
  baseTimestampAt,
  batchField,
  batchHeaderSizeBytes,
  batchSizeAt,
  Compression,
  compressionOf,
  findBatch,
  hasValidCrc,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffsetAt,
  lastOffsetDeltaAt,
  leaderEpochAt,
  maxTimestampAt,
  producerEpochAt,
  producerIdAt,
  recordCountAt,
  wholeBatchesEnd,
} from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { MalformedRecordsError } from '../../src/records/varint.ts';

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null });
const anyRecords = fc.array(
  fc.record({
    key: bytesOrNull,
    value: bytesOrNull,
    timestampMs: fc.oneof(fc.nat(10_000), fc.integer({ min: 0, max: 2 ** 45 })),
    headers: fc.array(fc.record({ key: fc.string({ unit: 'grapheme', maxLength: 10 }), value: bytesOrNull }), {
      maxLength: 3,
    }),
  }),
  { minLength: 1, maxLength: 20 },
);

function readAll(batch: Uint8Array, at = 0, end = batch.length, body: Uint8Array | null = null) {
  const reader = new RecordReader(batch, at, end, body);
  const found: (RecordToWrite & { offset: number })[] = [];
  while (reader.next()) {
    found.push({
      offset: reader.offset,
      timestampMs: reader.timestampMs,
      key: reader.key?.slice() ?? null,
      value: reader.value?.slice() ?? null,
      headers: reader.headers().map(({ key, value }) => ({ key, value: value?.slice() ?? null })),
    });
  }
  return found;
}

function small(baseOffset: number, count: number): Uint8Array {
  const records = Array.from({ length: count }, (_, i) => ({ key: null, value: Uint8Array.of(i), timestampMs: 5 + i }));
  return buildBatch(crc32c, records, { baseOffset });
}

function concatenate(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

describe('record batches', () => {
  it('are read back as they were built, wherever they lie', () => {
    fc.assert(
      fc.property(anyRecords, fc.nat(2 ** 40), fc.nat(50), (records, baseOffset, before) => {
        const batch = buildBatch(crc32c, records, { baseOffset });
        const bytes = concatenate(new Uint8Array(before), batch, Uint8Array.of(1, 2, 3));
        const end = before + batch.length;
        expect(batchSizeAt(bytes, before, bytes.length)).toBe(batch.length);
        expect(hasValidCrc(bytes, before, batch.length, crc32c)).toBe(true);
        expect(lastOffsetAt(bytes, before)).toBe(baseOffset + records.length - 1);
        expect(maxTimestampAt(bytes, before)).toBe(Math.max(...records.map((record) => record.timestampMs)));
        expect(readAll(bytes, before, end)).toEqual(
          records.map((record, i) => ({ ...record, offset: baseOffset + i })),
        );
      }),
    );
  });

  it('have the layout of Kafka', () => {
    const record = { key: Uint8Array.of(0x6b), value: null, timestampMs: 0x0102, headers: [{ key: 'h', value: null }] };
    const batch = buildBatch(crc32c, [record], {
      baseOffset: 0x0a0b,
      leaderEpoch: 3,
      producerId: 0x11,
      producerEpoch: 0x12,
      baseSequence: 0x13,
      transactional: true,
    });
    const hex = Buffer.from(batch).toString('hex');
    const body = ['14', '00', '00', '00', '026b', '01', '02', '0268', '01'].join('');
    expect(hex.slice(0, 34)).toBe(['0000000000000a0b', '0000003c', '00000003', '02'].join(''));
    expect(hex.slice(42)).toBe(
      '0010' +
        '00000000' +
        '0000000000000102' +
        '0000000000000102' +
        '0000000000000011' +
        '0012' +
        '00000013' +
        '00000001' +
        body,
    );
  });

  it('tell their fields', () => {
    const batch = buildBatch(crc32c, [{ key: null, value: null, timestampMs: 77 }], {
      baseOffset: 9,
      leaderEpoch: 4,
      producerId: 2 ** 40,
      producerEpoch: 6,
      baseSequence: 2 ** 31 - 1,
      control: true,
    });
    expect([baseOffsetAt(batch, 0), leaderEpochAt(batch, 0), baseTimestampAt(batch, 0)]).toEqual([9, 4, 77]);
    expect([producerIdAt(batch, 0), producerEpochAt(batch, 0)]).toEqual([2 ** 40, 6]);
    expect([baseSequenceAt(batch, 0), lastOffsetDeltaAt(batch, 0), recordCountAt(batch, 0)]).toEqual([
      2 ** 31 - 1,
      0,
      1,
    ]);
    const attributes = attributesAt(batch, 0);
    expect(isControl(attributes)).toBe(true);
    expect(isTransactional(attributes)).toBe(false);
    expect(isLogAppendTime(attributes)).toBe(false);
    expect(compressionOf(attributes)).toBe(Compression.NONE);
  });

  it('carry the batch time where the topic stamps it', () => {
    const batch = small(0, 2);
    batch[batchField.attributes + 1]! |= 8;
    expect(readAll(batch).map((record) => record.timestampMs)).toEqual([6, 6]);
  });

  it('are read from an inflated body', () => {
    const builder = new BatchBuilder(crc32c, { baseOffset: 3 });
    builder.append({ key: null, value: Uint8Array.of(1), timestampMs: 1 });
    builder.append({ key: null, value: Uint8Array.of(2), timestampMs: 2 });
    const body = builder.body.slice();
    const batch = builder.sealCompressed(Compression.LZ4, Uint8Array.of(9, 9));
    expect(batch.length).toBe(batchHeaderSizeBytes + 2);
    expect(compressionOf(attributesAt(batch, 0))).toBe(Compression.LZ4);
    expect(hasValidCrc(batch, 0, batch.length, crc32c)).toBe(true);
    expect(readAll(batch, 0, batch.length, body).map((record) => record.offset)).toEqual([3, 4]);
  });

  it('are walked only as far as they are whole', () => {
    const first = small(10, 3);
    const second = small(13, 2);
    const both = concatenate(first, second);
    for (let end = 0; end <= both.length; end++) {
      const expected = end === both.length ? both.length : end >= first.length ? first.length : 0;
      expect(wholeBatchesEnd(both, 0, end)).toBe(expected);
    }
    expect(findBatch(both, 0, both.length, asOffset(0))).toBe(0);
    expect(findBatch(both, 0, both.length, asOffset(12))).toBe(0);
    expect(findBatch(both, 0, both.length, asOffset(13))).toBe(first.length);
    expect(findBatch(both, 0, both.length, asOffset(15))).toBe(-1);
  });

  it('with a wrong length or magic are none', () => {
    for (const length of [0, 48, -1, -(2 ** 31), 2 ** 31 - 1]) {
      const batch = small(0, 1);
      new DataView(batch.buffer).setInt32(batchField.length, length);
      expect(batchSizeAt(batch, 0, batch.length)).toBe(-1);
    }
    const old = small(0, 1);
    old[batchField.magic] = 1;
    expect(batchSizeAt(old, 0, old.length)).toBe(-1);
  });

  it('with any bit flipped behind the checksum fail it', () => {
    fc.assert(
      fc.property(anyRecords, fc.nat(), (records, at) => {
        const batch = buildBatch(crc32c, records);
        const covered = batch.length - batchField.crc;
        batch[batchField.crc + ((at >>> 3) % covered)]! ^= 1 << (at & 7);
        expect(hasValidCrc(batch, 0, batch.length, crc32c)).toBe(false);
      }),
    );
  });

  it('never make the reader do anything but read or refuse, whatever the bytes', () => {
    fc.assert(
      fc.property(anyRecords, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), (records, changes) => {
        const batch = buildBatch(crc32c, records);
        for (const [at, value] of changes) batch[at % batch.length] = value;
        let read = 0;
        try {
          read = readAll(batch).length;
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedRecordsError);
        }
        expect(read).toBeLessThanOrEqual(batch.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('that count more or fewer records than they hold are refused', () => {
    for (const count of [-1, 1, 3, 2 ** 31 - 1]) {
      const batch = small(0, 2);
      new DataView(batch.buffer).setInt32(batchField.recordCount, count);
      expect(() => readAll(batch)).toThrow(MalformedRecordsError);
    }
  });
});
