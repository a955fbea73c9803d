/** What a start has to load: the project's own code as one script, with the code that V8 made of it, and no package. */

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as index from '../../src/index.ts';
import { ProgramProcess } from './program-process.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dist = `${root}dist/`;

/** What `file` asks for before its first statement runs. */
function neededBy(file: string): string[] {
  const text = readFileSync(dist + file, 'utf8');
  const required = /^(?:let|const|var) \w+ = (?:__toESM\()?require\("([^"]+)"/gm;
  const imported = /^import\s[^;]*?["']([^"']+)["'];?$/gm;
  return [required, imported].flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1]!));
}

describe.each(['program.js', 'main.cjs', 'index.js', 'flush/flush-task.js', 'compaction/compaction-task.js'])(
  'dist/%s',
  (file) => {
    it('needs no package and no other file of ours to start: each is loaded when it is first used', () => {
      const needed = neededBy(file);
      expect(needed).not.toEqual([]);
      expect(needed.filter((name) => !name.startsWith('node:'))).toEqual([]);
    });
  },
);

describe('dist/program.js', () => {
  it('holds no half of a codec that only clients use', () => {
    const text = readFileSync(`${dist}program.js`, 'utf8');
    expect(text).toContain('function decodeProduceRequest(');
    expect(text).not.toContain('function encodeProduceRequest(');
    expect(existsSync(`${dist}program.js.map`)).toBe(true);
  });

  it('is ASCII, as who loads it takes for granted', () => {
    expect(readFileSync(`${dist}program.js`).every((byte) => byte < 128)).toBe(true);
  });
});

describe('dist/main.cjs', () => {
  let directory: string;
  let program: ProgramProcess | null = null;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-loaded-'));
  });

  afterEach(async () => {
    await program?.stop('SIGKILL');
    rmSync(directory, { recursive: true });
  });

  it('serves before any of those modules of Node is loaded that take long', async () => {
    // Workers are started a moment later, or before a start ends that takes long: they are left out.
    writeFileSync(
      join(directory, 'piscina.cjs'),
      'exports.Piscina = class { on() {} run() { return new Promise(() => {}); } };',
    );
    writeFileSync(
      join(directory, 'preload.cjs'),
      `
      const fs = require('node:fs');
      const Module = require('node:module');
      const { _resolveFilename: resolve } = Module;
      Module._resolveFilename = (request, ...rest) =>
        request === 'piscina' ? ${JSON.stringify(join(directory, 'piscina.cjs'))} : resolve(request, ...rest);
      const before = new Set(process.moduleLoadList);
      const { writeSync } = fs;
      fs.writeSync = (descriptor, ...rest) => {
        const loaded = process.moduleLoadList.filter((name) => !before.has(name));
        if (descriptor === 1) writeSync(2, JSON.stringify(loaded) + '\\n');
        return writeSync(descriptor, ...rest);
      };
      `,
    );
    program = await ProgramProcess.serving(join(directory, 'data'), [], {
      nodeArgs: ['-r', join(directory, 'preload.cjs')],
    });
    await program.until(() => program!.stderr.includes('\n'));
    const loaded = JSON.parse(program.stderr.slice(0, program.stderr.indexOf('\n'))) as string[];
    expect(loaded).toContain('NativeModule net');
    const slow = ['child_process', 'cluster', 'crypto', 'dns', 'internal/crypto/webcrypto', 'perf_hooks', 'v8', 'zlib'];
    expect(slow.filter((name) => loaded.includes(`NativeModule ${name}`))).toEqual([]);
  });
});

describe('dist/index.js', () => {
  it('exports what its source does', async () => {
    const built = (await import(pathToFileURL(`${dist}index.js`).href)) as object;
    expect(Object.keys(built).toSorted()).toEqual(Object.keys(index).toSorted());
  });
});

describe('the code that V8 made of it', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-dist-'));
    cpSync(`${root}package.json`, join(directory, 'package.json'));
    cpSync(dist, join(directory, 'dist'), { recursive: true, filter: (path) => !/\.(cache|map|d\.ts)$/.test(path) });
    symlinkSync(`${root}node_modules`, join(directory, 'node_modules'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  function caches(): string[] {
    return readdirSync(join(directory, 'dist')).filter((name) => name.endsWith('.cache'));
  }

  /** Embeds a broker, waits until there is a cache where `waits`, and says what the script was loaded from. */
  function embed(waits: boolean): string {
    const script = `
      import { readdirSync } from 'node:fs';
      import { Script } from 'node:vm';
      const { startBroker, text } = await import(${JSON.stringify(pathToFileURL(join(directory, 'dist/index.js')).href)});
      const broker = await startBroker({ storage: 'memory', kafka: false, http: false });
      await broker.produce('t', [{ value: 'x' }]);
      for await (const { value } of broker.consume('t', { value: text, untilEnd: true })) console.log(value);
      await broker.close();
      const kept = () => readdirSync(${JSON.stringify(join(directory, 'dist'))}).some((name) => name.endsWith('.cache'));
      while (${String(waits)} && !kept()) await new Promise((resolve) => setTimeout(resolve, 20));
    `;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    return stdout;
  }

  it('is kept by the first process that has none, and does the next one no harm', () => {
    expect(embed(true)).toBe('x\n');
    const [cache, ...others] = caches();
    expect(cache).toMatch(/^program-[0-9a-f]{16}-[0-9a-f]+\.cache$/);
    expect(others).toEqual([]);
    expect(embed(false)).toBe('x\n');
    expect(caches()).toEqual([cache]);
  });

  it('is not trusted where it is not whole', () => {
    embed(true);
    const [cache] = caches();
    const path = join(directory, 'dist', cache!);
    const bytes = readFileSync(path);
    for (const kept of [0, 10, bytes.length >>> 1]) {
      writeFileSync(path, bytes.subarray(0, kept));
      expect(embed(false)).toBe('x\n');
    }
  });
});
