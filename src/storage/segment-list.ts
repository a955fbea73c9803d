/**
 * The segments of one partition, oldest first; the last is the active one. Decides when it ends. I/O thread.
 *
 *   │ 0 … 41 │ 42 … 99 │ 100 …        a segment ends where the next begins
 *
 * It does not write, read or delete files.
 */

import { assert } from '../base/assert.ts';
import type { Offset } from '../base/numbers.ts';
import type { LogConfig } from './log-config.ts';
import { Segment, type SegmentState } from './segment.ts';
import { offsetEntrySizeBytes, timeEntrySizeBytes } from './segment-index.ts';
import { transactionEntrySizeBytes } from './transaction-index.ts';

/** Index entries hold an offset relative to the segment's base as an int32, and so does Kafka. */
const largestRelativeOffset = 2 ** 31 - 1;

export class SegmentList {
  /** Where it grows it is replaced: a list that is pushed to takes room for more, and most logs have one segment. */
  #segments: Segment[];

  constructor(states: readonly SegmentState[]) {
    this.#segments = states.map((state) => new Segment(state));
    for (let i = 1; i < states.length; i++) {
      assert(states[i]!.baseOffset > states[i - 1]!.baseOffset, 'segments follow each other');
    }
  }

  get count(): number {
    return this.#segments.length;
  }

  /** The one that is written; null before the first write. */
  get active(): Segment | null {
    return this.#segments.at(-1) ?? null;
  }

  get sizeBytes(): number {
    let sum = 0;
    for (const segment of this.#segments) sum += segment.sizeBytes;
    return sum;
  }

  all(): readonly Segment[] {
    return this.#segments;
  }

  has(segment: Segment): boolean {
    return this.#segments[this.find(segment.baseOffset)] === segment;
  }

  at(index: number): Segment {
    const segment = this.#segments[index];
    assert(segment !== undefined, 'the index names a segment');
    return segment;
  }

  /** Index of the segment that holds `offset`, or -1 where it lies before all. */
  find(offset: Offset): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#segments[middle]!.baseOffset <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Where the segment at `index` ends, exclusive; `logEndOffset` for the active one. */
  endOffsetOf(index: number, logEndOffset: Offset): Offset {
    return this.#segments[index + 1]?.baseOffset ?? logEndOffset;
  }

  /** Begins a segment; it is the active one from now on. */
  add(state: SegmentState): Segment {
    const last = this.active;
    assert(last === null || state.baseOffset > last.baseOffset, 'a segment begins after the one before it');
    const segment = new Segment(state);
    this.#segments = this.#segments.concat([segment]);
    return segment;
  }

  /** Forgets the segments that begin after `baseOffset`, whose files could not be made. */
  dropAfter(baseOffset: Offset): void {
    while (this.#segments.length > 1 && this.#segments.at(-1)!.baseOffset > baseOffset) {
      const { timeIndexSizeBeforeBytes } = this.#segments.at(-1)!;
      this.#segments.pop()!.dropIndex();
      // The one before it is not ended after all.
      this.#segments.at(-1)!.timeIndexSizeBytes = timeIndexSizeBeforeBytes;
    }
  }

  /** Takes the oldest `count` segments out; the active one stays. */
  takeFirst(count: number): Segment[] {
    assert(count < this.#segments.length, 'the active segment stays');
    return this.#segments.splice(0, count);
  }

  /** Puts one segment in the place of `replaced`, which follow each other; null where they are not all there. */
  replace(replaced: readonly Segment[], state: SegmentState): Segment | null {
    const first = this.#segments.indexOf(replaced[0]!);
    const isWhole = replaced.every((segment, i) => this.#segments[first + i] === segment);
    if (first < 0 || !isWhole || first + replaced.length >= this.#segments.length) return null;
    const segment = new Segment(state);
    this.#segments.splice(first, replaced.length, segment);
    for (const one of replaced) one.revision++;
    return segment;
  }

  clear(): void {
    for (const segment of this.#segments.splice(0)) segment.dropIndex();
  }

  /**
   * Whether a batch of `sizeBytes` that ends at `lastOffset` begins a new segment, by Kafka's rules: the active one is
   * full, old by its records' time (`timestampMs`, or the clock where there is none), or its indexes are full.
   */
  mustRoll(
    sizeBytes: number,
    lastOffset: Offset,
    timestampMs: number,
    nowMs: number,
    config: LogConfig,
    jitterMs: number,
  ): boolean {
    const active = this.active;
    if (active === null) return false;
    if (lastOffset - active.baseOffset > largestRelativeOffset) return active.sizeBytes > 0;
    if (active.sizeBytes === 0) return false;
    if (active.sizeBytes + sizeBytes > config.segmentBytes) return true;
    const ageMs =
      active.firstTimestampMs >= 0 && timestampMs >= 0
        ? timestampMs - active.firstTimestampMs
        : nowMs - active.createdMs;
    // Only segments that have ended are compacted.
    const segmentMs = config.compactPolicy ? Math.min(config.segmentMs, config.maxCompactionLagMs) : config.segmentMs;
    if (ageMs > segmentMs - jitterMs) return true;
    const full = (usedBytes: number, entrySizeBytes: number): boolean =>
      usedBytes + entrySizeBytes > config.segmentIndexBytes - (config.segmentIndexBytes % entrySizeBytes);
    return (
      full(active.offsetIndexSizeBytes, offsetEntrySizeBytes) ||
      // One entry more is added when the segment ends.
      full(active.timeIndexSizeBytes + timeEntrySizeBytes, timeEntrySizeBytes) ||
      // The active segment's is in memory; Kafka reads its file, and lets it grow.
      full(active.transactionIndexSizeBytes, transactionEntrySizeBytes)
    );
  }
}
