/**
 * The completions of one flush worker, until there is room to show them, in order. Flush thread.
 * It decides nothing about partitions; see `flush-round.ts`.
 */

import {
  blankCompletion,
  CompletionKind,
  FlushFailure,
  noLog,
  noSlot,
  type Completion,
} from '../memory/flush-messages.ts';
import type { FlushQueue } from '../memory/flush-queue.ts';
import type { PartitionWriter } from './partition-writer.ts';
import type { PartitionSync } from './sync-round.ts';

const progress: Completion = { ...blankCompletion(), kind: CompletionKind.PROGRESS, slot: noSlot };

export class CompletionOutbox {
  readonly #queue: FlushQueue;
  #waiting: Completion[] = [];

  constructor(queue: FlushQueue) {
    this.#queue = queue;
  }

  /** Completions that were not shown yet. */
  get count(): number {
    return this.#waiting.length;
  }

  /** Something happened to a partition whose writer is as it is now. */
  tell(writer: PartitionWriter, kind: CompletionKind, failure: FlushFailure = FlushFailure.NONE): void {
    this.#waiting.push({
      kind,
      slot: writer.slot,
      generation: writer.generation,
      failure,
      endOffset: writer.endOffset,
      filePosition: writer.position,
      segmentBaseOffset: writer.segmentBaseOffset,
      log: writer.log ?? noLog,
      logsLeft: this.#queue.files.logsLeft,
      roomEndPosition: 0,
      durationMs: 0,
    });
  }

  /** What `sync` covered is on the disk. The log goes with it where it is all that will have to be synced next. */
  tellSynced({ writer, endOffset, position, segmentBaseOffset }: PartitionSync, durationMs: number): void {
    this.#waiting.push({
      kind: CompletionKind.SYNCED,
      slot: writer.slot,
      generation: writer.generation,
      failure: FlushFailure.NONE,
      endOffset,
      filePosition: position,
      segmentBaseOffset,
      log: writer.loneLog ?? noLog,
      logsLeft: this.#queue.files.logsLeft,
      roomEndPosition: writer.roomEndPosition,
      durationMs,
    });
  }

  /** The LIMIT of `slot` is kept. */
  tellLimited(slot: number): void {
    this.#waiting.push({ ...progress, kind: CompletionKind.LIMITED, slot });
  }

  /** Frees the slots of `dealtWith` submissions, and shows as many completions as have room. */
  publish(dealtWith: number): void {
    if (dealtWith > 0 && this.#waiting.length === 0) this.#waiting.push(progress);
    const count = Math.min(this.#waiting.length, this.#queue.freeCompletions);
    if (count === 0 && dealtWith === 0) return;
    for (let i = 0; i < count; i++) this.#queue.pushCompletion(this.#waiting[i]!, i);
    this.#queue.publishCompletions(dealtWith, count);
    this.#waiting = count === this.#waiting.length ? [] : this.#waiting.slice(count);
  }
}
