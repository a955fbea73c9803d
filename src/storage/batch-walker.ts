/**
 * Walks the batches of a segment file, one after the other, through a buffer that is read ahead. I/O thread.
 * Asynchronous and gentle: for searches while the broker serves. It stops where no whole batch follows.
 */

import { readInt32 } from '../records/big-endian.ts';
import { batchField, batchHeaderSizeBytes, batchPrefixSizeBytes, batchSizeAt } from '../records/record-batch.ts';
import type { SegmentFiles } from './segment-files.ts';

const readBytes = 128 * 1024;

export class BatchWalker {
  /** Holds the current batch, from `at` on. */
  bytes: Uint8Array = new Uint8Array(readBytes);
  at = 0;
  sizeBytes = 0;
  readonly #files: SegmentFiles;
  readonly #path: string;
  readonly #endPosition: number;
  /** Of the buffer's first byte in the file. */
  #position: number;
  #filled = 0;

  /** From `position`, where a batch begins, up to `endPosition` of the file at `path`. */
  constructor(files: SegmentFiles, path: string, position: number, endPosition: number) {
    this.#files = files;
    this.#path = path;
    this.#position = position;
    this.#endPosition = endPosition;
  }

  /** Moves to the next batch; false where there is none. Rejects with the file system's error. */
  async next(): Promise<boolean> {
    const at = this.at + this.sizeBytes;
    const sizeBytes = batchSizeAt(this.bytes, at, this.#filled);
    if (sizeBytes >= 0) {
      this.at = at;
      this.sizeBytes = sizeBytes;
      return true;
    }
    return this.#readFrom(at);
  }

  async #readFrom(at: number): Promise<boolean> {
    const left = this.#filled - at;
    const claimedBytes =
      left < batchPrefixSizeBytes
        ? batchHeaderSizeBytes
        : batchPrefixSizeBytes + readInt32(this.bytes, at + batchField.length);
    this.#position += at;
    this.at = 0;
    this.sizeBytes = 0;
    this.#filled = 0;
    const restBytes = this.#endPosition - this.#position;
    if (claimedBytes > restBytes) return false;
    if (claimedBytes > this.bytes.length) this.bytes = new Uint8Array(claimedBytes);
    const target = this.bytes.subarray(0, Math.min(this.bytes.length, restBytes));
    this.#filled = await this.#files.read(this.#path, target, this.#position);
    let sizeBytes = batchSizeAt(this.bytes, 0, this.#filled);
    if (sizeBytes < 0 && this.#filled >= batchPrefixSizeBytes && claimedBytes <= batchHeaderSizeBytes) {
      // Only now the batch's own length is known, and it is larger than the buffer.
      const wholeBytes = batchPrefixSizeBytes + readInt32(this.bytes, batchField.length);
      if (wholeBytes <= this.bytes.length || wholeBytes > restBytes) return false;
      this.bytes = new Uint8Array(wholeBytes);
      this.#filled = await this.#files.read(this.#path, this.bytes, this.#position);
      sizeBytes = batchSizeAt(this.bytes, 0, this.#filled);
    }
    if (sizeBytes < 0) return false;
    this.sizeBytes = sizeBytes;
    return true;
  }
}
