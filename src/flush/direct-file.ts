/**
 * One partition's active segment as it is written past the page cache, in whole blocks. Flush thread.
 *
 *   file     … block │ held, acknowledged │                    the group goes to `position`
 *   staging          │ held again         │ group … │ zeros │  one write: address, position and length are whole blocks
 *                    └ a block's begin              └ a block's end
 *
 * The bytes before `position` in its block are written again as they are, so that a power cut in the middle, which keeps
 * each sector of the disk either old or new, finds them in both; a write through the page cache does the same to that
 * block. Zeros behind the last batch are what `room-ahead.ts` leaves as well: the next write covers them, and a segment's
 * end or the closing of its files cuts them off.
 *
 * The kernel copies nothing on this way, so the copy into the staging takes the place of its copy. It needs a second
 * descriptor, which holds nothing that is to be synced: errors of these writes come at once. It does not choose the way;
 * see `way-of-writing.ts`.
 */

import { assert } from '../base/assert.ts';
import { systemErrorCode } from '../base/environment-error.ts';
import { directBlockBytes, type FileDescriptor, type FileSystem } from '../storage/file-system.ts';
import type { Way, WayOfWriting } from './way-of-writing.ts';

/** Where groups are put together: part of the arena that one flush worker uses. */
export interface Staging {
  /** The whole arena. */
  readonly bytes: Uint8Array;
  /** Where it begins and how long it is, in whole blocks. */
  readonly address: number;
  readonly sizeBytes: number;
  /** Copies within the arena. */
  copy(target: number, source: number, sizeBytes: number): void;
}

/** What a flush worker has for writes past the page cache. */
export interface DirectWrites {
  readonly way: WayOfWriting;
  readonly staging: Staging;
}

const nothingHeld = new Uint8Array();

export class DirectFile {
  readonly #files: FileSystem;
  readonly #way: WayOfWriting;
  readonly #staging: Staging;
  #file: FileDescriptor | null = null;
  /** What the block holds before `#heldUpTo`, from the block's begin on. */
  #held = nothingHeld;
  #heldUpTo = -1;

  // The group that is being written, and where what went past the cache ends.
  #endPosition = 0;
  #groupBytes = 0;
  #groupIsSynced = false;
  #groupWay: Way = 'cached';
  #startedMs = 0;

  constructor(files: FileSystem, { way, staging }: DirectWrites) {
    assert(staging.address % directBlockBytes === 0 && staging.sizeBytes % directBlockBytes === 0, 'whole blocks');
    this.#files = files;
    this.#way = way;
    this.#staging = staging;
  }

  get isOpen(): boolean {
    return this.#file !== null;
  }

  /**
   * Chooses the way for a group of `groupBytes`; `isSynced` as for `WayOfWriting`. The file at `path` exists; where it must
   * be opened for this, `mayOpen` tells whether there is room for a descriptor. Returns whether it goes past the cache.
   */
  begin(path: string, groupBytes: number, isSynced: boolean, mayOpen: () => boolean): boolean {
    this.#groupBytes = groupBytes;
    this.#groupIsSynced = isSynced;
    this.#endPosition = 0;
    this.#groupWay = this.#way.of(groupBytes, isSynced);
    if (this.#groupWay === 'direct' && this.#file === null && !this.#open(path, mayOpen)) this.#groupWay = 'cached';
    this.#startedMs = this.#way.nowMs();
    return this.#groupWay === 'direct';
  }

  /**
   * Writes `sources`, which lie in the arena, to `position`, as far as the staging takes them. Returns how many bytes are
   * in the file; null where this group is to be written through the page cache. `log` is the same file, open to be read.
   */
  write(log: FileDescriptor, sources: readonly Uint8Array[], position: number): number | null {
    if (this.#groupWay === 'cached' || this.#file === null) return this.#leftToCache();
    const { bytes, address } = this.#staging;
    const heldBytes = position % directBlockBytes;
    const blockPosition = position - heldBytes;
    this.#stageHeld(log, position, heldBytes);
    const end = this.#stage(sources, heldBytes);
    const paddedEnd = Math.ceil(end / directBlockBytes) * directBlockBytes;
    bytes.fill(0, address + end, address + paddedEnd);
    let writtenBytes: number;
    try {
      writtenBytes = this.#files.write(this.#file, [bytes.subarray(address, address + paddedEnd)], blockPosition);
    } catch (error) {
      if (systemErrorCode(error) !== 'EINVAL') throw error;
      this.#way.refused();
      return this.#leftToCache();
    }
    // A block that was not written whole is written again.
    const wholeBytes = writtenBytes - (writtenBytes % directBlockBytes);
    const writtenEnd = Math.min(wholeBytes, end);
    this.#endPosition = blockPosition + writtenBytes;
    // Through the cache it goes on, or tells what is wrong.
    if (writtenEnd <= heldBytes) return this.#leftToCache();
    this.#hold(blockPosition, writtenEnd);
    return writtenEnd - heldBytes;
  }

  /** The group is written, whichever way it went. Returns where it ends past the cache, zeros included; else 0. */
  end(): number {
    this.#way.took(this.#groupWay, this.#groupBytes, this.#groupIsSynced, this.#way.nowMs() - this.#startedMs);
    return this.#endPosition;
  }

  /** Forgets the file, which may be opened again. */
  close(): void {
    if (this.#file !== null) this.#files.close(this.#file);
    this.#file = null;
    this.#held = nothingHeld;
    this.#heldUpTo = -1;
  }

  #open(path: string, mayOpen: () => boolean): boolean {
    if (!mayOpen()) return false;
    this.#file = this.#files.openDirect(path);
    if (this.#file === null) this.#way.refused();
    return this.#file !== null;
  }

  /** The group goes on through the page cache. */
  #leftToCache(): null {
    this.#groupWay = 'cached';
    // The block gets bytes that are not kept here.
    this.#heldUpTo = -1;
    return null;
  }

  /** Puts what the block holds before `position` at the staging's begin. */
  #stageHeld(log: FileDescriptor, position: number, heldBytes: number): void {
    if (heldBytes === 0) return;
    const { bytes, address } = this.#staging;
    if (this.#heldUpTo === position) {
      bytes.set(this.#held.subarray(0, heldBytes), address);
      return;
    }
    const target = bytes.subarray(address, address + heldBytes);
    const readBytes = this.#files.read(log, target, position - heldBytes);
    // Blocks are never written over bytes that are not known.
    if (readBytes < heldBytes) {
      const message = `The file ends ${heldBytes - readBytes} bytes before ${position}, where it had been written.`;
      throw Object.assign(new Error(message), { code: 'EIO' });
    }
  }

  /** Puts as much of `sources` behind `heldBytes` as there is room for; returns where it ends in the staging. */
  #stage(sources: readonly Uint8Array[], heldBytes: number): number {
    const { address, sizeBytes } = this.#staging;
    let end = heldBytes;
    for (const source of sources) {
      const partBytes = Math.min(source.length, sizeBytes - end);
      this.#staging.copy(address + end, source.byteOffset, partBytes);
      end += partBytes;
      if (end === sizeBytes) break;
    }
    return end;
  }

  /** Keeps what the last block holds, once the file, from `blockPosition` on, holds the staging's first `end` bytes. */
  #hold(blockPosition: number, end: number): void {
    const { bytes, address } = this.#staging;
    const heldBytes = end % directBlockBytes;
    if (this.#held === nothingHeld) this.#held = new Uint8Array(directBlockBytes);
    this.#held.set(bytes.subarray(address + end - heldBytes, address + end));
    this.#heldUpTo = blockPosition + end;
  }
}
