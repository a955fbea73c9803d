/**
 * Joins the project's own modules into few files for each way in: `dist/main.js` (the program) and `dist/index.js`
 * (embedding), written over what TypeScript left there. Reading and resolving two hundred small files takes Node longer
 * than everything else in a start. What is imported late stays a file of its own beside them (`main-….js`), packages stay
 * where they are, and the flush workers run the small files.
 */

import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = `${root}dist/`;

for (const name of ['main', 'index']) {
  for (const file of readdirSync(dist)) if (file.startsWith(`${name}-`)) rmSync(dist + file);
  const bundle = await rolldown({
    input: { [name]: `${root}src/${name}.ts` },
    platform: 'node',
    // What is no path is a package, or Node's own.
    external: (id) => !/^(\.|\/|[A-Za-z]:)/.test(id),
  });
  await bundle.write({
    dir: dist,
    format: 'esm',
    sourcemap: true,
    // A third of the bytes, which are read at every start; names and lines stay for who reads a trace.
    comments: false,
    // All in one folder: code that finds other files does so from where it lies.
    chunkFileNames: `${name}-[name].js`,
  });
  await bundle.close();
}
