/**
 * How a batch of a named producer says whose it is: two headers at the end of its last record. Any thread.
 *
 *   … last record: its own headers │ millrace.producer = name │ millrace.sequence = number of this record, decimal
 *
 * Kafka's clients pass headers on to whoever asks for them and act on none, so every tool reads such a batch, and shows
 * the name and the number as text. The last record alone carries them, whatever a batch holds: 51 bytes a batch for a
 * name of ten letters and a number of four digits, 0.05 a record in a batch of a thousand. Whoever recovers the
 * producers needs the last number only, and comes to it by the records' length prefixes, without looking into them.
 *
 * Records that were copied from elsewhere may carry headers of the same names; the broker's are the last two. They count
 * only in batches whose producer id is in the named producers' range, which no client may use.
 * It does not decide about numbers (`storage/named-producers.ts`).
 */

import { batchField, isControl, attributesAt, compressionOf, Compression, recordCountAt } from './record-batch.ts';
import { MalformedRecordsError, readVarint, readVarlong, varintSizeBytes, writeVarint, type Cursor } from './varint.ts';

export const producerHeaderKey = 'millrace.producer';
export const sequenceHeaderKey = 'millrace.sequence';
/** How many headers `encodeIdentity` makes. */
export const identityHeaderCount = 2;

/** The longest name of a producer, in characters, each of which is a byte. */
export const longestProducerName = 128;
/** The largest number of a record, 2^53 - 1; the smallest is 0. */
export const largestRecordNumber = Number.MAX_SAFE_INTEGER;
/** Stands for the number of no record. */
export const noRecordNumber = -1;

/**
 * Producer ids from here to 2^53 are the named producers', made of their names (`storage/named-producers.ts`); those
 * that InitProducerId gives out rise from 0.
 */
export const firstNamedProducerId = 2 ** 52;

/** Whose the last record of a batch is, and its number. */
export interface RecordIdentity {
  readonly name: string;
  readonly number: number;
}

const namePattern = /^[\x21-\x7e]+$/;
const numberPattern = /^(0|[1-9]\d{0,15})$/;
const utf8 = new TextEncoder();
const producerKeyBytes = utf8.encode(producerHeaderKey);
const sequenceKeyBytes = utf8.encode(sequenceHeaderKey);

/** Whether a producer may have this name: 1 to 128 visible ASCII characters, so that every door can carry it. */
export function isProducerName(name: string): boolean {
  return name.length <= longestProducerName && namePattern.test(name);
}

/** Whether a record may have this number: a whole number from 0 to 2^53 - 1. */
export function isRecordNumber(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0;
}

/** Whether batches of `producerId` are a named producer's. */
export function isNamedProducerId(producerId: number): boolean {
  return producerId >= firstNamedProducerId && Number.isSafeInteger(producerId);
}

/** At most so many bytes take the identity of `name` in a record, with what its counts grow. */
export function identityBoundBytes(name: string): number {
  return 2 * (1 + producerKeyBytes.length) + 2 + name.length + 1 + 16 + 8;
}

/** The two headers in wire form, without a count before them. `name` is allowed and `number` a record's. */
export function encodeIdentity(name: string, number: number): Uint8Array {
  const digits = String(number);
  const keySizeBytes = producerKeyBytes.length;
  const size = 2 * (1 + keySizeBytes) + varintSizeBytes(name.length) + name.length + 1 + digits.length;
  const bytes = new Uint8Array(size);
  let at = writeText(bytes, writeField(bytes, 0, producerKeyBytes), name);
  at = writeText(bytes, writeField(bytes, at, sequenceKeyBytes), digits);
  return bytes;
}

/**
 * The identity that the batch in [`at`, `end`) of `bytes` carries, whose header is whole; null where it carries none, is
 * compressed or has records that do not parse. It reads one length a record, and the fields of the last.
 */
export function readIdentity(bytes: Uint8Array, at: number, end: number): RecordIdentity | null {
  const attributes = attributesAt(bytes, at);
  if (compressionOf(attributes) !== Compression.NONE || isControl(attributes)) return null;
  const cursor: Cursor = { bytes, at: at + batchField.records, end };
  try {
    return identityOf(cursor, recordCountAt(bytes, at));
  } catch (error) {
    if (error instanceof MalformedRecordsError) return null;
    throw error;
  }
}

function identityOf(cursor: Cursor, recordCount: number): RecordIdentity | null {
  if (recordCount < 1) return null;
  for (let i = 1; i < recordCount; i++) skip(cursor, readVarint(cursor));
  readVarint(cursor);
  skip(cursor, 1);
  readVarlong(cursor);
  readVarint(cursor);
  skip(cursor, readVarint(cursor));
  skip(cursor, readVarint(cursor));
  const headerCount = readVarint(cursor);
  if (headerCount < identityHeaderCount) return null;
  for (let i = identityHeaderCount; i < headerCount; i++) {
    skip(cursor, readVarint(cursor));
    skip(cursor, readVarint(cursor));
  }
  const name = readAfterKey(cursor, producerKeyBytes);
  const digits = name === null ? null : readAfterKey(cursor, sequenceKeyBytes);
  if (name === null || digits === null || !isProducerName(name) || !numberPattern.test(digits)) return null;
  const number = Number(digits);
  return isRecordNumber(number) ? { name, number } : null;
}

/** Passes over `size` bytes; a size below 0 stands for null. */
function skip(cursor: Cursor, size: number): void {
  if (size > cursor.end - cursor.at) throw new MalformedRecordsError('a field is longer than its record');
  if (size > 0) cursor.at += size;
}

/** The value of the header at the cursor as text, or null where it is not the one with `key`. */
function readAfterKey(cursor: Cursor, key: Uint8Array): string | null {
  const keyAt = readVarint(cursor) === key.length ? cursor.at : -1;
  if (keyAt < 0) return null;
  skip(cursor, key.length);
  for (let i = 0; i < key.length; i++) if (cursor.bytes[keyAt + i] !== key[i]) return null;
  const size = readVarint(cursor);
  const valueAt = cursor.at;
  if (size < 0 || size > longestProducerName) return null;
  skip(cursor, size);
  // Short and ASCII: quicker than a decoder, which takes no shared memory in browsers either.
  return String.fromCharCode(...cursor.bytes.subarray(valueAt, valueAt + size));
}

function writeField(bytes: Uint8Array, at: number, field: Uint8Array): number {
  const start = writeVarint(bytes, at, field.length);
  bytes.set(field, start);
  return start + field.length;
}

function writeText(bytes: Uint8Array, at: number, text: string): number {
  let end = writeVarint(bytes, at, text.length);
  for (let i = 0; i < text.length; i++) bytes[end++] = text.charCodeAt(i);
  return end;
}
