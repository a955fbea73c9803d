/** The worker that prepares batches: comes with the first, does one after the other, and goes. */

import { afterEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { silentLogger, type LogFields } from '../../src/base/logger.ts';
import { WorkerPreparer } from '../../src/preparation/worker-preparer.ts';
import { buildBatch } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { attributesAt, Compression, compressionOf, hasValidCrc } from '../../src/records/record-batch.ts';
import { sharedCopy, type PreparationTask, type PreparedBatch } from '../../src/storage/batch-preparer.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';

const taskUrl = new URL('../../dist/preparation/preparation-task.js', import.meta.url);
const sizes = { scratchSizeBytes: 64 * 1024 * 1024, ringSizeBytes: 64 * 1024 * 1024 };
const wanted = (): boolean => true;
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
    storedBytesMax: 24 * 1024 * 1024,
    config: { ...defaultLogConfig, compression, compressionLevels: { gzip: -1, zstd } },
    nowMs: 1000,
  };
}

function codeOf({ outcome }: PreparedBatch): ErrorCode {
  return 'errorCode' in outcome ? outcome.errorCode : ErrorCode.NONE;
}

describe('a worker that prepares batches', () => {
  test('compresses them, in the order in which they came', async () => {
    const preparer = opened();
    const order: number[] = [];
    const codecs = [Compression.ZSTD, Compression.GZIP, Compression.SNAPPY, Compression.LZ4, Compression.NONE];
    const prepared = await Promise.all(
      codecs.map(async (codec, i) => {
        const one = await preparer.prepare(taskOf('many '.repeat(i === 0 ? 1_000_000 : 100), codec, 15), wanted);
        order.push(i);
        return one;
      }),
    );
    expect(order).toEqual([0, 1, 2, 3, 4]);
    prepared.forEach(({ bytes, outcome }, i) => {
      expect(hasValidCrc(bytes, 0, bytes.length, crc32c)).toBe(true);
      expect(compressionOf(attributesAt(bytes, 0))).toBe(codecs[i]);
      expect(outcome).toMatchObject({ recordCount: 1, sizeBytes: bytes.length });
    });
  });

  test('does nothing for those that nobody waits for by their turn', async () => {
    const preparer = opened();
    const first = preparer.prepare(taskOf('a', Compression.GZIP), wanted);
    let isOpen = true;
    const second = preparer.prepare(taskOf('b', Compression.GZIP), () => isOpen);
    isOpen = false;
    expect(codeOf(await first)).toBe(ErrorCode.NONE);
    expect(codeOf(await second)).toBe(ErrorCode.REQUEST_TIMED_OUT);
  });

  test('refuses what is not done when it closes, at once or later', async () => {
    const preparer = opened();
    const ready = await preparer.prepare(taskOf('a', Compression.GZIP), wanted);
    expect(codeOf(ready)).toBe(ErrorCode.NONE);
    const waiting = ['b', 'c'].map((value) =>
      preparer.prepare(taskOf(value.repeat(10_000_000), Compression.ZSTD, 19), wanted),
    );
    await preparer.close();
    const codes = (await Promise.all(waiting)).map(codeOf);
    expect(codes.at(-1)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER);
    const late = await preparer.prepare(taskOf('d', Compression.GZIP), wanted);
    expect(codeOf(late)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER);
  });

  test('that does not load costs the batch, is told, and is tried again with the next', async () => {
    const errors: LogFields[] = [];
    const preparer = opened(new URL('../../dist/preparation/missing.js', import.meta.url), errors);
    for (const value of ['a', 'b']) {
      const refused = await preparer.prepare(taskOf(value, Compression.GZIP), wanted);
      expect(codeOf(refused)).toBe(ErrorCode.UNKNOWN_SERVER_ERROR);
    }
    expect(errors).toHaveLength(2);
  });
});
