/**
 * Compiles the modules of assembly/ to WebAssembly and writes each as a TypeScript file: the core, over memory that all
 * threads share, and the JSON module, over memory of its own. Does nothing where neither a module's sources, nor this
 * script, nor the compiler have changed. It refuses a module with a data segment, because every thread's instantiation
 * would write that segment into the shared memory again.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('..', import.meta.url));
const dataSectionId = 11;

const modules = [
  {
    what: 'WebAssembly core',
    folder: 'assembly',
    target: 'src/memory/generated/core-wasm.ts',
    name: 'coreWasmBase64',
    options: ['--sharedMemory', '--maximumMemory', '65536', '--enable', 'simd,threads'],
  },
  {
    what: 'WebAssembly that passes over JSON',
    folder: 'assembly/json',
    target: 'src/server/json/generated/json-wasm.ts',
    name: 'jsonWasmBase64',
    options: ['--enable', 'simd'],
  },
];
for (const module of modules) await build(module);

async function build({ what, folder, target, name, options }) {
  const sources = sourcesOf(folder);
  const hash = createHash('sha256')
    .update(asc.version)
    .update(readFileSync(fileURLToPath(import.meta.url)));
  for (const [path, text] of sources) hash.update(`\0${path}\0`).update(text);
  const mark = `// Inputs: ${hash.digest('hex')}`;
  if (existsSync(root + target) && readFileSync(root + target, 'utf8').includes(mark)) return;
  const wasm = await compile(what, sources, options);
  const segments = dataSegmentCount(wasm);
  if (segments > 0) fail(`the ${what} has ${segments} data segments and must have none`);
  mkdirSync(dirname(root + target), { recursive: true });
  writeFileSync(
    root + target,
    `/** The ${what} in base64. Generated from ${folder}/ by scripts/build-core.mjs; do not edit. */\n` +
      `${mark}\n\nexport const ${name} =\n  '${Buffer.from(wasm).toString('base64')}';\n`,
  );
}

/** The sources of a module by name, as the compiler asks for them. */
function sourcesOf(folder) {
  const names = readdirSync(root + folder).filter((name) => name.endsWith('.ts'));
  return new Map(names.toSorted().map((name) => [name, readFileSync(`${root}${folder}/${name}`, 'utf8')]));
}

/** The module's bytes; ends the process with the compiler's messages when it does not compile. */
async function compile(what, sources, options) {
  let wasm = null;
  const { error, stderr } = await asc.main(
    [
      'index.ts',
      ...['--runtime', 'stub', '--importMemory', '--initialMemory', '1', ...options],
      ...['-O3', '--noAssert', '--outFile', 'module.wasm'],
    ],
    {
      readFile: (name) => sources.get(name) ?? null,
      writeFile: (name, contents) => {
        if (name === 'module.wasm') wasm = contents;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || wasm === null)
    fail(`the ${what} does not compile\n${stderr.toString()}${error?.message ?? ''}`);
  return wasm;
}

/** How many data segments the module has: sections are an id, a LEB128 size and that many bytes. */
function dataSegmentCount(wasm) {
  let at = 8;
  while (at < wasm.length) {
    const id = wasm[at];
    const size = readLeb128(wasm, at + 1);
    if (id === dataSectionId) return readLeb128(wasm, size.end).value;
    at = size.end + size.value;
  }
  return 0;
}

function readLeb128(bytes, start) {
  let value = 0;
  let at = start;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, end: at };
  }
}

function fail(message) {
  console.error(`millrace: ${message}`);
  process.exit(1);
}
