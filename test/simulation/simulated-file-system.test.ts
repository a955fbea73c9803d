import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { SimulatedFileSystem } from './simulated-file-system.ts';

/** Completions that wait until the test runs them, in order. */
function waiting(): { complete(label: string, callback: () => void): void; run(): void } {
  const callbacks: (() => void)[] = [];
  return {
    complete: (_label, callback) => callbacks.push(callback),
    run: () => {
      for (const callback of callbacks.splice(0)) callback();
    },
  };
}

function fresh(seed = 1, capacityBytes?: number) {
  const completions = waiting();
  const random = new SeededRandom(seed);
  const options = capacityBytes === undefined ? { completions, random } : { completions, random, capacityBytes };
  return { fileSystem: new SimulatedFileSystem(options), completions };
}

function content(fileSystem: SimulatedFileSystem, path: string): Uint8Array | null {
  const sizeBytes = fileSystem.sizeAt(path);
  if (sizeBytes === null) return null;
  const file = fileSystem.open(path, 'read');
  const bytes = new Uint8Array(sizeBytes);
  expect(fileSystem.read(file, bytes, 0)).toBe(sizeBytes);
  fileSystem.close(file);
  return bytes;
}

/** Vitest's own comparison of long arrays takes most of a second. */
function expectBytes(actual: Uint8Array | null, expected: Uint8Array): void {
  expect(actual?.length).toBe(expected.length);
  expect(Buffer.compare(actual!, expected)).toBe(0);
}

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const seeds = Array.from({ length: 200 }, (_, seed) => seed);

describe('SimulatedFileSystem without failures', () => {
  it('behaves as a flat array of bytes', () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), at: fc.nat(3000), length: fc.nat(2000), value: fc.nat(255) }),
      fc.record({ kind: fc.constant('truncate' as const), at: fc.nat(4000), length: fc.nat(), value: fc.nat() }),
      fc.record({ kind: fc.constant('sync' as const), at: fc.nat(), length: fc.nat(), value: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 20 }), (operations) => {
        const { fileSystem } = fresh();
        const file = fileSystem.open('/f', 'create');
        let model = new Uint8Array(0);
        for (const { kind, at, length, value } of operations) {
          if (kind === 'sync') fileSystem.sync(file);
          else if (kind === 'truncate') {
            fileSystem.truncate(file, at);
            const next = new Uint8Array(at);
            next.set(model.subarray(0, at));
            model = next;
          } else {
            const half = length >> 1;
            const sources = [filled(half, value), filled(length - half, value)];
            expect(fileSystem.write(file, sources, at)).toBe(length);
            if (length === 0) continue;
            const next = new Uint8Array(Math.max(model.length, at + length));
            next.set(model);
            next.fill(value, at, at + length);
            model = next;
          }
        }
        expect(fileSystem.sizeOf(file)).toBe(model.length);
        expectBytes(content(fileSystem, '/f'), model);
        expectBytes(content(fileSystem.kill(), '/f'), model);
      }),
    );
  });

  it('reads short at the end and nothing past it', () => {
    const { fileSystem } = fresh();
    const file = fileSystem.open('f', 'create');
    fileSystem.write(file, [filled(600, 7)], 0);
    expect(fileSystem.read(file, new Uint8Array(1000), 500)).toBe(100);
    expect(fileSystem.read(file, new Uint8Array(10), 600)).toBe(0);
    expect(fileSystem.read(file, new Uint8Array(10), 9000)).toBe(0);
  });

  it('keeps names as a file system does', () => {
    const { fileSystem } = fresh();
    fileSystem.makeDirectory('/data/topic-0');
    fileSystem.makeDirectory('/data/topic-0');
    fileSystem.close(fileSystem.open('/data/topic-0/b', 'create'));
    fileSystem.close(fileSystem.open('/data/./topic-0//a', 'create'));
    expect(fileSystem.list('/data/topic-0')).toEqual(['a', 'b']);
    expect(fileSystem.isDirectory('/data')).toBe(true);
    expect(fileSystem.isDirectory('/data/topic-0/a')).toBe(false);
    expect(fileSystem.sizeAt('/data/none')).toBeNull();
    fileSystem.rename('/data/topic-0', '/data/gone');
    expect(fileSystem.list('/data')).toEqual(['gone']);
    fileSystem.rename('/data/gone/a', '/data/gone/b');
    expect(fileSystem.list('/data/gone')).toEqual(['b']);
    const code = (call: () => unknown, expected: string): void =>
      expect(call).toThrow(expect.objectContaining({ code: expected }));
    code(() => fileSystem.open('/data/gone/a', 'read'), 'ENOENT');
    code(() => fileSystem.open('/data/gone/a', 'write'), 'ENOENT');
    code(() => fileSystem.open('/none/a', 'create'), 'ENOENT');
    code(() => fileSystem.open('/data', 'read'), 'EISDIR');
    code(() => fileSystem.list('/none'), 'ENOENT');
    code(() => fileSystem.list('/data/gone/b'), 'ENOTDIR');
    code(() => fileSystem.makeDirectory('/data/gone/b'), 'EEXIST');
    code(() => fileSystem.rename('/none', '/x'), 'ENOENT');
    code(() => fileSystem.rename('/data', '/data/gone/x'), 'EINVAL');
    code(() => fileSystem.rename('/data/gone/b', '/data/gone'), 'EISDIR');
    code(() => fileSystem.remove('/data'), 'EISDIR');
    code(() => fileSystem.removeTree('/none'), 'ENOENT');
    code(() => fileSystem.close(99), 'EBADF');
    fileSystem.removeTree('/data');
    expect(fileSystem.sizeAt('/data/gone/b')).toBeNull();
    expect(fileSystem.openCount).toBe(0);
  });
});

describe('a power cut', () => {
  it('keeps what was synced, whatever comes after it', () => {
    for (const seed of seeds) {
      const { fileSystem } = fresh(seed);
      const file = fileSystem.open('/f', 'create');
      fileSystem.write(file, [filled(1500, 1)], 0);
      fileSystem.sync(file);
      fileSystem.syncDirectory('/');
      fileSystem.write(file, [filled(3000, 2)], 1500);
      const left = content(fileSystem.powerCut(new SeededRandom(seed)), '/f');
      expectBytes(left!.subarray(0, 1500), filled(1500, 1));
      // Of the sector that both writes share, either version is whole.
      expect(new Set(left!.subarray(1500, 1536)).size).toBeLessThanOrEqual(1);
    }
  });

  it('loses, keeps, shortens and tears what was not synced, at sector borders', () => {
    const seen = new Set<string>();
    for (const seed of seeds) {
      const { fileSystem } = fresh(seed);
      const file = fileSystem.open('/f', 'create');
      fileSystem.sync(file);
      fileSystem.syncDirectory('/');
      fileSystem.write(file, [filled(2048, 1)], 0);
      fileSystem.write(file, [filled(1024, 2)], 512);
      fileSystem.write(file, [filled(2048, 3)], 2048);
      const left = content(fileSystem.powerCut(new SeededRandom(seed)), '/f')!;
      const values: number[] = [];
      for (let at = 0; at < left.length; at += 512) {
        const sector = new Set(left.subarray(at, at + 512));
        expect(sector.size).toBe(1);
        values.push(...sector);
      }
      if (left.length === 0) seen.add('lost');
      if (left.length === 2048) seen.add('shortened');
      if (values.join('') === '12213333') seen.add('kept');
      if (values.lastIndexOf(0) < values.lastIndexOf(3) && values.includes(0)) seen.add('hole');
      if (values[1] !== values[2]) seen.add('torn');
    }
    expect([...seen].toSorted()).toEqual(['hole', 'kept', 'lost', 'shortened', 'torn']);
  });

  it('undoes a truncation or keeps it, and never shows old content beyond it once it was kept', () => {
    const sizes = new Set<number>();
    for (const seed of seeds) {
      const { fileSystem } = fresh(seed);
      const file = fileSystem.open('/f', 'create');
      fileSystem.write(file, [filled(2000, 1)], 0);
      fileSystem.sync(file);
      fileSystem.syncDirectory('/');
      fileSystem.truncate(file, 700);
      fileSystem.write(file, [filled(100, 2)], 1900);
      const left = content(fileSystem.powerCut(new SeededRandom(seed)), '/f')!;
      sizes.add(left.length * 10 + (left[800] ?? 9));
      expectBytes(left.subarray(0, 700), filled(700, 1));
      if (left[800] === 1) expectBytes(left, filled(2000, 1));
    }
    expect([...sizes].toSorted((a, b) => a - b)).toEqual([7009, 20000, 20001]);
  });

  it('keeps a name only when its directory was synced', () => {
    const outcomes = new Set<string>();
    for (const seed of seeds) {
      const { fileSystem } = fresh(seed);
      fileSystem.makeDirectory('/d');
      fileSystem.syncDirectory('/');
      for (const name of ['a', 'b']) fileSystem.sync(fileSystem.open(`/d/${name}`, 'create'));
      fileSystem.syncDirectory('/d');
      fileSystem.remove('/d/a');
      fileSystem.sync(fileSystem.open('/d/c', 'create'));
      const left = fileSystem.powerCut(new SeededRandom(seed)).list('/d').join('');
      expect(left).toContain('b');
      outcomes.add(left);
    }
    expect([...outcomes].toSorted()).toEqual(['ab', 'abc', 'b', 'bc']);
  });

  it('does a rename wholly or not at all, and keeps it once both directories were synced', () => {
    for (const syncs of [[], ['/d'], ['/e'], ['/d', '/e']]) {
      const outcomes = new Set<string>();
      for (const seed of seeds) {
        const { fileSystem } = fresh(seed);
        for (const directory of ['/d', '/e']) fileSystem.makeDirectory(directory);
        fileSystem.syncDirectory('/');
        for (const [path, value] of [
          ['/d/new', 1],
          ['/e/old', 2],
        ] as const) {
          const file = fileSystem.open(path, 'create');
          fileSystem.write(file, [filled(10, value)], 0);
          fileSystem.sync(file);
        }
        fileSystem.syncDirectory('/d');
        fileSystem.syncDirectory('/e');
        fileSystem.rename('/d/new', '/e/old');
        for (const directory of syncs) fileSystem.syncDirectory(directory);
        const left = fileSystem.powerCut(new SeededRandom(seed));
        outcomes.add(`${left.list('/d').join('')} ${content(left, '/e/old')![0]}`);
      }
      expect([...outcomes].toSorted()).toEqual(syncs.length === 2 ? [' 1'] : [' 1', 'new 2']);
    }
  });

  it('leaves a renamed file empty where only its name was synced', () => {
    const sizes = new Set<number>();
    for (const seed of seeds) {
      const { fileSystem } = fresh(seed);
      const file = fileSystem.open('/f.tmp', 'create');
      fileSystem.write(file, [filled(100, 1)], 0);
      fileSystem.rename('/f.tmp', '/f');
      fileSystem.syncDirectory('/');
      const left = fileSystem.powerCut(new SeededRandom(seed));
      expect(left.list('/')).toEqual(['f']);
      sizes.add(left.sizeAt('/f')!);
    }
    expect(sizes).toEqual(new Set([0, 100]));
  });

  it('gives the same for the same seed', () => {
    const run = (seed: number): string => {
      const { fileSystem } = fresh(seed);
      for (let i = 0; i < 20; i++) {
        const file = fileSystem.open(`/f${i}`, 'create');
        fileSystem.write(file, [filled(5000, i + 1)], 0);
      }
      const left = fileSystem.powerCut(new SeededRandom(seed));
      return left
        .list('/')
        .map((name) => `${name}:${content(left, name)!.join('')}`)
        .join();
    };
    expect(run(5)).toBe(run(5));
    expect(run(5)).not.toBe(run(6));
  });
});

describe('failures', () => {
  it('fills the disk: writes short, then ENOSPC, and gives space back when the last use of a file ends', async () => {
    const { fileSystem, completions } = fresh(1, 2048);
    const file = fileSystem.open('/f', 'create');
    expect(fileSystem.write(file, [filled(3000, 1)], 0)).toBe(2048);
    expect(() => fileSystem.write(file, [filled(1, 1)], 2048)).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
    expect(fileSystem.write(file, [filled(100, 2)], 0)).toBe(100);
    fileSystem.remove('/f');
    expect(fileSystem.usedBytes).toBe(2048);
    fileSystem.close(file);
    expect(fileSystem.usedBytes).toBe(0);
    const space = fileSystem.spaceLater('/');
    completions.run();
    expect(await space).toEqual({ totalBytes: 2048, freeBytes: 2048 });
  });

  it('loses content at a failed sync, shows it in the cache and never brings it to the disk', () => {
    let lost = 0;
    for (const seed of seeds) {
      const { fileSystem } = fresh(seed);
      const file = fileSystem.open('/f', 'create');
      fileSystem.syncDirectory('/');
      fileSystem.write(file, [filled(5120, 1)], 0);
      fileSystem.inject({ call: 'sync', code: 'EIO' });
      expect(() => fileSystem.sync(file)).toThrow(expect.objectContaining({ code: 'EIO' }));
      fileSystem.sync(file);
      expectBytes(content(fileSystem, '/f'), filled(5120, 1));
      const restarted = fileSystem.kill();
      expectBytes(content(restarted, '/f'), filled(5120, 1));
      const left = content(restarted.powerCut(new SeededRandom(seed)), '/f')!;
      expect(left.length).toBe(5120);
      if (left.includes(0)) lost++;
    }
    expect(lost).toBeGreaterThan(150);
  });

  it('shows what a failed sync lost once the clean pages are evicted', () => {
    const { fileSystem } = fresh(3);
    const file = fileSystem.open('/f', 'create');
    fileSystem.write(file, [filled(51_200, 1)], 0);
    fileSystem.inject({ call: 'sync', code: 'EIO' });
    expect(() => fileSystem.sync(file)).toThrow('EIO');
    fileSystem.write(file, [filled(512, 2)], 51_200);
    fileSystem.evictCleanPages();
    const left = content(fileSystem, '/f')!;
    expect(new Set(left)).toEqual(new Set([0, 1, 2]));
    expectBytes(left.subarray(51_200), filled(512, 2));
  });

  it('writes short by chance, but always something', () => {
    const { fileSystem } = fresh();
    fileSystem.shortWriteChance = 0.5;
    const file = fileSystem.open('/f', 'create');
    let shortWrites = 0;
    for (let i = 0; i < 200; i++) {
      const written = fileSystem.write(file, [filled(30, 1), filled(70, 2)], 0);
      expect(written).toBeGreaterThan(0);
      if (written < 100) shortWrites++;
    }
    expect(shortWrites).toBeGreaterThan(60);
    expect(shortWrites).toBeLessThan(140);
  });

  it('fails the call it was told to, by number, name and path', () => {
    const { fileSystem } = fresh();
    fileSystem.inject({ nth: 2, code: 'EMFILE' });
    fileSystem.inject({ call: 'open', path: /b$/, times: 2, code: 'EACCES' });
    fileSystem.open('/a', 'create');
    expect(() => fileSystem.sizeAt('/a')).toThrow('EMFILE');
    expect(() => fileSystem.open('/b', 'create')).toThrow('EACCES');
    expect(() => fileSystem.open('/b', 'create')).toThrow('EACCES');
    fileSystem.open('/b', 'create');
    expect(fileSystem.callCount).toBe(5);
    fileSystem.inject({ code: 'EIO' });
    fileSystem.clearFailures();
    expect(fileSystem.list('/')).toEqual(['a', 'b']);
  });
});

describe('asynchronous calls', () => {
  it('take effect when they complete, and a sync covers only what stood when it was called', async () => {
    const outcomes = new Set<number>();
    for (const seed of seeds) {
      const { fileSystem, completions } = fresh(seed);
      const file = fileSystem.open('/f', 'create');
      const named = fileSystem.syncDirectoryLater('/');
      fileSystem.write(file, [filled(512, 1)], 0);
      const synced = fileSystem.syncLater(file);
      fileSystem.write(file, [filled(512, 2)], 512);
      fileSystem.close(fileSystem.open('/later', 'create'));
      const target = new Uint8Array(512);
      const readBytes = fileSystem.readLater(file, target, 0);
      expect(target[0]).toBe(0);
      completions.run();
      await Promise.all([named, synced]);
      expect(await readBytes).toBe(512);
      expectBytes(target, filled(512, 1));
      const left = fileSystem.powerCut(new SeededRandom(seed));
      outcomes.add(left.sizeAt('/f')! + left.list('/').length);
    }
    expect(outcomes).toEqual(new Set([513, 514, 1025, 1026]));
  });

  it('reject as the synchronous ones throw', async () => {
    const { fileSystem, completions } = fresh();
    const removed = expect(fileSystem.removeLater('/none')).rejects.toMatchObject({ code: 'ENOENT' });
    const tree = expect(fileSystem.removeTreeLater('/none')).rejects.toMatchObject({ code: 'ENOENT' });
    const synced = expect(fileSystem.syncDirectoryLater('/none')).rejects.toMatchObject({ code: 'ENOENT' });
    completions.run();
    await Promise.all([removed, tree, synced]);
  });

  it('neither complete nor act once the process has died, and the dead process can do nothing', async () => {
    const { fileSystem, completions } = fresh();
    fileSystem.close(fileSystem.open('/f', 'create'));
    let hasSettled = false;
    void fileSystem.removeLater('/f').finally(() => (hasSettled = true));
    const next = fileSystem.kill();
    completions.run();
    await new Promise((resolve) => setImmediate(resolve));
    expect(hasSettled).toBe(false);
    expect(next.list('/')).toEqual(['f']);
    expect(next.openCount).toBe(0);
    expect(() => fileSystem.open('/f', 'read')).toThrow('ended');
  });
});

describe('SimulatedFileSystem past the page cache', () => {
  const blocks = new Uint8Array(3 * 4096).fill(7);

  it('shows the same bytes as the cache does, and needs a sync as well', () => {
    const { fileSystem } = fresh();
    const file = fileSystem.open('/f', 'create');
    fileSystem.syncDirectory('/');
    fileSystem.write(file, [filled(5000, 1)], 0);
    const direct = fileSystem.openDirect('/f')!;
    expect(fileSystem.write(direct, [blocks.subarray(4096)], 4096)).toBe(8192);
    const whole = new Uint8Array(12_288).fill(7).fill(1, 0, 4096);
    expectBytes(content(fileSystem, '/f'), whole);
    fileSystem.sync(file);
    expectBytes(content(fileSystem.powerCut(new SeededRandom(1)), '/f'), whole);
  });

  it('faults who writes what are no whole blocks', () => {
    const { fileSystem } = fresh();
    fileSystem.open('/f', 'create');
    const direct = fileSystem.openDirect('/f')!;
    const codeless = (write: () => void): void => {
      try {
        write();
      } catch (error) {
        expect((error as { code?: string }).code).toBeUndefined();
        return;
      }
      expect.fail('it was taken');
    };
    codeless(() => fileSystem.write(direct, [blocks], 512));
    codeless(() => fileSystem.write(direct, [blocks.subarray(0, 5000)], 0));
    codeless(() => fileSystem.write(direct, [blocks.subarray(8, 4104)], 0));
    codeless(() => fileSystem.write(direct, [blocks, blocks], 0));
    expect(fileSystem.sizeAt('/f')).toBe(0);
  });

  it('falls short by whole blocks, and has no room for a part of one', () => {
    const { fileSystem } = fresh(1, 6000);
    fileSystem.open('/f', 'create');
    const direct = fileSystem.openDirect('/f')!;
    expect(fileSystem.write(direct, [blocks], 0)).toBe(4096);
    expect(() => fileSystem.write(direct, [blocks], 4096)).toThrow('ENOSPC');
  });

  it('refuses where it is told to', () => {
    const completions = waiting();
    const refusing = (directWrites: 'refused by open' | 'refused by write'): SimulatedFileSystem =>
      new SimulatedFileSystem({ completions, random: new SeededRandom(1), directWrites });
    const closed = refusing('refused by open');
    closed.open('/f', 'create');
    expect(closed.openDirect('/f')).toBeNull();
    const open = refusing('refused by write').kill();
    open.open('/f', 'create');
    expect(() => open.write(open.openDirect('/f')!, [blocks], 0)).toThrow('EINVAL');
  });
});
