// Passes over values of JSON text (RFC 8259) byte by byte but for strings, and says where each ends: nothing is decoded, no
// number is rounded. One thread, on its own memory; reads up to 64 bytes beyond a text.

import {
  alone,
  colonExpected,
  endOfArrayExpected,
  endOfObjectExpected,
  endsWithin,
  leadingZero,
  lineEndsWithin,
  nameExpected,
  nesting,
  newlineEnds,
  noDigits,
  noExponent,
  noFraction,
  notOfNumber,
  noValue,
  tooDeep,
  unknownWord,
  valueExpected,
  wordCut,
} from './layout';
import { fail } from './failure';
import { stringEnd } from './strings';

const newline: u8 = 0x0a;
const comma: u8 = 0x2c;
const colon: u8 = 0x3a;
const quote: u8 = 0x22;
const openArray: u8 = 0x5b;
const closeArray: u8 = 0x5d;
const openObject: u8 = 0x7b;
const closeObject: u8 = 0x7d;

/**
 * Passes over the one value that begins at `at`, white space before it allowed. Returns the position behind it; 0 after a
 * failure. At most `deepest` arrays and objects may be within each other, up to 256.
 */
export function scanValue(at: usize, end: usize, flags: u32, deepest: u32): usize {
  let depth: u32 = 0;
  let position = at;
  while (true) {
    // A value is due.
    position = spaceEnd(position, end, flags);
    if (position >= end) return fail(end, depth == 0 ? noValue : endsWithin, true);
    const byte = load<u8>(position);
    let isOpened = false;
    if (byte == quote) position = stringEnd(position, end, flags);
    else if (byte == openObject || byte == openArray) {
      if (depth == deepest) return fail(position, tooDeep, false);
      depth++;
      const isArray = byte == openArray;
      store<u8>(nesting + depth, <u8>isArray);
      position = spaceEnd(position + 1, end, flags);
      if (position >= end) return fail(end, endsWithin, true);
      const next = load<u8>(position);
      if (next == (isArray ? closeArray : closeObject)) {
        position++;
        depth--;
      } else {
        isOpened = true;
        if (!isArray) position = nameEnd(position, end, flags);
      }
    } else if (isDigit(byte) || byte == 0x2d) position = numberEnd(position, end, depth == 0 && (flags & alone) != 0);
    else if (byte == 0x74) position = wordEnd(position, end, 0x65757274, 4);
    else if (byte == 0x6e) position = wordEnd(position, end, 0x6c6c756e, 4);
    else if (byte == 0x66) position = wordEnd(position, end, 0x736c6166, 5);
    else return fail(position, byte == newline ? lineEndsWithin : valueExpected, byte == newline);
    if (position == 0) return 0;
    if (isOpened) continue;
    // A value has ended, and with it what it was the last of.
    while (true) {
      if (depth == 0) return position;
      position = spaceEnd(position, end, flags);
      if (position >= end) return fail(end, endsWithin, true);
      const isArray = load<u8>(nesting + depth) != 0;
      const next = load<u8>(position);
      if (next == comma) {
        position++;
        if (!isArray) {
          position = nameEnd(spaceEnd(position, end, flags), end, flags);
          if (position == 0) return 0;
        }
        break;
      }
      if (next != (isArray ? closeArray : closeObject)) {
        if (next == newline) return fail(position, lineEndsWithin, true);
        return fail(position, isArray ? endOfArrayExpected : endOfObjectExpected, false);
      }
      position++;
      depth--;
    }
  }
}

/** The first position from `at` on that holds no white space; `end` where there is none. */
// @ts-ignore: decorator
@inline
export function spaceEnd(at: usize, end: usize, flags: u32): usize {
  // Nearly always there is none.
  return load<u8>(at) > 0x20 ? at : longSpaceEnd(at, end, flags);
}

function longSpaceEnd(at: usize, end: usize, flags: u32): usize {
  let position = at;
  while (position < end) {
    const byte = load<u8>(position);
    if (byte != 0x20 && byte != 0x09 && byte != 0x0d && (byte != newline || (flags & newlineEnds) != 0)) break;
    position++;
  }
  return position;
}

/** The position behind the name at `at` and the colon that follows it. */
// @ts-ignore: decorator
@inline
function nameEnd(at: usize, end: usize, flags: u32): usize {
  if (at >= end) return fail(end, endsWithin, true);
  const byte = load<u8>(at);
  if (byte != quote) return fail(at, byte == newline ? lineEndsWithin : nameExpected, byte == newline);
  const position = stringEnd(at, end, flags);
  return position == 0 ? 0 : colonEnd(position, end, flags);
}

/** The position behind the colon that follows a name that ends at `at`. */
// @ts-ignore: decorator
@inline
export function colonEnd(at: usize, end: usize, flags: u32): usize {
  const position = spaceEnd(at, end, flags);
  if (position >= end) return fail(end, endsWithin, true);
  const byte = load<u8>(position);
  if (byte == colon) return position + 1;
  return fail(position, byte == newline ? lineEndsWithin : colonExpected, byte == newline);
}

function numberEnd(at: usize, end: usize, isAlone: bool): usize {
  let position = at;
  if (load<u8>(position) == 0x2d) position++;
  if (position >= end) return fail(end, noDigits, true);
  const first = load<u8>(position);
  if (!isDigit(first)) return fail(position, noDigits, false);
  position++;
  if (first == 0x30) {
    if (position < end && isDigit(load<u8>(position))) return fail(position, leadingZero, false);
  } else position = digitsEnd(position, end);
  if (position < end && load<u8>(position) == 0x2e) {
    const from = position + 1;
    position = digitsEnd(from, end);
    if (position == from) return fail(position, noFraction, position == end);
  }
  if (position < end && (load<u8>(position) | 0x20) == 0x65) {
    position++;
    if (position < end && (load<u8>(position) == 0x2b || load<u8>(position) == 0x2d)) position++;
    const from = position;
    position = digitsEnd(from, end);
    if (position == from) return fail(position, noExponent, position == end);
  }
  // A number that stands alone has no mark of its end: what follows decides whether it is one.
  if (isAlone && position < end && !isOfJson(load<u8>(position))) return fail(position, notOfNumber, false);
  return position;
}

/** Whether JSON text has the byte between its tokens, or as the first of one. */
function isOfJson(byte: u8): bool {
  switch (byte) {
    case 0x20:
    case 0x09:
    case 0x0d:
    case 0x0a:
    case quote:
    case comma:
    case colon:
    case openArray:
    case closeArray:
    case openObject:
    case closeObject:
    case 0x2d:
    case 0x74:
    case 0x66:
    case 0x6e:
      return true;
    default:
      return isDigit(byte);
  }
}

/** Over one of the three words: its first four bytes, little-endian, and an `e` where it has five. */
function wordEnd(at: usize, end: usize, four: u32, size: usize): usize {
  if (at + size <= end && load<u32>(at) == four && (size == 4 || load<u8>(at, 4) == 0x65)) return at + size;
  for (let i: usize = 1; i < size; i++) {
    if (at + i >= end) return fail(end, wordCut, true);
    const due: u8 = i == 4 ? 0x65 : <u8>(four >>> (<u32>i * 8));
    if (load<u8>(at + i) != due) break;
  }
  return fail(at, unknownWord, false);
}

function digitsEnd(at: usize, end: usize): usize {
  let position = at;
  while (position < end && isDigit(load<u8>(position))) position++;
  return position;
}

// @ts-ignore: decorator
@inline
function isDigit(byte: u8): bool {
  return byte - 0x30 < 10;
}
