/**
 * The open batch of one partition: records are encoded straight into its buffer, each once. I/O thread; nothing is
 * allocated per record.
 *
 *   │ header, 61 bytes, written by `finish` │ record │ record │ …
 *
 * The log writes the CRC, where the batch lies in the ring: its core does that at several times the speed.
 * The layouts are drawn in `records/record-batch.ts` and `records/record-reader.ts`. It does not know topics, streams
 * or the log; buffers come from a pool and go back to it.
 */

import { writeInt16, writeInt32, writeInt64 } from '../records/big-endian.ts';
import { batchField, batchHeaderSizeBytes, batchPrefixSizeBytes, currentMagic } from '../records/record-batch.ts';
import type { RecordHeader } from '../records/record-reader.ts';
import {
  type Cursor,
  readVarint,
  varintSizeBytes,
  varlongSizeBytes,
  writeVarint,
  writeVarlong,
} from '../records/varint.ts';
import type { BufferPool } from '../storage/buffer-pool.ts';

/** What the fields of a record take beside key, value and headers, at most: six varints and the attributes. */
export const recordOverheadBytes = 1 + 5 + 10 + 5 + 5 + 5 + 5;

const utf8 = new TextEncoder();
const noHeaders = new Uint8Array([0]);

/** The headers of a record in wire form, with their count before them. */
export function encodeHeaders(headers: readonly RecordHeader[] | null): Uint8Array {
  if (headers === null || headers.length === 0) return noHeaders;
  const keys = headers.map(({ key }) => utf8.encode(key));
  let size = varintSizeBytes(headers.length);
  for (const [i, { value }] of headers.entries()) size += fieldSizeBytes(keys[i]!) + fieldSizeBytes(value);
  const bytes = new Uint8Array(size);
  let at = writeVarint(bytes, 0, headers.length);
  for (const [i, { value }] of headers.entries()) {
    at = writeField(bytes, at, keys[i]!);
    at = writeField(bytes, at, value);
  }
  return bytes;
}

export class BatchEncoder {
  readonly #buffers: BufferPool;
  #bytes: Uint8Array;
  #end = batchHeaderSizeBytes;
  #count = 0;
  /** Of the record appended last: where it begins, and where its headers do with their count. */
  #lastAt = 0;
  #lastHeadersAt = 0;
  #baseTimestampMs = 0;
  #maxTimestampMs = 0;

  /** With a buffer of at least `capacityBytes` at first; it grows. */
  constructor(buffers: BufferPool, capacityBytes: number) {
    this.#buffers = buffers;
    this.#bytes = buffers.lease(capacityBytes);
  }

  get recordCount(): number {
    return this.#count;
  }

  /** The size of the batch as it stands. */
  get sizeBytes(): number {
    return this.#end;
  }

  /**
   * Appends a record with the next offset, copying its bytes: the value is `[valueStart, valueEnd)` of `value`, and
   * `headers` come from `encodeHeaders`. Returns its offset delta.
   */
  append(
    key: Uint8Array | null,
    value: Uint8Array | null,
    valueStart: number,
    valueEnd: number,
    timestampMs: number,
    headers: Uint8Array = noHeaders,
  ): number {
    const delta = this.#count;
    const timestampDelta = this.#timestampDelta(timestampMs);
    const valueSize = valueEnd - valueStart;
    const size =
      1 +
      varlongSizeBytes(timestampDelta) +
      varintSizeBytes(delta) +
      fieldSizeBytes(key) +
      (value === null ? 1 : varintSizeBytes(valueSize) + valueSize) +
      headers.length;
    const keyAt = this.#begin(size, timestampDelta);
    const at = writeField(this.#bytes, keyAt, key);
    if (value === null) {
      this.#bytes[at] = 1;
      this.#finishRecord(at + 1, headers);
    } else this.#finishRecord(this.#writeValue(at, value, valueStart, valueEnd), headers);
    return delta;
  }

  /** As `append` of a value alone. Returns what the record takes, in bytes. */
  appendValue(value: Uint8Array, valueStart: number, valueEnd: number, timestampMs: number): number {
    const before = this.#end;
    const timestampDelta = this.#timestampDelta(timestampMs);
    const valueSize = valueEnd - valueStart;
    // Attributes, no key and no headers take a byte each.
    const size =
      3 + varlongSizeBytes(timestampDelta) + varintSizeBytes(this.#count) + varintSizeBytes(valueSize) + valueSize;
    const at = this.#begin(size, timestampDelta);
    this.#bytes[at] = 1;
    this.#finishRecord(this.#writeValue(at + 1, value, valueStart, valueEnd), noHeaders);
    return this.#end - before;
  }

  #timestampDelta(timestampMs: number): number {
    if (this.#count === 0) {
      this.#baseTimestampMs = timestampMs;
      this.#maxTimestampMs = timestampMs;
    } else if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs;
    return timestampMs - this.#baseTimestampMs;
  }

  /** Writes what stands before a record's key, once there is room for all of it; returns where the key goes. */
  #begin(size: number, timestampDelta: number): number {
    if (this.#end + size + 5 > this.#bytes.length) this.#grow(size + 5);
    const bytes = this.#bytes;
    this.#lastAt = this.#end;
    const at = writeVarint(bytes, this.#end, size);
    bytes[at] = 0;
    return writeVarint(bytes, writeVarlong(bytes, at + 1, timestampDelta), this.#count);
  }

  #writeValue(at: number, value: Uint8Array, start: number, end: number): number {
    const size = end - start;
    const valueAt = writeVarint(this.#bytes, at, size);
    this.#bytes.set(size === value.length ? value : value.subarray(start, end), valueAt);
    return valueAt + size;
  }

  #finishRecord(headersAt: number, headers: Uint8Array): void {
    this.#lastHeadersAt = headersAt;
    if (headers === noHeaders) this.#bytes[headersAt] = 0;
    else this.#bytes.set(headers, headersAt);
    this.#end = headersAt + headers.length;
    this.#count++;
  }

  /** Adds `count` headers, in wire form without a count, to the record that was appended last. */
  extendLast(headers: Uint8Array, count: number): void {
    // Both counts, the record's and its headers', may take more bytes than before.
    if (this.#end + headers.length + 8 > this.#bytes.length) this.#grow(headers.length + 8);
    const bytes = this.#bytes;
    const cursor: Cursor = { bytes, at: this.#lastAt, end: this.#end };
    const sizeBefore = readVarint(cursor);
    const fieldsAt = cursor.at;
    cursor.at = this.#lastHeadersAt;
    const countBefore = readVarint(cursor);
    const headersAt = cursor.at;
    const countGrowth = varintSizeBytes(countBefore + count) - varintSizeBytes(countBefore);
    const size = sizeBefore + countGrowth + headers.length;
    const sizeGrowth = varintSizeBytes(size) - varintSizeBytes(sizeBefore);
    const end = this.#end + sizeGrowth + countGrowth;
    bytes.copyWithin(headersAt + sizeGrowth + countGrowth, headersAt, this.#end);
    bytes.copyWithin(fieldsAt + sizeGrowth, fieldsAt, this.#lastHeadersAt);
    writeVarint(bytes, this.#lastAt, size);
    this.#lastHeadersAt += sizeGrowth;
    writeVarint(bytes, this.#lastHeadersAt, countBefore + count);
    bytes.set(headers, end);
    this.#end = end + headers.length;
  }

  /** Writes the header, but for the CRC, and returns the batch: a view, valid until `release`. */
  finish(): Uint8Array {
    const batch = this.#bytes.subarray(0, this.#end);
    writeInt64(batch, batchField.baseOffset, 0);
    writeInt32(batch, batchField.length, batch.length - batchPrefixSizeBytes);
    writeInt32(batch, batchField.leaderEpoch, -1);
    batch[batchField.magic] = currentMagic;
    writeInt16(batch, batchField.attributes, 0);
    writeInt32(batch, batchField.lastOffsetDelta, this.#count - 1);
    writeInt64(batch, batchField.baseTimestamp, this.#baseTimestampMs);
    writeInt64(batch, batchField.maxTimestamp, this.#maxTimestampMs);
    writeInt64(batch, batchField.producerId, -1);
    writeInt16(batch, batchField.producerEpoch, -1);
    writeInt32(batch, batchField.baseSequence, -1);
    writeInt32(batch, batchField.recordCount, this.#count);
    return batch;
  }

  /** Gives the buffer back; the encoder is not used any more. */
  release(): void {
    this.#buffers.release(this.#bytes);
  }

  #grow(neededBytes: number): void {
    const smaller = this.#bytes;
    this.#bytes = this.#buffers.lease(Math.max(this.#end + neededBytes, smaller.length * 2));
    this.#bytes.set(smaller.subarray(0, this.#end));
    this.#buffers.release(smaller);
  }
}

function fieldSizeBytes(field: Uint8Array | null): number {
  return field === null ? 1 : varintSizeBytes(field.length) + field.length;
}

function writeField(bytes: Uint8Array, at: number, field: Uint8Array | null): number {
  if (field === null) {
    bytes[at] = 1;
    return at + 1;
  }
  const start = writeVarint(bytes, at, field.length);
  bytes.set(field, start);
  return start + field.length;
}
