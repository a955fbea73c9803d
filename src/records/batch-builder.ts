/**
 * Builds one record batch of magic 2 from records, for whoever has no arena: coordinators' small records, browsers,
 * tests. Any thread. The layouts are drawn in `record-batch.ts` and `record-reader.ts`.
 * It does not compress; `sealCompressed` wraps a body that was compressed elsewhere.
 */

import { assert } from '../base/assert.ts';
import { writeInt16, writeInt32, writeInt64 } from './big-endian.ts';
import type { Crc32c } from './crc32c.ts';
import {
  attributeBit,
  batchField,
  batchHeaderSizeBytes,
  batchPrefixSizeBytes,
  type Compression,
  currentMagic,
} from './record-batch.ts';
import { varintSizeBytes, varlongSizeBytes, writeVarint, writeVarlong } from './varint.ts';

export interface RecordToWrite {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestampMs: number;
  readonly headers?: readonly { readonly key: string; readonly value: Uint8Array | null }[];
}

/** What a batch says beside its records; everything may be left out. */
export interface BatchOptions {
  /** A producer leaves it 0; the broker assigns it. */
  readonly baseOffset?: number;
  readonly leaderEpoch?: number;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
}

const firstCapacityBytes = 1024;
const utf8 = new TextEncoder();

export class BatchBuilder {
  readonly #crc32c: Crc32c;
  readonly #options: BatchOptions;
  #bytes = new Uint8Array(firstCapacityBytes);
  #end = batchHeaderSizeBytes;
  #count = 0;
  #baseTimestampMs = 0;
  #maxTimestampMs = 0;

  constructor(crc32c: Crc32c, options: BatchOptions = {}) {
    this.#crc32c = crc32c;
    this.#options = options;
  }

  get recordCount(): number {
    return this.#count;
  }

  /** The size of the batch as it stands, uncompressed. */
  get sizeBytes(): number {
    return this.#end;
  }

  /** The records as they stand, for a compressor. A view: it is gone with the next `append`. */
  get body(): Uint8Array {
    return this.#bytes.subarray(batchHeaderSizeBytes, this.#end);
  }

  /** Appends a record with the next offset; copies its bytes. */
  append(record: RecordToWrite): void {
    assert(Number.isSafeInteger(record.timestampMs), 'a timestamp is a safe integer of milliseconds');
    if (this.#count === 0) {
      this.#baseTimestampMs = record.timestampMs;
      this.#maxTimestampMs = record.timestampMs;
    }
    const timestampDelta = record.timestampMs - this.#baseTimestampMs;
    const headers = (record.headers ?? []).map(({ key, value }) => ({ key: utf8.encode(key), value }));
    let size =
      1 +
      varlongSizeBytes(timestampDelta) +
      varintSizeBytes(this.#count) +
      fieldSizeBytes(record.key) +
      fieldSizeBytes(record.value) +
      varintSizeBytes(headers.length);
    for (const { key, value } of headers) size += fieldSizeBytes(key) + fieldSizeBytes(value);

    this.#reserve(varintSizeBytes(size) + size);
    const bytes = this.#bytes;
    let at = writeVarint(bytes, this.#end, size);
    bytes[at++] = 0;
    at = writeVarlong(bytes, at, timestampDelta);
    at = writeVarint(bytes, at, this.#count);
    at = writeField(bytes, at, record.key);
    at = writeField(bytes, at, record.value);
    at = writeVarint(bytes, at, headers.length);
    for (const { key, value } of headers) {
      at = writeField(bytes, at, key);
      at = writeField(bytes, at, value);
    }
    this.#end = at;
    this.#count++;
    this.#maxTimestampMs = Math.max(this.#maxTimestampMs, record.timestampMs);
  }

  /** The batch, uncompressed. There is at least one record; the builder is not used after it. */
  seal(): Uint8Array {
    return this.#seal(this.#bytes.subarray(0, this.#end), 0);
  }

  /** The batch around `body`, which is this builder's body compressed with `compression`. */
  sealCompressed(compression: Compression, body: Uint8Array): Uint8Array {
    const batch = new Uint8Array(batchHeaderSizeBytes + body.length);
    batch.set(body, batchHeaderSizeBytes);
    return this.#seal(batch, compression);
  }

  #seal(batch: Uint8Array, compression: number): Uint8Array {
    assert(this.#count > 0, 'a batch has at least one record');
    const options = this.#options;
    const attributes =
      compression |
      (options.transactional === true ? attributeBit.transactional : 0) |
      (options.control === true ? attributeBit.control : 0);
    writeInt64(batch, batchField.baseOffset, options.baseOffset ?? 0);
    writeInt32(batch, batchField.length, batch.length - batchPrefixSizeBytes);
    writeInt32(batch, batchField.leaderEpoch, options.leaderEpoch ?? -1);
    batch[batchField.magic] = currentMagic;
    writeInt16(batch, batchField.attributes, attributes);
    writeInt32(batch, batchField.lastOffsetDelta, this.#count - 1);
    writeInt64(batch, batchField.baseTimestamp, this.#baseTimestampMs);
    writeInt64(batch, batchField.maxTimestamp, this.#maxTimestampMs);
    writeInt64(batch, batchField.producerId, options.producerId ?? -1);
    writeInt16(batch, batchField.producerEpoch, options.producerEpoch ?? -1);
    writeInt32(batch, batchField.baseSequence, options.baseSequence ?? -1);
    writeInt32(batch, batchField.recordCount, this.#count);
    writeInt32(batch, batchField.crc, this.#crc32c(batch.subarray(batchField.attributes)));
    return batch;
  }

  #reserve(sizeBytes: number): void {
    const needed = this.#end + sizeBytes;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}

/** One batch of `records`, uncompressed. */
export function buildBatch(crc32c: Crc32c, records: readonly RecordToWrite[], options: BatchOptions = {}): Uint8Array {
  const builder = new BatchBuilder(crc32c, options);
  for (const record of records) builder.append(record);
  return builder.seal();
}

function fieldSizeBytes(field: Uint8Array | null): number {
  return field === null ? 1 : varintSizeBytes(field.length) + field.length;
}

function writeField(bytes: Uint8Array, at: number, field: Uint8Array | null): number {
  if (field === null) return writeVarint(bytes, at, -1);
  const start = writeVarint(bytes, at, field.length);
  bytes.set(field, start);
  return start + field.length;
}
