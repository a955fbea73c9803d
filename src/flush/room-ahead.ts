/**
 * How far a segment's file goes on behind its last batch, as zeros that later batches overwrite. Flush thread, one per
 * partition. It says how many, and writes nothing.
 *
 *   batches │ this group │ zeros …          the next groups overwrite them: neither the file's size nor its blocks
 *           └ one gathered write ┘          change, so that their sync writes data alone and no journal
 *
 * On ext4 a write of 4 KiB with its sync takes about half as long so, and half the processor time; one of 64 KiB two thirds;
 * from 256 KiB on it gains nothing, and without syncs it costs. So only small groups that are synced get them, and never more
 * zeros than such groups had bytes: a partition that is written now and then takes no room for what may never come.
 *
 * A file that was used before would save the zeros. But of a batch's header, what stands before its checksum is not
 * covered by it, so a torn header over an old batch of the same size could make the old one look new; behind zeros that
 * cannot be. And pages of an old file that memory holds no longer must be read before a part of them is written.
 */

import { assert } from '../base/assert.ts';

/** Larger groups gain nothing. */
const largestGroupBytes = 64 * 1024;
const largestRoomBytes = 256 * 1024;
const smallestRoomBytes = 4096;
const pageBytes = 4096;

const zeros = new Uint8Array(largestRoomBytes + pageBytes);

export class RoomAhead {
  /** Where the file ends, as far as that is known to lie behind its batches. */
  #endPosition = 0;
  /** Bytes of small synced groups since the file was begun or opened. */
  #smallBytes = 0;

  get endPosition(): number {
    return this.#endPosition;
  }

  /** Another file is written now. */
  begin(): void {
    this.#endPosition = 0;
    this.#smallBytes = 0;
  }

  /** The file was written up to `position`. */
  reached(position: number): void {
    this.#endPosition = Math.max(this.#endPosition, position);
  }

  /** The file was cut to its batches. */
  cut(): void {
    this.#endPosition = 0;
  }

  /** The last batch of a group that was written and synced within the room there is. */
  tookSynced(groupBytes: number): void {
    this.#smallBytes += groupBytes;
  }

  /**
   * The zeros to be written behind a group of `groupBytes` at `position`, up to a page's end; null for none, because
   * there is room or none is worth it. `synced` where a sync follows the group.
   */
  zerosBehind(position: number, groupBytes: number, synced: boolean): Uint8Array | null {
    assert(groupBytes > 0, 'a group has batches');
    if (!synced || groupBytes > largestGroupBytes) return null;
    this.#smallBytes += groupBytes;
    const groupEnd = position + groupBytes;
    if (groupEnd <= this.#endPosition || this.#smallBytes < smallestRoomBytes) return null;
    const wanted = groupEnd + Math.min(this.#smallBytes, largestRoomBytes);
    return zeros.subarray(0, Math.ceil(wanted / pageBytes) * pageBytes - groupEnd);
  }
}
