/**
 * Compiles assembly/ to WebAssembly and writes it as src/memory/generated/core-wasm.ts. Does nothing when neither the
 * sources, nor this script, nor the compiler have changed. It refuses a module with a data segment, because every
 * thread's instantiation would write that segment into the shared memory again.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = `${root}src/memory/generated/core-wasm.ts`;
const dataSectionId = 11;

/** The sources by name, as the compiler asks for them. */
const sources = new Map(
  readdirSync(`${root}assembly`)
    .filter((name) => name.endsWith('.ts'))
    .toSorted()
    .map((name) => [name, readFileSync(`${root}assembly/${name}`, 'utf8')]),
);

const hash = createHash('sha256')
  .update(asc.version)
  .update(readFileSync(fileURLToPath(import.meta.url)));
for (const [name, text] of sources) hash.update(`\0${name}\0`).update(text);
const mark = `// Inputs: ${hash.digest('hex')}`;

if (!existsSync(target) || !readFileSync(target, 'utf8').includes(mark)) {
  const wasm = await compile();
  const segments = dataSegmentCount(wasm);
  if (segments > 0) fail(`the core has ${segments} data segments and must have none`);
  mkdirSync(`${root}src/memory/generated`, { recursive: true });
  writeFileSync(
    target,
    `/** The WebAssembly core in base64. Generated from assembly/ by scripts/build-core.mjs; do not edit. */\n` +
      `${mark}\n\nexport const coreWasmBase64 =\n  '${Buffer.from(wasm).toString('base64')}';\n`,
  );
}

/** The module's bytes; ends the process with the compiler's messages when it does not compile. */
async function compile() {
  let wasm = null;
  const { error, stderr } = await asc.main(
    [
      'index.ts',
      ...['--runtime', 'stub', '--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
      ...['--enable', 'simd,threads', '-O3', '--noAssert', '--outFile', 'core.wasm'],
    ],
    {
      readFile: (name) => sources.get(name) ?? null,
      writeFile: (name, contents) => {
        if (name === 'core.wasm') wasm = contents;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || wasm === null) fail(`the core does not compile\n${stderr.toString()}${error?.message ?? ''}`);
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
