/**
 * Which offsets of a share partition have changed since it was stored last, as a few intervals. Pure; any thread.
 * It may name more than has changed, where there would be too many intervals, and never less.
 */

/** What lies from `first` to before `end`. */
export interface OffsetInterval {
  first: number;
  end: number;
}

/** So many separate intervals are kept; beyond that all is one. */
const maxIntervals = 64;

export class ChangedOffsets {
  /** In order, apart from each other. */
  #intervals: OffsetInterval[] = [];

  add(first: number, end: number): void {
    if (first >= end) return;
    const intervals = this.#intervals;
    let start = intervals.length;
    while (start > 0 && intervals[start - 1]!.end >= first) start--;
    let stop = start;
    while (stop < intervals.length && intervals[stop]!.first <= end) stop++;
    const joined = { first, end };
    if (stop > start) {
      joined.first = Math.min(first, intervals[start]!.first);
      joined.end = Math.max(end, intervals[stop - 1]!.end);
    }
    intervals.splice(start, stop - start, joined);
    if (intervals.length <= maxIntervals) return;
    this.#intervals = [{ first: intervals[0]!.first, end: intervals.at(-1)!.end }];
  }

  /** The intervals, which are forgotten with that. */
  take(): readonly OffsetInterval[] {
    const intervals = this.#intervals;
    this.#intervals = [];
    return intervals;
  }
}
