/**
 * Loads the indexes of segments when they are first needed, and puts away those of sealed segments that were not needed
 * for longest, so that a large log does not fill the arena. I/O thread. An active segment's index stays.
 */

import type { ArenaHeap } from '../memory/arena-heap.ts';
import type { Arena } from '../memory/arena.ts';
import type { FileSystem } from './file-system.ts';
import { SegmentIndex } from './segment-index.ts';
import { segmentFileName } from './segment-name.ts';
import type { Segment } from './segment.ts';

const defaultSealedBytesMax = 32 * 1024 * 1024;

export class IndexCache {
  readonly #fileSystem: FileSystem;
  readonly #arena: Arena;
  readonly #heap: ArenaHeap;
  readonly #sealedBytesMax: number;
  /** Sealed segments whose index is loaded, the longest unused first, and the size of their entries. */
  readonly #sealed = new Map<Segment, number>();
  #sealedBytes = 0;

  constructor(fileSystem: FileSystem, arena: Arena, heap: ArenaHeap, sealedBytesMax = defaultSealedBytesMax) {
    this.#fileSystem = fileSystem;
    this.#arena = arena;
    this.#heap = heap;
    this.#sealedBytesMax = sealedBytesMax;
  }

  /** The index of a segment in `directory`; valid until the caller's turn ends. Throws the file system's error. */
  of(segment: Segment, directory: string, isActive: boolean): SegmentIndex {
    const index = (segment.index ??= this.#load(segment, directory));
    if (!isActive) this.#touch(segment);
    return index;
  }

  /** The segment, which was sealed, is the active one again: its index stays. */
  keep(segment: Segment): void {
    this.#sealedBytes -= this.#sealed.get(segment) ?? 0;
    this.#sealed.delete(segment);
  }

  /** The segment is deleted, or its index was given back. */
  forget(segment: Segment): void {
    this.keep(segment);
    segment.dropIndex();
  }

  #load(segment: Segment, directory: string): SegmentIndex {
    const index = new SegmentIndex(this.#arena, this.#heap, segment.baseOffset);
    index.load(
      this.#read(`${directory}/${segmentFileName(segment.baseOffset, 'index')}`, segment.offsetIndexSizeBytes),
      this.#read(`${directory}/${segmentFileName(segment.baseOffset, 'timeindex')}`, segment.timeIndexSizeBytes),
    );
    return index;
  }

  /** Up to `sizeBytes` of the file; an entry that is missing makes a search longer, not wrong. */
  #read(path: string, sizeBytes: number): Uint8Array {
    if (sizeBytes === 0 || this.#fileSystem.sizeAt(path) === null) return new Uint8Array();
    const file = this.#fileSystem.open(path, 'read');
    try {
      const bytes = new Uint8Array(sizeBytes);
      let filled = 0;
      while (filled < sizeBytes) {
        const count = this.#fileSystem.read(file, bytes.subarray(filled), filled);
        if (count === 0) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    } finally {
      this.#fileSystem.close(file);
    }
  }

  #touch(segment: Segment): void {
    const known = this.#sealed.get(segment);
    const sizeBytes = known ?? segment.offsetIndexSizeBytes + segment.timeIndexSizeBytes;
    if (known === undefined) this.#sealedBytes += sizeBytes;
    else this.#sealed.delete(segment);
    this.#sealed.set(segment, sizeBytes);
    for (const oldest of this.#sealed.keys()) {
      if (this.#sealedBytes <= this.#sealedBytesMax || oldest === segment) return;
      this.forget(oldest);
    }
  }
}
