/** Bytes that come in pieces, in one buffer that grows with them. Any thread. */

const firstBytes = 1024;

export class GrowingBytes {
  #buffer = new Uint8Array(0);
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** All that was added. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#sizeBytes);
  }

  /** Copies `piece` behind what there is. At most `mostBytes` come in all, so that no more room is made. */
  add(piece: Uint8Array, mostBytes: number): void {
    const neededBytes = this.#sizeBytes + piece.length;
    if (neededBytes > this.#buffer.length) {
      const capacityBytes = Math.max(neededBytes, Math.min(mostBytes, Math.max(firstBytes, 2 * this.#buffer.length)));
      const larger = new Uint8Array(capacityBytes);
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.#sizeBytes);
    this.#sizeBytes = neededBytes;
  }
}
