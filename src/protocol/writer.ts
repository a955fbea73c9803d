/**
 * Writes the primitives of Kafka's protocol into a growing buffer. Any thread; no `node:`, browsers use it.
 *
 *   buffer:  [size][header, fields …)(fields …)(fields …]      in a slab that small frames share, or grown by doubling
 *   records:                         ^view    ^view            at or above `scatterBytes`: kept, not copied
 *   finish():  [buffer part] [view] [buffer part] [view] [buffer part]
 *
 * A kept view must stay as it is until the chunks are sent. What does not fit its type is a defect of the caller and
 * fails an assertion. It does not know messages; those are generated from `schemas/`.
 */

import { assert } from '../base/assert.ts';
import { uuidIntoBytes, type Uuid } from '../base/uuid.ts';
import { maxStringBytes } from './reader.ts';

/** Records from this many bytes on are passed on as a chunk of their own; below, a copy costs less than a chunk. */
export const scatterBytes = 4096;

const encoder = new TextEncoder();
const floatScratch = new DataView(new ArrayBuffer(8));
const sizePrefixBytes = 4;
/** 2^63 as a double; what is at or beyond it is written as the largest int64. */
const int64Limit = 2 ** 63;

/** Thrown by `Writer` for a frame that grows beyond what whoever writes it allows. */
export class FrameTooLarge extends Error {
  override readonly name = 'FrameTooLarge';
}

/**
 * Small frames lie in one slab, one after the other: a buffer of its own costs each of them a microsecond and the
 * garbage collector more. A slab is kept as long as one of its frames is, so that it must not be large.
 */
const slabBytes = 8192;
const slabAlignmentBytes = 8;
let slab = new Uint8Array(slabBytes);
let slabUsedBytes = 0;

/** As much as anyone reads of an error's sentence, in UTF-16 units. */
const longestSentence = 2000;

/**
 * An error's sentence, cut where it is too long. It may name what a client made up, such as a name of 32767 bytes, and
 * must be sent all the same.
 */
export function shortSentence(sentence: string | null): string | null {
  return sentence === null || sentence.length <= longestSentence ? sentence : `${sentence.slice(0, longestSentence)}…`;
}

export class Writer {
  readonly #sizePrefixed: boolean;
  readonly #maxBytes: number;
  /** The slab, or a buffer of the frame's own. It may hold what was written there before. */
  #buffer: Uint8Array;
  /** Where in the buffer the frame begins, and up to where it may go before it has to move. */
  #start: number;
  #end: number;
  /** From the frame's beginning, as all that is kept of places in it: it may move. */
  #position: number;
  #views: { readonly at: number; readonly view: Uint8Array }[] = [];
  #viewBytes = 0;

  /**
   * `sizePrefixed`: the chunks start with the frame's size as an int32, which counts what follows it.
   * `capacity`: bytes to begin with; a good guess saves copies.
   * `maxBytes`: what the buffer may grow to, kept views not counted; beyond, writing throws `FrameTooLarge`.
   */
  constructor(sizePrefixed: boolean, capacity = 512, maxBytes = Infinity) {
    this.#maxBytes = maxBytes;
    this.#sizePrefixed = sizePrefixed;
    this.#position = sizePrefixed ? sizePrefixBytes : 0;
    const capacityBytes = Math.max(capacity, 16);
    if (capacityBytes > slabBytes / 4) {
      this.#buffer = new Uint8Array(capacityBytes);
      this.#start = 0;
      this.#end = capacityBytes;
      return;
    }
    if (slabUsedBytes + capacityBytes > slabBytes) {
      slab = new Uint8Array(slabBytes);
      slabUsedBytes = 0;
    }
    this.#buffer = slab;
    this.#start = slabUsedBytes;
    slabUsedBytes += capacityBytes;
    this.#end = slabUsedBytes;
  }

  /** Bytes written so far, with the size prefix and the views kept. */
  get length(): number {
    return this.#position + this.#viewBytes;
  }

  /** The finished frame, in order; the writer is not used after it. */
  finish(): Uint8Array[] {
    if (this.#sizePrefixed) {
      const size = this.length - sizePrefixBytes;
      assert(size <= 0x7fff_ffff, 'a frame is longer than 2 GiB');
      this.#putInt32(this.#start, size);
    }
    const chunks: Uint8Array[] = [];
    let start = 0;
    for (const { at, view } of this.#views) {
      if (at > start) chunks.push(this.#part(start, at));
      chunks.push(view);
      start = at;
    }
    if (this.#position > start) chunks.push(this.#part(start, this.#position));
    this.#giveBack();
    return chunks;
  }

  #part(start: number, end: number): Uint8Array {
    return this.#buffer.subarray(this.#start + start, this.#start + end);
  }

  /** Gives back what lies behind the frame in the slab, if no other frame was begun since. */
  #giveBack(): void {
    if (this.#buffer !== slab || this.#end !== slabUsedBytes) return;
    slabUsedBytes = this.#start + Math.ceil(this.#position / slabAlignmentBytes) * slabAlignmentBytes;
  }

  /** Makes room for `length` more bytes, advances over them and returns where in the buffer they start, until the next call. */
  #reserve(length: number): number {
    const start = this.#position;
    const end = start + length;
    if (this.#start + end > this.#end) this.#grow(end);
    this.#position = end;
    return this.#start + start;
  }

  #grow(neededBytes: number): void {
    if (neededBytes > this.#maxBytes) throw new FrameTooLarge(`a frame is longer than ${this.#maxBytes} bytes`);
    const grown = new Uint8Array(Math.max((this.#end - this.#start) * 2, neededBytes));
    grown.set(this.#part(0, this.#position));
    this.#buffer = grown;
    this.#start = 0;
    this.#end = grown.length;
  }

  #putInt32(at: number, value: number): void {
    const buffer = this.#buffer;
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
  }

  boolean(value: boolean): void {
    const at = this.#reserve(1);
    this.#buffer[at] = value ? 1 : 0;
  }

  int8(value: number): void {
    assert((value << 24) >> 24 === value, 'not an int8');
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  int16(value: number): void {
    assert((value << 16) >> 16 === value, 'not an int16');
    const at = this.#reserve(2);
    this.#buffer[at] = value >>> 8;
    this.#buffer[at + 1] = value;
  }

  uint16(value: number): void {
    assert((value & 0xffff) === value, 'not a uint16');
    const at = this.#reserve(2);
    this.#buffer[at] = value >>> 8;
    this.#buffer[at + 1] = value;
  }

  int32(value: number): void {
    assert((value | 0) === value, 'not an int32');
    this.#putInt32(this.#reserve(4), value);
  }

  /**
   * An integral double as an int64. Beyond 2^53 it is what decoding rounded to; 2^63 (the largest int64, rounded)
   * is written as the largest int64, so that "no limit" stays what it is.
   */
  int64(value: number): void {
    assert(Number.isInteger(value) && value >= -int64Limit && value <= int64Limit, 'not an int64');
    const at = this.#reserve(8);
    if (value === int64Limit) {
      this.#putInt32(at, 0x7fff_ffff);
      this.#putInt32(at + 4, -1);
      return;
    }
    this.#putInt32(at, Math.floor(value / 4_294_967_296));
    this.#putInt32(at + 4, value | 0);
  }

  float64(value: number): void {
    floatScratch.setFloat64(0, value);
    const at = this.#reserve(8);
    this.#putInt32(at, floatScratch.getInt32(0));
    this.#putInt32(at + 4, floatScratch.getInt32(4));
  }

  uuid(value: Uuid): void {
    const at = this.#reserve(16);
    uuidIntoBytes(value, this.#buffer, at);
  }

  /** An unsigned varint of at most 32 bits. */
  uvarint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      const at = this.#reserve(1);
      this.#buffer[at] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    const at = this.#reserve(1);
    this.#buffer[at] = rest;
  }

  /** Writes `value` where it is ASCII; returns false, with nothing written, where it is not. */
  #ascii(value: string): boolean {
    const length = value.length;
    const at = this.#reserve(length);
    const buffer = this.#buffer;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) {
        this.#position -= length;
        return false;
      }
      buffer[at + i] = code;
    }
    return true;
  }

  #raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  string(value: string): void {
    const start = this.#position;
    this.#reserve(2);
    if (!this.#ascii(value)) this.#raw(encoder.encode(value));
    const length = this.#position - start - 2;
    assert(length <= maxStringBytes, 'a string is longer than 32767 bytes');
    this.#buffer[this.#start + start] = length >>> 8;
    this.#buffer[this.#start + start + 1] = length;
  }

  nullableString(value: string | null): void {
    if (value === null) this.int16(-1);
    else this.string(value);
  }

  compactString(value: string): void {
    const start = this.#position;
    this.uvarint(value.length + 1);
    if (this.#ascii(value)) {
      assert(value.length <= maxStringBytes, 'a string is longer than 32767 bytes');
      return;
    }
    this.#position = start;
    const bytes = encoder.encode(value);
    assert(bytes.length <= maxStringBytes, 'a string is longer than 32767 bytes');
    this.uvarint(bytes.length + 1);
    this.#raw(bytes);
  }

  compactNullableString(value: string | null): void {
    if (value === null) this.uvarint(0);
    else this.compactString(value);
  }

  bytes(value: Uint8Array): void {
    this.int32(value.length);
    this.#raw(value);
  }

  nullableBytes(value: Uint8Array | null): void {
    if (value === null) this.int32(-1);
    else this.bytes(value);
  }

  compactBytes(value: Uint8Array): void {
    this.uvarint(value.length + 1);
    this.#raw(value);
  }

  compactNullableBytes(value: Uint8Array | null): void {
    if (value === null) this.uvarint(0);
    else this.compactBytes(value);
  }

  /** Keeps a long view as a chunk of its own, copies a short one. */
  #scatter(view: Uint8Array): void {
    if (view.length < scatterBytes) {
      this.#raw(view);
      return;
    }
    this.#views.push({ at: this.#position, view });
    this.#viewBytes += view.length;
  }

  records(value: Uint8Array): void {
    this.int32(value.length);
    this.#scatter(value);
  }

  nullableRecords(value: Uint8Array | null): void {
    if (value === null) this.int32(-1);
    else this.records(value);
  }

  compactRecords(value: Uint8Array): void {
    this.uvarint(value.length + 1);
    this.#scatter(value);
  }

  compactNullableRecords(value: Uint8Array | null): void {
    if (value === null) this.uvarint(0);
    else this.compactRecords(value);
  }

  /** The count of an array that follows; -1 for a null array. */
  count(count: number): void {
    this.int32(count);
  }

  /** As `count`, compact. */
  compactCount(count: number): void {
    this.uvarint(count + 1);
  }

  /** Starts the tagged field `tag`; returns the mark for `endTag`. Tags are written in rising order. */
  beginTag(tag: number): number {
    this.uvarint(tag);
    const mark = this.#position;
    this.#reserve(1);
    return mark;
  }

  /** Writes the size of the tagged field begun at `mark`. */
  endTag(mark: number): void {
    const size = this.#position - mark - 1;
    let sizeBytes = 1;
    for (let rest = size >>> 7; rest > 0; rest >>>= 7) sizeBytes++;
    if (sizeBytes > 1) {
      // One byte was reserved, which does for nearly all; the others move up.
      this.#reserve(sizeBytes - 1);
      const at = this.#start + mark;
      this.#buffer.copyWithin(at + sizeBytes, at + 1, at + 1 + size);
    }
    const end = this.#position;
    this.#position = mark;
    this.uvarint(size);
    this.#position = end;
  }
}
