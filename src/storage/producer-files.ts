/**
 * The two files that hold a partition's producers as of an offset: `.snapshot` in Kafka's format (`producer-snapshot.ts`)
 * and, where there are named ones, `.named` beside it (`named-snapshot.ts`). I/O thread; the reading is synchronous.
 *
 * `.named` is written first: a `.snapshot` that lists named producers without a whole `.named` is damage.
 */

import type { Offset } from '../base/numbers.ts';
import { isNamedProducerId } from '../records/named-records.ts';
import { readWholeFile, replaceFileLater } from './checkpoint-file.ts';
import type { FileSystem } from './file-system.ts';
import { kafkaEntries, type NamedProducerEntry, type NamedProducers } from './named-producers.ts';
import { decodeNamedSnapshot, encodeNamedSnapshot } from './named-snapshot.ts';
import { decodeProducerSnapshot, encodeProducerSnapshot } from './producer-snapshot.ts';
import type { ProducerEntry, ProducerState } from './producer-state.ts';
import { segmentFileName } from './segment-name.ts';

const largestSnapshotBytes = 512 * 1024 * 1024;

/** Both files as bytes. */
export interface ProducerFiles {
  readonly snapshot: Uint8Array;
  /** Null where there is no named producer. */
  readonly named: Uint8Array | null;
}

/** What the files of an offset say, or what is wrong with which of them. */
export type FoundProducers =
  | { readonly entries: readonly ProducerEntry[]; readonly named: readonly NamedProducerEntry[]; readonly damage: null }
  | { readonly damage: string; readonly path: string };

/** The files of the producers as they are now. */
export function encodeProducers(producers: ProducerState, named: NamedProducers): ProducerFiles {
  return {
    snapshot: encodeProducerSnapshot([...producers.entries(), ...kafkaEntries(named)]),
    named: named.size === 0 ? null : encodeNamedSnapshot(named.entries()),
  };
}

/** The paths that the files of `offset` have. */
export function producerPaths(
  directory: string,
  offset: Offset,
): { readonly snapshot: string; readonly named: string } {
  return {
    snapshot: `${directory}/${segmentFileName(offset, 'snapshot')}`,
    named: `${directory}/${segmentFileName(offset, 'named')}`,
  };
}

/** Writes the files of `offset`, durably, while others are served. Rejects with the file system's errors. */
export async function writeProducersLater(
  fileSystem: FileSystem,
  directory: string,
  offset: Offset,
  files: ProducerFiles,
): Promise<void> {
  const paths = producerPaths(directory, offset);
  if (files.named !== null) await replaceFileLater(fileSystem, paths.named, files.named);
  await replaceFileLater(fileSystem, paths.snapshot, files.snapshot);
}

/** Reads the files of `offset`. Throws the file system's errors. */
export function readProducers(fileSystem: FileSystem, directory: string, offset: Offset): FoundProducers {
  const paths = producerPaths(directory, offset);
  const bytes = readWholeFile(fileSystem, paths.snapshot, largestSnapshotBytes);
  if (bytes === null) return { path: paths.snapshot, damage: 'it is missing' };
  return decode(paths, bytes, () => readWholeFile(fileSystem, paths.named, largestSnapshotBytes));
}

/** As `readProducers`, of files that may not be written yet. */
export function decodeProducers({ snapshot, named }: ProducerFiles, directory: string, offset: Offset): FoundProducers {
  return decode(producerPaths(directory, offset), snapshot, () => named);
}

function decode(
  paths: ReturnType<typeof producerPaths>,
  bytes: Uint8Array,
  readNamed: () => Uint8Array | null,
): FoundProducers {
  const decoded = decodeProducerSnapshot(bytes);
  if (decoded.entries === null) return { path: paths.snapshot, damage: decoded.damage };
  const entries = decoded.entries.filter(({ producerId }) => !isNamedProducerId(producerId));
  const namedIds = new Set(decoded.entries.map(({ producerId }) => producerId).filter(isNamedProducerId));
  if (namedIds.size === 0) return { entries, named: [], damage: null };

  const namedBytes = readNamed();
  if (namedBytes === null) return { path: paths.named, damage: 'it is missing' };
  const named = decodeNamedSnapshot(namedBytes);
  if (named.entries === null) return { path: paths.named, damage: named.damage };
  const isSame =
    named.entries.length === namedIds.size && named.entries.every(({ producerId }) => namedIds.has(producerId));
  if (!isSame) return { path: paths.named, damage: 'its producers are not those of the snapshot beside it' };
  return { entries, named: named.entries, damage: null };
}
