// Inflates raw Snappy blocks (format_description.txt of Snappy). Any thread, on memory that the caller alone writes.
// The input comes from outside: every length and distance is checked before it is used. The framing that Kafka's
// clients put around blocks is read in TypeScript; it compresses nothing.
//
//   block:   varint inflated size | { element }
//   literal: u8 (size - 1) << 2 | 0, where 60..63 say that 1..4 bytes (LE) hold size - 1 | bytes
//   copies:  u8 distance[10:8] << 5 | (size - 4) << 2 | 1 | u8 distance[7:0]
//            u8 (size - 1) << 2 | 2 | u16 LE distance
//            u8 (size - 1) << 2 | 3 | u32 LE distance

import { copyLiterals, copyMatch } from './block-copy';

const malformed: i32 = -1;
const tooSmall: i32 = -2;
/** A short element (a literal of up to 16 bytes, a copy with up to two bytes of distance) is read within these. */
const shortRead: u32 = 17;
/** It writes at most 64 bytes, 16 at once. */
const shortWrite: u32 = 64;

/** Inflates a block; returns the size, -1 where it is malformed, -2 where the target does not hold it. */
export function snappyInflateBlock(source: usize, sourceSize: u32, target: usize, capacity: u32): i32 {
  const end = source + sourceSize;
  let at = source;
  let declared: u64 = 0;
  let shift: u64 = 0;
  let more = true;
  while (more) {
    if (at == end || shift > 28) return malformed;
    const byte: u32 = load<u8>(at++);
    declared |= (<u64>(byte & 0x7f)) << shift;
    shift += 7;
    more = byte >= 0x80;
  }
  // No size above 2 GiB could be returned.
  if (declared > <u64>u32.MAX_VALUE) return malformed;
  if (declared > <u64>capacity || declared > <u64>i32.MAX_VALUE) return tooSmall;
  const inflated = <u32>declared;

  // Up to these a short element lies, and its copies end, within both sides.
  const fastEnd = <u32>(end - at) > shortRead ? end - shortRead : at;
  const fastSize: u32 = inflated > shortWrite ? inflated - shortWrite : 0;
  let size: u32 = 0;
  while (at < end) {
    const tag: u32 = load<u8>(at++);
    const kind = tag & 3;
    if (at < fastEnd && size < fastSize) {
      const to = target + size;
      if (kind == 0) {
        if (tag < 64) {
          v128.store(to, v128.load(at));
          at += (tag >>> 2) + 1;
          size += (tag >>> 2) + 1;
          continue;
        }
      } else if (kind < 3) {
        const near = kind == 1;
        const distance = near ? ((tag >>> 5) << 8) | <u32>load<u8>(at) : <u32>load<u16>(at);
        if (distance >= 16 && distance <= size) {
          const length = near ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
          for (let i: u32 = 0; i < length; i += 16) v128.store(to + i, v128.load(to + i - distance));
          at += kind;
          size += length;
          continue;
        }
      }
    }
    const extra = extraBytes(tag);
    if (<u32>(end - at) < extra) return malformed;
    const operand = littleEndian(at, extra);
    at += extra;
    let length = (tag >>> 2) + 1;
    if (kind == 0) {
      // The four-byte form can name 2^32 bytes, which is 0 here: refuse it by its operand.
      if (extra > 0) {
        if (operand == u32.MAX_VALUE) return malformed;
        length = operand + 1;
      }
      if (length > <u32>(end - at) || length > inflated - size) return malformed;
      copyLiterals(target + size, at, length, <u32>(end - at), capacity - size);
      at += length;
    } else {
      let distance = operand;
      if (kind == 1) {
        length = ((tag >>> 2) & 7) + 4;
        distance |= (tag >>> 5) << 8;
      }
      if (distance == 0 || distance > size || length > inflated - size) return malformed;
      copyMatch(target + size, distance, length, capacity - size);
    }
    size += length;
  }
  return size == inflated ? size : malformed;
}

/** How many bytes of size (of a literal) or distance (of a copy) follow the tag. */
// @ts-ignore: decorator
@inline
function extraBytes(tag: u32): u32 {
  const kind = tag & 3;
  if (kind == 0) return tag >>> 2 < 60 ? 0 : (tag >>> 2) - 59;
  return kind == 3 ? 4 : kind;
}

// @ts-ignore: decorator
@inline
function littleEndian(address: usize, size: u32): u32 {
  let value: u32 = 0;
  for (let i: u32 = 0; i < size; i++) value |= (<u32>load<u8>(address + i)) << (i << 3);
  return value;
}
