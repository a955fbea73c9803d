/**
 * The index entries of a segment that is being scanned, made again as the writer makes them, and written to the files.
 * At the start and offline, synchronous. The formats stand in `segment-index.ts`.
 */

import { readInt32, readInt64, writeInt32, writeInt64 } from '../records/big-endian.ts';
import { readWholeFile } from './checkpoint-file.ts';
import type { FileSystem } from './file-system.ts';
import { offsetEntrySizeBytes, timeEntrySizeBytes } from './segment-index.ts';
import { segmentFileName, temporarySuffix } from './segment-name.ts';
import type { Offset } from '../base/numbers.ts';

const largestIndexBytes = 512 * 1024 * 1024;
const noBytes = new Uint8Array();

export interface OffsetEntry {
  readonly lastOffset: Offset;
  readonly position: number;
}

export interface TimeEntry {
  readonly timestampMs: number;
  readonly offset: Offset;
}

/** What a segment's index files hold, as far as it is whole and in order. */
export interface IndexEntries {
  readonly offsets: OffsetEntry[];
  readonly times: TimeEntry[];
}

/** Entries as files have them. */
export interface FoundEntries extends IndexEntries {
  /** Whether the files hold these entries and nothing else. */
  readonly isWhole: boolean;
}

/**
 * Reads both index files of the segment at `baseOffset` in `directory`, whose files have the `names`; a missing one is
 * empty.
 */
export function readIndexEntries(
  fileSystem: FileSystem,
  directory: string,
  names: readonly string[],
  baseOffset: Offset,
): FoundEntries {
  const read = (kind: 'index' | 'timeindex'): Uint8Array => {
    const name = segmentFileName(baseOffset, kind);
    if (!names.includes(name)) return noBytes;
    return readWholeFile(fileSystem, `${directory}/${name}`, largestIndexBytes) ?? noBytes;
  };
  const offsets: OffsetEntry[] = [];
  const offsetBytes = read('index');
  for (let at = 0; at + offsetEntrySizeBytes <= offsetBytes.length; at += offsetEntrySizeBytes) {
    const lastOffset = (baseOffset + readInt32(offsetBytes, at)) as Offset;
    const position = readInt32(offsetBytes, at + 4);
    const before = offsets.at(-1);
    if (lastOffset < baseOffset || position < 0) break;
    if (before !== undefined && (lastOffset <= before.lastOffset || position <= before.position)) break;
    offsets.push({ lastOffset, position });
  }
  const times: TimeEntry[] = [];
  const timeBytes = read('timeindex');
  for (let at = 0; at + timeEntrySizeBytes <= timeBytes.length; at += timeEntrySizeBytes) {
    const timestampMs = readInt64(timeBytes, at);
    const offset = (baseOffset + readInt32(timeBytes, at + 8)) as Offset;
    const before = times.at(-1);
    if (timestampMs < 0 || offset < baseOffset) break;
    if (before !== undefined && (timestampMs < before.timestampMs || offset < before.offset)) break;
    times.push({ timestampMs, offset });
  }
  const isWhole =
    offsetBytes.length === offsets.length * offsetEntrySizeBytes &&
    timeBytes.length === times.length * timeEntrySizeBytes;
  return { offsets, times, isWhole };
}

/**
 * Replaces both index files, each atomically: the entries before the recovery point are needed should this be cut short.
 * Durable once the directory was synced.
 */
export function writeIndexEntries(
  fileSystem: FileSystem,
  directory: string,
  baseOffset: Offset,
  entries: IndexEntries,
): void {
  const { offsetBytes, timeBytes } = encodeIndexEntries(baseOffset, entries);
  replace(fileSystem, `${directory}/${segmentFileName(baseOffset, 'index')}`, offsetBytes);
  replace(fileSystem, `${directory}/${segmentFileName(baseOffset, 'timeindex')}`, timeBytes);
}

/** What both index files of the segment at `baseOffset` hold. */
export function encodeIndexEntries(
  baseOffset: Offset,
  { offsets, times }: IndexEntries,
): { readonly offsetBytes: Uint8Array; readonly timeBytes: Uint8Array } {
  const offsetBytes = new Uint8Array(offsets.length * offsetEntrySizeBytes);
  for (const [i, { lastOffset, position }] of offsets.entries()) {
    writeInt32(offsetBytes, i * offsetEntrySizeBytes, lastOffset - baseOffset);
    writeInt32(offsetBytes, i * offsetEntrySizeBytes + 4, position);
  }
  const timeBytes = new Uint8Array(times.length * timeEntrySizeBytes);
  for (const [i, { timestampMs, offset }] of times.entries()) {
    writeInt64(timeBytes, i * timeEntrySizeBytes, timestampMs);
    writeInt32(timeBytes, i * timeEntrySizeBytes + 8, offset - baseOffset);
  }
  return { offsetBytes, timeBytes };
}

function replace(fileSystem: FileSystem, path: string, bytes: Uint8Array): void {
  const temporary = path + temporarySuffix;
  const file = fileSystem.open(temporary, 'create');
  try {
    fileSystem.truncate(file, 0);
    let written = 0;
    while (written < bytes.length) {
      const count = fileSystem.write(file, [bytes.subarray(written)], written);
      if (count <= 0) throw Object.assign(new Error(`A write to ${path} took no bytes.`), { code: 'EIO' });
      written += count;
    }
    fileSystem.sync(file);
  } finally {
    fileSystem.close(file);
  }
  fileSystem.rename(temporary, path);
}

/** Whether both say the same. */
export function haveSameEntries(a: IndexEntries, b: FoundEntries): boolean {
  return (
    b.isWhole &&
    a.offsets.length === b.offsets.length &&
    a.times.length === b.times.length &&
    a.offsets.every(
      (entry, i) => entry.lastOffset === b.offsets[i]!.lastOffset && entry.position === b.offsets[i]!.position,
    ) &&
    a.times.every((entry, i) => entry.offset === b.times[i]!.offset && entry.timestampMs === b.times[i]!.timestampMs)
  );
}
