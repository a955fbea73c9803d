/** The worker that prepares batches: comes with the first, and goes. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { silentLogger, type LogFields } from '../../src/base/logger.ts';
import { WorkerPreparer } from '../../src/preparation/worker-preparer.ts';
import { buildBatch } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { attributesAt, Compression, compressionOf, hasValidCrc } from '../../src/records/record-batch.ts';
import { sharedCopy, type PreparationOutcome, type PreparationTask } from '../../src/storage/batch-preparer.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';

const taskUrl = new URL('../../dist/preparation/preparation-task.js', import.meta.url);
const sizes = { scratchSizeBytes: 64 * 1024 * 1024, ringSizeBytes: 64 * 1024 * 1024 };
const mostBytes = 24 * 1024 * 1024;
const preparers: WorkerPreparer[] = [];

afterEach(async () => {
  for (const preparer of preparers.splice(0)) await preparer.close();
});

function opened(url = taskUrl, errors: LogFields[] = []): WorkerPreparer {
  const logger = { ...silentLogger, error: (fields: LogFields) => void errors.push(fields) };
  const preparer = new WorkerPreparer(url, sizes, logger);
  preparers.push(preparer);
  return preparer;
}

function taskOf(value: string, compression: Compression, zstd = 3): PreparationTask {
  const records = [{ key: null, value: Buffer.from(value), timestampMs: 1000 }];
  return {
    batch: sharedCopy(buildBatch(crc32c, records)),
    origin: 'client',
    sealed: true,
    storedBytesMax: mostBytes,
    config: { ...defaultLogConfig, maxMessageBytes: mostBytes, compression, compressionLevels: { gzip: -1, zstd } },
    nowMs: 1000,
  };
}

function codeOf({ outcome }: PreparationOutcome): ErrorCode {
  return 'errorCode' in outcome ? outcome.errorCode : ErrorCode.NONE;
}

describe('a worker that prepares batches', () => {
  test('compresses them with every codec', async () => {
    const preparer = opened();
    const codecs = [Compression.ZSTD, Compression.GZIP, Compression.SNAPPY, Compression.LZ4, Compression.NONE];
    for (const [i, codec] of codecs.entries()) {
      const { bytes, outcome } = await preparer.prepare(taskOf('many '.repeat(i === 0 ? 1_000_000 : 100), codec, 15));
      expect(bytes.length).toBeGreaterThan(0);
      expect(hasValidCrc(bytes, 0, bytes.length, crc32c)).toBe(true);
      expect(compressionOf(attributesAt(bytes, 0))).toBe(codec);
      expect(outcome).toMatchObject({ recordCount: 1, sizeBytes: bytes.length });
    }
  });

  test('refuses what is not done when it closes, and whatever comes later', async () => {
    const preparer = opened();
    expect(codeOf(await preparer.prepare(taskOf('a', Compression.GZIP)))).toBe(ErrorCode.NONE);
    const underWay = preparer.prepare(taskOf('b'.repeat(10_000_000), Compression.ZSTD, 19));
    await preparer.close();
    const late = await preparer.prepare(taskOf('d', Compression.GZIP));
    expect([await underWay, late].map(codeOf)).toEqual([
      ErrorCode.NOT_LEADER_OR_FOLLOWER,
      ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ]);
  });

  test('is not waited for by a stop while it is within a call that nothing interrupts', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-preparer-'));
    try {
      const [pipe, task] = [join(directory, 'pipe'), join(directory, 'task.mjs')];
      execFileSync('mkfifo', [pipe]);
      // Whoever reads an empty pipe is held until something is written, or nobody can write any more.
      const lines = [
        "import { openSync, readSync } from 'node:fs';",
        `export default () => void readSync(openSync(${JSON.stringify(pipe)}, 'r'), Buffer.alloc(1));`,
      ];
      writeFileSync(task, lines.join('\n'));
      const preparer = new WorkerPreparer(pathToFileURL(task), sizes, silentLogger);
      void preparer.prepare(taskOf('a', Compression.GZIP));
      // It opens once the worker does.
      const end = await open(pipe, 'w');
      await preparer.close();
      await end.close();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('that does not load costs the batch, is told, and is tried again with the next', async () => {
    const errors: LogFields[] = [];
    const preparer = opened(new URL('../../dist/preparation/missing.js', import.meta.url), errors);
    for (const value of ['a', 'b']) {
      expect(codeOf(await preparer.prepare(taskOf(value, Compression.GZIP)))).toBe(ErrorCode.UNKNOWN_SERVER_ERROR);
    }
    expect(errors).toHaveLength(2);
  });
});

describe.runIf(process.platform === 'linux')('the priority of the thread', () => {
  const belowNormal = 10;
  const given = { ...taskOf('a', Compression.GZIP), options: { scratchSizeBytes: 1 << 20, ringSizeBytes: 1 << 20 } };

  /** What a process tells that has prepared a batch: how far it stood back before and after that, and what became of it. */
  function prepareIn(nice: number, preamble = ''): { before: number; after: number; isPrepared: boolean } {
    const task = JSON.stringify({ ...given, batch: [...given.batch] });
    const code = `
      import os from 'node:os';
      import { syncBuiltinESMExports } from 'node:module';
      ${preamble}
      syncBuiltinESMExports();
      const { default: run } = await import(${JSON.stringify(taskUrl.href)});
      const task = ${task};
      const before = os.getPriority();
      const batch = new Uint8Array(new SharedArrayBuffer(task.batch.length));
      batch.set(task.batch);
      const { outcome } = run({ ...task, batch });
      console.log(JSON.stringify({ before, after: os.getPriority(), isPrepared: !('errorCode' in outcome) }));`;
    const node = [process.execPath, '--input-type=module', '-e', code];
    return JSON.parse(execFileSync('nice', ['-n', String(nice), ...node], { encoding: 'utf8' }));
  }

  test('leaves the processors to the others', () => {
    const { before, after, isPrepared } = prepareIn(0);
    expect([after, isPrepared]).toEqual([Math.max(before, belowNormal), true]);
  });

  test('is left alone where the process stands back further', () => {
    const { before, after, isPrepared } = prepareIn(15);
    expect(before).toBeGreaterThan(belowNormal);
    expect([after, isPrepared]).toEqual([before, true]);
  });

  test('may be what the system does not let it choose: batches are prepared all the same', () => {
    const refusing = `os.setPriority = () => { throw Object.assign(new Error('EACCES'), { code: 'ERR_SYSTEM_ERROR' }); };`;
    const { before, after, isPrepared } = prepareIn(0, refusing);
    expect([after, isPrepared]).toEqual([before, true]);
  });
});
