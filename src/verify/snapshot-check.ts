/**
 * Compares the producer snapshot that a start would use with the log: each batch that it remembers must be there, from
 * that producer and with that sequence, and of a named one with its name and number. Offline, synchronous. What the log
 * no longer holds cannot be compared; compaction keeps the last batch of each producer, and of a named one that one's last
 * record.
 */

import type { Offset } from '../base/numbers.ts';
import { readIdentity } from '../records/named-records.ts';
import type { FileSystem } from '../storage/file-system.ts';
import type { NamedBatch, NamedProducerEntry } from '../storage/named-producers.ts';
import { producerPaths, readProducers } from '../storage/producer-files.ts';
import { type ProducerEntry } from '../storage/producer-state.ts';
import { sequencePlus } from '../storage/producer-rules.ts';
import type { FileBatch } from '../storage/segment-scan.ts';

/** A remembered batch of a named producer. */
interface ExpectedNamed {
  readonly producer: NamedProducerEntry;
  readonly batch: NamedBatch;
}

export interface SnapshotProblem {
  readonly path: string;
  readonly what: string;
  readonly position: number | null;
  readonly offset: number | null;
}

export class SnapshotCheck {
  readonly offset: Offset;
  #problem: SnapshotProblem | null = null;
  /** Entries whose batch was not seen yet, by its last offset. */
  readonly #expected = new Map<number, ProducerEntry>();
  readonly #expectedNamed = new Map<number, ExpectedNamed>();
  /** Of the batches that are their producers' last. */
  #lastOffsets = new Set<number>();
  readonly #paths: { readonly snapshot: string; readonly named: string };
  /** The arena's, where batches stand that are taken. */
  readonly #bytes: Uint8Array;

  /** Reads the snapshot named after `offset`; batches before `firstBase` are gone. `bytes` are the arena's. */
  constructor(fileSystem: FileSystem, directory: string, offset: Offset, firstBase: Offset, bytes: Uint8Array) {
    this.offset = offset;
    this.#bytes = bytes;
    this.#paths = producerPaths(directory, offset);
    const found = readProducers(fileSystem, directory, offset);
    if (found.damage !== null) {
      this.#problem = {
        path: found.path,
        what: `A start needs it, and it cannot be used: ${found.damage}.`,
        position: null,
        offset: null,
      };
      return;
    }
    for (const entry of found.entries) {
      if (this.#mayKnow(this.#paths.snapshot, `producer ${entry.producerId}`, entry.lastOffset, firstBase)) {
        this.#expected.set(entry.lastOffset, entry);
      }
    }
    this.#lastOffsets = new Set(new Map(found.entries.map((entry) => [entry.producerId, entry.lastOffset])).values());
    for (const { batches } of found.named) this.#lastOffsets.add(batches.at(-1)!.lastOffset);
    for (const producer of found.named) {
      for (const batch of producer.batches) {
        if (this.#mayKnow(this.#paths.named, `producer ${producer.name}`, batch.lastOffset, firstBase)) {
          this.#expectedNamed.set(batch.lastOffset, { producer, batch });
        }
      }
    }
  }

  /** Whether the batch that ends at `lastOffset` can be compared with the log. */
  #mayKnow(path: string, producer: string, lastOffset: number, firstBase: Offset): boolean {
    if (lastOffset < this.offset) return lastOffset >= firstBase;
    this.#found(path, `It says that ${producer} wrote offset ${lastOffset}, which it cannot know.`, lastOffset);
    return false;
  }

  take(batch: FileBatch): void {
    this.#takeNamed(batch);
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
      this.#paths.snapshot,
      `It says that producer ${entry.producerId} (epoch ${entry.producerEpoch}) wrote sequence ${entry.lastSequence}, and the log has ` +
        `producer ${batch.producerId} (epoch ${batch.producerEpoch}) with sequence ${lastSequence} there.`,
      batch.lastOffset,
    );
  }

  #takeNamed(batch: FileBatch): void {
    const expected = this.#expectedNamed.get(batch.lastOffset);
    if (expected === undefined) return;
    this.#expectedNamed.delete(batch.lastOffset);
    const { producer, batch: remembered } = expected;
    const isCompacted = batch.recordCount <= batch.lastOffsetDelta && !this.#lastOffsets.has(batch.lastOffset);
    if (isCompacted) return;
    const found = readIdentity(this.#bytes, batch.address, batch.address + batch.sizeBytes);
    const fits =
      batch.producerId === producer.producerId &&
      batch.lastOffsetDelta === remembered.recordCount - 1 &&
      found?.name === producer.name &&
      found.number === remembered.lastNumber;
    if (fits) return;
    const there = found === null ? 'no named producer' : `${found.name} with number ${found.number}`;
    this.#found(
      this.#paths.named,
      `It says that producer ${producer.name} wrote number ${remembered.lastNumber}, and the log has ${there} there.`,
      batch.lastOffset,
    );
  }

  /**
   * All batches up to `endOffset` were taken, but those at offsets that `isGone`, which compaction took out: what is wrong
   * with the snapshot, or null.
   */
  end(endOffset: Offset, isGone: (offset: number) => boolean): SnapshotProblem | null {
    for (const expected of [this.#expected, this.#expectedNamed]) {
      for (const offset of expected.keys()) {
        if (isGone(offset) && !this.#lastOffsets.has(offset)) expected.delete(offset);
      }
    }
    if (this.offset > endOffset)
      this.#found(this.#paths.snapshot, `It is named after an offset behind the log's end, ${endOffset}.`, null);
    const [missing] = this.#expected.values();
    if (missing !== undefined) {
      this.#found(
        this.#paths.snapshot,
        `It says that producer ${missing.producerId} wrote offset ${missing.lastOffset}, where no batch of the log ends.`,
        missing.lastOffset,
      );
    }
    const [missingNamed] = this.#expectedNamed.values();
    if (missingNamed !== undefined) {
      const { producer, batch } = missingNamed;
      this.#found(
        this.#paths.named,
        `It says that producer ${producer.name} wrote offset ${batch.lastOffset}, where no batch of the log ends.`,
        batch.lastOffset,
      );
    }
    return this.#problem;
  }

  #found(path: string, what: string, offset: number | null): void {
    this.#problem ??= { path, what, position: null, offset };
  }
}
