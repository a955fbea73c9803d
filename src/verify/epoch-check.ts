/**
 * Compares `leader-epoch-checkpoint` with the epochs that the log's batches carry. Offline, any thread.
 */

import type { EpochStart } from '../storage/leader-epochs.ts';

/** Offsets that compaction took out between two batches, and the epochs on both sides. */
interface Gap {
  readonly from: number;
  /** Where the batch behind it begins. */
  readonly to: number;
  readonly epochBefore: number;
  readonly epochAfter: number;
}

/** Where the log's epochs begin, from its batches in order. */
export class EpochsOfLog {
  readonly starts: { leaderEpoch: number; startOffset: number }[] = [];
  readonly #gaps: Gap[] = [];
  #nextOffset = 0;

  /** Whether `offset` lies where compaction took batches out. */
  isGone(offset: number): boolean {
    return this.#gaps.some(({ from, to }) => offset >= from && offset < to);
  }

  /** The starts, with those of `file` in the place of what gaps hide. */
  startsBeside(file: readonly EpochStart[]): readonly { leaderEpoch: number; startOffset: number }[] {
    const hidden = file.filter(({ leaderEpoch, startOffset }) =>
      this.#gaps.some(
        ({ from, to, epochBefore, epochAfter }) =>
          startOffset >= from && startOffset < to && leaderEpoch > epochBefore && leaderEpoch <= epochAfter,
      ),
    );
    const seen = this.starts.filter(({ leaderEpoch }) => !hidden.some((start) => start.leaderEpoch === leaderEpoch));
    return [...seen, ...hidden].toSorted((a, b) => a.startOffset - b.startOffset);
  }

  /** Returns what is wrong with the batch's epoch, or null. */
  take(leaderEpoch: number, baseOffset: number, lastOffset: number): string | null {
    const last = this.starts.at(-1);
    if (baseOffset > this.#nextOffset) {
      const epochBefore = last?.leaderEpoch ?? -1;
      this.#gaps.push({ from: this.#nextOffset, to: baseOffset, epochBefore, epochAfter: leaderEpoch });
    }
    this.#nextOffset = lastOffset + 1;
    if (last !== undefined && leaderEpoch < last.leaderEpoch) {
      return `the batch carries leader epoch ${leaderEpoch}, and one before it ${last.leaderEpoch}`;
    }
    if (last === undefined || leaderEpoch > last.leaderEpoch) {
      this.starts.push({ leaderEpoch, startOffset: baseOffset });
    }
    return null;
  }
}

/**
 * What contradicts the log between `logStartOffset` and `endOffset`, as a sentence, or null.
 */
export function epochProblem(
  file: readonly EpochStart[],
  log: readonly { readonly leaderEpoch: number; readonly startOffset: number }[],
  logStartOffset: number,
  endOffset: number,
): string | null {
  const within = (starts: readonly { leaderEpoch: number; startOffset: number }[]): Map<number, number> => {
    const holding = starts.findLast(({ startOffset }) => startOffset <= logStartOffset);
    const later = starts.filter(({ startOffset }) => startOffset > logStartOffset && startOffset < endOffset);
    const result = new Map(later.map(({ leaderEpoch, startOffset }) => [startOffset, leaderEpoch]));
    if (holding !== undefined && logStartOffset < endOffset) result.set(logStartOffset, holding.leaderEpoch);
    return result;
  };
  const [said, found] = [within(file), within(log)];
  for (const [offset, epoch] of found) {
    if (said.get(offset) === epoch) continue;
    return `it says ${said.has(offset) ? `epoch ${said.get(offset)}` : 'nothing'} for offset ${offset}, where the log has epoch ${epoch}`;
  }
  for (const [offset, epoch] of said) {
    if (!found.has(offset)) return `it says that epoch ${epoch} begins at offset ${offset}, and no batch does`;
  }
  return null;
}

/**
 * What contradicts the log in Kafka's file, which may lag behind: epochs that it does not have are no problem, but those
 * that it has begin where the log's do. `isComplete`: the log ends at `endOffset`, else it may go on.
 */
export function laggingEpochProblem(
  file: readonly EpochStart[],
  log: readonly { readonly leaderEpoch: number; readonly startOffset: number }[],
  logStartOffset: number,
  endOffset: number,
  isComplete: boolean,
): string | null {
  const holdingIn = (starts: readonly { leaderEpoch: number; startOffset: number }[]): number =>
    starts.findLast(({ startOffset }) => startOffset <= logStartOffset)?.leaderEpoch ?? -1;
  if (logStartOffset < endOffset && holdingIn(file) > holdingIn(log)) {
    return `it says epoch ${holdingIn(file)} for offset ${logStartOffset}, where the log has epoch ${holdingIn(log)}`;
  }
  for (const { leaderEpoch, startOffset } of file) {
    if (startOffset <= logStartOffset || (startOffset >= endOffset && !isComplete)) continue;
    if (log.some((start) => start.leaderEpoch === leaderEpoch && start.startOffset === startOffset)) continue;
    return `it says that epoch ${leaderEpoch} begins at offset ${startOffset}, and no batch does`;
  }
  return null;
}
