/**
 * Record batches built, and checked, the slow and obvious way: byte arrays, bigints, one record at a time.
 * The twin of the core's scan and encoding; the formats are drawn in `assembly/layout.ts` and `assembly/batch-scan.ts`.
 */

import { crc32cTwin } from './crc32c-twin.ts';

export interface TwinHeader {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

export interface TwinRecord {
  readonly offsetDelta: number;
  readonly timestampDelta: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly TwinHeader[];
}

export interface TwinBatch {
  readonly baseOffset: number;
  readonly leaderEpoch: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** A zigzag varint. */
export function varint(value: number): number[] {
  const wide = BigInt(value);
  let raw = wide < 0n ? -2n * wide - 1n : 2n * wide;
  const bytes: number[] = [];
  while (raw >= 128n) {
    bytes.push(Number(raw % 128n) + 128);
    raw /= 128n;
  }
  bytes.push(Number(raw));
  return bytes;
}

function field(bytes: Uint8Array | null): number[] {
  return bytes === null ? varint(-1) : [...varint(bytes.length), ...bytes];
}

/** The headers of a record without their count, as `encodeRecord` takes them. */
export function headerBytes(headers: readonly TwinHeader[]): Uint8Array {
  return Uint8Array.from(headers.flatMap(({ key, value }) => [...field(key), ...field(value)]));
}

/** A record without the length before it. */
export function recordBodyBytes(record: TwinRecord): number[] {
  return [
    0,
    ...varint(record.timestampDelta),
    ...varint(record.offsetDelta),
    ...field(record.key),
    ...field(record.value),
    ...varint(record.headers.length),
    ...headerBytes(record.headers),
  ];
}

export function recordBytes(record: TwinRecord): Uint8Array {
  const body = recordBodyBytes(record);
  return Uint8Array.from([...varint(body.length), ...body]);
}

export function bodyBytes(records: readonly TwinRecord[]): Uint8Array {
  return Buffer.concat(records.map(recordBytes));
}

export function batchBytes(batch: TwinBatch, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(61 + body.length);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(batch.baseOffset));
  view.setInt32(8, 49 + body.length);
  view.setInt32(12, batch.leaderEpoch);
  view.setInt8(16, 2);
  view.setInt16(21, batch.attributes);
  view.setInt32(23, batch.lastOffsetDelta);
  view.setBigInt64(27, BigInt(batch.baseTimestamp));
  view.setBigInt64(35, BigInt(batch.maxTimestamp));
  view.setBigInt64(43, BigInt(batch.producerId));
  view.setInt16(51, batch.producerEpoch);
  view.setInt32(53, batch.baseSequence);
  view.setInt32(57, batch.recordCount);
  bytes.set(body, 61);
  view.setUint32(17, crc32cTwin(bytes.subarray(21)));
  return bytes;
}

/** Whether `bytes` are exactly `count` records whose offset deltas ascend; it reads with bigints and slices. */
export function parseRecords(bytes: Uint8Array, count: number): TwinRecord[] | null {
  const reader = new TwinReader(bytes);
  try {
    const records: TwinRecord[] = [];
    for (let i = 0; i < count; i++) {
      const record = new TwinReader(reader.take(reader.varint(32)));
      record.take(1);
      const timestampDelta = record.varint(64);
      const offsetDelta = record.varint(32);
      const key = record.field();
      const value = record.field();
      const headerCount = record.varint(32);
      if (headerCount < 0) return null;
      const headers: TwinHeader[] = [];
      for (let h = 0; h < headerCount; h++) {
        const headerKey = record.field();
        if (headerKey === null) return null;
        headers.push({ key: headerKey, value: record.field() });
      }
      if (record.left() !== 0 || offsetDelta <= (records.at(-1)?.offsetDelta ?? -1)) return null;
      records.push({ offsetDelta, timestampDelta, key, value, headers });
    }
    return reader.left() === 0 ? records : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

class TwinReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  left(): number {
    return this.#bytes.length - this.#at;
  }

  take(sizeBytes: number): Uint8Array {
    if (sizeBytes < 0 || sizeBytes > this.left()) throw new RangeError('not that many bytes');
    this.#at += sizeBytes;
    return this.#bytes.subarray(this.#at - sizeBytes, this.#at);
  }

  varint(bits: 32 | 64): number {
    let raw = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.take(1)[0] ?? 0;
      raw |= BigInt(byte & 0x7f) << shift;
      if (raw >= 1n << BigInt(bits) || shift >= bits) throw new RangeError('a varint is too wide');
      if (byte < 0x80) return Number(raw % 2n === 0n ? raw / 2n : -(raw + 1n) / 2n);
      if (shift + 7n >= bits) throw new RangeError('a varint is too long');
    }
  }

  field(): Uint8Array | null {
    const sizeBytes = this.varint(32);
    return sizeBytes === -1 ? null : this.take(sizeBytes);
  }
}
