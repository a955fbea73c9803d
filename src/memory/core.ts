/**
 * The WebAssembly core as TypeScript sees it: free functions over addresses in the arena. One instance per thread,
 * all over the same memory. The source is `assembly/`; this file is the contract between both sides.
 * Offsets and timestamps cross as doubles (exact below 2^53), because i64 parameters would be bigints.
 *
 * A scan row, 72 bytes, little-endian, one per batch (`scanRow` names the places):
 *
 *    0 f64 baseOffset      8 f64 baseTimestamp     16 f64 maxTimestamp      24 f64 producerId
 *   32 i32 position (from the scanned address)     36 i32 sizeBytes (whole batch, with its 12 leading bytes)
 *   40 i32 leaderEpoch    44 i32 attributes        48 i32 producerEpoch     52 i32 baseSequence
 *   56 i32 recordCount    60 i32 lastOffsetDelta   64 i32 status (`ScanStatus`)
 *
 * The maximum timestamp is the header's, unchecked: records are not looked at. A batch whose magic is not 2 gives BAD_MAGIC
 * even when it is shorter than a header; its row has a position and no fields.
 */

import { coreWasmBase64 } from './generated/core-wasm.ts';

export const scanRow = {
  baseOffset: 0,
  baseTimestamp: 8,
  maxTimestamp: 16,
  producerId: 24,
  position: 32,
  sizeBytes: 36,
  leaderEpoch: 40,
  attributes: 44,
  producerEpoch: 48,
  baseSequence: 52,
  recordCount: 56,
  lastOffsetDelta: 60,
  status: 64,
  sizeOfRow: 72,
} as const;

/** Why a scan stopped at a batch. */
export const ScanStatus = {
  OK: 0,
  /** Fewer bytes are there than a header, or than the batch's own length, asks for. */
  TRUNCATED: 1,
  /** The length field is smaller than a header or larger than the bound given. */
  BAD_LENGTH: 2,
  BAD_MAGIC: 3,
  BAD_CRC: 4,
  /** Record count and last offset delta contradict each other or are negative. */
  BAD_COUNT: 5,
  /** A record does not parse, or its fields contradict the batch; see `firstBadRecord`. */
  BAD_RECORD: 6,
  /** The attributes name a compression that does not exist. */
  BAD_ATTRIBUTES: 7,
} as const;
export type ScanStatus = (typeof ScanStatus)[keyof typeof ScanStatus];

/** What a scan checks beyond structure and CRC; combine with `|`. */
export const ScanFlag = {
  /** A client's batch: offset deltas run 0, 1, 2, … and count = last delta + 1 (a compacted batch has gaps). */
  CONTIGUOUS: 2,
  /** The batches were encoded here and have no CRC yet: it is written, not checked. */
  SEAL: 4,
} as const;

/** The result of `validateRecords`, 40 bytes at `resultAddress`. */
export const recordsResult = {
  status: 0, // i32, ScanStatus
  firstBadRecord: 4, // i32, -1: none
  maxTimestampDelta: 8, // f64
  minTimestampDelta: 16, // f64
  offsetDeltaOfMaxTimestamp: 24, // i32: of the first record that carries the maximum
  keylessCount: 28, // i32
  lastOffsetDelta: 32, // i32
  largestRecordBytes: 36, // i32: without the length before it
  sizeOfResult: 40,
} as const;

/** The module's exports. Every address and size is a u32 passed as a number; results that are u32 come as i32. */
export interface Core {
  /** Computes the CRC tables at `tablesAddress`. Once per arena, before anything else. */
  initializeTables(): void;
  /** CRC-32C (RFC 3720) of the range, as an i32: `>>> 0` makes it unsigned. */
  crc32c(address: number, sizeBytes: number): number;
  /** XXH32 of the range with `seed` (LZ4 frames carry it), as an i32. */
  xxh32(address: number, sizeBytes: number, seed: number): number;

  /**
   * Walks record batches (magic 2) from `address`, writes a row for each at `rowsAddress` (at most `maxRows`) and stops
   * after the first whose status is not OK, whose row is the last. Returns the number of rows.
   */
  scanBatches(
    address: number,
    sizeBytes: number,
    rowsAddress: number,
    maxRows: number,
    maxBatchBytes: number,
    flags: number,
  ): number;
  /** Checks `recordCount` records that fill the range exactly (a batch's body, inflated where it was compressed). */
  validateRecords(
    address: number,
    sizeBytes: number,
    recordCount: number,
    flags: number,
    resultAddress: number,
  ): number;
  /** Writes base offset and partition leader epoch, which the CRC does not cover. */
  assignOffsets(batchAddress: number, baseOffset: number, leaderEpoch: number): void;
  /** Sets the LogAppendTime attribute and the maximum timestamp, and renews the CRC. */
  stampLogAppendTime(batchAddress: number, timestampMs: number): void;
  /** Takes the LogAppendTime attribute away, writes the maximum timestamp and renews the CRC: a producer may err in both. */
  setMaxTimestamp(batchAddress: number, timestampMs: number): void;

  /**
   * Appends a record at `address`; a null key or value has size -1; `headersAddress` points at header bytes already in
   * wire form without their count. Returns the bytes written. The caller has reserved
   * `keySizeBytes + valueSizeBytes + headersSizeBytes + 40`.
   */
  encodeRecord(
    address: number,
    offsetDelta: number,
    timestampDelta: number,
    keyAddress: number,
    keySizeBytes: number,
    valueAddress: number,
    valueSizeBytes: number,
    headersAddress: number,
    headersSizeBytes: number,
    headerCount: number,
  ): number;
  /** Writes the 61-byte header before `bodySizeBytes` bytes of records at `batchAddress + 61`, and the CRC. */
  encodeBatchHeader(
    batchAddress: number,
    bodySizeBytes: number,
    recordCount: number,
    attributes: number,
    baseTimestamp: number,
    maxTimestamp: number,
    producerId: number,
    producerEpoch: number,
    baseSequence: number,
  ): void;

  /** Entry `entryCount` of an offset index in Kafka's file format (8 bytes: i32 relative offset, i32 position). */
  offsetIndexAppend(address: number, entryCount: number, relativeOffset: number, position: number): void;
  /** The last entry whose relative offset is at most `relativeOffset`, or -1. */
  offsetIndexSearch(address: number, entryCount: number, relativeOffset: number): number;
  /** Entry `entryCount` of a time index in Kafka's file format (12 bytes: i64 timestamp, i32 relative offset). */
  timeIndexAppend(address: number, entryCount: number, timestampMs: number, relativeOffset: number): void;
  /** The last entry whose timestamp is at most `timestampMs`, or -1. */
  timeIndexSearch(address: number, entryCount: number, timestampMs: number): number;

  /**
   * Copies a range within the arena. `Uint8Array.set` and `copyWithin` are ten times slower on shared memory where
   * source and target lie differently within eight bytes (V8 then copies a byte at a time).
   */
  copyBytes(target: number, source: number, sizeBytes: number): void;
  /**
   * Inflates one LZ4 block into `target`; matches may reach back over `historySizeBytes` bytes before it (linked
   * blocks). Returns the size, -1 where the block is malformed, -2 where `targetCapacityBytes` does not hold it.
   */
  lz4InflateBlock(
    source: number,
    sourceSizeBytes: number,
    target: number,
    targetCapacityBytes: number,
    historySizeBytes: number,
  ): number;
  /** Inflates one raw Snappy block with its length prefix; results as `lz4InflateBlock`. */
  snappyInflateBlock(source: number, sourceSizeBytes: number, target: number, targetCapacityBytes: number): number;
  /**
   * Compresses a block of at most 64 KiB. Returns the size, or -2 where `targetCapacityBytes` may not hold it. `table` is
   * the address of `deflateTableBytes` of working memory.
   */
  lz4DeflateBlock(
    source: number,
    sourceSizeBytes: number,
    target: number,
    targetCapacityBytes: number,
    table: number,
  ): number;
  /** The same as one raw Snappy block with its length prefix. */
  snappyDeflateBlock(
    source: number,
    sourceSizeBytes: number,
    target: number,
    targetCapacityBytes: number,
    table: number,
  ): number;

  /** Writes SipHash-2-4 with 128 bits of output over the range at `target`; 16 bytes at `key` are its key. */
  sipHash128(address: number, sizeBytes: number, key: number, target: number): void;
  /**
   * Notes in the key map at `map` (`keyMapField`) the keys of a batch's records whose offset is at least `fromOffset`.
   * Returns the offset delta of the first for which the map has no room, `allKeysNoted` where there is none, and -1 where a
   * record does not parse.
   */
  collectKeys(
    address: number,
    sizeBytes: number,
    recordCount: number,
    baseOffset: number,
    fromOffset: number,
    map: number,
  ): number;
  /**
   * Copies the records of the batch at `batch` that compaction keeps from `address`, where they lie as plain bytes, to
   * `target`: the newest of their keys by the map, and all at or after `knownEnd`, of which the map knows nothing; `flags`
   * are `RetainFlag`s. Their timestamps become relative to `baseTimestamp`, unless that is -1. What came out stands at `result`
   * (`retainResult`). Returns 0, -1 where a record does not parse, -2 where the target may not hold them.
   */
  retainRecords(
    batch: number,
    address: number,
    sizeBytes: number,
    recordCount: number,
    knownEnd: number,
    flags: number,
    baseTimestamp: number,
    map: number,
    target: number,
    targetCapacityBytes: number,
    result: number,
  ): number;
  /**
   * Writes the header, with its CRC, before `bodySizeBytes` bytes of records at `target + 61`, after that of the batch at
   * `batch`. `baseTimestamp` -1 keeps the batch's; `newest` is the address of the new maximum timestamp (i64, as
   * `retainResult` has it), 0 to keep the batch's.
   */
  encodeRetainedHeader(
    target: number,
    batch: number,
    bodySizeBytes: number,
    recordCount: number,
    attributes: number,
    baseTimestamp: number,
    newest: number,
  ): void;
}

/** The key map's header; `slots` slots of `sizeOfSlot` bytes follow it. It is empty where they are all zeros. */
export const keyMapField = {
  slots: 0, // u32
  used: 4, // u32
  limit: 8, // u32: no more keys than this, which is less than the slots
  hashKey: 16, // 16 bytes
  sizeOfHeader: 64,
  sizeOfSlot: 24,
} as const;

/** What `collectKeys` answers where it noted all. */
export const allKeysNoted = 2 ** 31 - 1;

export const RetainFlag = {
  /** Tombstones go even where they are the newest of their key. */
  DROP_TOMBSTONES: 1,
  /** The batch's last record stays, whatever its key. */
  KEEP_LAST: 2,
} as const;

/** The result of `retainRecords`. */
export const retainResult = {
  sizeBytes: 0, // i32
  recordCount: 4, // i32
  tombstones: 8, // i32: among them
  offsetDeltaOfMaxTimestamp: 12, // i32
  maxTimestamp: 16, // i64
  sizeOfResult: 40,
} as const;

/** Working memory of the block compressors. */
export const deflateTableBytes = 16 * 1024;

/** Where the CRC tables lie; the core has the same constants. The first KiB stays empty, so that no address is 0. */
export const tablesAddress = 1024;
export const tablesSizeBytes = 31 * 1024;

let compiled: WebAssembly.Module | null = null;

/** The compiled module; compiled once per thread that asks, and it can be posted to another thread. */
export function coreModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Buffer.from(coreWasmBase64, 'base64'));
  return compiled;
}

/** An instance of the core over `memory`, for the calling thread. */
export function instantiateCore(module: WebAssembly.Module, memory: WebAssembly.Memory): Core {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return instance.exports as unknown as Core;
}
