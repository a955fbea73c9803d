// Reads the members of an object whose names are known: where each lies in the text, and of what kind it is. One thread,
// on its own memory. For names and results see `layout.ts`; who fills the table of names also counts the buckets.

import {
  buckets,
  chains,
  endOfObjectExpected,
  endsWithin,
  kindAbsent,
  kindArray,
  kindBoolean,
  kindEscapedString,
  kindNull,
  kindNumber,
  kindObject,
  kindString,
  members,
  nameExpected,
  names,
  objectExpected,
  repeatedName,
  sizeOfMember,
  sizeOfName,
  unknownName,
} from './layout';
import { fail } from './failure';
import { hasEscapes, stringEnd } from './strings';
import { colonEnd, scanValue, spaceEnd } from './values';

/**
 * Reads the object at `at`, white space before it allowed; returns the position behind it, 0 after a failure. Members from
 * `first` on of the `count` that have names are noted, and those that are not there are absent; of a name that comes twice
 * the last one is, and the name is. Names are compared as they stand in the text, escapes and all. `deepest` is for the values.
 */
export function scanMembers(at: usize, end: usize, flags: u32, deepest: u32, first: u32, count: u32): usize {
  memory.fill(members + <usize>(first * sizeOfMember), 0, <usize>((count - first) * sizeOfMember));
  store<u64>(unknownName, 0);
  store<u64>(repeatedName, 0);
  let position = spaceEnd(at, end, flags);
  if (position >= end || load<u8>(position) != 0x7b) return fail(position, objectExpected, false);
  position = spaceEnd(position + 1, end, flags);
  if (position < end && load<u8>(position) == 0x7d) return position + 1;
  while (true) {
    if (position >= end) return fail(end, endsWithin, true);
    if (load<u8>(position) != 0x22) return fail(position, nameExpected, false);
    const nameStart = position + 1;
    position = stringEnd(position, end, flags);
    if (position == 0) return 0;
    const nameEnd = position - 1;
    position = colonEnd(position, end, flags);
    if (position == 0) return 0;
    const start = spaceEnd(position, end, flags);
    position = scanValue(start, end, flags, deepest);
    if (position == 0) return 0;
    const index = indexOf(nameStart, <u32>(nameEnd - nameStart), first);
    if (index >= 0) {
      const member = members + <usize>(<u32>index * sizeOfMember);
      if (load<i32>(member) != kindAbsent && load<u32>(repeatedName) == 0) {
        store<u32>(repeatedName, <u32>nameStart);
        store<u32>(repeatedName + 4, <u32>nameEnd);
      }
      note(member, start, position);
    } else if (load<u32>(unknownName) == 0) {
      store<u32>(unknownName, <u32>nameStart);
      store<u32>(unknownName + 4, <u32>nameEnd);
    }
    position = spaceEnd(position, end, flags);
    if (position >= end) return fail(end, endsWithin, true);
    const next = load<u8>(position);
    if (next == 0x7d) return position + 1;
    if (next != 0x2c) return fail(position, endOfObjectExpected, false);
    position = spaceEnd(position + 1, end, flags);
  }
}

/** Of a string what stands between its quotes. */
// @ts-ignore: decorator
@inline
function note(member: usize, start: usize, end: usize): void {
  const kind = kindOf(load<u8>(start));
  const isString = kind == kindString;
  store<i32>(member, isString && hasEscapes() ? kindEscapedString : kind);
  store<u32>(member + 4, <u32>start + <u32>isString);
  store<u32>(member + 8, <u32>end - <u32>isString);
}

// @ts-ignore: decorator
@inline
function kindOf(byte: u8): i32 {
  switch (byte) {
    case 0x22:
      return kindString;
    case 0x7b:
      return kindObject;
    case 0x5b:
      return kindArray;
    case 0x74:
    case 0x66:
      return kindBoolean;
    case 0x6e:
      return kindNull;
    default:
      return kindNumber;
  }
}

/** The index, from `first` on, of the name of `size` bytes at `at`; -1 where it is none. */
// @ts-ignore: decorator
@inline
function indexOf(at: usize, size: u32, first: u32): i32 {
  if (size - 1 >= sizeOfName) return -1;
  const bucket = (<u32>load<u8>(at) * 3 + <u32>load<u8>(at + size - 1) * 5 + size * 17) & 0xff;
  let index: u32 = load<u8>(buckets + bucket);
  if (index == 0) return -1;
  const counted = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const name = v128.and(v128.load(at), i8x16.lt_u(counted, i8x16.splat(<i8>size)));
  do {
    const known = v128.load(names + <usize>((index - 1) * sizeOfName));
    if (!v128.any_true(v128.xor(name, known))) return index - 1 >= first ? <i32>(index - 1) : -1;
    index = load<u8>(chains + index);
  } while (index != 0);
  return -1;
}
