/** A small arena for the core's tests, with room to place bytes in. */

import { Arena } from '../../src/memory/arena.ts';

export const arena: Arena = Arena.create({
  flushWorkerCount: 1,
  queueCapacity: 16,
  ringSizeBytes: 64 * 1024,
  scratchSizeBytes: 2 * 1024 * 1024,
  heapSizeBytes: 64 * 1024,
});

/** Where tests place their input; the second half of the scratch is for what the core writes. */
export const inputAddress: number = arena.layout.scratchAddress;
export const outputAddress: number = arena.layout.scratchAddress + 1024 * 1024;

/** Copies `bytes` to `address` with 0xAA behind them, so that a read past the end finds something that does not fit. */
export function place(bytes: Uint8Array, address: number = inputAddress): number {
  arena.bytes.set(bytes, address);
  arena.bytes.fill(0xaa, address + bytes.length, address + bytes.length + 256);
  return address;
}
