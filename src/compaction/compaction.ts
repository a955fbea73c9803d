/**
 * One compaction of a log, in steps: reads the newest offset of each key from what is dirty, then writes groups of
 * segments again without the records that a newer one replaced. Of whoever runs it: a worker thread, or the I/O thread
 * between its other work.
 *
 *   segments   │ clean: keys were compared before │ dirty │        readKeys looks at the dirty ones only,
 *              └──────────── clean ───────────────┘───────┘        and all are written again
 *
 * Each step is yielded with the bytes that it read or wrote, so that whoever runs it can pause. What stays of a batch is
 * decided in `batch-retention.ts`.
 */

import { assert } from '../base/assert.ts';
import type { Address, Offset } from '../base/numbers.ts';
import type { RandomSource } from '../base/random.ts';
import { allKeysNoted } from '../memory/core.ts';
import {
  attributesAt,
  baseOffsetAt,
  batchHeaderSizeBytes,
  isControl,
  isTransactional,
  lastOffsetAt,
  producerIdAt,
  recordCountAt,
} from '../records/record-batch.ts';
import type { CleanedSegment, CompactionPlan, CompactionSettings, SourceSegment } from '../storage/compactor.ts';
import type { FileSystem } from '../storage/file-system.ts';
import { segmentFileName } from '../storage/segment-name.ts';
import { BatchRetention, controlContentOf, plainRecords } from './batch-retention.ts';
import { damaged, walkBatches } from './batch-walk.ts';
import { CleanedWriter } from './cleaned-writer.ts';
import { CompactionMemory } from './compaction-memory.ts';
import { TransactionsSeen } from './transactions-seen.ts';

export class Compaction {
  readonly #fileSystem: FileSystem;
  readonly #plan: CompactionPlan;
  readonly #settings: CompactionSettings;
  readonly #random: RandomSource;
  readonly #memory: CompactionMemory;
  #retention: BatchRetention | null = null;
  #transactions: TransactionsSeen;

  constructor(fileSystem: FileSystem, random: RandomSource, plan: CompactionPlan, settings: CompactionSettings) {
    this.#fileSystem = fileSystem;
    this.#random = random;
    this.#plan = plan;
    this.#settings = settings;
    this.#memory = new CompactionMemory(settings);
    this.#transactions = new TransactionsSeen(plan.aborted);
  }

  /** As `CompactionRun.readKeys`. */
  *readKeys(): Generator<number, Offset> {
    const { segments, firstDirtyOffset } = this.#plan;
    const end = segments.at(-1)?.endOffset ?? firstDirtyOffset;
    this.#memory.clearMap(end - firstDirtyOffset, this.#random);
    let knownEnd: Offset = end;
    let isFull = false;
    for (const segment of segments) {
      if (segment.endOffset <= firstDirtyOffset) continue;
      yield* this.#walk(segment, (batch, sizeBytes, path) => {
        const full = this.#noteKeys(batch, sizeBytes, path);
        if (full === null) return true;
        knownEnd = full;
        isFull = true;
        return false;
      });
      if (isFull) break;
    }
    this.#transactions = new TransactionsSeen(this.#plan.aborted);
    this.#retention = new BatchRetention(this.#memory, this.#plan, knownEnd, this.#transactions);
    return knownEnd;
  }

  /** As `CompactionRun.clean`; groups come in the log's order, and `readKeys` before them. */
  *clean(group: readonly SourceSegment[]): Generator<number, CleanedSegment> {
    const { directory, nowMs } = this.#plan;
    const [first, last] = [group[0], group.at(-1)];
    assert(first !== undefined && last !== undefined, 'a group has segments');
    const retention = this.#retention;
    assert(retention !== null, 'keys are read before segments are cleaned');
    const { bufferBytes } = this.#settings;
    const writer = new CleanedWriter(this.#memory, this.#fileSystem, directory, first.baseOffset, bufferBytes, nowMs);
    let [readBytes, removedRecords] = [0, 0];
    let hasChanged = group.length > 1;
    let writtenBytes = 0;
    try {
      for (const segment of group) {
        const steps = this.#walk(segment, (batch, sizeBytes, path, position) => {
          const retained = retention.retain(batch, sizeBytes, last.endOffset, writer.target);
          if (retained === null) throw damaged(path, position, 'the records of a batch cannot be read');
          if (!retained.isSame) hasChanged = true;
          removedRecords += retained.removedRecords;
          if (retained.sizeBytes > 0) writtenBytes += writer.take(retained.sizeBytes);
          return true;
        });
        for (const pieceBytes of steps) {
          readBytes += pieceBytes;
          yield pieceBytes + writtenBytes;
          writtenBytes = 0;
        }
      }
      const state = writer.finish();
      return { state, hasChanged, readBytes, removedRecords };
    } finally {
      writer.close();
    }
  }

  /** Notes the keys of a batch; null, or the offset of the first for which there is no room. */
  #noteKeys(batch: Address, sizeBytes: number, path: string): Offset | null {
    const { arena, map } = this.#memory;
    const { bytes, core } = arena;
    const lastOffset = lastOffsetAt(bytes, batch);
    const attributes = attributesAt(bytes, batch);
    const producerId = producerIdAt(bytes, batch);
    if (isControl(attributes)) {
      this.#transactions.isSpent(producerId, lastOffset, controlContentOf(this.#memory, batch, sizeBytes));
      return null;
    }
    if (this.#transactions.isAborted(producerId, lastOffset, isTransactional(attributes))) return null;
    const { firstDirtyOffset } = this.#plan;
    if (lastOffset < firstDirtyOffset) return null;
    const plain = plainRecords(this.#memory, batch, sizeBytes);
    const count = recordCountAt(bytes, batch);
    const baseOffset = baseOffsetAt(bytes, batch);
    const delta =
      plain === null ? -1 : core.collectKeys(plain.address, plain.sizeBytes, count, baseOffset, firstDirtyOffset, map);
    if (delta < 0) throw damaged(path, baseOffset, 'the records of a batch cannot be read');
    return delta === allKeysNoted ? null : ((baseOffset + delta) as Offset);
  }

  *#walk(
    { baseOffset, sizeBytes }: SourceSegment,
    take: (batch: Address, sizeBytes: number, path: string, position: number) => boolean,
  ): Generator<number, void> {
    const path = `${this.#plan.directory}/${segmentFileName(baseOffset, 'log')}`;
    const pieceBytes = Math.max(this.#settings.bufferBytes, batchHeaderSizeBytes);
    let position = 0;
    yield* walkBatches(this.#memory, this.#fileSystem, path, sizeBytes, pieceBytes, (batch, batchBytes) => {
      const goesOn = take(batch, batchBytes, path, position);
      position += batchBytes;
      return goesOn;
    });
  }
}
