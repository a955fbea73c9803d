/**
 * The file `<20 digits>.snapshot`: a partition's producers as of an offset, in Kafka's format. Any thread.
 *
 *   0 i16 version = 1 │ 2 u32 CRC-32C of all that follows │ 6 i32 count │ 10 entries of 46 bytes, big-endian:
 *     0 i64 producer id     8 i16 epoch             10 i32 last sequence      14 i64 last offset
 *    22 i32 offset delta   26 i64 timestamp in ms   34 i32 coordinator epoch  38 i64 current transaction's first offset
 *
 * It reads and writes bytes, not files. A snapshot that fails a check is not used: the state is rebuilt from the log.
 */

import {
  readInt16,
  readInt32,
  readInt64,
  readUint32,
  writeInt16,
  writeInt32,
  writeInt64,
} from '../records/big-endian.ts';
import { crc32c } from '../records/crc32c.ts';
import type { ProducerEntry } from './producer-state.ts';

const version = 1;
const crcAt = 2;
const countAt = 6;
const headerSizeBytes = 10;
const entrySizeBytes = 46;
const largestTimestampMs = 2 ** 63 - 1024;

/** The bytes of a snapshot of `entries`. */
export function encodeProducerSnapshot(entries: readonly ProducerEntry[]): Uint8Array {
  const bytes = new Uint8Array(headerSizeBytes + entries.length * entrySizeBytes);
  writeInt16(bytes, 0, version);
  writeInt32(bytes, countAt, entries.length);
  let at = headerSizeBytes;
  for (const entry of entries) {
    writeInt64(bytes, at, entry.producerId);
    writeInt16(bytes, at + 8, entry.producerEpoch);
    writeInt32(bytes, at + 10, entry.lastSequence);
    writeInt64(bytes, at + 14, entry.lastOffset);
    writeInt32(bytes, at + 22, entry.offsetDelta);
    // A client may have sent 2^63 - 1, which a double rounds up to what an int64 cannot hold.
    writeInt64(bytes, at + 26, Math.min(entry.timestampMs, largestTimestampMs));
    writeInt32(bytes, at + 34, entry.coordinatorEpoch);
    writeInt64(bytes, at + 38, entry.currentTransactionFirstOffset);
    at += entrySizeBytes;
  }
  writeInt32(bytes, crcAt, crc32c(bytes.subarray(countAt)));
  return bytes;
}

/** A snapshot's entries, or what is wrong with it. */
export type DecodedSnapshot =
  | { readonly entries: readonly ProducerEntry[]; readonly damage: null }
  | { readonly entries: null; readonly damage: string };

/** Reads a snapshot file's bytes; every length and the CRC are checked before anything is used. */
export function decodeProducerSnapshot(bytes: Uint8Array): DecodedSnapshot {
  if (bytes.length < headerSizeBytes) return damaged(`it has ${bytes.length} bytes, fewer than its header`);
  const foundVersion = readInt16(bytes, 0);
  if (foundVersion !== version) return damaged(`it has version ${foundVersion}, and only ${version} is known`);
  const count = readInt32(bytes, countAt);
  if (count < 0 || bytes.length !== headerSizeBytes + count * entrySizeBytes) {
    return damaged(`it has ${bytes.length} bytes, which do not fit its ${count} entries`);
  }
  if (readUint32(bytes, crcAt) !== crc32c(bytes.subarray(countAt))) return damaged('its checksum does not match');
  const entries: ProducerEntry[] = [];
  for (let at = headerSizeBytes; at < bytes.length; at += entrySizeBytes) {
    const entry: ProducerEntry = {
      producerId: readInt64(bytes, at),
      producerEpoch: readInt16(bytes, at + 8),
      lastSequence: readInt32(bytes, at + 10),
      lastOffset: readInt64(bytes, at + 14),
      offsetDelta: readInt32(bytes, at + 22),
      timestampMs: readInt64(bytes, at + 26),
      coordinatorEpoch: readInt32(bytes, at + 34),
      currentTransactionFirstOffset: readInt64(bytes, at + 38),
    };
    if (!isSound(entry)) return damaged(`its entry of producer ${entry.producerId} is out of range`);
    entries.push(entry);
  }
  return { entries, damage: null };
}

function isSound(entry: ProducerEntry): boolean {
  return (
    Number.isSafeInteger(entry.producerId) &&
    entry.producerId >= 0 &&
    entry.producerEpoch >= -1 &&
    entry.lastSequence >= -1 &&
    Number.isSafeInteger(entry.lastOffset) &&
    entry.lastOffset >= -1 &&
    entry.offsetDelta >= 0 &&
    (entry.lastOffset < 0 || entry.offsetDelta <= entry.lastOffset) &&
    Number.isSafeInteger(entry.currentTransactionFirstOffset) &&
    entry.currentTransactionFirstOffset >= -1
  );
}

function damaged(damage: string): DecodedSnapshot {
  return { entries: null, damage };
}
