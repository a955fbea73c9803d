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
 * `install` throws `Missing` where the machine lacks what it needs.
 */
export function installed(name: string, onNote: (note: string) => void, install: (folder: string) => void): string {
  const folder = join(root, name);
  const mark = join(folder, completeMark);
  if (existsSync(mark)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  onNote(`installing ${name}, once`);
  install(folder);
  writeFileSync(mark, '');
  return folder;
}
