/**
 * Branded numbers, so that a record's offset, a byte in a file and a byte in the arena cannot be mixed up. Any thread.
 * All are safe integers held in doubles: decoding an int64 as one costs a tenth of a bigint.
 */

import { assert } from './assert.ts';

declare const brand: unique symbol;

/** A record's place in its partition. */
export type Offset = number & { readonly [brand]: 'offset' };
/** A byte in a file. */
export type Position = number & { readonly [brand]: 'position' };
/** A byte in the arena, below 4 GiB. */
export type Address = number & { readonly [brand]: 'address' };
/** A byte in the endless stream that passes through a ring: it only grows. */
export type RingPosition = number & { readonly [brand]: 'ring-position' };

/** Brands `value`, which must be a safe integer of at least -1 (-1 stands for "none" in Kafka's protocol). */
export function asOffset(value: number): Offset {
  assert(Number.isSafeInteger(value) && value >= -1, 'an offset is a safe integer of at least -1');
  return value as Offset;
}

/** Brands `value`, which must be a safe integer of at least 0. */
export function asPosition(value: number): Position {
  assert(Number.isSafeInteger(value) && value >= 0, 'a position is a safe integer of at least 0');
  return value as Position;
}

/** Brands `value`, which must lie in [0, 2^32). */
export function asAddress(value: number): Address {
  assert(Number.isSafeInteger(value) && value >= 0 && value < 2 ** 32, 'an address lies in [0, 2^32)');
  return value as Address;
}

/** Brands `value`, which must be a safe integer of at least 0. */
export function asRingPosition(value: number): RingPosition {
  assert(Number.isSafeInteger(value) && value >= 0, 'a ring position is a safe integer of at least 0');
  return value as RingPosition;
}

export const noOffset = -1 as Offset;
export const firstOffset = 0 as Offset;
/** A timestamp that is not there, in milliseconds, as Kafka writes it. */
export const noTimestamp = -1;
