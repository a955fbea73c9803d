/**
 * A partition's leader epochs: from which offset on each holds (KIP-101, KIP-320), and the text of Kafka's file
 * `leader-epoch-checkpoint`. I/O thread, one per partition.
 *
 *   epoch   3        5             9
 *   offset  ├────────┼─────────────┼──────── end of the log
 *
 * Both epochs and start offsets strictly grow. It keeps no file itself: who changes it writes `lines()`.
 */

import { assert } from '../base/assert.ts';
import { asOffset, noOffset, type Offset } from '../base/numbers.ts';
import type { EpochEnd } from './partition-log.ts';

export interface EpochStart {
  readonly leaderEpoch: number;
  readonly startOffset: Offset;
}

const noEpoch = -1;
const largestEpoch = 2 ** 31 - 1;
const unknown: EpochEnd = { leaderEpoch: noEpoch, endOffset: noOffset };

export class LeaderEpochs {
  /** Replaced, never changed: a list that is pushed to takes room for more, and few change more than once. */
  #starts: readonly EpochStart[];

  /** Takes over `starts`, whose epochs and offsets strictly grow. */
  constructor(starts: readonly EpochStart[] = []) {
    this.#starts = starts;
    for (let i = 1; i < starts.length; i++) {
      assert(
        starts[i]!.leaderEpoch > starts[i - 1]!.leaderEpoch && starts[i]!.startOffset > starts[i - 1]!.startOffset,
        'leader epochs and their start offsets grow',
      );
    }
  }

  /** All epochs known, the oldest first. */
  get starts(): readonly EpochStart[] {
    return this.#starts;
  }

  /** The latest epoch, or -1. */
  get latestEpoch(): number {
    return this.#starts.at(-1)?.leaderEpoch ?? noEpoch;
  }

  /**
   * Says that records from `startOffset` on carry `leaderEpoch`. Entries that contradict it (a later or equal epoch, or
   * a start at or after this one) give way, as in Kafka. Returns whether anything changed, so that the file is due.
   */
  assign(leaderEpoch: number, startOffset: Offset): boolean {
    assert(leaderEpoch >= 0 && startOffset >= 0, 'an epoch that is assigned and its offset are at least 0');
    const last = this.#starts.at(-1);
    if (last !== undefined && last.leaderEpoch === leaderEpoch && last.startOffset <= startOffset) return false;
    const kept = this.#starts.filter((start) => start.leaderEpoch < leaderEpoch && start.startOffset < startOffset);
    this.#starts = kept.concat([{ leaderEpoch, startOffset }]);
    return true;
  }

  /**
   * Where `leaderEpoch` ends, by the rules of OffsetsForLeaderEpoch: the latest one at `logEndOffset`, an older one
   * where the next begins; one that is not known, between two others, answers for the one below it; one from before
   * everything known ends where that begins; one from the future is not known (-1, -1).
   */
  endOffsetFor(leaderEpoch: number, logEndOffset: Offset): EpochEnd {
    if (leaderEpoch < 0 || leaderEpoch > this.latestEpoch) return unknown;
    if (leaderEpoch === this.latestEpoch) return { leaderEpoch, endOffset: logEndOffset };
    const next = this.#starts.findIndex((start) => start.leaderEpoch > leaderEpoch);
    const endOffset = this.#starts[next]!.startOffset;
    return { leaderEpoch: next === 0 ? leaderEpoch : this.#starts[next - 1]!.leaderEpoch, endOffset };
  }

  /** The epoch of the record at `offset`; -1 where it lies before everything known. */
  epochAt(offset: Offset): number {
    return this.#starts.findLast((start) => start.startOffset <= offset)?.leaderEpoch ?? noEpoch;
  }

  /** Forgets epochs that begin at or after `endOffset`: the log was cut there. Returns whether anything changed. */
  truncateFromEnd(endOffset: Offset): boolean {
    const kept = this.#starts.filter((start) => start.startOffset < endOffset);
    if (kept.length === this.#starts.length) return false;
    this.#starts = kept;
    return true;
  }

  /** Forgets epochs that end at or before `startOffset`; the one that holds there begins there. Returns as above. */
  truncateFromStart(startOffset: Offset): boolean {
    const holding = this.#starts.findLastIndex((start) => start.startOffset <= startOffset);
    if (holding < 0 || (holding === 0 && this.#starts[0]!.startOffset === startOffset)) return false;
    const { leaderEpoch } = this.#starts[holding]!;
    this.#starts = [{ leaderEpoch, startOffset }, ...this.#starts.slice(holding + 1)];
    return true;
  }

  /** The entries of `leader-epoch-checkpoint`, one `epoch startOffset` a line; `checkpoint-file.ts` writes them. */
  lines(): string[] {
    return this.#starts.map((start) => `${start.leaderEpoch} ${start.startOffset}`);
  }
}

/** The epochs in a checkpoint's lines, or null where a line is malformed or the order is broken. */
export function parseLeaderEpochLines(lines: readonly string[]): LeaderEpochs | null {
  const starts: EpochStart[] = [];
  for (const line of lines) {
    const match = /^(\d{1,10}) (\d{1,16})$/.exec(line);
    if (match === null) return null;
    const leaderEpoch = Number(match[1]);
    const startOffset = Number(match[2]);
    if (leaderEpoch > largestEpoch || !Number.isSafeInteger(startOffset)) return null;
    const last = starts.at(-1);
    if (last !== undefined && (leaderEpoch <= last.leaderEpoch || startOffset <= last.startOffset)) return null;
    starts.push({ leaderEpoch, startOffset: asOffset(startOffset) });
  }
  return new LeaderEpochs(starts);
}
