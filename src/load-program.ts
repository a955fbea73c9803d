/**
 * Loads the program's one script, `program.js`, with the code that V8 compiled for it at an earlier start: parsing and
 * compiling would take as long as all else in a start. At the start, any thread.
 *
 *   program.js                     a function of (exports, require, __filename), no module: `scripts/bundle.mjs` wraps it so
 *   program-<hash>-<tag>.cache     its code; <hash> is the script's own, so that none is ever stale, <tag> stands for the
 *                                  Node and the flags that it is for
 *
 * `npm run build` makes the cache for its own Node. Where there is none, the process makes it a moment after it has loaded
 * the script, once for good; where it may not write there, every start compiles. V8 itself refuses code that another version
 * made, or one with other flags.
 */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import type * as Program from './bundle.ts';
import { systemErrorCode } from './base/environment-error.ts';
import { present } from './base/assert.ts';
import { readWholeFile, replaceFile } from './storage/checkpoint-file.ts';
import { nodeFileSystem } from './storage/node-file-system.ts';

/** The hash of `program.js`, which the build puts in its place. */
declare const PROGRAM_HASH: string;

const largestFileBytes = 64 * 1024 * 1024;
/** What a start calls has been called by then, and V8 still has the code. */
const keepAfterMs = 1000;
/** Flags differ from process to process where people try them out; the directory is not to fill up with that. */
const mostCaches = 8;

/** What `program.js` exports. */
export function loadProgram(): typeof Program {
  const directory = fileURLToPath(new URL('.', import.meta.url));
  const path = `${directory}program.js`;
  const source = present(readWholeFile(nodeFileSystem, path, largestFileBytes), 'the build made program.js');
  const cachePath = `${directory}program-${PROGRAM_HASH}-${tag()}.cache`;
  const cachedData = readCache(cachePath);
  // It is ASCII, so that a character is a byte in V8 as well.
  const text = Buffer.from(source.buffer, source.byteOffset, source.length).toString('latin1');
  const script = new Script(text, { filename: path, ...(cachedData === null ? {} : { cachedData }) });
  const exported = {} as typeof Program;
  (script.runInThisContext() as (...args: unknown[]) => void)(exported, createRequire(path), path);
  if (cachedData === null || script.cachedDataRejected === true) {
    setTimeout(() => keepCode(script, directory, cachePath), keepAfterMs).unref();
  }
  return exported;
}

/**
 * What V8 may refuse another's code for, but for the processor; its own tag would take loading `node:v8`. The hash is FNV-1a
 * (RFC 9923), which needs no tables.
 */
function tag(): string {
  const { version, arch, execArgv, env } = process;
  const text = JSON.stringify([version, arch, execArgv, env['NODE_OPTIONS'] ?? '']);
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** Null where there is none, or none that this user may read. */
function readCache(path: string): Uint8Array | null {
  try {
    return readWholeFile(nodeFileSystem, path, largestFileBytes);
  } catch (error) {
    if (systemErrorCode(error) === null) throw error;
    return null;
  }
}

function keepCode(script: Script, directory: string, cachePath: string): void {
  try {
    const caches = nodeFileSystem.list(directory).filter((name) => name.endsWith('.cache'));
    if (caches.length < mostCaches) replaceFile(nodeFileSystem, cachePath, script.createCachedData());
  } catch (error) {
    // The next start takes longer than it could; nobody is to be told of that each time.
    if (systemErrorCode(error) === null) throw error;
  }
}
