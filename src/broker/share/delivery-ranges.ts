/**
 * The ranges of a share partition in order: found, cut, joined again, and which of them are to be stored. Any thread.
 *
 *   start offset                          end offset
 *   │ range │ range │ range │ … │ range │
 *
 * They follow each other without gaps, and neighbours that are alike are one once `tidy` was called. What a change costs
 * hangs on what it is about, and hardly on how many ranges there are. It does not know what becomes of records.
 */

import { assert } from '../../base/assert.ts';
import type { ChangedRange } from '../groups/share/stored-partition.ts';
import { ChangedOffsets } from './changed-offsets.ts';
import { canJoin, DeliveryState, isTerminal, splitOff, type DeliveryRange } from './delivery-range.ts';

/** So many ranges can be the arguments of one call, whatever the stack is. */
const fewRanges = 1000;

export class DeliveryRanges {
  #ranges: DeliveryRange[] = [];
  #startOffset: number;
  #endOffset: number;
  /** What may have to be joined: everything between the two offsets, and the neighbours. */
  #touchedFirst = Infinity;
  #touchedEnd = -1;
  /** What is not stored as it is. */
  readonly #changed = new ChangedOffsets();

  constructor(startOffset: number) {
    this.#startOffset = startOffset;
    this.#endOffset = startOffset;
  }

  get startOffset(): number {
    return this.#startOffset;
  }

  get endOffset(): number {
    return this.#endOffset;
  }

  get all(): readonly DeliveryRange[] {
    return this.#ranges;
  }

  /** Adds records behind the end offset. */
  append(recordCount: number, state: DeliveryState, deliveryCount: number): DeliveryRange {
    const first = this.#endOffset;
    const end = first + recordCount;
    const range = { first, end, state, deliveryCount, memberId: '', lockedUntilMs: 0, batchCount: recordCount };
    this.#ranges.push(range);
    this.#endOffset = end;
    this.touch(range);
    if (state !== DeliveryState.AVAILABLE) this.#changed.add(first, end);
    return range;
  }

  /** The range has changed: it may be like its neighbours now. */
  touch({ first, end }: Pick<DeliveryRange, 'first' | 'end'>): void {
    this.#touchedFirst = Math.min(this.#touchedFirst, first);
    this.#touchedEnd = Math.max(this.#touchedEnd, end);
  }

  /** Nobody has the range any more. */
  finish(range: DeliveryRange, state: DeliveryState): void {
    range.state = state;
    range.memberId = '';
    range.lockedUntilMs = 0;
    this.touch(range);
    this.#changed.add(range.first, range.end);
  }

  /** The ranges that are exactly what lies between the offsets, made so where need be. */
  cut(first: number, end: number): DeliveryRange[] {
    const from = Math.max(first, this.#startOffset);
    const to = Math.min(end, this.#endOffset);
    if (from >= to) return [];
    const start = this.splitAt(from);
    const stop = to === this.#endOffset ? this.#ranges.length : this.splitAt(to);
    return this.#ranges.slice(start, stop);
  }

  /** The index of the range that begins at `offset`, made so where need be. */
  splitAt(offset: number): number {
    const at = this.indexOf(offset);
    const range = this.#ranges[at]!;
    if (range.first === offset) return at;
    this.touch(range);
    this.#ranges.splice(at + 1, 0, splitOff(range, offset));
    return at + 1;
  }

  /**
   * Makes ranges begin at each of the offsets, which rise and lie behind the start offset and before the end offset. However
   * many they are, the list is copied once.
   */
  splitAtAll(offsets: readonly number[]): void {
    if (offsets.length === 0) return;
    const start = this.indexOf(offsets[0]!);
    const split: DeliveryRange[] = [];
    let at = start;
    for (let next = 0; next < offsets.length; at++) {
      let range = this.#ranges[at]!;
      split.push(range);
      for (; next < offsets.length && offsets[next]! < range.end; next++) {
        const offset = offsets[next]!;
        if (offset === range.first) continue;
        this.touch(range);
        range = splitOff(range, offset);
        split.push(range);
      }
    }
    this.#replace(start, at, split);
  }

  /** The index of the range that holds `offset`; the number of ranges where none does. */
  indexOf(offset: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.end <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Everything begins at `offset`, which lies behind the start offset. */
  beginAt(offset: number): void {
    if (offset < this.#endOffset) this.#ranges.splice(0, this.splitAt(offset));
    else this.#ranges = [];
    this.#startOffset = offset;
    this.#endOffset = Math.max(this.#endOffset, offset);
    this.touch({ first: offset, end: offset });
  }

  /** Joins neighbours that are alike where something was touched, and moves the start offset over what is done. */
  tidy(): void {
    const start = Math.max(0, this.indexOf(this.#touchedFirst) - 1);
    let stop = Math.min(this.#ranges.length, this.indexOf(this.#touchedEnd) + 1);
    this.#touchedFirst = Infinity;
    this.#touchedEnd = -1;
    const tidied: DeliveryRange[] = [];
    for (let at = start; at < stop; at++) {
      const range = this.#ranges[at]!;
      const last = tidied.at(-1);
      if (start === 0 && last === undefined && isTerminal(range)) this.#startOffset = range.end;
      else if (last !== undefined && canJoin(last, range)) last.end = range.end;
      else tidied.push(range);
      // Behind what is done now there may be more that was done before, in another way.
      const isFirstDone = start === 0 && tidied.length === 0;
      if (isFirstDone && at + 1 === stop && stop < this.#ranges.length && isTerminal(this.#ranges[stop]!)) stop++;
    }
    if (tidied.length < stop - start) this.#replace(start, stop, tidied);
    const { length } = this.#ranges;
    assert(length === 0 || this.#ranges[0]!.first === this.#startOffset, 'ranges begin at the start offset');
    if (length === 0) this.#endOffset = this.#startOffset;
  }

  /** Puts `ranges` in the place of those from `start` to before `stop`. */
  #replace(start: number, stop: number, ranges: readonly DeliveryRange[]): void {
    if (ranges.length <= fewRanges) this.#ranges.splice(start, stop - start, ...ranges);
    else this.#ranges = this.#ranges.slice(0, start).concat(ranges, this.#ranges.slice(stop));
  }

  /** All of it as it is to be stored. It counts as stored from here on. */
  takeWhole(): ChangedRange[] {
    this.#changed.take();
    const ranges = this.#storedBetween(this.#startOffset, this.#endOffset);
    // What was never given out needs no range.
    while (ranges.at(-1)?.state === DeliveryState.AVAILABLE && ranges.at(-1)!.deliveryCount === 0) ranges.pop();
    return ranges;
  }

  /** What has changed since it was stored; it counts as stored from here on. */
  takeChanges(): ChangedRange[] {
    return this.#changed.take().flatMap(({ first, end }) => this.#storedBetween(first, end));
  }

  /** What is out as it was before it was given out. */
  #storedBetween(first: number, end: number): ChangedRange[] {
    const stored: { -readonly [Key in keyof ChangedRange]: ChangedRange[Key] }[] = [];
    for (let at = this.indexOf(first); at < this.#ranges.length && this.#ranges[at]!.first < end; at++) {
      const range = this.#ranges[at]!;
      const isOut = range.state === DeliveryState.ACQUIRED;
      const state = isOut ? DeliveryState.AVAILABLE : range.state;
      const deliveryCount = isOut ? range.deliveryCount - 1 : range.deliveryCount;
      const firstOffset = Math.max(range.first, first);
      const recordCount = Math.min(range.end, end) - firstOffset;
      const last = stored.at(-1);
      const isSame = last !== undefined && last.state === state && last.deliveryCount === deliveryCount;
      if (isSame) last.recordCount += recordCount;
      else stored.push({ firstOffset, recordCount, state, deliveryCount });
    }
    return stored;
  }
}
