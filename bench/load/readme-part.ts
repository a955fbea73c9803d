/** Parts of `bench/README.md` that are written by what measures them, each between two marks. Main thread. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project-root.ts';

const readme = join(projectRoot, 'bench', 'README.md');

/** Puts `markdown` between the marks of the part called `name`, which are there. */
export function writeReadmePart(name: string, markdown: string): void {
  const text = readFileSync(readme, 'utf8');
  const start = text.indexOf(`<!-- ${name}: `);
  const startEnd = text.indexOf('-->', start) + 3;
  const end = text.indexOf(`<!-- end of ${name} -->`);
  if (start === -1 || end < startEnd) throw new Error(`bench/README.md has no part ${name}.`);
  writeFileSync(readme, `${text.slice(0, startEnd)}\n\n${markdown}\n\n${text.slice(end)}`);
}
