/**
 * What the store knows of a partition's log before anything of it is opened: found by a clean stop's file or by
 * recovery, and what a clean stop writes down. Plain data.
 */

import type { Offset } from '../base/numbers.ts';
import type { EpochStart } from './leader-epochs.ts';
import type { SegmentState } from './segment.ts';

export interface PartitionState {
  readonly topic: string;
  readonly partition: number;
  /** Null where the directory does not say. */
  readonly topicId: string | null;
  readonly logStartOffset: Offset;
  readonly endOffset: Offset;
  /** Everything below was on disk; past the end where something of it is missing. */
  readonly recoveryPoint: Offset;
  /** Index entries of what lies before are on disk; at most the recovery point. What lies behind has none that count. */
  readonly indexPoint: Offset;
  /** The oldest first; the last is the active one. Empty where the partition has no files. */
  readonly segments: readonly SegmentState[];
  readonly epochs: readonly EpochStart[];
  /** The end offset that the newest producer snapshot is named after; null where no producer was ever known. */
  readonly producerSnapshot: Offset | null;
  /** Where the oldest transaction began that is open; -1 where none is, or left out, as files of version 1 do. */
  readonly firstOpenTransaction?: number;
  /** Null unless the partition takes no writes until someone decides. */
  readonly refusal: string | null;
}

/** A partition without files whose next record gets `offset`. */
export function emptyAt(topic: string, partition: number, topicId: string | null, offset: Offset): PartitionState {
  return {
    topic,
    partition,
    topicId,
    logStartOffset: offset,
    endOffset: offset,
    recoveryPoint: offset,
    indexPoint: offset,
    segments: [],
    epochs: [],
    producerSnapshot: null,
    refusal: null,
  };
}
