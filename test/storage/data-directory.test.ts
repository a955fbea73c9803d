import { describe, expect, it } from 'vitest';
import { EnvironmentError, EnvironmentErrorCode } from '../../src/base/environment-error.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { readWholeFile, replaceFile } from '../../src/storage/checkpoint-file.ts';
import {
  checkDataDirectory,
  lockPrefix,
  makeDataDirectory,
  metaPropertiesName,
  openDataDirectory,
} from '../../src/storage/data-directory.ts';
import type { FileSystem } from '../../src/storage/file-system.ts';
import { SimulatedFileSystem } from '../simulation/simulated-file-system.ts';

const path = '/srv/millrace-data';

function newFileSystem(seed = 1): SimulatedFileSystem {
  return new SimulatedFileSystem({
    completions: { complete: (_label, callback) => callback() },
    random: new SeededRandom(seed),
  });
}

function put(fileSystem: FileSystem, name: string, text: string): void {
  fileSystem.makeDirectory(path);
  replaceFile(fileSystem, `${path}/${name}`, new TextEncoder().encode(text));
}

function open(fileSystem: FileSystem, nodeId = 1) {
  return openDataDirectory(fileSystem, path, nodeId, new SeededRandom(7));
}

/** Everything in the directory. */
function contents(fileSystem: FileSystem): unknown {
  return fileSystem
    .list(path)
    .map((name) => [
      name,
      fileSystem.isDirectory(`${path}/${name}`) ? null : readWholeFile(fileSystem, `${path}/${name}`, 1e6),
    ]);
}

function failureOf(action: () => unknown): EnvironmentError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(EnvironmentError);
    return error as EnvironmentError;
  }
  throw new Error('nothing was refused');
}

const sound = ['version=1', 'cluster.id=AAAAAAAAAAAAAAAAAAAAAQ', 'node.id=1', 'millrace.format=2'];

describe('data directory', () => {
  it('is made with its parents, and is the same when it is opened again', () => {
    const fileSystem = newFileSystem();
    expect(checkDataDirectory(fileSystem, path)).toBeNull();
    const made = open(fileSystem);
    expect(made).toMatchObject({ path, nodeId: 1, created: true });
    expect(open(fileSystem)).toEqual({ ...made, created: false });
    expect(checkDataDirectory(fileSystem, path)).toEqual({ clusterId: made.clusterId, nodeId: 1, format: 2 });
    expect(fileSystem.list(path)).toEqual([metaPropertiesName]);
    const survivor = fileSystem.powerCut(new SeededRandom(3));
    expect(open(survivor)).toEqual({ ...made, created: false });
  });

  it('is Kafka-readable text', () => {
    const fileSystem = newFileSystem();
    const { clusterId } = open(fileSystem, 5);
    const text = new TextDecoder().decode(readWholeFile(fileSystem, `${path}/${metaPropertiesName}`, 1000)!);
    expect(text.split('\n').filter((line) => !line.startsWith('#') && line !== '')).toEqual([
      'version=1',
      `cluster.id=${clusterId}`,
      'node.id=5',
      'millrace.format=2',
    ]);
  });

  it('is taken where a start that was cut short left something', () => {
    const fileSystem = newFileSystem();
    put(fileSystem, `${lockPrefix}abc`, '');
    put(fileSystem, `${metaPropertiesName}.tmp`, 'versi');
    fileSystem.makeDirectory(`${path}/lost+found`);
    expect(open(fileSystem).created).toBe(true);
  });

  it.each<[string, string, string, EnvironmentErrorCode]>([
    ['something else', 'notes.txt', 'hello', EnvironmentErrorCode.DATA_DIRECTORY_FOREIGN],
    ['partitions alone', 'orders-0', '', EnvironmentErrorCode.DATA_DIRECTORY_FOREIGN],
    ['Kafka', metaPropertiesName, 'version=1\ncluster.id=x\nnode.id=1\n', EnvironmentErrorCode.DATA_DIRECTORY_FOREIGN],
    [
      'a newer release',
      metaPropertiesName,
      sound.join('\n').replace('format=2', 'format=3'),
      EnvironmentErrorCode.DATA_DIRECTORY_NEWER,
    ],
    ['nobody', metaPropertiesName, '', EnvironmentErrorCode.DATA_CORRUPT],
    ['no format', metaPropertiesName, 'millrace.format=x', EnvironmentErrorCode.DATA_CORRUPT],
    ['no id', metaPropertiesName, sound.join('\n').replace('AAAA', '!'), EnvironmentErrorCode.DATA_CORRUPT],
    [
      'no node',
      metaPropertiesName,
      sound.join('\n').replace('node.id=1', 'node.id=-1'),
      EnvironmentErrorCode.DATA_CORRUPT,
    ],
    [
      'another node',
      metaPropertiesName,
      sound.join('\n').replace('node.id=1', 'node.id=2'),
      EnvironmentErrorCode.CONFIG_INVALID,
    ],
  ])('of %s is refused and left as it is', (_whose, name, text, code) => {
    const fileSystem = newFileSystem();
    put(fileSystem, name, text);
    const before = contents(fileSystem);
    const failure = failureOf(() => open(fileSystem));
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(path);
    expect(failure.message.split('\n')).toHaveLength(1);
    expect(contents(fileSystem)).toEqual(before);
    if (code !== EnvironmentErrorCode.CONFIG_INVALID) {
      expect(failureOf(() => makeDataDirectory(fileSystem, path, 0)).code).toBe(code);
      expect(contents(fileSystem)).toEqual(before);
    }
  });

  it('of an older format has the newest from then on, and is otherwise as it was', () => {
    const fileSystem = newFileSystem();
    const { clusterId } = open(fileSystem);
    const meta = new TextDecoder().decode(readWholeFile(fileSystem, `${path}/${metaPropertiesName}`, 1000)!);
    const older = new TextEncoder().encode(meta.replace('format=2', 'format=1'));
    replaceFile(fileSystem, `${path}/${metaPropertiesName}`, older);
    expect(checkDataDirectory(fileSystem, path)).toEqual({ clusterId, nodeId: 1, format: 1 });
    expect(open(fileSystem)).toMatchObject({ clusterId, nodeId: 1, format: 2, olderFormat: 1, created: false });
    // It is durable before anything else is written.
    const survivor = fileSystem.powerCut(new SeededRandom(3));
    expect(open(survivor)).toMatchObject({ clusterId, nodeId: 1, format: 2, olderFormat: null });
  });

  it('of an older format stays so where the disk is full, and is opened all the same', () => {
    const fileSystem = newFileSystem();
    put(fileSystem, metaPropertiesName, sound.join('\n').replace('format=2', 'format=1'));
    fileSystem.capacityBytes = fileSystem.usedBytes;
    expect(open(fileSystem)).toMatchObject({ format: 1, olderFormat: null });
    fileSystem.capacityBytes = Number.MAX_SAFE_INTEGER;
    expect(open(fileSystem)).toMatchObject({ format: 2, olderFormat: 1 });
  });

  it.each(['openDataDirectory', 'makeDataDirectory'])(
    'of an older format that is for another node is left as it is by %s',
    (call) => {
      const fileSystem = newFileSystem();
      put(fileSystem, metaPropertiesName, sound.join('\n').replace('format=2', 'format=1'));
      const before = contents(fileSystem);
      const action =
        call === 'openDataDirectory' ? () => open(fileSystem, 2) : () => makeDataDirectory(fileSystem, path, 2);
      expect(failureOf(action).code).toBe(EnvironmentErrorCode.CONFIG_INVALID);
      expect(contents(fileSystem)).toEqual(before);
    },
  );

  it('that is a file is refused', () => {
    const fileSystem = newFileSystem();
    fileSystem.makeDirectory('/srv');
    replaceFile(fileSystem, path, Uint8Array.of(1));
    expect(failureOf(() => open(fileSystem)).code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_FOREIGN);
  });

  it('that cannot be written is refused, new or not', () => {
    for (const existed of [false, true]) {
      for (const code of ['EACCES', 'EROFS', 'EPERM']) {
        const fileSystem = newFileSystem();
        if (existed) open(fileSystem);
        else fileSystem.makeDirectory(path);
        const before = contents(fileSystem);
        fileSystem.inject({ call: 'open', path: /\.tmp$/, code });
        expect(failureOf(() => open(fileSystem)).code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_UNWRITABLE);
        expect(contents(fileSystem)).toEqual(before);
      }
    }
    const parent = newFileSystem();
    parent.inject({ call: 'makeDirectory', code: 'EACCES' });
    expect(failureOf(() => open(parent)).code).toBe(EnvironmentErrorCode.DATA_DIRECTORY_UNWRITABLE);
  });

  it('on a full disk says so', () => {
    const fileSystem = newFileSystem();
    fileSystem.inject({ call: 'write', code: 'ENOSPC' });
    expect(failureOf(() => open(fileSystem)).code).toBe(EnvironmentErrorCode.DISK_FULL);
  });

  it('can be opened by the next start wherever a first start was cut short', () => {
    const probe = newFileSystem();
    open(probe);
    for (let nth = 1; nth <= probe.callCount; nth++) {
      for (let seed = 1; seed <= 5; seed++) {
        const fileSystem = newFileSystem(seed);
        fileSystem.inject({ nth, code: 'EIO' });
        try {
          open(fileSystem);
        } catch (error) {
          expect(error).toBeInstanceOf(EnvironmentError);
        }
        expect(open(fileSystem.powerCut(new SeededRandom(seed))).nodeId).toBe(1);
      }
    }
  });
});
