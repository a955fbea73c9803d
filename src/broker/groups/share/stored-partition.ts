/**
 * How far a share group has come in a partition, as it is stored: as a whole, and what changed since. Pure; any thread.
 *
 *   whole    start offset │ available, 2nd time │ acknowledged │ available …      without gaps
 *   change   start offset            │ acknowledged │     │ archived │           what is between is as it was
 */

/** A run of records that have come equally far. */
export interface StoredRange {
  readonly recordCount: number;
  /** As the wire numbers them: 0 available, 2 acknowledged, 3 archiving, 4 archived. */
  readonly state: number;
  readonly deliveryCount: number;
}

export interface ChangedRange extends StoredRange {
  readonly firstOffset: number;
}

/** How far a share group has come in a partition. */
export interface StoredPartition {
  /** -1 where nobody has read from it yet. */
  readonly startOffset: number;
  /** The leader epoch of the last record that the ranges hold, or that lies before the start offset; -1: not known. */
  readonly leaderEpoch: number;
  readonly ranges: readonly StoredRange[];
}

/** What has changed since the partition was stored; the ranges are in order, and all of them behind the start offset. */
export interface PartitionChange {
  readonly startOffset: number;
  readonly leaderEpoch: number;
  readonly ranges: readonly ChangedRange[];
}

export const unknownEpoch = -1;

export const unreadPartition: StoredPartition = { startOffset: -1, leaderEpoch: unknownEpoch, ranges: [] };

/** What nobody has been given. */
const untouched = { state: 0, deliveryCount: 0 } as const;

/** The partition with the changes, which are in the order in which they came. */
export function withChanges(stored: StoredPartition, changes: readonly PartitionChange[]): StoredPartition {
  let { startOffset, leaderEpoch } = stored;
  let ranges = placed(stored);
  for (const change of changes) {
    ranges = overlaid(ranges, change.ranges);
    ({ startOffset, leaderEpoch } = change);
  }
  return { startOffset, leaderEpoch, ranges: gapless(startOffset, ranges) };
}

function placed({ startOffset, ranges }: StoredPartition): ChangedRange[] {
  let firstOffset = startOffset;
  return ranges.map((range) => {
    const at = { ...range, firstOffset };
    firstOffset += range.recordCount;
    return at;
  });
}

/** `ranges` with `changed` in the place of what lies there; both are in order. */
function overlaid(ranges: readonly ChangedRange[], changed: readonly ChangedRange[]): ChangedRange[] {
  const merged: ChangedRange[] = [];
  let at = 0;
  /** What is left of `ranges[at]`. */
  let rest = ranges[0];
  const next = (): void => void (rest = ranges[++at]);
  for (const change of changed) {
    const { firstOffset } = change;
    while (rest !== undefined && endOf(rest) <= firstOffset) {
      merged.push(rest);
      next();
    }
    if (rest !== undefined && rest.firstOffset < firstOffset) {
      merged.push({ ...rest, recordCount: firstOffset - rest.firstOffset });
    }
    merged.push(change);
    while (rest !== undefined && endOf(rest) <= endOf(change)) next();
    if (rest !== undefined && rest.firstOffset < endOf(change)) rest = from(rest, endOf(change));
  }
  for (; rest !== undefined; next()) merged.push(rest);
  return merged;
}

/** The ranges from `startOffset` on, with what nobody has been given between them. */
function gapless(startOffset: number, ranges: readonly ChangedRange[]): StoredRange[] {
  const whole: StoredRange[] = [];
  let endOffset = startOffset;
  for (const range of ranges) {
    if (endOf(range) <= endOffset) continue;
    const { firstOffset, recordCount, state, deliveryCount } =
      range.firstOffset < endOffset ? from(range, endOffset) : range;
    if (firstOffset > endOffset) whole.push({ recordCount: firstOffset - endOffset, ...untouched });
    whole.push({ recordCount, state, deliveryCount });
    endOffset = firstOffset + recordCount;
  }
  return whole;
}

function endOf({ firstOffset, recordCount }: ChangedRange): number {
  return firstOffset + recordCount;
}

/** The part of the range from `offset` on. */
function from(range: ChangedRange, offset: number): ChangedRange {
  return { ...range, firstOffset: offset, recordCount: endOf(range) - offset };
}
