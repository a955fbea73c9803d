/**
 * The transaction indexes of a partition's segments while it is recovered. At the start and offline, synchronous.
 *
 *   before the recovery point   the files say which transactions were aborted: the log alone does not, without what was
 *                               open there
 *   behind it                   made again from the log, whatever the files say
 *
 * Each file holds afterwards what is true and nothing else: what a crash left behind would count once the recovery
 * point had passed it.
 */

import type { Offset } from '../base/numbers.ts';
import type { AbortedCount } from './aborted-counts.ts';
import { readWholeFile, replaceFile } from './checkpoint-file.ts';
import type { FileSystem } from './file-system.ts';
import { segmentFileName } from './segment-name.ts';
import {
  readTransactionEntries,
  transactionEntrySizeBytes,
  transactionFileBytes,
  type TransactionEntry,
} from './transaction-index.ts';

const largestIndexBytes = 512 * 1024 * 1024;
const nothing: readonly TransactionEntry[] = [];

export class RecoveredTransactions {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  /** Segments that have a file. */
  readonly #files = new Set<Offset>();
  readonly #known = new Map<Offset, readonly TransactionEntry[]>();

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
  }

  /** The segment at `baseOffset` has a file. */
  found(baseOffset: Offset): void {
    this.#files.add(baseOffset);
  }

  /**
   * Reads what the files of the segments at `baseOffsets`, ascending, say of what lies before `recoveryPoint`, where they
   * had as many entries as `counts` say. False where one cannot be used, or has fewer: then all of the log is to be read,
   * and nothing is known.
   */
  load(baseOffsets: readonly Offset[], recoveryPoint: Offset, counts: readonly AbortedCount[]): boolean {
    for (const [i, baseOffset] of baseOffsets.entries()) {
      if (baseOffset >= recoveryPoint || !this.#files.has(baseOffset)) continue;
      const bytes = readWholeFile(this.#fileSystem, this.#path(baseOffset), largestIndexBytes) ?? new Uint8Array();
      const found = readTransactionEntries(bytes, baseOffset, Infinity);
      if (found.problem !== null && !found.isTorn) {
        this.#known.clear();
        return false;
      }
      const endOffset = Math.min(baseOffsets[i + 1] ?? recoveryPoint, recoveryPoint);
      const entries = found.entries.filter(({ lastOffset }) => lastOffset < endOffset);
      this.#known.set(baseOffset, entries);
    }
    const isShort = ({ baseOffset, count }: AbortedCount) =>
      this.of(baseOffset).length < count && baseOffsets.includes(baseOffset);
    if (!counts.some(isShort)) return true;
    this.#known.clear();
    return false;
  }

  /** The aborted transactions that end in the segment, before the recovery point. */
  of(baseOffset: Offset): readonly TransactionEntry[] {
    return this.#known.get(baseOffset) ?? nothing;
  }

  /** Makes the segment's file hold `entries`; durable once the directory is. Returns whether anything was written. */
  save(baseOffset: Offset, entries: readonly TransactionEntry[]): boolean {
    const path = this.#path(baseOffset);
    const hasFile = this.#files.has(baseOffset);
    const sizeBytes = hasFile ? (this.#fileSystem.sizeAt(path) ?? 0) : 0;
    const isKnown = this.of(baseOffset).length === entries.length;
    if (isKnown && sizeBytes === entries.length * transactionEntrySizeBytes) return false;
    if (entries.length > 0) replaceFile(this.#fileSystem, path, transactionFileBytes(entries));
    else if (hasFile) this.#fileSystem.remove(path);
    return true;
  }

  #path(baseOffset: Offset): string {
    return `${this.#directory}/${segmentFileName(baseOffset, 'txnindex')}`;
  }
}
