/** Where the project lies, seen from its sources as well as from what they are compiled to. Any thread. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** With a slash at its end. */
export const projectRoot: string = rootAbove(new URL('.', import.meta.url));

function rootAbove(folder: URL): string {
  if (existsSync(new URL('package.json', folder))) return fileURLToPath(folder);
  const above = new URL('..', folder);
  if (above.href === folder.href) throw new Error('There is no package.json above the benchmarks.');
  return rootAbove(above);
}
