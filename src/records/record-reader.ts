/**
 * Reads the records of a batch's body, inflated where it was compressed. Any thread.
 *
 *   varint length │ i8 attributes │ varlong timestamp delta │ varint offset delta
 *   varint key length (-1: null) │ key │ varint value length (-1: null) │ value
 *   varint header count │ headers: varint key length │ key (UTF-8) │ varint value length (-1: null) │ value
 *
 * The reader moves over the bytes and its fields show the current record; keys, values and headers are views that are
 * made when asked for. It does not check the batch around the body.
 */

import { asOffset, noOffset, type Offset } from '../base/numbers.ts';
import {
  attributesAt,
  baseOffsetAt,
  baseTimestampAt,
  batchField,
  isLogAppendTime,
  maxTimestampAt,
  recordCountAt,
} from './record-batch.ts';
import { type Cursor, MalformedRecordsError, readVarint, readVarlong } from './varint.ts';

/** A header of a record. */
export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

// One byte each of length, attributes, timestamp, offset, key length, value length and header count.
const smallestRecordBytes = 7;
const utf8 = new TextDecoder();

export class RecordReader {
  offset: Offset = noOffset;
  /** In milliseconds; for a batch with LogAppendTime that of the whole batch. */
  timestampMs = -1;
  readonly #cursor: Cursor;
  #remaining: number;
  readonly #baseOffset: number;
  readonly #baseTimestampMs: number;
  readonly #appendTimeMs: number | null;
  #keyAt = 0;
  #keySize = -1;
  #valueAt = 0;
  #valueSize = -1;
  #headersAt = 0;
  #headerCount = 0;

  /**
   * Over the records of the batch whose header begins at `batchAt` of `batch`. `body` are its records where they were
   * inflated; without it they are read from the batch itself, which ends at `batchEnd`.
   * Throws `MalformedRecordsError` where the batch counts more records than its body can hold.
   */
  constructor(batch: Uint8Array, batchAt: number, batchEnd: number, body: Uint8Array | null = null) {
    const attributes = attributesAt(batch, batchAt);
    this.#baseOffset = baseOffsetAt(batch, batchAt);
    this.#baseTimestampMs = baseTimestampAt(batch, batchAt);
    this.#appendTimeMs = isLogAppendTime(attributes) ? maxTimestampAt(batch, batchAt) : null;
    this.#remaining = recordCountAt(batch, batchAt);
    this.#cursor =
      body === null
        ? { bytes: batch, at: batchAt + batchField.records, end: batchEnd }
        : { bytes: body, at: 0, end: body.length };
    const bodySize = this.#cursor.end - this.#cursor.at;
    if (this.#remaining < 0 || this.#remaining * smallestRecordBytes > bodySize) {
      throw new MalformedRecordsError('a batch counts more records than it holds');
    }
  }

  /**
   * Moves to the next record; false after the last. Throws `MalformedRecordsError` where a record does not parse or
   * bytes are left over after the last.
   */
  next(): boolean {
    const cursor = this.#cursor;
    if (this.#remaining === 0) {
      if (cursor.at !== cursor.end) throw new MalformedRecordsError('bytes follow the last record of a batch');
      return false;
    }
    const size = readVarint(cursor);
    if (size < 0 || size > cursor.end - cursor.at) throw new MalformedRecordsError('a record is longer than its batch');
    const recordEnd = cursor.at + size;
    const bodyEnd = cursor.end;
    // Nothing of this record may be read beyond its own end.
    cursor.end = recordEnd;
    if (size === 0) throw new MalformedRecordsError('a record has no attributes');
    cursor.at++;
    this.timestampMs = this.#appendTimeMs ?? this.#baseTimestampMs + readVarlong(cursor);
    if (this.#appendTimeMs !== null) readVarlong(cursor);
    const offset = this.#baseOffset + readVarint(cursor);
    if (offset < 0 || !Number.isSafeInteger(offset)) throw new MalformedRecordsError('a record has no possible offset');
    this.offset = asOffset(offset);
    this.#keySize = readSize(cursor);
    this.#keyAt = skip(cursor, this.#keySize);
    this.#valueSize = readSize(cursor);
    this.#valueAt = skip(cursor, this.#valueSize);
    this.#headerCount = readVarint(cursor);
    if (this.#headerCount < 0) throw new MalformedRecordsError('a record counts fewer headers than none');
    this.#headersAt = cursor.at;
    for (let i = 0; i < this.#headerCount; i++) {
      const keySize = readVarint(cursor);
      if (keySize < 0) throw new MalformedRecordsError('a header has no key');
      skip(cursor, keySize);
      skip(cursor, readSize(cursor));
    }
    if (cursor.at !== recordEnd) throw new MalformedRecordsError('bytes follow the last field of a record');
    cursor.end = bodyEnd;
    this.#remaining--;
    return true;
  }

  /** The key of the current record as a view of the bytes read, or null. */
  get key(): Uint8Array | null {
    return this.#keySize < 0 ? null : this.#cursor.bytes.subarray(this.#keyAt, this.#keyAt + this.#keySize);
  }

  /** The value of the current record as a view of the bytes read, or null. */
  get value(): Uint8Array | null {
    return this.#valueSize < 0 ? null : this.#cursor.bytes.subarray(this.#valueAt, this.#valueAt + this.#valueSize);
  }

  /** Where the current record's fields lie in the bytes read; a size of -1 is null. The headers follow their count. */
  get keyAt(): number {
    return this.#keyAt;
  }

  get keySizeBytes(): number {
    return this.#keySize;
  }

  get valueAt(): number {
    return this.#valueAt;
  }

  get valueSizeBytes(): number {
    return this.#valueSize;
  }

  get headersAt(): number {
    return this.#headersAt;
  }

  get headerCount(): number {
    return this.#headerCount;
  }

  /** The headers of the current record; their values are views. */
  headers(): RecordHeader[] {
    return readHeaders(this.#cursor.bytes, this.#headersAt, this.#headerCount);
  }
}

/** The `count` headers of a record that a reader has been over, at `at` of `bytes`; their values are views. */
export function readHeaders(bytes: Uint8Array, at: number, count: number): RecordHeader[] {
  const cursor: Cursor = { bytes, at, end: bytes.length };
  const headers: RecordHeader[] = [];
  for (let i = 0; i < count; i++) {
    const keySize = readVarint(cursor);
    const keyAt = skip(cursor, keySize);
    const key = utf8.decode(copyIfShared(bytes.subarray(keyAt, keyAt + keySize)));
    const valueSize = readSize(cursor);
    const valueAt = skip(cursor, valueSize);
    headers.push({ key, value: valueSize < 0 ? null : bytes.subarray(valueAt, valueAt + valueSize) });
  }
  return headers;
}

/** Reads a length of at least -1, which stands for null. */
function readSize(cursor: Cursor): number {
  const size = readVarint(cursor);
  if (size < -1) throw new MalformedRecordsError('a length in a record is below -1');
  return size;
}

/** Passes over `size` bytes (none for null) and returns where they begin. */
function skip(cursor: Cursor, size: number): number {
  const { at } = cursor;
  if (size > cursor.end - at) throw new MalformedRecordsError('a field is longer than its record');
  if (size > 0) cursor.at = at + size;
  return at;
}

/** TextDecoder refuses views of shared memory in browsers. */
function copyIfShared(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
}
