/**
 * Compares the producer snapshot that a start would use with the log: each batch that it remembers must be there, from
 * that producer and with that sequence. Offline, synchronous. What the log no longer holds cannot be compared.
 */

import type { Offset } from '../base/numbers.ts';
import { readWholeFile } from '../storage/checkpoint-file.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { decodeProducerSnapshot } from '../storage/producer-snapshot.ts';
import { sequencePlus, type ProducerEntry } from '../storage/producer-state.ts';
import { segmentFileName } from '../storage/segment-name.ts';
import type { FileBatch } from '../storage/segment-scan.ts';

const largestSnapshotBytes = 512 * 1024 * 1024;

export interface SnapshotProblem {
  readonly what: string;
  readonly position: number | null;
  readonly offset: number | null;
}

export class SnapshotCheck {
  readonly offset: Offset;
  #problem: SnapshotProblem | null = null;
  /** Entries whose batch was not seen yet, by its last offset. */
  readonly #expected = new Map<number, ProducerEntry>();

  /** Reads the snapshot named after `offset`; batches before `firstBase` are gone. */
  constructor(fileSystem: FileSystem, directory: string, offset: Offset, firstBase: Offset) {
    this.offset = offset;
    const bytes = readWholeFile(
      fileSystem,
      `${directory}/${segmentFileName(offset, 'snapshot')}`,
      largestSnapshotBytes,
    );
    const decoded = bytes === null ? null : decodeProducerSnapshot(bytes);
    if (decoded === null) this.#found('It is missing, and a start needs it.', null);
    else if (decoded.entries === null) this.#found(`It cannot be used: ${decoded.damage}.`, null);
    for (const entry of decoded?.entries ?? []) {
      if (entry.lastOffset >= offset) {
        this.#found(
          `It says that producer ${entry.producerId} wrote offset ${entry.lastOffset}, which it cannot know.`,
          entry.lastOffset,
        );
      } else if (entry.lastOffset >= firstBase) this.#expected.set(entry.lastOffset, entry);
    }
  }

  take(batch: FileBatch): void {
    const entry = this.#expected.get(batch.lastOffset);
    if (entry === undefined) return;
    this.#expected.delete(batch.lastOffset);
    const lastSequence = batch.baseSequence < 0 ? -1 : sequencePlus(batch.baseSequence, batch.lastOffsetDelta);
    const fits =
      batch.producerId === entry.producerId &&
      batch.producerEpoch === entry.producerEpoch &&
      lastSequence === entry.lastSequence &&
      batch.lastOffsetDelta === entry.offsetDelta;
    if (fits) return;
    this.#found(
      `It says that producer ${entry.producerId} (epoch ${entry.producerEpoch}) wrote sequence ${entry.lastSequence}, and the log has ` +
        `producer ${batch.producerId} (epoch ${batch.producerEpoch}) with sequence ${lastSequence} there.`,
      batch.lastOffset,
    );
  }

  /** All batches up to `endOffset` were taken: what is wrong with the snapshot, or null. */
  end(endOffset: Offset): SnapshotProblem | null {
    if (this.offset > endOffset) this.#found(`It is named after an offset behind the log's end, ${endOffset}.`, null);
    const [missing] = this.#expected.values();
    if (missing !== undefined) {
      this.#found(
        `It says that producer ${missing.producerId} wrote offset ${missing.lastOffset}, where no batch of the log ends.`,
        missing.lastOffset,
      );
    }
    return this.#problem;
  }

  #found(what: string, offset: number | null): void {
    this.#problem ??= { what, position: null, offset };
  }
}
