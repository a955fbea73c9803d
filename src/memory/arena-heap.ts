/**
 * Blocks of arena memory for what lives longer than a request: the indexes of segments. I/O thread only.
 * Sizes are powers of two from 256 bytes; a block that is freed serves the next request of its size. Nothing is moved
 * or given back to the system: touched pages stay.
 */

import { assert } from '../base/assert.ts';
import { asAddress, type Address } from '../base/numbers.ts';

const smallestBlockBits = 8;

/** A piece of the arena. `sizeBytes` is what it holds, at least what was asked for. */
export interface Block {
  readonly address: Address;
  readonly sizeBytes: number;
}

export class ArenaHeap {
  readonly #endAddress: number;
  readonly #onUsedUp: () => void;
  #nextAddress: number;
  #isUsedUp = false;
  readonly #free: Address[][] = [];

  /**
   * The heap over `[address, address + sizeBytes)`; `address` is a multiple of 256. `onUsedUp` hears of the first block
   * that does not fit.
   */
  constructor(address: Address, sizeBytes: number, onUsedUp: () => void = () => {}) {
    this.#nextAddress = address;
    this.#endAddress = address + sizeBytes;
    this.#onUsedUp = onUsedUp;
  }

  /** A block of at least `sizeBytes`; null where the heap is used up. */
  allocate(sizeBytes: number): Block | null {
    const bits = Math.max(smallestBlockBits, Math.ceil(Math.log2(sizeBytes)));
    const blockSizeBytes = 2 ** bits;
    const reused = this.#free[bits]?.pop();
    if (reused !== undefined) return { address: reused, sizeBytes: blockSizeBytes };
    if (this.#nextAddress + blockSizeBytes > this.#endAddress) {
      if (!this.#isUsedUp) this.#onUsedUp();
      this.#isUsedUp = true;
      return null;
    }
    const address = asAddress(this.#nextAddress);
    this.#nextAddress += blockSizeBytes;
    return { address, sizeBytes: blockSizeBytes };
  }

  /** Gives a block back; it must not be used afterwards. */
  release(block: Block): void {
    const bits = Math.log2(block.sizeBytes);
    assert(Number.isInteger(bits), 'a block has the size that it was allocated with');
    (this.#free[bits] ??= []).push(block.address);
  }
}
