/**
 * Writes one cleaned segment: its log and both indexes, under `.cleaned` names, from the output of a compaction's memory.
 * Of whoever runs the compaction. What the names mean stands in `storage/segment-swap.ts`.
 */

import { asPosition, type Address, type Offset } from '../base/numbers.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { lastOffsetAt, maxTimestampAt } from '../records/record-batch.ts';
import type { FileDescriptor, FileSystem } from '../storage/file-system.ts';
import { encodeIndexEntries } from '../storage/index-rebuild.ts';
import { ScannedSegment } from '../storage/scanned-segment.ts';
import { cleanedSuffix, segmentFileName } from '../storage/segment-name.ts';
import type { SegmentState } from '../storage/segment.ts';
import type { CompactionMemory } from './compaction-memory.ts';
import { writeFully } from '../storage/whole-transfers.ts';

/** Positions in indexes are int32. */
const largestSegmentBytes = 2 ** 31 - 1;

export class CleanedWriter {
  readonly #memory: CompactionMemory;
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #baseOffset: Offset;
  readonly #flushBytes: number;
  readonly #scanned: ScannedSegment;
  readonly #file: FileDescriptor;
  #position = 0;
  #waitingBytes = 0;

  /** Begins the files of the segment at `baseOffset` in `directory`; what is left of earlier ones is overwritten. */
  constructor(
    memory: CompactionMemory,
    fileSystem: FileSystem,
    directory: string,
    baseOffset: Offset,
    flushBytes: number,
    nowMs: number,
  ) {
    this.#memory = memory;
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#baseOffset = baseOffset;
    this.#flushBytes = flushBytes;
    this.#scanned = new ScannedSegment(baseOffset, { offsets: [], times: [] }, [], nowMs);
    this.#file = fileSystem.open(this.#path('log'), 'create');
    fileSystem.truncate(this.#file, 0);
  }

  /** Where the next batch goes in the memory. */
  get target(): Address {
    return (this.#memory.output.address + this.#waitingBytes) as Address;
  }

  /** The batch of `sizeBytes` at `target` belongs to the segment. Returns the bytes that were written. */
  take(sizeBytes: number): number {
    const { bytes } = this.#memory.arena;
    const at = this.target;
    const position = this.#position + this.#waitingBytes;
    if (position + sizeBytes > largestSegmentBytes) {
      const message = `${this.#path('log')} would become larger than 2 GiB: lower segment.bytes of the topic.`;
      throw new EnvironmentError(EnvironmentErrorCode.IO_FAILED, message);
    }
    this.#scanned.take({
      position: asPosition(position),
      sizeBytes,
      lastOffset: lastOffsetAt(bytes, at),
      maxTimestamp: maxTimestampAt(bytes, at),
    });
    this.#waitingBytes += sizeBytes;
    return this.#waitingBytes >= this.#flushBytes ? this.#flush() : 0;
  }

  /** Writes what is left, and all of it is synced when this returns. Gives what is known of the segment. */
  finish(): SegmentState {
    this.#flush();
    this.#fileSystem.sync(this.#file);
    this.#scanned.end(asPosition(this.#position), false);
    const { offsetBytes, timeBytes } = encodeIndexEntries(this.#baseOffset, this.#scanned.entries);
    this.#writeFile('index', offsetBytes);
    this.#writeFile('timeindex', timeBytes);
    this.#fileSystem.syncDirectory(this.#directory);
    return this.#scanned.state;
  }

  close(): void {
    this.#fileSystem.close(this.#file);
  }

  #flush(): number {
    const { arena, output } = this.#memory;
    const count = this.#waitingBytes;
    writeFully(
      this.#fileSystem,
      this.#file,
      arena.bytes.subarray(output.address, output.address + count),
      this.#position,
    );
    this.#position += count;
    this.#waitingBytes = 0;
    return count;
  }

  #writeFile(kind: 'index' | 'timeindex', content: Uint8Array): void {
    const file = this.#fileSystem.open(this.#path(kind), 'create');
    try {
      this.#fileSystem.truncate(file, 0);
      writeFully(this.#fileSystem, file, content, 0);
      this.#fileSystem.sync(file);
    } finally {
      this.#fileSystem.close(file);
    }
  }

  #path(kind: 'log' | 'index' | 'timeindex'): string {
    return `${this.#directory}/${segmentFileName(this.#baseOffset, kind)}${cleanedSuffix}`;
  }
}
