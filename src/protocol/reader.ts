/**
 * Reads the primitives of Kafka's protocol from one frame. Any thread; no `node:`, browsers use it.
 *
 * Every length and every count is checked against the bytes that are left before anything is read or kept, so a
 * frame cannot make this code reserve more than it holds. What does not fit throws `MalformedFrame`: an internal signal
 * that whoever decodes (the dispatcher, the client) catches at one place and answers by closing the connection.
 *
 * Views of `bytes` and `records` point into the frame: they live as long as its memory does.
 * It does not know messages; those are generated from `schemas/`.
 */

import { uuidFromBytes, type Uuid } from '../base/uuid.ts';

/** Thrown by `Reader`, and only by it, for bytes that are no message of the version claimed. */
export class MalformedFrame extends Error {
  override readonly name = 'MalformedFrame';
}

/** The longest string in the protocol, in bytes; Kafka holds flexible versions to it as well. */
export const maxStringBytes = 32_767;

const lenientDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
const fatalDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
/** Up to here a replaced byte (three bytes when written again) cannot make a string longer than `maxStringBytes`. */
const lenientBytes = Math.floor(maxStringBytes / 3);
/** Short ASCII is built by hand: a call into the decoder costs more than these bytes do. */
const shortBytes = 32;

const floatScratch = new DataView(new ArrayBuffer(8));

export class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #position = 0;
  #elementsLeft: number;

  /**
   * Reads `frame` from its first byte; the frame stands without its size prefix. `maxElements`: so many elements of
   * arrays and tagged fields may all its structs have together. An element of one byte in the frame may take a hundred
   * in memory, so that a bound on the frame alone bounds little.
   */
  constructor(frame: Uint8Array, maxElements = Infinity) {
    this.#bytes = frame;
    this.#end = frame.length;
    this.#elementsLeft = maxElements;
  }

  /** The next byte to be read, from the start of the frame. */
  get position(): number {
    return this.#position;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#end - this.#position;
  }

  /** Throws unless the whole frame has been read. */
  expectEnd(): void {
    if (this.#position !== this.#end) throw new MalformedFrame('bytes are left after the message');
  }

  /** Advances by `length` bytes and returns where they start. */
  #take(length: number): number {
    const start = this.#position;
    if (length < 0 || length > this.#end - start) throw new MalformedFrame('a length exceeds the bytes left');
    this.#position = start + length;
    return start;
  }

  boolean(): boolean {
    return this.#bytes[this.#take(1)] !== 0;
  }

  int8(): number {
    return (this.#bytes[this.#take(1)]! << 24) >> 24;
  }

  int16(): number {
    const at = this.#take(2);
    return ((this.#bytes[at]! << 24) | (this.#bytes[at + 1]! << 16)) >> 16;
  }

  uint16(): number {
    const at = this.#take(2);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  int32(): number {
    const at = this.#take(4);
    const bytes = this.#bytes;
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }

  /** An int64 as a double: exact up to 2^53 either way, rounded to the nearest double beyond. */
  int64(): number {
    const high = this.int32();
    const low = this.int32();
    return high * 4_294_967_296 + (low >>> 0);
  }

  float64(): number {
    const high = this.int32();
    const low = this.int32();
    floatScratch.setInt32(0, high);
    floatScratch.setInt32(4, low);
    return floatScratch.getFloat64(0);
  }

  uuid(): Uuid {
    return uuidFromBytes(this.#bytes, this.#take(16));
  }

  /** An unsigned varint of at most 32 bits. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)]!;
      if (shift === 28 && byte > 0x0f) throw new MalformedFrame('a varint exceeds 32 bits');
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new MalformedFrame('a varint exceeds 32 bits');
  }

  #text(length: number): string {
    if (length > maxStringBytes) throw new MalformedFrame('a string is longer than 32767 bytes');
    const start = this.#take(length);
    const end = start + length;
    if (length <= shortBytes) {
      let text = '';
      let at = start;
      for (; at < end; at++) {
        const byte = this.#bytes[at]!;
        if (byte > 0x7f) break;
        text += String.fromCharCode(byte);
      }
      if (at === end) return text;
    }
    const view = this.#bytes.subarray(start, end);
    if (length <= lenientBytes) return lenientDecoder.decode(view);
    try {
      return fatalDecoder.decode(view);
    } catch {
      throw new MalformedFrame('a long string is not UTF-8');
    }
  }

  string(): string {
    const length = this.int16();
    if (length < 0) throw new MalformedFrame('a string is null that must not be');
    return this.#text(length);
  }

  nullableString(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.#text(length);
  }

  compactString(): string {
    const length = this.uvarint() - 1;
    if (length < 0) throw new MalformedFrame('a string is null that must not be');
    return this.#text(length);
  }

  compactNullableString(): string | null {
    const length = this.uvarint() - 1;
    return length < 0 ? null : this.#text(length);
  }

  #view(length: number): Uint8Array {
    const start = this.#take(length);
    // A plain Uint8Array even where the frame is a Buffer, so that all views have one shape.
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }

  bytes(): Uint8Array {
    const length = this.int32();
    if (length < 0) throw new MalformedFrame('bytes are null that must not be');
    return this.#view(length);
  }

  nullableBytes(): Uint8Array | null {
    const length = this.int32();
    return length < 0 ? null : this.#view(length);
  }

  compactBytes(): Uint8Array {
    const length = this.uvarint() - 1;
    if (length < 0) throw new MalformedFrame('bytes are null that must not be');
    return this.#view(length);
  }

  compactNullableBytes(): Uint8Array | null {
    const length = this.uvarint() - 1;
    return length < 0 ? null : this.#view(length);
  }

  #checkedCount(count: number, minElementBytes: number): number {
    if (count < 0) throw new MalformedFrame('an array is null that must not be');
    if (count * minElementBytes > this.remaining) throw new MalformedFrame('a count exceeds the bytes left');
    if (count > this.#elementsLeft) throw new MalformedFrame('it has more elements than one request may have');
    this.#elementsLeft -= count;
    return count;
  }

  /** The count of an array whose elements take at least `minElementBytes` each. */
  count(minElementBytes: number): number {
    return this.#checkedCount(this.int32(), minElementBytes);
  }

  /** As `count`; -1 for a null array. */
  nullableCount(minElementBytes: number): number {
    const count = this.int32();
    return count < 0 ? -1 : this.#checkedCount(count, minElementBytes);
  }

  compactCount(minElementBytes: number): number {
    return this.#checkedCount(this.uvarint() - 1, minElementBytes);
  }

  compactNullableCount(minElementBytes: number): number {
    const count = this.uvarint() - 1;
    return count < 0 ? -1 : this.#checkedCount(count, minElementBytes);
  }

  /** The number of tagged fields that follow; each takes at least its tag and its size. */
  tagCount(): number {
    return this.#checkedCount(this.uvarint(), 2);
  }

  /** Reads a tagged field's size and returns the position at which the field ends. */
  tagEnd(): number {
    const size = this.uvarint();
    if (size > this.remaining) throw new MalformedFrame('a tagged field exceeds the bytes left');
    return this.#position + size;
  }

  /** Checks that a tagged field took exactly its size. */
  expectTagEnd(end: number): void {
    if (this.#position !== end) throw new MalformedFrame('a tagged field differs from its size');
  }

  /** Skips a tagged field that is not known. */
  skipTag(): void {
    this.#take(this.uvarint());
  }

  /** Skips all tagged fields of a struct that knows none. */
  skipTags(): void {
    for (let left = this.tagCount(); left > 0; left--) {
      this.uvarint();
      this.skipTag();
    }
  }
}
