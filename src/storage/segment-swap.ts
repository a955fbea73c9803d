/**
 * Puts a cleaned segment in the place of those that it was made of, so that after a crash at any moment either they or it
 * are there, whole. At the start; the I/O thread takes the same steps while it serves (`log-compaction.ts`).
 *
 *   1  <base>.log.cleaned, .index.cleaned, .timeindex.cleaned       written and synced; a start removes them
 *   2  <base>.log.swap                                             the decision, durable: a start goes on from here
 *   3  the other segments of the group become .deleted, the cleaned indexes take the place of those of <base>; synced
 *   4  <base>.log.swap becomes <base>.log, over the old one
 *
 * A cleaned segment has no transaction index: of what was aborted before it ended nothing is left to be hidden. Its last
 * batch ends where the next segment begins, so its file alone says which segments it replaces. From 3 on the log is read
 * from the file that is called .swap.
 */

import { asPosition, type Offset } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { cutSuffix } from './cut-files.ts';
import type { FileSystem } from './file-system.ts';
import {
  cleanedSuffix,
  parseSegmentFileName,
  segmentFileName,
  swapSuffix,
  type SegmentFileKind,
} from './segment-name.ts';
import { scanSegmentFile } from './segment-scan.ts';

const indexKinds: readonly SegmentFileKind[] = ['index', 'timeindex', 'txnindex'];

/** Whether a compaction made the file of that name, and had not ended. */
export function isOfCompaction(name: string): boolean {
  return name.endsWith(cleanedSuffix) || name.endsWith(swapSuffix);
}

/**
 * Removes what compactions left undecided in `directory`, whose files are `names`, and completes what they had decided;
 * the indexes of those segments are missing then. Durable when it returns.
 */
export function completeSwaps(arena: Arena, fileSystem: FileSystem, directory: string, names: readonly string[]): void {
  for (const name of names) if (name.endsWith(cleanedSuffix)) fileSystem.remove(`${directory}/${name}`);
  const swaps = names.filter((name) => name.endsWith(swapSuffix));
  for (const name of swaps) {
    const parsed = parseSegmentFileName(name.slice(0, -swapSuffix.length));
    if (parsed?.kind !== 'log') continue;
    const path = `${directory}/${name}`;
    const endOffset = endOfSwapped(arena, fileSystem, path, parsed.baseOffset);
    if (endOffset === null) {
      // It was synced before it got its name, so the disk lost it; what it was made of may be there.
      fileSystem.rename(path, path + cutSuffix);
      continue;
    }
    for (const other of names) {
      const segment = parseSegmentFileName(other);
      if (segment === null || segment.kind === 'snapshot' || segment.kind === 'named') continue;
      const isReplaced = segment.baseOffset > parsed.baseOffset && segment.baseOffset < endOffset;
      const isIndex = segment.baseOffset === parsed.baseOffset && indexKinds.includes(segment.kind);
      if (isReplaced || isIndex) fileSystem.remove(`${directory}/${other}`);
    }
    // The segments that it replaces must not come back once it is in their place.
    fileSystem.syncDirectory(directory);
    fileSystem.rename(path, `${directory}/${segmentFileName(parsed.baseOffset, 'log')}`);
  }
  fileSystem.syncDirectory(directory);
}

/** Where the batches of the cleaned segment in the file at `path` end; null where they are not whole. */
export function endOfSwapped(arena: Arena, fileSystem: FileSystem, path: string, baseOffset: Offset): Offset | null {
  const file = fileSystem.open(path, 'read');
  try {
    let endOffset: Offset | null = null;
    const sizeBytes = fileSystem.sizeOf(file);
    const end = scanSegmentFile(arena, fileSystem, file, sizeBytes, asPosition(0), baseOffset, Infinity, (batch) => {
      endOffset = (batch.lastOffset + 1) as Offset;
      return null;
    });
    return end.problem === null && end.zeroBytes === 0 ? endOffset : null;
  } finally {
    fileSystem.close(file);
  }
}
