/**
 * How the I/O thread divides the arena's scratch region. Nothing in it is kept from one call to the next.
 *
 *   │ scan rows, 256 KiB │ bodies: inflated batches, or pieces of files while the store recovers │
 */

import { asAddress, type Address } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { scanRow } from '../memory/core.ts';

const rowsSizeBytes = 256 * 1024;

/** As many rows as the core may write at `scratchRowsAddress`. */
export const scratchRowsMax = Math.floor(rowsSizeBytes / scanRow.sizeOfRow);

export function scratchRowsAddress(arena: Arena): Address {
  return arena.scratchAddress;
}

export function scratchBodyAddress(arena: Arena): Address {
  return asAddress(arena.scratchAddress + rowsSizeBytes);
}

export function scratchBodySizeBytes(arena: Arena): number {
  return arena.layout.scratchSizeBytes - rowsSizeBytes;
}
