import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { Arena, defaultArenaOptions } from '../../src/memory/arena.ts';
import { openDataDirectory } from '../../src/storage/data-directory.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import { nodeFileSystem } from '../../src/storage/node-file-system.ts';
import type { AppendResult, PartitionLog } from '../../src/storage/partition-log.ts';
import { Findings, type VerifyReport } from '../../src/verify/findings.ts';
import { readStoreFiles } from '../../src/verify/known-partition.ts';
import { planRepair, repairDirectory } from '../../src/verify/repair.ts';
import { verifyDirectory } from '../../src/verify/verify-directory.ts';
import { expectCommittedReads } from '../storage/committed-reads.ts';
import { append, batchOf, StoreHarness, valuesFrom } from '../storage/store-harness.ts';

const arena = Arena.create({
  ...defaultArenaOptions,
  queueCapacity: 2,
  ringSizeBytes: 64,
  scratchSizeBytes: 4 * 1024 * 1024,
  heapSizeBytes: 4 * 1024 * 1024,
});
const config: Partial<LogConfig> = { segmentBytes: 700, indexIntervalBytes: 150 };

let harness: StoreHarness;
beforeEach(() => {
  harness = new StoreHarness();
  openDataDirectory(nodeFileSystem, harness.directory, 1, new SeededRandom(3));
});
afterEach(() => harness.remove());

const verify = (directory = harness.directory): Promise<VerifyReport> =>
  verifyDirectory({ directory, fileSystem: nodeFileSystem, arena });

const damageOf = (report: VerifyReport) => report.findings.filter(({ severity }) => severity === 'damage');

async function repair(directory = harness.directory) {
  const report = await verify(directory);
  const plan = planRepair(report)!;
  const files = readStoreFiles(nodeFileSystem, directory, new Findings());
  await repairDirectory(
    { fileSystem: nodeFileSystem, arena, logger: silentLogger, nowMs: systemClock.nowMs() },
    report,
    files,
    plan,
  );
  return plan;
}

/** Some transactions, the first and the last but one of which are aborted. */
async function fillTransactions(log: PartitionLog, round = 0): Promise<void> {
  const write = (producerId: number, baseSequence: number): Promise<AppendResult> =>
    append(log, batchOf([`${producerId}`], { producerId, producerEpoch: 0, baseSequence, transactional: true }));
  const end = (producerId: number, outcome: 'commit' | 'abort'): Promise<AppendResult> =>
    new Promise((resolve) =>
      log.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 1, outcome, timestampMs: 5000 }, resolve),
    );
  await write(21, round * 2);
  await write(22, round * 2);
  await end(21, 'abort');
  await write(21, round * 2 + 1);
  await end(21, 'commit');
  await end(22, 'abort');
  await write(22, round * 2 + 1);
}

describe('transaction indexes', () => {
  test.each(['clean', 'kill'] as const)('have no findings after transactions (%s), and are needed', async (stop) => {
    await harness.open();
    const log = harness.log('orders', 0, config);
    for (let i = 0; i < 6; i++) await fillTransactions(log, i);
    if (stop === 'clean') await harness.store.close();
    else harness.abandon();
    expect(damageOf(await verify())).toEqual([]);
    await harness.open();
    await expectCommittedReads(harness.log('orders', 0, config), stop);
    await harness.store.close();
    expect((await verify()).findings).toEqual([]);

    const indexes = filesBelow(harness.directory).filter((path) => path.endsWith('.txnindex'));
    expect(indexes.length).toBeGreaterThan(2);
    unlinkSync(join(harness.directory, indexes[1]!));
    const damage = damageOf(await verify());
    expect(damage.map(({ what }) => what).join()).toMatch(/would be read/);
    // What is not known to be committed is not shown as if it were.
    await harness.open();
    const damaged = harness.log('orders', 0, config);
    const options = { offset: asOffset(0), maxBytes: 1e6, minOneBatch: true, isolation: 'read_committed' } as const;
    let errorCode: number = ErrorCode.NONE;
    for (let next = 0; errorCode === ErrorCode.NONE && next < damaged.lastStableOffset; next++) {
      errorCode = (await damaged.read({ ...options, offset: asOffset(next) })).errorCode;
    }
    expect(errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
    harness.abandon();
    await repair();
    expect(damageOf(await verify())).toEqual([]);
    await harness.open();
    await expectCommittedReads(harness.log('orders', 0, config), 'repaired');
  });
});

/** A few segments of two epochs, with indexes, a producer's snapshot and a later log start. */
async function fill(stop: 'clean' | 'kill', hasTransactions = false): Promise<string[]> {
  await harness.open();
  let log = harness.log('orders', 0, config);
  const produced = (i: number): Uint8Array =>
    batchOf([`value ${i}`], { producerId: 7, producerEpoch: 0, baseSequence: i }, 1000 + (i % 5 === 3 ? -50 : i * 10));
  for (let i = 0; i < 12; i++) await append(log, produced(i));
  harness.abandon();
  await harness.open();
  log = harness.log('orders', 0, config);
  for (let i = 12; i < 30; i++) await append(log, produced(i));
  if (hasTransactions) await fillTransactions(log);
  await log.deleteRecordsBefore(9 as never);
  const values = await valuesFrom(log, 9);
  if (stop === 'clean') await harness.store.close();
  else harness.abandon();
  return values;
}

describe('a directory that is whole', () => {
  test('has no findings after a clean stop, and counts what is there', async () => {
    await fill('clean');
    const report = await verify();
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ stoppedClean: true });
    expect(report.partitions).toMatchObject([
      { name: 'orders-0', endOffset: 30, logStartOffset: 9, loss: null, needsRepair: false },
    ]);
    expect(planRepair(report)).toBeNull();
  });

  test('has no findings after a kill, and after a further start and stop', async () => {
    const values = await fill('kill');
    expect(damageOf(await verify())).toEqual([]);
    await harness.open();
    expect(await valuesFrom(harness.log('orders', 0, config), 9)).toEqual(values);
    await harness.store.close();
    expect((await verify()).findings).toEqual([]);
  });

  test('may be empty', async () => {
    await harness.open();
    await harness.store.close();
    expect(await verify()).toMatchObject({ findings: [], partitions: [] });
  });
});

describe('damage', () => {
  test('is found wherever one bit of a cleanly stopped directory changes', async () => {
    await fill('clean', true);
    const missed: string[] = [];
    for (const path of filesBelow(harness.directory)) {
      if (path.endsWith('meta.properties') || path.includes('millrace.lock')) continue;
      const whole = readFileSync(join(harness.directory, path));
      // The steps have no factor in common with the sizes of batches and entries, so that every field gets its turn.
      const step = path.endsWith('.log') ? 5 : path === 'millrace.clean-stop' ? 13 : 1;
      for (let at = 0; at < whole.length; at += step) {
        const changed = Buffer.from(whole);
        changed[at]! ^= 1 << (at % 8);
        writeFileSync(join(harness.directory, path), changed);
        if (damageOf(await verify()).length === 0) missed.push(`${path} at ${at}`);
      }
      writeFileSync(join(harness.directory, path), whole);
    }
    expect(missed).toEqual([]);
  }, 120_000);

  test('is found wherever a file of a cleanly stopped directory is cut short, missing or longer', async () => {
    await fill('clean', true);
    const missed: string[] = [];
    for (const path of filesBelow(harness.directory)) {
      if (path.includes('millrace.lock') || path === 'meta.properties') continue;
      const full = join(harness.directory, path);
      const whole = readFileSync(full);
      for (let size = 0; size < whole.length; size += 1 + Math.floor(whole.length / 40)) {
        truncateSync(full, size);
        if (damageOf(await verify()).length === 0) missed.push(`${path} cut to ${size}`);
        writeFileSync(full, whole);
      }
      appendFileSync(full, Buffer.alloc(3));
      if (damageOf(await verify()).length === 0) missed.push(`${path} with more`);
      unlinkSync(full);
      // Without a clean stop's file a start recovers, which harms nothing; the epochs stand in two places more.
      const spare = path === 'millrace.clean-stop' || path.endsWith('leader-epoch-checkpoint');
      if (damageOf(await verify()).length === 0 && !spare) missed.push(`${path} missing`);
      writeFileSync(full, whole);
    }
    expect(missed).toEqual([]);
  }, 120_000);

  test('is told with file, position and offset', async () => {
    await fill('clean');
    const log = `orders-0/${'0'.repeat(20)}.log`;
    const name = readdirSync(join(harness.directory, 'orders-0')).filter((one) => one.endsWith('.log'))[1]!;
    const path = join(harness.directory, 'orders-0', name);
    const bytes = readFileSync(path);
    const first = 12 + bytes.readInt32BE(8);
    bytes[first + 65]! ^= 4;
    writeFileSync(path, bytes);
    const [finding] = damageOf(await verify());
    expect(log).not.toBe(`orders-0/${name}`);
    expect(finding).toMatchObject({ file: `orders-0/${name}`, position: first, offset: Number(name.slice(0, 20)) + 1 });
    expect(finding!.what).toContain('CRC');
  });

  test('past the recovery point of a killed broker is a warning where a write did not end', async () => {
    await fill('kill');
    const path = join(
      harness.directory,
      'orders-0',
      readdirSync(join(harness.directory, 'orders-0')).findLast((one) => one.endsWith('.log'))!,
    );
    appendFileSync(path, batchOf(['torn']).subarray(0, 40));
    const report = await verify();
    expect(damageOf(report)).toEqual([]);
    expect(report.findings.filter(({ severity }) => severity !== 'note')).toMatchObject([{ severity: 'warning' }]);
  });
});

describe('a repair', () => {
  test('says what goes, cuts there, keeps it in .cut files, and the next start takes writes', async () => {
    const values = await fill('clean');
    const directory = join(harness.directory, 'orders-0');
    const names = readdirSync(directory).filter((one) => one.endsWith('.log'));
    const name = names[1]!;
    const bytes = readFileSync(join(directory, name));
    const first = 12 + bytes.readInt32BE(8);
    const fromOffset = Number(name.slice(0, 20)) + 1;
    bytes[first + 65]! ^= 4;
    writeFileSync(join(directory, name), bytes);
    const lostBytes =
      bytes.length - first + names.slice(2).reduce((sum, one) => sum + statSync(join(directory, one)).size, 0);
    const plan = await repair();
    expect(plan.partitions).toMatchObject([
      { loss: { fromOffset, endOffset: 30, sizeBytes: lostBytes, position: first } },
    ]);
    expect(damageOf(await verify())).toEqual([]);
    const cuts = readdirSync(directory).filter((one) => one.endsWith('.cut'));
    expect(cuts.reduce((sum, one) => sum + statSync(join(directory, one)).size, 0)).toBe(lostBytes);
    await harness.open();
    const log = harness.log('orders', 0, config);
    expect(log.refusal).toBeNull();
    expect(harness.store.startedClean).toBe(false);
    expect(await valuesFrom(log, 9)).toEqual(values.slice(0, fromOffset - 9));
    expect(await append(log, batchOf(['new']))).toMatchObject({ errorCode: 0, baseOffset: fromOffset });
    await harness.store.close();
    expect(damageOf(await verify())).toEqual([]);
  });

  test('cuts off zeros behind a segment, and counts nothing as lost', async () => {
    const values = await fill('clean');
    const directory = join(harness.directory, 'orders-0');
    const paths = readdirSync(directory)
      .filter((one) => one.endsWith('.log'))
      .map((one) => join(directory, one));
    const sizes = paths.map((path) => statSync(path).size);
    for (const path of [paths[0]!, paths.at(-1)!]) appendFileSync(path, Buffer.alloc(5000));
    expect(damageOf(await verify())).toMatchObject([{ position: sizes[0] }, { position: sizes.at(-1) }]);
    const plan = await repair();
    expect(plan.partitions).toMatchObject([{ loss: null }]);
    expect(damageOf(await verify())).toEqual([]);
    expect(paths.map((path) => statSync(path).size)).toEqual(sizes);
    await harness.open();
    expect(await valuesFrom(harness.log('orders', 0, config), 9)).toEqual(values);
  });

  test('makes everything again that can be made from the log, and loses nothing then', async () => {
    const values = await fill('clean');
    const backup = mkdtempSync(join(tmpdir(), 'millrace-verify-'));
    cpSync(harness.directory, backup, { recursive: true });
    try {
      for (const path of filesBelow(backup)) {
        if (/\.log$|lock|meta\.properties/.test(path)) continue;
        const whole = readFileSync(join(backup, path));
        for (const damaged of [
          whole.subarray(0, whole.length - 2),
          Buffer.concat([Buffer.from([255]), whole.subarray(1)]),
        ]) {
          rmSync(harness.directory, { recursive: true });
          cpSync(backup, harness.directory, { recursive: true });
          writeFileSync(join(harness.directory, path), damaged);
          expect(damageOf(await verify()), path).not.toEqual([]);
          const plan = await repair();
          expect(plan.partitions.map(({ loss }) => loss).filter((loss) => loss !== null)).toEqual([]);
          expect(damageOf(await verify()), path).toEqual([]);
          await harness.open();
          const log = harness.log('orders', 0, config);
          expect(log.refusal, path).toBeNull();
          expect(await valuesFrom(log, 9), path).toEqual(values);
          const retry = batchOf(['value 28'], { producerId: 7, producerEpoch: 0, baseSequence: 28 });
          expect(await append(log, retry), path).toMatchObject({ errorCode: 0, baseOffset: 28 });
          harness.abandon();
        }
      }
    } finally {
      rmSync(backup, { recursive: true });
    }
  }, 60_000);
});

function filesBelow(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[])
    .filter((path) => statSync(join(directory, path)).isFile())
    .toSorted();
}
