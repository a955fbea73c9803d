/**
 * The structure as a test: who may import whom stands once, here. It also fails on cycles and
 * on the rules of who touches what (Atomics, the file system, sockets).
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src', import.meta.url));

/** Each folder of src/ and what it may import beside itself. */
const mayImport: Record<string, readonly string[]> = {
  base: [],
  records: ['base'],
  memory: ['base', 'records'],
  storage: ['base', 'records', 'memory'],
  flush: ['base', 'records', 'memory', 'storage'],
  compaction: ['base', 'records', 'memory', 'storage'],
  protocol: ['base', 'records'],
  broker: ['base', 'records', 'memory', 'storage', 'flush', 'protocol'],
  gateway: ['base', 'records', 'memory', 'storage', 'flush', 'protocol', 'broker'],
  server: ['base', 'records', 'memory', 'storage', 'flush', 'protocol', 'broker', 'gateway'],
  verify: ['base', 'records', 'memory', 'storage', 'server'],
  program: ['base', 'records', 'memory', 'storage', 'flush', 'protocol', 'broker', 'gateway', 'server', 'verify'],
  client: ['base', 'records', 'protocol'],
};

/** What only some folders (or one file) may name, as patterns over the code without its comments. */
const reserved: readonly { what: RegExp; only: (path: string) => boolean }[] = [
  { what: /\bAtomics\b/, only: (path) => path.startsWith('memory/') },
  { what: /['"]node:fs(\/promises)?['"]/, only: (path) => path === 'storage/node-file-system.ts' },
  { what: /['"]node:(net|http|https|tls|dgram)['"]/, only: (path) => path.startsWith('server/') },
  { what: /['"]node:/, only: (path) => !/^(base|records|protocol|client)\//.test(path) },
];

const files = (readdirSync(source, { recursive: true }) as string[])
  .filter((path) => path.endsWith('.ts') && !path.includes('generated'))
  .map((path) => path.replaceAll('\\', '/'))
  .toSorted();

const text = new Map(files.map((path) => [path, readFileSync(join(source, path), 'utf8')]));

/** Paths, relative to src/, of the project's own files that `path` imports. */
function importsOf(path: string): string[] {
  return [...text.get(path)!.matchAll(/(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g)].map((match) =>
    relative(source, join(source, dirname(path), match[1]!)).replaceAll('\\', '/'),
  );
}

function withoutComments(code: string): string {
  return code.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
}

describe('architecture', () => {
  it('imports only downwards', () => {
    const wrong = files.flatMap((path) => {
      const folder = path.includes('/') ? path.split('/')[0]! : null;
      if (folder === null) return [];
      return importsOf(path)
        .map((target) => target.split('/')[0]!)
        .filter((target) => target !== folder && !(mayImport[folder] ?? []).includes(target))
        .map((target) => `${path} imports ${target}/`);
    });
    expect(wrong).toEqual([]);
  });

  it('has no cycles of values', () => {
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (state.get(path) === 'done' || !text.has(path)) return;
      if (state.get(path) === 'open') {
        cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
        return;
      }
      state.set(path, 'open');
      const values = withoutComments(text.get(path)!).replaceAll(/import type [\s\S]*?;/g, '');
      for (const match of values.matchAll(/from\s*['"](\.{1,2}\/[^'"]+)['"]/g)) {
        visit(relative(source, join(source, dirname(path), match[1]!)).replaceAll('\\', '/'), [...trail, path]);
      }
      state.set(path, 'done');
    };
    for (const path of files) visit(path, []);
    expect(cycles).toEqual([]);
  });

  it('keeps Atomics, files and sockets where they belong', () => {
    const wrong = files.flatMap((path) =>
      reserved
        .filter((rule) => !rule.only(path) && rule.what.test(withoutComments(text.get(path)!)))
        .map((rule) => `${path}: ${rule.what}`),
    );
    expect(wrong).toEqual([]);
  });

  it('names no file after what it is not', () => {
    expect(files.filter((path) => /(^|\/)(utils?|helpers?|common|types)(\.ts|\/)/.test(path))).toEqual([]);
    expect(files.filter((path) => !/^([a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(path))).toEqual([]);
  });
});
