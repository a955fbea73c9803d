import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../src/base/environment-error.ts';
import { SeededRandom } from '../../src/base/random.ts';
import {
  readCheckpointLines,
  readWholeFile,
  replaceFile,
  writeCheckpointLines,
} from '../../src/storage/checkpoint-file.ts';
import { SimulatedFileSystem } from '../simulation/simulated-file-system.ts';

const path = '/data/recovery-point-offset-checkpoint';

function newFileSystem(seed = 1): SimulatedFileSystem {
  const fileSystem = new SimulatedFileSystem({
    completions: { complete: (_label, callback) => callback() },
    random: new SeededRandom(seed),
  });
  fileSystem.makeDirectory('/data');
  fileSystem.syncDirectory('/');
  return fileSystem;
}

describe('checkpoint file', () => {
  it('has the text of Kafka, and comes back', () => {
    const fileSystem = newFileSystem();
    const lines = ['orders 0 1234', 'a-1 7 0'];
    writeCheckpointLines(fileSystem, path, lines);
    const text = new TextDecoder().decode(readWholeFile(fileSystem, path, 1000)!);
    expect(text).toBe('0\n2\norders 0 1234\na-1 7 0\n');
    expect(readCheckpointLines(fileSystem, path)).toEqual(lines);
    writeCheckpointLines(fileSystem, path, []);
    expect(readCheckpointLines(fileSystem, path)).toEqual([]);
    expect(fileSystem.list('/data')).toEqual(['recovery-point-offset-checkpoint']);
  });

  it('is null where it is missing', () => {
    const fileSystem = newFileSystem();
    expect(readCheckpointLines(fileSystem, path)).toBeNull();
  });

  it.each(['', '0', '1\n0\n', '0\n2\norders 0 1\n', '0\n0\norders 0 1\n', '0\n-1\n', '0\n1\norders 0 1'])(
    'is refused as damaged where it says %j',
    (text) => {
      const fileSystem = newFileSystem();
      replaceFile(fileSystem, path, new TextEncoder().encode(text));
      expect(() => readCheckpointLines(fileSystem, path)).toThrow(EnvironmentError);
    },
  );

  it('is refused where it is larger than any such file', () => {
    const fileSystem = newFileSystem();
    replaceFile(fileSystem, path, new Uint8Array(11));
    expect(() => readWholeFile(fileSystem, path, 10)).toThrow(EnvironmentError);
  });

  it('is the old or the new one, whole, wherever a call fails and the power with it', () => {
    const probe = newFileSystem();
    writeCheckpointLines(probe, path, ['old']);
    const callsBefore = probe.callCount;
    writeCheckpointLines(probe, path, ['new']);
    const callsOfWrite = probe.callCount - callsBefore;
    expect(callsOfWrite).toBeGreaterThan(5);
    for (let nth = 1; nth <= callsOfWrite; nth++) {
      for (let seed = 1; seed <= 10; seed++) {
        const fileSystem = newFileSystem(seed);
        fileSystem.shortWriteChance = 0.5;
        writeCheckpointLines(fileSystem, path, ['old']);
        fileSystem.inject({ nth, code: 'EIO' });
        let failed = false;
        try {
          writeCheckpointLines(fileSystem, path, ['new', 'and more']);
        } catch {
          failed = true;
        }
        const found = readCheckpointLines(fileSystem.powerCut(new SeededRandom(seed)), path);
        expect([['old'], ['new', 'and more']]).toContainEqual(found);
        // What was reported as done is there.
        if (!failed) expect(found).toEqual(['new', 'and more']);
      }
    }
  });
});
