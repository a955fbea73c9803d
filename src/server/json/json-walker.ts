/**
 * Walks over the members of an object or the elements of an array in JSON text that has been checked (json-scanner.ts),
 * as positions: nothing is decoded but what is asked for. Any thread.
 */

import { assert } from '../../base/assert.ts';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openObject = 0x7b;
const openArray = 0x5b;

/** What kind of value begins with a byte. */
export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

/** The kind of the value at `at`. */
export function kindAt(bytes: Uint8Array, at: number): JsonKind {
  switch (bytes[at]) {
    case openObject:
      return 'object';
    case openArray:
      return 'array';
    case quote:
      return 'string';
    case 0x74:
    case 0x66:
      return 'boolean';
    case 0x6e:
      return 'null';
    default:
      return 'number';
  }
}

/** A value among others: `[start, end)` of the text, and the name that it has in an object. */
export class JsonWalker {
  start = 0;
  end = 0;
  /** The text that is walked over. */
  readonly bytes: Uint8Array;
  readonly #isObject: boolean;
  #position: number;
  #nameStart = 0;
  #nameEnd = 0;

  /** Over the object or array that begins at `at`. */
  constructor(bytes: Uint8Array, at: number) {
    assert(bytes[at] === openObject || bytes[at] === openArray, 'an object or array begins here');
    this.bytes = bytes;
    this.#isObject = bytes[at] === openObject;
    this.#position = at + 1;
  }

  /** Moves to the next value; false after the last, where `end` is the position behind the whole. */
  next(): boolean {
    const { bytes } = this;
    let at = spaceEnd(bytes, this.#position);
    if (bytes[at] === comma) at = spaceEnd(bytes, at + 1);
    if (bytes[at] === 0x7d || bytes[at] === 0x5d) {
      this.end = at + 1;
      return false;
    }
    if (this.#isObject) {
      this.#nameStart = at;
      this.#nameEnd = stringEnd(bytes, at);
      at = spaceEnd(bytes, this.#nameEnd);
      assert(bytes[at] === colon, 'a colon follows a name');
      at = spaceEnd(bytes, at + 1);
    }
    this.start = at;
    this.end = valueEnd(bytes, at);
    this.#position = this.end;
    return true;
  }

  get name(): string {
    return textOf(this.bytes, this.#nameStart, this.#nameEnd);
  }

  get kind(): JsonKind {
    return kindAt(this.bytes, this.start);
  }

  /** The current value where it is a string. */
  get text(): string {
    return textOf(this.bytes, this.start, this.end);
  }

  /** The bytes of the current value's text, as they came. */
  get json(): Uint8Array {
    return this.bytes.subarray(this.start, this.end);
  }

  /** The UTF-8 of the current value where it is a string: a view where nothing is escaped. */
  get utf8(): Uint8Array {
    return utf8Of(this.bytes, this.start, this.end);
  }
}

/** The string that stands at `[start, end)`, quotes included. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  const inner = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  return inner.includes(backslash)
    ? (JSON.parse(inner.toString()) as string)
    : inner.toString('utf8', 1, end - start - 1);
}

/** The UTF-8 of the string that stands at `[start, end)`, quotes included. A lone half of a surrogate pair becomes U+FFFD. */
export function utf8Of(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const inner = bytes.subarray(start + 1, end - 1);
  return inner.includes(backslash) ? Buffer.from(textOf(bytes, start, end)) : inner;
}

function spaceEnd(bytes: Uint8Array, at: number): number {
  let position = at;
  while (bytes[position]! <= 0x20) position++;
  return position;
}

function stringEnd(bytes: Uint8Array, at: number): number {
  let position = at + 1;
  while (bytes[position] !== quote) position += bytes[position] === backslash ? 2 : 1;
  return position + 1;
}

/** The position behind the value at `at`. */
function valueEnd(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first === quote) return stringEnd(bytes, at);
  let position = at;
  if (first !== openObject && first !== openArray) {
    while (position < bytes.length && !endsScalar(bytes[position]!)) position++;
    return position;
  }
  let depth = 0;
  for (;;) {
    const byte = bytes[position]!;
    if (byte === quote) {
      position = stringEnd(bytes, position);
      continue;
    }
    if (byte === openObject || byte === openArray) depth++;
    else if (byte === 0x7d || byte === 0x5d) depth--;
    position++;
    if (depth === 0) return position;
  }
}

function endsScalar(byte: number): boolean {
  return byte <= 0x20 || byte === comma || byte === 0x7d || byte === 0x5d;
}
