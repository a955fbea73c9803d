// Passes over strings of JSON text, 16 bytes at a time as far as nothing in them needs a look. One thread, on its own memory;
// reads up to 64 bytes beyond a text. It decodes nothing.

import { controlCharacter, checksUtf8, lineEndsInString, newlineEnds, notClosed, notUtf8, unknownEscape, wrongHex } from './layout';
import { fail } from './failure';

const lane: usize = 16;
const quote: u8 = 0x22;
const backslash: u8 = 0x5c;
const newline: u8 = 0x0a;

let escaped: bool = false;

/** Whether the string that was passed over last has escapes. */
// @ts-ignore: decorator
@inline
export function hasEscapes(): bool {
  return escaped;
}

/** The position behind the string whose opening quote is at `at`; 0 after a failure. */
export function stringEnd(at: usize, end: usize, flags: u32): usize {
  const high = i8x16.splat((flags & checksUtf8) != 0 ? <i8>0x80 : 0);
  escaped = false;
  let position = at + 1;
  while (true) {
    position = plainEnd(position, end, high);
    if (position >= end) return fail(end, notClosed, true);
    const byte = load<u8>(position);
    if (byte == quote) return position + 1;
    if (byte == backslash) {
      escaped = true;
      position = escapeEnd(position, end);
      if (position == 0) return 0;
    } else if (byte < 0x20) {
      if (byte == newline && (flags & newlineEnds) != 0) return fail(position, lineEndsInString, true);
      return fail(position, controlCharacter, false);
    } else {
      // What is beyond ASCII comes together.
      do {
        const size = utf8Size(position, end);
        if (size == 0) return fail(position, notUtf8, false);
        if (size < 0) return fail(end, notClosed, true);
        position += <usize>size;
      } while (position < end && load<u8>(position) >= 0x80);
    }
  }
}

/** The first position from `at` on whose byte does not stand for itself; `end` or more where there is none before it. */
// @ts-ignore: decorator
@inline
function plainEnd(at: usize, end: usize, high: v128): usize {
  let position = at;
  const first = i8x16.bitmask(stops(v128.load(position), high));
  if (first != 0) return position + <usize>ctz(first);
  position += lane;
  while (position + 4 * lane <= end) {
    const any = v128.or(
      v128.or(stops(v128.load(position), high), stops(v128.load(position, 16), high)),
      v128.or(stops(v128.load(position, 32), high), stops(v128.load(position, 48), high)),
    );
    if (v128.any_true(any)) break;
    position += 4 * lane;
  }
  while (position < end) {
    const mask = i8x16.bitmask(stops(v128.load(position), high));
    if (mask != 0) return position + <usize>ctz(mask);
    position += lane;
  }
  return position;
}

/** The high bit of each byte that is a quote, a backslash, a control character, or has a bit of `high`. */
// @ts-ignore: decorator
@inline
function stops(bytes: v128, high: v128): v128 {
  const quotes = i8x16.eq(bytes, i8x16.splat(0x22));
  const backslashes = i8x16.eq(bytes, i8x16.splat(0x5c));
  const controls = i8x16.eq(i8x16.min_u(bytes, i8x16.splat(0x1f)), bytes);
  return v128.or(v128.or(quotes, backslashes), v128.or(controls, v128.and(bytes, high)));
}

function escapeEnd(at: usize, end: usize): usize {
  if (at + 1 >= end) return fail(end, notClosed, true);
  switch (load<u8>(at, 1)) {
    case 0x22: // "
    case 0x5c: // backslash
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 2;
    case 0x75: // u
      break;
    default:
      return fail(at, unknownEscape, false);
  }
  for (let digit = at + 2; digit < at + 6; digit++) {
    if (digit >= end) return fail(end, notClosed, true);
    const byte = load<u8>(digit);
    const letter = byte | 0x20;
    if (!((byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x66))) return fail(at, wrongHex, false);
  }
  return at + 6;
}

/** The size of the character of two to four bytes at `at`; 0 where it is none, -1 where `end` cuts one short. */
function utf8Size(at: usize, end: usize): i32 {
  const lead = load<u8>(at);
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size: i32 = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  const low: u8 = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const most: u8 = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (at + 1 >= end) return -1;
  const second = load<u8>(at, 1);
  if (second < low || second > most) return 0;
  for (let i = 2; i < size; i++) {
    if (at + <usize>i >= end) return -1;
    if ((load<u8>(at + <usize>i) & 0xc0) != 0x80) return 0;
  }
  return size;
}
