/**
 * Messages that one read brought behind one another, each whole in its frame, as rows of the core. I/O thread; one serves all. It
 * is over when the call ends that it is given to.
 */

import type { ValueRun } from '../../gateway/value-run.ts';
import { frameMemory, type FrameCore } from './frame-core.ts';

const rowWords = frameMemory.sizeOfRow / 4;
const firstRowWord = frameMemory.rows / 4;

export class FrameRun implements ValueRun {
  readonly bytes: Uint8Array;
  readonly encodedStart = frameMemory.records;
  encodedEnd: number = frameMemory.records;
  readonly #core: FrameCore;
  readonly #words: Int32Array;
  #row = 0;
  #endRow = 0;

  constructor(core: FrameCore) {
    this.bytes = core.bytes;
    this.#core = core;
    this.#words = core.words;
  }

  /** Has it be the messages of the rows from `row` to `endRow`. */
  begin(row: number, endRow: number): void {
    this.#row = row;
    this.#endRow = endRow;
  }

  get count(): number {
    return this.#endRow - this.#row;
  }

  get start(): number {
    return this.#words[firstRowWord + this.#row * rowWords]!;
  }

  get end(): number {
    return this.#words[firstRowWord + this.#row * rowWords + 1]!;
  }

  next(): void {
    this.#row++;
  }

  encode(delta: number, timestampDeltaMs: number, roomBytes: number, largestBytes: number): number {
    const core = this.#core;
    const count = core.makeRecords(this.#row, this.#endRow, delta, timestampDeltaMs, roomBytes, largestBytes);
    this.encodedEnd = core.recordsEnd;
    this.#row += count;
    return count;
  }
}
