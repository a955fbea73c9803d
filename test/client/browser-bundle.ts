/** Code that imports `millrace/client`, bundled for browsers as an application's bundler does it. */

import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const built = fileURLToPath(new URL('../../dist/client/index.js', import.meta.url));

/** The bundle of `code`, minified. Throws where anything in it is not for browsers. */
export async function bundleForBrowser(code: string): Promise<string> {
  const bundle = await rolldown({
    input: 'entry',
    platform: 'browser',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === 'entry' ? 'entry' : id === 'millrace/client' ? built : null),
        load: (id) => (id === 'entry' ? code : null),
      },
    ],
    onLog: (level, log) => {
      throw new Error(`${level}: ${log.message}`);
    },
  });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  if (output.length !== 1) throw new Error(`the bundle has ${output.length} files`);
  return output[0].code;
}
