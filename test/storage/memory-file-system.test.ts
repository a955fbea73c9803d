import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemErrorCode } from '../../src/base/environment-error.ts';
import type { FileSystem } from '../../src/storage/file-system.ts';
import { MemoryFileSystem } from '../../src/storage/memory-file-system.ts';
import { nodeFileSystem } from '../../src/storage/node-file-system.ts';
import { append, batchOf, StoreHarness, valuesFrom } from './store-harness.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('MemoryFileSystem', () => {
  it('does what the real one does', () => {
    const name = fc.constantFrom('a', 'b', 'x/a', 'x/b', 'x/y/a');
    const directory = fc.constantFrom('x', 'x/y', 'z');
    const size = fc.oneof(fc.nat(2000), fc.nat(600_000));
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), name, at: size, size }),
      fc.record({ kind: fc.constant('truncate' as const), name, at: size }),
      fc.record({ kind: fc.constant('read' as const), name, at: size, size }),
      fc.record({ kind: fc.constant('rename' as const), name, to: name }),
      fc.record({ kind: fc.constant('rename' as const), name: directory, to: directory }),
      fc.record({ kind: fc.constantFrom('remove' as const, 'size' as const), name }),
      fc.record({ kind: fc.constantFrom('make' as const, 'list' as const, 'size' as const), name: directory }),
      fc.record({ kind: fc.constant('removeTree' as const), name: directory }),
    );
    type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const root = mkdtempSync(join(tmpdir(), 'millrace-files-'));
        const memory = new MemoryFileSystem(Infinity);
        memory.makeDirectory(root);
        try {
          const results = (files: FileSystem): unknown[] => steps.map((each: Step) => outcome(files, root, each));
          expect(results(memory)).toEqual(results(nodeFileSystem));
        } finally {
          rmSync(root, { recursive: true, force: true });
        }
      }),
      { numRuns: 300 },
    );
  });

  it('reads and writes through what was opened before the file was removed, and counts it no more', () => {
    const files = new MemoryFileSystem(10_000);
    const file = files.open('/a', 'create');
    files.write(file, [bytes('abc')], 0);
    expect(files.keptBytes).toBeGreaterThan(0);
    files.remove('/a');
    expect(files.keptBytes).toBe(0);
    files.write(file, [new Uint8Array(20_000)], 0);
    expect(files.sizeOf(file)).toBe(20_000);
    expect(files.keptBytes).toBe(0);
    files.close(file);
    expect(() => files.close(file)).toThrow('EBADF');
  });

  it('is full at its bound, and has room again once something was removed', async () => {
    const files = new MemoryFileSystem(1_000_000);
    const file = files.open('/a', 'create');
    files.write(file, [new Uint8Array(600_000)], 0);
    expect(() => files.write(file, [new Uint8Array(600_000)], 600_000)).toThrow('ENOSPC');
    expect(files.sizeOf(file)).toBe(600_000);
    files.write(file, [bytes('over what is there')], 0);
    const other = files.open('/b', 'create');
    expect(() => files.truncate(other, 600_000)).toThrow('ENOSPC');
    files.remove('/a');
    files.truncate(other, 600_000);
    expect((await files.spaceLater('/')).freeBytes).toBeLessThan(400_000);
  });

  it('carries a store through a stop and a start', async () => {
    const fileSystem = new MemoryFileSystem(100_000_000);
    const harness = new StoreHarness({ fileSystem });
    fileSystem.makeDirectory(harness.directory);
    try {
      await harness.open();
      for (let i = 0; i < 20; i++) await append(harness.log(), batchOf([`value ${i}`]));
      await harness.store.close();
      await harness.open();
      expect(harness.store.startedClean).toBe(true);
      expect((await valuesFrom(harness.log())).at(-1)).toBe('19:value 19');
      await harness.store.close();
    } finally {
      harness.remove();
    }
  });
});

/** What a step gives: a result, or the code of its error. */
function outcome(
  files: FileSystem,
  root: string,
  step: {
    readonly kind: string;
    readonly name: string;
    readonly at?: number;
    readonly size?: number;
    readonly to?: string;
  },
): unknown {
  const path = join(root, step.name);
  const { at = 0, size = 0 } = step;
  try {
    switch (step.kind) {
      case 'write':
        return withFile(files, path, 'create', (file) => files.write(file, [pattern(size), pattern(10)], at));
      case 'truncate':
        return withFile(files, path, 'write', (file) => {
          files.truncate(file, at);
          return files.sizeOf(file);
        });
      case 'read':
        return withFile(files, path, 'read', (file) => {
          const target = new Uint8Array(size);
          return [files.read(file, target, at), Buffer.from(target).toString('base64')];
        });
      case 'rename':
        return files.rename(path, join(root, step.to!));
      case 'make':
        return files.makeDirectory(path);
      case 'remove':
        return files.remove(path);
      case 'removeTree':
        return files.removeTree(path);
      case 'list':
        return files.list(path);
      default:
        return files.isDirectory(path) || files.sizeAt(path);
    }
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === null) throw error;
    // Which of several reasons a system names differs between systems.
    return 'refused';
  }
}

function withFile<T>(files: FileSystem, path: string, mode: 'read' | 'write' | 'create', use: (file: number) => T): T {
  const file = files.open(path, mode);
  try {
    return use(file);
  } finally {
    files.close(file);
  }
}

function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 7 + 1) % 256);
}
