/** Batches that take long: left to a preparer, and stored as this thread would have stored them. */

import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { BatchPreparation } from '../../src/preparation/batch-preparation.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import {
  attributesAt,
  Compression,
  hasValidCrc,
  isLogAppendTime,
  maxTimestampAt,
} from '../../src/records/record-batch.ts';
import { preparesAlike, sharedCopy } from '../../src/storage/batch-preparer.ts';
import { compressionMs, defaultInlineBounds } from '../../src/storage/inline-bounds.ts';
import { defaultLogConfig, type LogConfig } from '../../src/storage/log-config.ts';
import type { AppendOptions, AppendResult, PartitionLog } from '../../src/storage/partition-log.ts';
import { bomb } from '../fuzz/record-bytes.ts';
import { compressors } from '../records/frames.ts';
import { HeldPreparer } from './held-preparer.ts';
import { append, StoreHarness, until } from './store-harness.ts';

const harnesses: StoreHarness[] = [];
const options: AppendOptions = { durability: 'written', origin: 'client' };
const nobody = (): void => {};

afterEach(() => {
  for (const harness of harnesses.splice(0)) harness.remove();
});

async function opened(preparer: HeldPreparer | null = new HeldPreparer()): Promise<StoreHarness> {
  const harness = new StoreHarness(preparer === null ? {} : { preparer });
  harnesses.push(harness);
  await harness.open();
  return harness;
}

interface Produced {
  readonly values: readonly string[];
  readonly timestampMs?: number;
  readonly producer?: { readonly producerId: number; readonly producerEpoch: number; readonly baseSequence: number };
  readonly key?: string | null;
}

function plain({ values, timestampMs = Date.now(), producer, key = 'key' }: Produced): Uint8Array {
  const builder = new BatchBuilder(crc32c, producer ?? {});
  for (const value of values) {
    builder.append({ key: key === null ? null : Buffer.from(key), value: Buffer.from(value), timestampMs });
  }
  return builder.seal();
}

/** The batches of the log as they lie there. */
async function contentOf(log: PartitionLog): Promise<Uint8Array> {
  const read = await log.read({
    offset: asOffset(0),
    maxBytes: 8 * 1024 * 1024,
    minOneBatch: true,
    isolation: 'read_uncommitted',
  });
  const bytes = read.records.slice();
  read.release();
  return bytes;
}

/** The batch as a topic of that compression has stored it. */
async function compressed(harness: StoreHarness, codec: Compression, batch: Uint8Array): Promise<Uint8Array> {
  const log = harness.log(`source-${codec}-${harness.store.found().length}`, 0, { compression: codec });
  expect(await append(log, batch)).toMatchObject({ errorCode: ErrorCode.NONE });
  return contentOf(log);
}

test('whoever prepares, the same is stored, and the same is refused', async () => {
  const preparer = new HeldPreparer(undefined, true);
  const [here, there] = [await opened(null), await opened(preparer)];
  const codec = fc.constantFrom(...Object.values(Compression));
  const values = fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 40 });
  const config = fc.record(
    {
      compression: fc.option(codec),
      timestampType: fc.constantFrom('CreateTime' as const, 'LogAppendTime' as const),
      maxMessageBytes: fc.constantFrom(300, 1_048_588),
      maxDecompressedBytes: fc.constantFrom(100, 1_048_588),
      compactPolicy: fc.boolean(),
      timestampBeforeMaxMs: fc.constantFrom(1000, Number.MAX_SAFE_INTEGER),
    },
    { requiredKeys: ['compression'] },
  );
  const damage = fc.option(
    fc.record({ place: fc.double({ min: 0, max: 0.999, noNaN: true }), byte: fc.integer({ min: 1, max: 255 }) }),
  );
  let topics = 0;
  await fc.assert(
    fc.asyncProperty(
      codec,
      values,
      config,
      damage,
      fc.boolean(),
      async (source, given, topicConfig, broken, isLate) => {
        const batch = await compressed(
          here,
          source,
          plain({
            values: given,
            key: given.length % 2 === 0 ? null : 'key',
            timestampMs: Date.now() - (isLate ? 60_000 : 0),
          }),
        );
        if (broken !== null) batch[Math.floor(broken.place * batch.length)]! ^= broken.byte;
        const name = `topic-${topics++}`;
        const logs = [here, there].map((harness) => harness.log(name, 0, topicConfig as Partial<LogConfig>));
        const [a, b] = [await append(logs[0]!, batch), await append(logs[1]!, batch)];
        expect(timeless(b)).toEqual(timeless(a));
        if (a.errorCode !== ErrorCode.NONE) return;
        const [stored, same] = [await contentOf(logs[0]!), await contentOf(logs[1]!)];
        expect(hasValidCrc(same, 0, same.length, crc32c)).toBe(true);
        if (topicConfig.timestampType !== 'LogAppendTime') expect(Buffer.compare(stored, same)).toBe(0);
        else expect(same.length).toBe(stored.length);
      },
    ),
    { numRuns: 150 },
  );
  expect(preparer.count).toBeGreaterThan(50);
});

/** The answer without the times in it: both were given at their own. */
function timeless(result: AppendResult): unknown {
  return JSON.parse(JSON.stringify({ ...result, logAppendTimeMs: 0 }).replaceAll(/\d{13,}/g, 'then'));
}

describe('a batch that takes long', () => {
  test.each(Object.entries(Compression).filter(([, codec]) => codec !== Compression.NONE))(
    'is one that inflates to more than the bound, %s',
    async (_name, codec) => {
      const source = await opened(null);
      const batch = await compressed(
        source,
        codec,
        plain({ values: Array.from({ length: 100 }, () => 'x'.repeat(100)) }),
      );
      const [enough, less] = [
        { inflatedBytes: 20_000, compressionMs: 1 },
        { inflatedBytes: 5000, compressionMs: 1 },
      ];
      const inline = await opened(new HeldPreparer(enough));
      expect(inline.log().append(batch, options, nobody)).toBe(true);
      expect(inline.log().endOffset).toBe(100);
      const away = await opened(new HeldPreparer(less));
      const heard: unknown[] = [];
      const freeBefore = away.store.pendingBytes;
      expect(away.log().append(batch, options, (result) => heard.push(result))).toBe(false);
      expect(heard).toEqual([]);
      expect(away.log().endOffset).toBe(0);
      // What opening the files took aside, nothing stays in the ring.
      expect(away.store.pendingBytes - freeBefore).toBeLessThan(1000);
    },
  );

  test('is one that takes longer than the bound to compress, whatever is stored there', async () => {
    const preparer = new HeldPreparer({ inflatedBytes: Infinity, compressionMs: 0.5 });
    const harness = await opened(preparer);
    const batch = plain({ values: Array.from({ length: 100 }, () => 'x'.repeat(100)) });
    const slow = harness.log('slow', 0, { compression: Compression.ZSTD, compressionLevels: { gzip: -1, zstd: 19 } });
    const quick = harness.log('quick', 0, { compression: Compression.ZSTD });
    expect(compressionMs(Compression.ZSTD, { gzip: -1, zstd: 19 }, batch.length)).toBeGreaterThan(0.5);
    expect(slow.append(batch, options, nobody)).toBe(false);
    expect(quick.append(batch, options, nobody)).toBe(true);
    // Few bytes that inflate to many are compressed again as many.
    const inflating = await compressed(await opened(null), Compression.GZIP, batch);
    expect(inflating.length).toBeLessThan(batch.length / 10);
    expect(slow.append(inflating, options, nobody)).toBe(false);
    expect(quick.append(inflating, options, nobody)).toBe(true);
    expect(slow.endOffset).toBe(0);
  });

  test('is never one of a coordinator, nor of a named producer', async () => {
    const harness = await opened();
    const log = harness.log('state', 0, { compression: Compression.GZIP });
    const batch = plain({ values: ['a'] });
    expect(log.append(batch, { durability: 'synced', origin: 'coordinator' }, nobody)).toBe(true);
    expect(log.endOffset).toBe(1);
  });

  test('bombs are refused by whoever inflates them', async () => {
    const preparer = new HeldPreparer(defaultInlineBounds, true);
    const harness = await opened(preparer);
    const log = harness.log();
    for (const codec of Object.keys(compressors)) {
      const result = await append(log, bomb(codec, 16 * 1024 * 1024));
      expect(result).toMatchObject({ errorCode: ErrorCode.INVALID_RECORD, baseOffset: -1 });
      expect(result.errorMessage).toMatch(/inflate to more than/);
    }
    expect(preparer.count).toBe(Object.keys(compressors).length);
    expect(log.endOffset).toBe(0);
  });
});

describe('while a batch is prepared', () => {
  const producer = (baseSequence: number) => ({ producerId: 7, producerEpoch: 0, baseSequence });

  async function prepared(log: PartitionLog, batch: Uint8Array, preparer: HeldPreparer) {
    const preparation = log.prepare(sharedCopy(batch), options);
    preparer.letGo();
    const one = await preparation.prepared;
    preparation.end();
    return one;
  }

  test('the log goes on, and decides on it once it comes back', async () => {
    const preparer = new HeldPreparer();
    const harness = await opened(preparer);
    const log = harness.log('orders', 0, { compression: Compression.LZ4 });
    const [zeroth, first, second] = [0, 1, 2].map((sequence) => plain({ values: ['a'], producer: producer(sequence) }));
    log.appendPrepared(await prepared(log, zeroth!, preparer), options, nobody);
    const [one, two] = [await prepared(log, first!, preparer), await prepared(log, second!, preparer)];
    const results: [ErrorCode, number][] = [];
    const take = (given: typeof one): boolean =>
      log.appendPrepared(given, options, ({ errorCode, baseOffset }) => results.push([errorCode, baseOffset]));
    // The second before the first is out of order, and the first again is a duplicate.
    expect([take(two), take(one), take(one), take(two)]).toEqual([true, true, true, true]);
    await log.sync();
    expect(results).toEqual([
      [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1],
      [ErrorCode.NONE, 1],
      [ErrorCode.NONE, 1],
      [ErrorCode.NONE, 2],
    ]);
  });

  const before: Partial<LogConfig> = { compression: Compression.GZIP };
  const late = { timestampMs: Date.now() - 600_000 };
  const early = { timestampMs: Date.now() + 600_000 };
  test.each<[what: string, given: Partial<Produced>, after: Partial<LogConfig>]>([
    ['what it is compressed with', {}, { compression: Compression.LZ4 }],
    ['whether it is compressed', {}, { compression: null }],
    ['how hard it is compressed', {}, { compressionLevels: { gzip: 1, zstd: 3 } }],
    ['whose time it bears', late, { timestampType: 'LogAppendTime' }],
    ['how large it may be', {}, { maxMessageBytes: 500 }],
    ['how large it may be as it came', { values: ['x'.repeat(5000)] }, { maxMessageBytes: 1000 }],
    ['how large a segment is', {}, { segmentBytes: 500 }],
    ['whether its records need keys', { key: null }, { compactPolicy: true }],
    ['how old its records may be', late, { timestampBeforeMaxMs: 1000 }],
    ['how far ahead its records may be', early, { timestampAfterMaxMs: 1000 }],
  ])('settings may change, and those that hold once it comes back decide: %s', async (_what, given, after) => {
    const values = Array.from({ length: 20 }, (_, i) => `${(i * 2_654_435_761) % 2 ** 32}`.repeat(9));
    const batch = plain({ values, ...given });
    const preparer = new HeldPreparer();
    const [here, there] = [await opened(null), await opened(preparer)];
    // As if the settings had been those from the first.
    const [known, log] = [here.log('orders', 0, { ...before, ...after }), there.log('orders', 0, before)];
    const expected = await append(known, batch);
    const answer = append(log, batch);
    log.updateConfig({ ...log.config, ...after });
    preparer.letGo();
    await until(() => preparer.held !== null);
    preparer.letGo();
    expect(timeless(await answer)).toEqual(timeless(expected));
    expect(preparer.count).toBe(2);
    const [stored, same] = [await contentOf(known), await contentOf(log)];
    expect(same.length === 0 || hasValidCrc(same, 0, same.length, crc32c)).toBe(true);
    if (after.timestampType !== 'LogAppendTime') expect(Buffer.compare(stored, same)).toBe(0);
    else {
      expect(same.length).toBe(stored.length);
      expect(maxTimestampAt(same, 0)).toBeGreaterThan(late.timestampMs + 300_000);
      expect(isLogAppendTime(attributesAt(same, 0))).toBe(true);
    }
  });

  test('settings that do not concern it may change, and it is prepared once', async () => {
    const preparer = new HeldPreparer();
    const harness = await opened(preparer);
    const log = harness.log('orders', 0, before);
    const answer = append(log, plain({ values: ['a'] }));
    log.updateConfig({ ...log.config, retentionMs: 1, flushMs: 1 });
    preparer.letGo();
    expect(await answer).toMatchObject({ errorCode: ErrorCode.NONE, baseOffset: 0 });
    expect(preparer.count).toBe(1);
  });

  test('its topic may be deleted', async () => {
    const preparer = new HeldPreparer();
    const harness = await opened(preparer);
    const log = harness.log('orders', 0, before);
    const one = await prepared(log, plain({ values: ['a'] }), preparer);
    await log.destroy();
    const result = await new Promise((resolve) => log.appendPrepared(one, options, resolve));
    expect(result).toMatchObject({ errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, baseOffset: -1 });
  });

  test('the store may be closed: it is refused, and so is all that comes behind it', async () => {
    // What is compressed as the topic asks takes no time.
    const preparer = new HeldPreparer({ inflatedBytes: Infinity, compressionMs: 0 });
    const harness = await opened(preparer);
    const [log, others] = [harness.log('orders', 0, before), harness.log('others')];
    const long = plain({ values: ['a'], producer: producer(0) });
    const quick = await compressed(await opened(null), Compression.GZIP, plain({ values: ['b'] }));
    const answers = [append(log, long)];
    const closing = harness.store.close();
    answers.push(append(log, quick), append(others, quick));
    await Promise.resolve();
    answers.push(append(log, quick));
    const refused = { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, baseOffset: -1 };
    expect(await Promise.all(answers)).toMatchObject([refused, refused, refused, refused]);
    await closing;
    expect(preparer.isClosed).toBe(true);
    await harness.open();
    expect(harness.log('orders').endOffset).toBe(0);
    await harness.store.close();
  });
});

test('all settings that preparing looks at are compared', () => {
  const looked = new Set<string>();
  const watched = (config: LogConfig): LogConfig =>
    new Proxy(config, {
      get: (target, name) => {
        looked.add(String(name));
        return Reflect.get(target, name);
      },
    });
  const preparation = new BatchPreparation({ scratchSizeBytes: 1024 * 1024, ringSizeBytes: 1024 * 1024 });
  const prepare = (batch: Uint8Array, config: Partial<LogConfig>): void => {
    const task = { origin: 'client', sealed: true, storedBytesMax: 100_000, nowMs: Date.now() } as const;
    const given = watched({ ...defaultLogConfig, compression: Compression.GZIP, ...config });
    preparation.prepare({ ...task, batch: sharedCopy(batch), config: given });
  };
  const batch = plain({ values: ['a'] });
  const builder = new BatchBuilder(crc32c);
  builder.append({ key: null, value: Buffer.from('a'), timestampMs: Date.now() });
  const snappy = builder.sealCompressed(
    Compression.SNAPPY,
    compressors['snappy block']!.compress(builder.body.slice()),
  );
  for (const config of [{}, { compactPolicy: true }, { compression: null }, { timestampBeforeMaxMs: -1 }]) {
    prepare(batch, config);
    prepare(snappy, config);
  }
  expect(looked.size).toBeGreaterThan(7);
  const changed: Record<string, unknown> = { compression: Compression.LZ4, timestampType: 'LogAppendTime' };
  for (const name of looked) {
    const value = name === 'compressionLevels' ? { gzip: 9, zstd: 3 } : (changed[name] ?? 7);
    expect([name, preparesAlike(defaultLogConfig, { ...defaultLogConfig, [name]: value })]).toEqual([name, false]);
  }
  const { zstd, gzip } = defaultLogConfig.compressionLevels;
  for (const compressionLevels of [
    { gzip, zstd: zstd + 1 },
    { gzip: gzip + 3, zstd },
  ]) {
    expect(preparesAlike(defaultLogConfig, { ...defaultLogConfig, compressionLevels })).toBe(false);
  }
  expect(preparesAlike(defaultLogConfig, { ...defaultLogConfig })).toBe(true);
});
