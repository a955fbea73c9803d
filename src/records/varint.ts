/**
 * Varints as records carry them: base-128 groups, the low ones first, of zigzag-coded integers (protobuf's sint). Any
 * thread. Reading goes through a cursor, so that a loop over records allocates nothing.
 * A varlong comes as a double: exact between ±2^53.
 */

const twoTo32 = 4294967296;
const int32MaxBytes = 5;
const int64MaxBytes = 10;

/** Bytes and the place of the next one to read; `end` is exclusive. */
export interface Cursor {
  bytes: Uint8Array;
  at: number;
  end: number;
}

/** The bytes are not what their place in the format asks for. Whoever reads a client's bytes turns it into an error code. */
export class MalformedRecordsError extends Error {
  override readonly name = 'MalformedRecordsError';
}

/** Reads an int32. Throws `MalformedRecordsError` where the bytes end early or the number is too long. */
export function readVarint(cursor: Cursor): number {
  let raw = 0;
  for (let group = 0; group < int32MaxBytes; group++) {
    const byte = nextByte(cursor);
    if (group === int32MaxBytes - 1 && byte > 0x0f) break;
    raw |= (byte & 0x7f) << (group * 7);
    if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
  }
  throw new MalformedRecordsError('a varint is longer than 32 bits');
}

/** Reads an int64 as a double. Throws as `readVarint`. */
export function readVarlong(cursor: Cursor): number {
  let low = 0;
  let high = 0;
  for (let group = 0; group < int64MaxBytes; group++) {
    const byte = nextByte(cursor);
    if (group === int64MaxBytes - 1 && byte > 0x01) break;
    const bits = byte & 0x7f;
    if (group < 4) low |= bits << (group * 7);
    else if (group === 4) {
      low |= bits << 28;
      high = bits >>> 4;
    } else high |= bits << (group * 7 - 32);
    if (byte < 0x80) return unzigzag(low >>> 0, high >>> 0);
  }
  throw new MalformedRecordsError('a varlong is longer than 64 bits');
}

/** Writes an int32 at `at` and returns the place after it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  while (raw >= 0x80) {
    bytes[at++] = raw | 0x80;
    raw >>>= 7;
  }
  bytes[at++] = raw;
  return at;
}

/** Writes a safe integer as an int64 at `at` and returns the place after it. */
export function writeVarlong(bytes: Uint8Array, at: number, value: number): number {
  // Most are timestamps less the one before them.
  if (value >= 0 && value < 64) {
    bytes[at] = value << 1;
    return at + 1;
  }
  // The zigzag of a safe integer reaches 2^54, beyond what a double holds exactly: it is kept in two halves.
  const magnitude = value < 0 ? -value - 1 : value;
  const magnitudeLow = magnitude >>> 0;
  let low = ((magnitudeLow << 1) | (value < 0 ? 1 : 0)) >>> 0;
  let high = ((Math.floor(magnitude / twoTo32) << 1) | (magnitudeLow >>> 31)) >>> 0;
  while (high !== 0 || low >= 0x80) {
    bytes[at++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  bytes[at++] = low;
  return at;
}

/** How many bytes `writeVarint` takes for an int32. */
export function varintSizeBytes(value: number): number {
  const raw = ((value << 1) ^ (value >> 31)) >>> 0;
  return raw < 0x80 ? 1 : raw < 0x4000 ? 2 : raw < 0x200000 ? 3 : raw < 0x10000000 ? 4 : 5;
}

/** How many bytes `writeVarlong` takes for a safe integer. */
export function varlongSizeBytes(value: number): number {
  const magnitude = value < 0 ? -value - 1 : value;
  // The first byte has room for six bits beside the sign, each further one for seven.
  let size = 1;
  for (let bound = 64; magnitude >= bound; bound *= 128) size++;
  return size;
}

function nextByte(cursor: Cursor): number {
  if (cursor.at >= cursor.end) throw new MalformedRecordsError('the records end within a number');
  return cursor.bytes[cursor.at++]!;
}

function unzigzag(low: number, high: number): number {
  const magnitude = (high >>> 1) * twoTo32 + (((high << 31) | (low >>> 1)) >>> 0);
  return (low & 1) === 0 ? magnitude : -magnitude - 1;
}
