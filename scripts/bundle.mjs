/**
 * Joins the project's own modules into one file for each way in: `dist/main.js` (the program) and `dist/index.js`
 * (embedding), written over what TypeScript left there. Reading and resolving two hundred small files takes Node longer
 * than everything else in a start. Packages stay where they are, and the flush workers run the small files.
 */

import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));

for (const name of ['main', 'index']) {
  const bundle = await rolldown({
    input: `${root}src/${name}.ts`,
    platform: 'node',
    // What is no path is a package, or Node's own.
    external: (id) => !/^(\.|\/|[A-Za-z]:)/.test(id),
  });
  await bundle.write({ file: `${root}dist/${name}.js`, format: 'esm', sourcemap: true, codeSplitting: false });
  await bundle.close();
}
