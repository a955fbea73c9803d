/**
 * Takes out of a log what cannot belong to it, without losing it: the end of a segment moves to a file of its own, and
 * later segments get other names. At the start and offline, synchronous.
 *
 *   00000000000000000042.log        …whole batches│what is not        →  00000000000000000042.<position>.cut, ….2.cut, …
 *   00000000000000000099.log        a later segment                   →  00000000000000000099.log.cut
 *
 * It decides nothing; the indexes of later segments are removed, since nothing needs them.
 */

import type { Offset } from '../base/numbers.ts';
import type { FileSystem } from './file-system.ts';
import { segmentFileName } from './segment-name.ts';

export const cutSuffix = '.cut';
const pieceBytes = 1024 * 1024;

/**
 * Cuts the segment at `baseOffset` in `directory` to `sizeBytes` and sets the segments at `later` aside. Returns the
 * bytes that were moved. A crash half-way leaves what the next call can begin with again.
 */
export function cutLog(
  fileSystem: FileSystem,
  directory: string,
  baseOffset: Offset,
  sizeBytes: number,
  later: readonly Offset[],
): number {
  let movedBytes = setAside(fileSystem, directory, later);
  const name = `${directory}/${segmentFileName(baseOffset, 'log')}`;
  const file = fileSystem.open(name, 'write');
  try {
    const fileBytes = fileSystem.sizeOf(file);
    if (fileBytes > sizeBytes) {
      copyEnd(fileSystem, file, sizeBytes, fileBytes, freeName(fileSystem, name, sizeBytes));
      fileSystem.syncDirectory(directory);
      fileSystem.truncate(file, sizeBytes);
      fileSystem.sync(file);
      movedBytes += fileBytes - sizeBytes;
    }
  } finally {
    fileSystem.close(file);
  }
  fileSystem.syncDirectory(directory);
  return movedBytes;
}

/** Sets whole segments aside; returns their bytes. The caller syncs the directory. */
export function setAside(fileSystem: FileSystem, directory: string, baseOffsets: readonly Offset[]): number {
  let movedBytes = 0;
  // From the end, so that what is left after a crash still ends at the same place.
  for (const offset of baseOffsets.toReversed()) {
    const path = `${directory}/${segmentFileName(offset, 'log')}`;
    movedBytes += fileSystem.sizeAt(path) ?? 0;
    fileSystem.rename(path, path + cutSuffix);
    for (const kind of ['index', 'timeindex', 'txnindex'] as const) {
      const index = `${directory}/${segmentFileName(offset, kind)}`;
      if (fileSystem.sizeAt(index) !== null) fileSystem.remove(index);
    }
  }
  return movedBytes;
}

/** A name for what is cut at `position` that no earlier cut has taken. */
function freeName(fileSystem: FileSystem, segment: string, position: number): string {
  const stem = `${segment.slice(0, -'.log'.length)}.${position}`;
  for (let i = 1; ; i++) {
    const name = `${stem}${i === 1 ? '' : `.${i}`}${cutSuffix}`;
    if (fileSystem.sizeAt(name) === null) return name;
  }
}

function copyEnd(fileSystem: FileSystem, source: number, from: number, end: number, path: string): void {
  const target = fileSystem.open(path, 'create');
  try {
    fileSystem.truncate(target, 0);
    const piece = new Uint8Array(Math.min(pieceBytes, end - from));
    for (let position = from; position < end;) {
      const count = fileSystem.read(source, piece.subarray(0, Math.min(piece.length, end - position)), position);
      if (count === 0) break;
      let written = 0;
      while (written < count) {
        const size = fileSystem.write(target, [piece.subarray(written, count)], position - from + written);
        if (size <= 0) throw Object.assign(new Error(`A write to ${path} took no bytes.`), { code: 'EIO' });
        written += size;
      }
      position += count;
    }
    fileSystem.sync(target);
  } finally {
    fileSystem.close(target);
  }
}
