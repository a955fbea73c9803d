/**
 * The segments that a recovery finds in a partition's directory, and what is not one any more: it is removed. At the start,
 * synchronous.
 */

import type { Offset } from '../base/numbers.ts';
import type { FileSystem } from './file-system.ts';
import type { RecoveryInput } from './recovery.ts';
import { deletedFileSuffix, parseSegmentFileName, segmentFileName, temporarySuffix } from './segment-name.ts';

export class FoundSegments {
  /** Whether files of a segment were removed. */
  isChanged = false;
  readonly #fileSystem: FileSystem;
  readonly #input: RecoveryInput;

  constructor(fileSystem: FileSystem, input: RecoveryInput) {
    this.#fileSystem = fileSystem;
    this.#input = input;
  }

  /**
   * The base offsets of the segments, ascending. What a deletion or a replacement left behind is removed. `foundTransactions`
   * hears of each transaction index.
   */
  list(foundTransactions: (baseOffset: Offset) => void): Offset[] {
    const { directory, names, producerSnapshot } = this.#input;
    const baseOffsets: Offset[] = [];
    for (const name of names) {
      const path = `${directory}/${name}`;
      if (name.endsWith(deletedFileSuffix) || name.endsWith(temporarySuffix)) this.#fileSystem.remove(path);
      const parsed = parseSegmentFileName(name);
      if (parsed?.kind === 'log') baseOffsets.push(parsed.baseOffset);
      if (parsed?.kind === 'txnindex') foundTransactions(parsed.baseOffset);
      const isSnapshot = parsed?.kind === 'snapshot' || parsed?.kind === 'named';
      if (isSnapshot && parsed.baseOffset !== producerSnapshot) this.#fileSystem.remove(path);
    }
    return this.#withoutLeftovers(this.#withoutDeleted(baseOffsets.toSorted((a, b) => a - b)));
  }

  /** Removes all files of the segment. */
  remove(baseOffset: Offset): void {
    for (const kind of ['log', 'index', 'timeindex', 'txnindex'] as const) {
      const path = this.#pathOf(baseOffset, kind);
      if (this.#fileSystem.sizeAt(path) !== null) this.#fileSystem.remove(path);
    }
    this.isChanged = true;
  }

  /**
   * Leaves out, and removes, the segments that end at or before the log's start: a deletion was not finished. Those
   * that go beyond the recovery point stay, because their producers are not known yet.
   */
  #withoutDeleted(baseOffsets: readonly Offset[]): Offset[] {
    const unneededBefore = Math.min(this.#input.logStartOffset, this.#input.recoveryPoint);
    const kept = baseOffsets.filter((_, i) => !((baseOffsets[i + 1] ?? Infinity) <= unneededBefore));
    for (const baseOffset of baseOffsets.slice(0, baseOffsets.length - kept.length)) this.remove(baseOffset);
    return kept;
  }

  /**
   * Leaves out, and removes, empty segments in the middle: a segment that was to begin there could not be made, and the
   * one before it went on past that offset.
   */
  #withoutLeftovers(baseOffsets: readonly Offset[]): Offset[] {
    return baseOffsets.filter((baseOffset, i) => {
      const isInside = i > 0 && i < baseOffsets.length - 1;
      const isLeftover = isInside && this.#fileSystem.sizeAt(this.#pathOf(baseOffset, 'log')) === 0;
      if (isLeftover) this.remove(baseOffset);
      return !isLeftover;
    });
  }

  #pathOf(baseOffset: Offset, kind: Parameters<typeof segmentFileName>[1]): string {
    return `${this.#input.directory}/${segmentFileName(baseOffset, kind)}`;
  }
}
