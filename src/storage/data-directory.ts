/**
 * The directory that a broker keeps everything in, and the file that marks it as Millrace's. At the start, any thread.
 *
 *   millrace-data/meta.properties      version=1, cluster.id, node.id as in Kafka, and millrace.format=2
 *   millrace-data/orders-0/…           partitions, see `segment-name.ts`
 *
 * `openDataDirectory` decides whether the directory may be used: an empty or missing one is made Millrace's, one that
 * belongs to something else, to a newer Millrace or to nobody who may write is refused and left exactly as it is.
 * Who else uses it at this moment is the lock's business (`server/directory-lock.ts`). A start therefore goes:
 * `makeDataDirectory`, which refuses before anything is touched; the lock; `openDataDirectory`.
 *
 *   format 1   the first
 *   format 2   with counts of aborted transactions beside recovery points, and changes of share partitions
 *
 * Each format holds all of those before it, so that a directory becomes one of the newest by its mark alone, which is raised
 * before anything else is written: an older release refuses it then by a sentence, and not over what it cannot read.
 */

import { EnvironmentError, EnvironmentErrorCode, systemErrorCode } from '../base/environment-error.ts';
import type { RandomSource } from '../base/random.ts';
import { parseUuid, randomUuid, type Uuid } from '../base/uuid.ts';
import { readWholeFile, replaceFile } from './checkpoint-file.ts';
import type { FileSystem } from './file-system.ts';
import { temporarySuffix } from './segment-name.ts';

export const metaPropertiesName = 'meta.properties';
/** Begins the names of the lock's sockets, which may be there before anything else. */
export const lockPrefix = 'millrace.lock.';
/** The layout of everything in the directory; a release that changes it raises this. */
export const formatVersion = 2;

const kafkaMetaVersion = '1';
const largestMetaBytes = 65_536;
const largestNodeId = 2 ** 31 - 1;

/** What `meta.properties` says. */
export interface DataDirectoryMeta {
  readonly clusterId: Uuid;
  readonly nodeId: number;
  /** The layout of what is in it, up to `formatVersion`. */
  readonly format: number;
}

export interface DataDirectory extends DataDirectoryMeta {
  readonly path: string;
  /** Whether this call made it Millrace's. */
  readonly created: boolean;
  /** The format that it had until this call; null where that is the same. */
  readonly olderFormat: number | null;
}

/**
 * Opens the data directory at `path` for the node `nodeId`, making it where it is missing or empty, and raising the format of
 * an older one where the disk has room for that. Throws an `EnvironmentError`: DATA_DIRECTORY_FOREIGN,
 * DATA_DIRECTORY_NEWER, DATA_DIRECTORY_UNWRITABLE, DATA_CORRUPT for a damaged meta.properties, CONFIG_INVALID where it
 * belongs to another node.
 */
export function openDataDirectory(
  fileSystem: FileSystem,
  path: string,
  nodeId: number,
  random: RandomSource,
): DataDirectory {
  return explainingFailures(path, () => {
    const existing = checkDataDirectory(fileSystem, path);
    if (existing !== null) {
      checkNode(path, existing, nodeId);
      probeWriting(fileSystem, path);
      const isRaised = existing.format < formatVersion && tryRaise(fileSystem, path, existing);
      const format = isRaised ? formatVersion : existing.format;
      return { ...existing, format, path, created: false, olderFormat: isRaised ? existing.format : null };
    }
    // Where `makeDataDirectory` was here before, its name is on disk already.
    if (!fileSystem.isDirectory(path)) makeDurably(fileSystem, path);
    const meta: DataDirectoryMeta = { clusterId: randomUuid(random), nodeId, format: formatVersion };
    writeMeta(fileSystem, path, meta);
    return { ...meta, path, created: true, olderFormat: null };
  });
}

/**
 * Marks the directory at `path`, which is Millrace's, as one of this release's format, durably, where it is of an older one.
 * Throws as `checkDataDirectory` does, and DISK_FULL.
 */
export function raiseFormat(fileSystem: FileSystem, path: string): void {
  explainingFailures(path, () => {
    const existing = checkDataDirectory(fileSystem, path);
    if (existing !== null && existing.format < formatVersion) writeMeta(fileSystem, path, existing);
  });
}

/** False where the disk is full, over which a start may still serve reads: a later one raises the format. */
function tryRaise(fileSystem: FileSystem, path: string, existing: DataDirectoryMeta): boolean {
  try {
    writeMeta(fileSystem, path, existing);
    return true;
  } catch (error) {
    if (!isFull(systemErrorCode(error))) throw error;
    return false;
  }
}

function writeMeta(fileSystem: FileSystem, path: string, meta: DataDirectoryMeta): void {
  replaceFile(fileSystem, `${path}/${metaPropertiesName}`, new TextEncoder().encode(formatMeta(meta)));
}

function isFull(code: string | null): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Makes the directory at `path`, durably, where it is missing. Refuses it as `openDataDirectory` does. */
export function makeDataDirectory(fileSystem: FileSystem, path: string, nodeId: number): void {
  explainingFailures(path, () => {
    const existing = checkDataDirectory(fileSystem, path);
    if (existing === null) makeDurably(fileSystem, path);
    else checkNode(path, existing, nodeId);
  });
}

/**
 * Looks whether the directory at `path` may be used, touching nothing: what its meta.properties says, or null where it
 * is missing or empty and may be made Millrace's. Throws as `openDataDirectory` does.
 */
export function checkDataDirectory(fileSystem: FileSystem, path: string): DataDirectoryMeta | null {
  return explainingFailures(path, () => {
    if (!fileSystem.isDirectory(path)) {
      if (fileSystem.sizeAt(path) === null) return null;
      throw foreign(path, 'it is a file');
    }
    const bytes = readWholeFile(fileSystem, `${path}/${metaPropertiesName}`, largestMetaBytes);
    if (bytes === null) {
      const strange = fileSystem.list(path).find((name) => !mayBeLeftOver(name));
      if (strange === undefined) return null;
      throw foreign(path, `it has no ${metaPropertiesName} but holds ${JSON.stringify(strange)}`);
    }
    return parseMeta(path, new TextDecoder().decode(bytes));
  });
}

function checkNode(path: string, existing: DataDirectoryMeta, nodeId: number): void {
  if (existing.nodeId === nodeId) return;
  throw new EnvironmentError(
    EnvironmentErrorCode.CONFIG_INVALID,
    `The data directory ${path} belongs to node ${existing.nodeId}, but this node is ${nodeId}: set node.id=${existing.nodeId} or use another directory.`,
  );
}

/** Whether a start that was cut short may have left a file of this name in a directory that is otherwise empty. */
function mayBeLeftOver(name: string): boolean {
  return (
    name === metaPropertiesName + temporarySuffix ||
    name.startsWith(lockPrefix) ||
    // The root of a freshly made ext4 file system has it.
    name === 'lost+found'
  );
}

/** As this release writes it, whatever the format was before. */
function formatMeta(meta: DataDirectoryMeta): string {
  return [
    '# Written by Millrace. Do not edit.',
    `version=${kafkaMetaVersion}`,
    `cluster.id=${meta.clusterId}`,
    `node.id=${meta.nodeId}`,
    `millrace.format=${formatVersion}`,
    '',
  ].join('\n');
}

function parseMeta(path: string, text: string): DataDirectoryMeta {
  const properties = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const equals = line.indexOf('=');
    if (line.startsWith('#') || equals < 0) continue;
    properties.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim());
  }
  const format = properties.get('millrace.format');
  if (format === undefined) {
    if (properties.has('cluster.id') || properties.has('version')) {
      throw foreign(path, `its ${metaPropertiesName} is Apache Kafka's`);
    }
    throw corrupt(path, 'it has no millrace.format');
  }
  if (!/^[1-9]\d{0,8}$/.test(format)) throw corrupt(path, `its millrace.format is ${JSON.stringify(format)}`);
  if (Number(format) > formatVersion) {
    throw new EnvironmentError(
      EnvironmentErrorCode.DATA_DIRECTORY_NEWER,
      `The data directory ${path} was written by a newer Millrace (format ${format}, and this one knows ${formatVersion}): use that release or another directory.`,
    );
  }
  const version = properties.get('version');
  if (version !== kafkaMetaVersion) throw corrupt(path, `its version is ${JSON.stringify(version ?? '')}`);
  const clusterId = parseUuid(properties.get('cluster.id') ?? '');
  if (clusterId === null) throw corrupt(path, 'its cluster.id is no id');
  const nodeIdText = properties.get('node.id') ?? '';
  if (!/^\d{1,10}$/.test(nodeIdText) || Number(nodeIdText) > largestNodeId) {
    throw corrupt(path, `its node.id is ${JSON.stringify(nodeIdText)}`);
  }
  return { clusterId, nodeId: Number(nodeIdText), format: Number(format) };
}

/** Makes the directory and missing parents, and syncs what holds a new name. */
function makeDurably(fileSystem: FileSystem, path: string): void {
  const parents: string[] = [];
  for (let at = path; !fileSystem.isDirectory(at); at = parentOf(at)) parents.push(parentOf(at));
  // A start before this one may have made it and then failed; or the user did, perhaps where nobody else may look.
  if (parents.length === 0) return syncParent(fileSystem, path);
  fileSystem.makeDirectory(path);
  for (const parent of parents.toReversed()) fileSystem.syncDirectory(parent);
}

function syncParent(fileSystem: FileSystem, path: string): void {
  try {
    fileSystem.syncDirectory(parentOf(path));
  } catch (error) {
    if (systemErrorCode(error) !== 'EACCES') throw error;
  }
}

/** Finds out before anything depends on it that files can be made here. */
function probeWriting(fileSystem: FileSystem, path: string): void {
  const probe = `${path}/${metaPropertiesName}${temporarySuffix}`;
  fileSystem.close(fileSystem.open(probe, 'create'));
  fileSystem.remove(probe);
}

/** Runs `action`; refusals of the file system become sentences about the directory. */
function explainingFailures<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof EnvironmentError) throw error;
    const code = systemErrorCode(error);
    if (code === null) throw error;
    if (isFull(code)) {
      throw new EnvironmentError(
        EnvironmentErrorCode.DISK_FULL,
        `The data directory ${path} has no room left (${code}): free some space.`,
        error,
      );
    }
    throw new EnvironmentError(
      EnvironmentErrorCode.DATA_DIRECTORY_UNWRITABLE,
      `The data directory ${path} cannot be used (${code}): make it readable and writable for this user or use another one.`,
      error,
    );
  }
}

function foreign(path: string, why: string): EnvironmentError {
  return new EnvironmentError(
    EnvironmentErrorCode.DATA_DIRECTORY_FOREIGN,
    `The data directory ${path} does not belong to Millrace (${why}): use an empty or a new directory.`,
  );
}

function corrupt(path: string, what: string): EnvironmentError {
  return new EnvironmentError(
    EnvironmentErrorCode.DATA_CORRUPT,
    `The file ${path}/${metaPropertiesName} is damaged (${what}): restore it from a backup.`,
  );
}

function parentOf(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  const slash = trimmed.lastIndexOf('/');
  return slash < 0 ? '.' : trimmed.slice(0, Math.max(slash, 1));
}
