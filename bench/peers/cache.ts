/**
 * The folder `.bench-cache` of the project, where peers and their clients are kept once they were fetched and built: jars,
 * sources, binaries. Git ignores it, and whoever removes it has everything fetched again. Main thread.
 */

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../load/project-root.ts';

const root = join(projectRoot, '.bench-cache');
const completeMark = '.complete';

/** Why something cannot be had on this machine, for whoever reads it. */
export class Missing extends Error {}

/**
 * The folder `name` of the cache, with what `install` puts there. A folder that an install left half made is made again.
 * Throws `Missing` where `install` does, because the machine lacks what it needs, and where it fails, so that the cases of
 * others are measured all the same.
 */
export function installed(name: string, onNote: (note: string) => void, install: (folder: string) => void): string {
  const folder = join(root, name);
  const mark = join(folder, completeMark);
  if (existsSync(mark)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  onNote(`installing ${name}, once`);
  try {
    install(folder);
  } catch (error) {
    if (error instanceof Missing) throw error;
    throw new Missing(`${name} cannot be installed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  writeFileSync(mark, '');
  return folder;
}
