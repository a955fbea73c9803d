import { describe, expect, test } from 'vitest';
import { EnvironmentErrorCode } from '../../src/base/environment-error.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import type { InjectedFailure } from '../simulation/injected-failures.ts';
import { FaultHarness, Ledger, smallSegments } from './fault-harness.ts';

const storageError = ErrorCode.KAFKA_STORAGE_ERROR;

/** Each place where a disk without room can say so while a log is appended to, rolled and checkpointed. */
const places: readonly [string, InjectedFailure][] = [
  ['the log', { call: 'write', path: /\.log$/, code: 'ENOSPC' }],
  ['the third write to the log', { call: 'write', path: /\.log$/, nth: 3, code: 'ENOSPC' }],
  ['an offset index', { call: 'write', path: /\.index$/, code: 'ENOSPC' }],
  ['a time index', { call: 'write', path: /\.timeindex$/, code: 'ENOSPC' }],
  ['making an index', { call: 'open', path: /\.(time)?index$/, code: 'ENOSPC' }],
  ['making the next segment', { call: 'open', path: /0[1-9]\.log$/, code: 'ENOSPC' }],
  ['cutting the next segment', { call: 'truncate', path: /0[1-9]\.log$/, code: 'ENOSPC' }],
  ['making the directory', { call: 'makeDirectory', path: /orders/, code: 'ENOSPC' }],
  ['making partition.metadata', { call: 'open', path: /partition\.metadata/, code: 'ENOSPC' }],
  ['partition.metadata', { call: 'write', path: /partition\.metadata/, code: 'ENOSPC' }],
  ['a producer snapshot', { call: 'write', path: /\.snapshot/, code: 'ENOSPC' }],
  ['making a producer snapshot', { call: 'open', path: /\.snapshot/, code: 'ENOSPC' }],
  ['the leader epochs', { call: 'write', path: /leader-epoch-checkpoint/, code: 'ENOSPC' }],
  ['the recovery points', { call: 'write', path: /recovery-points/, code: 'ENOSPC' }],
  ['renaming the recovery points', { call: 'rename', path: /recovery-points/, code: 'ENOSPC' }],
];

describe('a disk without room', () => {
  for (const [name, failure] of places) {
    for (const stop of ['clean', 'kill'] as const) {
      test(`at ${name} refuses, keeps what was acknowledged, goes on when there is room, and a ${stop} stop is sound`, async () => {
        const harness = new FaultHarness(3);
        await harness.open();
        const ledger = new Ledger();
        const producer = { id: 7, next: 0 };
        harness.disk.inject({ ...failure, times: 2 });
        let log = harness.log();
        for (let i = 0; i < 20; i++) {
          const result = await ledger.append(log, i % 3 === 0 ? 'written' : 'synced', 1 + (i % 3), producer);
          expect([ErrorCode.NONE, storageError]).toContain(result.errorCode);
          if (result.errorCode === storageError) {
            expect(log.endOffset).toBe(log.highWatermark);
            // Reads go on meanwhile.
            await ledger.expectIn(log, name);
            await harness.pass(500);
          }
          if (i === 10) await harness.pass(6000);
        }
        await harness.pass(6000);
        expect(log.refusal).toBeNull();
        const last = await ledger.append(log, 'synced', 1, producer);
        expect(last.errorCode).toBe(ErrorCode.NONE);
        await ledger.expectIn(log, name);
        if (stop === 'clean') await harness.store.close();
        else harness.kill();
        await harness.expectSound(name);
        await harness.open();
        expect(harness.store.startedClean).toBe(stop === 'clean');
        log = harness.log();
        expect(log.refusal).toBeNull();
        await ledger.expectIn(log, name);
        // The last one is still known, and the next still fits.
        producer.next--;
        expect(await ledger.append(log, 'synced', 1, producer)).toMatchObject({ baseOffset: last.baseOffset });
        ledger.acknowledged.get(last.baseOffset)!.value = [...ledger.attempted].at(-2)!;
        expect(await ledger.append(log, 'synced', 1, producer)).toMatchObject({ errorCode: 0 });
        await ledger.expectIn(log, name);
        await harness.store.close();
        await harness.expectSound(name);
      });
    }
  }

  test('is noticed at the first write of a partition, and after a clean stop the partition begins', async () => {
    for (const failure of places.slice(7, 10).map(([, one]) => one)) {
      const harness = new FaultHarness();
      await harness.open();
      harness.disk.inject({ ...failure, times: 100 });
      const ledger = new Ledger();
      expect((await ledger.append(harness.log())).errorCode).toBe(storageError);
      await harness.store.close();
      harness.disk.clearFailures();
      await harness.open();
      expect((await ledger.append(harness.log())).errorCode).toBe(ErrorCode.NONE);
      await ledger.expectIn(harness.log());
    }
  });

  test('that is really full refuses until something is deleted', async () => {
    const harness = new FaultHarness();
    await harness.open();
    const log = harness.log(0, { ...smallSegments, segmentBytes: 2000 });
    const other = harness.log(1);
    const ledger = new Ledger();
    const otherLedger = new Ledger();
    await otherLedger.append(other);
    harness.disk.capacityBytes = harness.disk.usedBytes + 12_000;
    let refused = 0;
    for (let i = 0; i < 400 && refused < 3; i++) {
      const result = await ledger.append(log, 'written', 5);
      if (result.errorCode !== 0) refused++;
    }
    expect(refused).toBe(3);
    expect(log.refusal).toContain('the disk is full');
    await ledger.expectIn(log);
    await otherLedger.expectIn(other);
    // What is written can still be made durable.
    await log.sync();
    harness.disk.capacityBytes += 4 * 1024 * 1024;
    await harness.pass(600);
    expect((await ledger.append(log)).errorCode).toBe(ErrorCode.NONE);
    await ledger.expectIn(log);
    harness.kill();
    await harness.expectSound();
    await harness.open();
    await ledger.expectIn(harness.log());
  });

  test('lets a log start hold only once it is durable', async () => {
    const harness = new FaultHarness();
    await harness.open();
    let log = harness.log();
    const ledger = new Ledger();
    for (let i = 0; i < 20; i++) await ledger.append(log);
    harness.disk.inject({ call: 'write', path: /log-starts/, times: 2, code: 'ENOSPC' });
    for (let i = 0; i < 2; i++) {
      expect(await log.deleteRecordsBefore(asOffset(12))).toMatchObject({ errorCode: storageError });
    }
    expect(await log.deleteRecordsBefore(asOffset(12))).toMatchObject({ errorCode: 0, lowWatermark: 12 });
    harness.powerCut();
    await harness.expectSound();
    await harness.open();
    log = harness.log();
    expect(log.logStartOffset).toBe(12);
    await ledger.expectIn(log);
  });
});

describe('a start after a crash on a disk without room', () => {
  /** Each place where such a start writes. */
  const startPlaces: readonly [string, InjectedFailure][] = [
    ['everything', { call: 'write', code: 'ENOSPC', path: /\.(tmp|cut|index|timeindex|snapshot)/ }],
    ['an index', { call: 'open', path: /index\.tmp/, code: 'ENOSPC' }],
    ['a producer snapshot', { call: 'write', path: /\.snapshot/, code: 'ENOSPC' }],
    ['what is cut off', { call: 'write', path: /\.cut/, code: 'EDQUOT' }],
    ['the recovery points', { call: 'write', path: /recovery-points/, code: 'ENOSPC' }],
    ['the leader epoch', { call: 'rename', path: /leader-epoch/, code: 'ENOSPC' }],
  ];
  for (const [name, failure] of startPlaces) {
    test(`for ${name} reads all, writes nothing, and leaves the next start what it found`, async () => {
      const harness = new FaultHarness(9);
      await harness.open();
      const ledgers = [new Ledger(), new Ledger()];
      const producer = { id: 7, next: 0 };
      const logOf = (partition: number) =>
        harness.log(partition, { ...smallSegments, segmentBytes: partition === 0 ? 6000 : 300 });
      for (let i = 0; i < 12; i++) {
        for (const [partition, ledger] of ledgers.entries()) {
          await ledger.append(
            logOf(partition),
            i % 3 === 0 ? 'written' : 'synced',
            2,
            // Its log goes on over several segments, so that nothing of it is left for later.
            partition === 1 ? producer : undefined,
          );
        }
        if (i === 6) await harness.pass(6000);
      }
      harness.kill();
      // The last write was torn.
      const path = harness.disk.list('/data/orders-0').findLast((each) => each.endsWith('.log'))!;
      const file = harness.disk.open(`/data/orders-0/${path}`, 'write');
      harness.disk.write(file, [new Uint8Array(50).fill(7)], harness.disk.sizeOf(file));
      harness.disk.close(file);
      harness.disk.inject({ ...failure, times: 1000 });
      for (let run = 0; run < 2; run++) {
        await harness.open();
        expect(harness.store.refusal).toContain('start the broker again');
        expect(harness.store.leaderEpoch).toBe(1);
        for (const [partition, ledger] of ledgers.entries()) {
          const log = logOf(partition);
          expect(log).toMatchObject({ refusal: harness.store.refusal, isDamaged: false });
          await ledger.expectIn(log, name);
          expect((await ledger.append(log)).errorCode).toBe(storageError);
          expect(await log.deleteRecordsBefore(asOffset(3))).toMatchObject({ errorCode: storageError });
          expect(await log.enforceRetention()).toBe(0);
        }
        expect((await ledgers[0]!.append(harness.log(5))).errorCode).toBe(storageError);
        await harness.pass(6000);
        if (run === 0) await harness.store.close();
        else harness.kill();
        // All that was served is on disk.
        harness.powerCut();
        harness.disk.inject({ ...failure, times: 1000 });
      }
      harness.disk.clearFailures();
      await harness.open();
      expect(harness.store).toMatchObject({ refusal: null, startedClean: false, leaderEpoch: 1 });
      for (const [partition, ledger] of ledgers.entries()) {
        await ledger.expectIn(logOf(partition), name);
        expect(logOf(partition).refusal).toBeNull();
      }
      expect((await ledgers[1]!.append(logOf(1), 'synced', 1, producer)).errorCode).toBe(ErrorCode.NONE);
      await ledgers[1]!.expectIn(logOf(1));
      await harness.store.close();
      await harness.expectSound(name);
    });
  }
});

test('a start on a directory that could not be marked with its format reads all and writes nothing, after a clean stop too', async () => {
  const options = { isMarked: true };
  const harness = new FaultHarness(5, undefined, options);
  const ledger = new Ledger();
  await harness.open();
  for (let i = 0; i < 8; i++) await ledger.append(harness.log());
  await harness.store.close();
  const contents = (): string =>
    ['/data', '/data/orders-0'].map((path) => `${path}: ${harness.disk.list(path).toSorted().join(' ')}`).join('\n');
  const before = contents();
  options.isMarked = false;
  for (const stop of ['clean', 'kill'] as const) {
    await harness.open();
    expect(harness.store.refusal).toContain('format');
    await ledger.expectIn(harness.log(), stop);
    expect((await ledger.append(harness.log())).errorCode).toBe(storageError);
    await harness.pass(6000);
    if (stop === 'clean') await harness.store.close();
    else harness.kill();
    expect(contents()).toBe(before);
  }
  options.isMarked = true;
  await harness.open();
  expect(harness.store).toMatchObject({ refusal: null, startedClean: true });
  expect((await ledger.append(harness.log())).errorCode).toBe(ErrorCode.NONE);
  await ledger.expectIn(harness.log());
  await harness.store.close();
});

test('a start on an empty directory that could not be marked is refused', async () => {
  const harness = new FaultHarness(5, undefined, { isMarked: false });
  await expect(harness.open()).rejects.toMatchObject({ code: EnvironmentErrorCode.DISK_FULL });
});

describe('a disk that fails', () => {
  test('at a write ends the partition until the next start, and no other', async () => {
    for (const code of ['EIO', 'EROFS']) {
      const harness = new FaultHarness();
      await harness.open();
      const [ledger, otherLedger] = [new Ledger(), new Ledger()];
      const log = harness.log(0);
      for (let i = 0; i < 5; i++) await ledger.append(log);
      harness.disk.inject({ call: 'write', path: /orders-0.*\.log$/, code });
      expect((await ledger.append(log)).errorCode).toBe(storageError);
      await harness.pass(2000);
      if (code === 'EIO') expect((await ledger.append(log)).errorCode).toBe(storageError);
      await ledger.expectIn(log);
      expect((await otherLedger.append(harness.log(1))).errorCode).toBe(0);
      await harness.store.close();
      await harness.expectSound();
      await harness.open();
      expect(harness.store.startedClean).toBe(code !== 'EIO');
      await ledger.expectIn(harness.log(0));
      await otherLedger.expectIn(harness.log(1));
      expect((await ledger.append(harness.log(0))).errorCode).toBe(0);
    }
  });

  test('at a sync is final: nothing more is promised, and the next start recovers', async () => {
    const harness = new FaultHarness();
    await harness.open();
    const ledger = new Ledger();
    const log = harness.log();
    for (let i = 0; i < 5; i++) await ledger.append(log);
    harness.disk.inject({ call: 'sync', path: /\.log$/, code: 'EIO' });
    expect((await ledger.append(log, 'synced')).errorCode).toBe(storageError);
    expect(log.refusal).toContain('a sync failed');
    expect((await ledger.append(log, 'written')).errorCode).toBe(storageError);
    await expect(log.sync()).rejects.toThrow('a sync failed');
    await harness.pass(10_000);
    expect((await ledger.append(log, 'synced')).errorCode).toBe(storageError);
    expect(log.highWatermark).toBe(5);
    await ledger.expectIn(log);
    await harness.store.close();
    harness.powerCut();
    await harness.open();
    expect(harness.store.startedClean).toBe(false);
    await ledger.expectIn(harness.log());
    expect((await ledger.append(harness.log())).errorCode).toBe(0);
  });

  test('may write less than it was given', async () => {
    const harness = new FaultHarness(9);
    harness.disk.shortWriteChance = 0.6;
    await harness.open();
    const ledger = new Ledger();
    for (let i = 0; i < 40; i++) expect((await ledger.append(harness.log(), 'written', 4)).errorCode).toBe(0);
    await ledger.expectIn(harness.log());
    harness.kill();
    await harness.expectSound();
    await harness.open();
    await ledger.expectIn(harness.log());
    await harness.store.close();
    await harness.expectSound();
  });
});
