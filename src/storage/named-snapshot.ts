/**
 * The file `<20 digits>.named`: a partition's named producers as of an offset, beside Kafka's `.snapshot`, which has no
 * room for names and for numbers of more than 31 bits. Any thread.
 *
 *   0 i16 version = 1 │ 2 u32 CRC-32C of all that follows │ 6 i32 count │ 10 entries, big-endian:
 *     0 i64 producer id   8 i16 epoch   10 i32 Kafka's last sequence   14 i64 time of last use in ms
 *    22 u8 size of the name   23 name, ASCII   then u8 count of batches, the oldest first, of 36 bytes:
 *        0 i64 first number (-1: not known)   8 i64 last number   16 i64 last offset   24 i32 record count   28 i64 timestamp
 *
 * The last batch of each stands in the `.snapshot` of the same offset too, so that Kafka's tools show it, and so that a
 * `.named` that is missing is missed; a `.snapshot` without such entries, as older releases wrote it, has none beside it.
 * It reads and writes bytes, not files.
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
import { isNamedProducerId, isProducerName, isRecordNumber, noRecordNumber } from '../records/named-records.ts';
import type { NamedBatch, NamedProducerEntry } from './named-producers.ts';
import { rememberedBatches } from './producer-rules.ts';

const version = 1;
const crcAt = 2;
const countAt = 6;
const headerSizeBytes = 10;
/** Before the name. */
const entryHeadBytes = 23;
const batchSizeBytes = 36;
const largestTimestampMs = 2 ** 63 - 1024;

/** The bytes of a snapshot of `entries`. */
export function encodeNamedSnapshot(entries: Iterable<NamedProducerEntry>): Uint8Array {
  let sizeBytes = headerSizeBytes;
  let count = 0;
  const all = [...entries];
  for (const { name, batches } of all) {
    sizeBytes += entryHeadBytes + name.length + 1 + batches.length * batchSizeBytes;
    count++;
  }
  const bytes = new Uint8Array(sizeBytes);
  writeInt16(bytes, 0, version);
  writeInt32(bytes, countAt, count);
  let at = headerSizeBytes;
  for (const entry of all) at = writeEntry(bytes, at, entry);
  writeInt32(bytes, crcAt, crc32c(bytes.subarray(countAt)));
  return bytes;
}

function writeEntry(bytes: Uint8Array, start: number, entry: NamedProducerEntry): number {
  const { name, batches } = entry;
  writeInt64(bytes, start, entry.producerId);
  writeInt16(bytes, start + 8, entry.producerEpoch);
  writeInt32(bytes, start + 10, entry.lastSequence);
  writeInt64(bytes, start + 14, entry.lastUseMs);
  bytes[start + 22] = name.length;
  let at = start + entryHeadBytes;
  for (let i = 0; i < name.length; i++) bytes[at++] = name.charCodeAt(i);
  bytes[at++] = batches.length;
  for (const batch of batches) {
    writeInt64(bytes, at, batch.firstNumber);
    writeInt64(bytes, at + 8, batch.lastNumber);
    writeInt64(bytes, at + 16, batch.lastOffset);
    writeInt32(bytes, at + 24, batch.recordCount);
    // A client may have sent 2^63 - 1, which a double rounds up to what an int64 cannot hold.
    writeInt64(bytes, at + 28, Math.min(batch.timestampMs, largestTimestampMs));
    at += batchSizeBytes;
  }
  return at;
}

/** A snapshot's entries, or what is wrong with it. */
export type DecodedNamedSnapshot =
  | { readonly entries: readonly NamedProducerEntry[]; readonly damage: null }
  | { readonly entries: null; readonly damage: string };

/** Reads a snapshot file's bytes; every length and the CRC are checked before anything is used. */
export function decodeNamedSnapshot(bytes: Uint8Array): DecodedNamedSnapshot {
  if (bytes.length < headerSizeBytes) return damaged(`it has ${bytes.length} bytes, fewer than its header`);
  const foundVersion = readInt16(bytes, 0);
  if (foundVersion !== version) return damaged(`it has version ${foundVersion}, and only ${version} is known`);
  if (readUint32(bytes, crcAt) !== crc32c(bytes.subarray(countAt))) return damaged('its checksum does not match');
  const count = readInt32(bytes, countAt);
  const entries: NamedProducerEntry[] = [];
  let at = headerSizeBytes;
  while (at < bytes.length) {
    const end = entryEnd(bytes, at);
    if (end < 0) return damaged('its last entry is cut short');
    const entry = readEntry(bytes, at);
    if (!isSound(entry)) return damaged(`its entry of producer ${JSON.stringify(entry.name)} is out of range`);
    entries.push(entry);
    at = end;
  }
  if (entries.length !== count) return damaged(`it has ${entries.length} entries and says ${count}`);
  return { entries, damage: null };
}

/** Where the entry at `at` ends; -1 where it is not whole. */
function entryEnd(bytes: Uint8Array, at: number): number {
  const countPlace = at + entryHeadBytes + (bytes[at + 22] ?? 0);
  if (countPlace >= bytes.length) return -1;
  const end = countPlace + 1 + bytes[countPlace]! * batchSizeBytes;
  return end > bytes.length ? -1 : end;
}

function readEntry(bytes: Uint8Array, start: number): NamedProducerEntry {
  const nameEnd = start + entryHeadBytes + bytes[start + 22]!;
  const batches: NamedBatch[] = [];
  for (let at = nameEnd + 1; batches.length < bytes[nameEnd]!; at += batchSizeBytes) {
    batches.push({
      firstNumber: readInt64(bytes, at),
      lastNumber: readInt64(bytes, at + 8),
      lastOffset: readInt64(bytes, at + 16),
      recordCount: readInt32(bytes, at + 24),
      timestampMs: readInt64(bytes, at + 28),
    });
  }
  return {
    producerId: readInt64(bytes, start),
    producerEpoch: readInt16(bytes, start + 8),
    lastSequence: readInt32(bytes, start + 10),
    lastUseMs: readInt64(bytes, start + 14),
    name: String.fromCharCode(...bytes.subarray(start + entryHeadBytes, nameEnd)),
    batches,
  };
}

function isSound({ producerId, producerEpoch, lastSequence, lastUseMs, name, batches }: NamedProducerEntry): boolean {
  return (
    isNamedProducerId(producerId) &&
    producerEpoch >= 0 &&
    lastSequence >= -1 &&
    Number.isSafeInteger(lastUseMs) &&
    isProducerName(name) &&
    batches.length > 0 &&
    batches.length <= rememberedBatches &&
    batches.every((batch, i) => isSoundBatch(batch, batches[i - 1]))
  );
}

function isSoundBatch(batch: NamedBatch, before: NamedBatch | undefined): boolean {
  const { firstNumber, lastNumber, lastOffset, recordCount } = batch;
  return (
    (isRecordNumber(firstNumber) || firstNumber === noRecordNumber) &&
    isRecordNumber(lastNumber) &&
    firstNumber <= lastNumber &&
    recordCount >= 1 &&
    Number.isSafeInteger(lastOffset) &&
    lastOffset >= recordCount - 1 &&
    (before === undefined || (before.lastNumber < lastNumber && before.lastOffset < lastOffset))
  );
}

function damaged(damage: string): DecodedNamedSnapshot {
  return { entries: null, damage };
}
