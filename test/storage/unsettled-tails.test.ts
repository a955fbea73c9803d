import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { defaultLogConfig, type LogConfig } from '../../src/storage/log-config.ts';
import { markerRoomBytes, type AppendResult, type PartitionLog } from '../../src/storage/partition-log.ts';
import { tailsName } from '../../src/storage/tail-journal.ts';
import { expectCommittedReads } from './committed-reads.ts';
import { compacted, compactionSettings, contents, keyed } from './compaction-harness.ts';
import { FaultHarness, Ledger, smallSegments } from './fault-harness.ts';
import { append, batchOf, valuesFrom } from './store-harness.ts';

const journalPath = `/data/${tailsName}`;
const otherTopicId = 'AAAAAAAAAAAAAAAAAAAAAQ';
/** One segment, so that what a crash leaves behind the recovery point is a tail for the journal. */
const oneSegment: Partial<LogConfig> = { ...smallSegments, segmentBytes: 64 * 1024 };
/** Long enough for recovery points to move. */
const checkpointMs = 5250;
/** Long enough for tails to be settled after a start. */
const settleMs = 1500;
const seeds = Array.from({ length: 12 }, (_, i) => i + 1);

const hasJournal = (harness: FaultHarness): boolean => harness.disk.sizeAt(journalPath) !== null;
const logOf = (harness: FaultHarness, partition = 0): PartitionLog => harness.log(partition, oneSegment);

/** All that was acknowledged so far lasts from now on: a start has found it. */
function found(ledger: Ledger): void {
  for (const entry of ledger.acknowledged.values()) entry.synced = true;
}

/** A run that ends by a kill with an unsynced tail: behind a recovery point where `isKnown`, else the whole log. */
async function killed(
  harness: FaultHarness,
  ledger: Ledger,
  isKnown: boolean,
  producer?: { readonly id: number; next: number },
): Promise<void> {
  await harness.open();
  if (isKnown) {
    for (let i = 0; i < 5; i++) await ledger.append(logOf(harness), 'written', 2, producer);
    await harness.pass(checkpointMs);
  }
  for (let i = 0; i < 8; i++) await ledger.append(logOf(harness), 'written', 1 + (i % 3), producer);
  harness.kill();
}

async function reopened(harness: FaultHarness, ledger: Ledger, what: string): Promise<PartitionLog> {
  await harness.expectSound(what);
  await harness.open();
  const log = logOf(harness);
  expect(log.refusal, what).toBeNull();
  await ledger.expectIn(log, what);
  return log;
}

describe('what a start after a kill found behind the recovery point', () => {
  for (const isKnown of [true, false]) {
    const where = isKnown ? 'behind a recovery point' : 'in a partition without one';
    for (const producer of [undefined, { id: 7 }]) {
      test(`${where} survives a power cut before it is settled${producer === undefined ? '' : ', with its producer'}`, async () => {
        for (const seed of seeds) {
          const what = `seed ${seed}`;
          const harness = new FaultHarness(seed);
          const ledger = new Ledger();
          const idempotent = producer === undefined ? undefined : { ...producer, next: 0 };
          await killed(harness, ledger, isKnown, idempotent);
          for (let crash = 0; crash < 3; crash++) {
            const log = await reopened(harness, ledger, what);
            found(ledger);
            expect(hasJournal(harness), what).toBe(true);
            expect(log.highWatermark).toBe(log.endOffset);
            if (idempotent !== undefined) {
              // The last batch again is the last batch, and stays so.
              const before = log.endOffset;
              idempotent.next -= 2;
              const again = await append(
                log,
                batchOf(['again', 'and again'], { producerId: 7, producerEpoch: 0, baseSequence: idempotent.next }),
                'synced',
              );
              expect(again, what).toMatchObject({ errorCode: 0, baseOffset: before - 2 });
              idempotent.next += 2;
            }
            harness.powerCut();
          }
          await reopened(harness, ledger, what);
          await harness.store.close();
        }
      });
    }

    test(`${where} is settled a moment later, and then the journal goes`, async () => {
      for (const opensLog of [true, false]) {
        const harness = new FaultHarness(2);
        const ledger = new Ledger();
        const producer = { id: 7, next: 0 };
        await killed(harness, ledger, isKnown, producer);
        await harness.open();
        found(ledger);
        if (opensLog) await ledger.expectIn(logOf(harness));
        expect(hasJournal(harness)).toBe(true);
        await harness.pass(settleMs);
        expect(hasJournal(harness)).toBe(false);
        const snapshots = harness.disk.list('/data/orders-0').filter((name) => name.endsWith('.snapshot'));
        expect(snapshots).toHaveLength(1);
        harness.powerCut();
        const log = await reopened(harness, ledger, 'settled');
        expect(hasJournal(harness)).toBe(false);
        expect(await ledger.append(log, 'synced', 1, producer)).toMatchObject({ errorCode: 0 });
        await ledger.expectIn(log);
        await harness.store.close();
      }
    });

    for (const end of ['kill', 'power cut'] as const) {
      test(`${where} is whole whichever call of starting and settling is the last (${end})`, async () => {
        let deaths = 0;
        for (let call = 1; ; call++) {
          const what = `${end} in call ${call}`;
          const harness = new FaultHarness(call);
          const ledger = new Ledger();
          const producer = { id: 7, next: 0 };
          await killed(harness, ledger, isKnown, producer);
          harness.lastCall = call;
          let isOpen = false;
          const run = async (): Promise<void> => {
            await harness.open();
            found(ledger);
            isOpen = true;
            if (call % 2 === 0) logOf(harness);
            await harness.pass(settleMs);
          };
          await run().catch((error: unknown) => {
            if (!harness.died) throw error;
          });
          if (!harness.died) break;
          deaths++;
          if (end === 'power cut') {
            harness.powerCut();
            if (!isOpen) ledger.forgetUnsynced();
          }
          const log = await reopened(harness, ledger, what);
          if (isOpen || end === 'kill')
            expect(await ledger.append(log, 'synced', 1, producer), what).toMatchObject({ errorCode: 0 });
          await harness.store.close();
          await harness.expectSound(what);
          await harness.open();
          expect(harness.store.startedClean).toBe(true);
          expect(hasJournal(harness)).toBe(false);
          await ledger.expectIn(logOf(harness), what);
        }
        expect(deaths).toBeGreaterThan(15);
      }, 60_000);
    }

    test(`${where} lasts with what was appended to it, and synced, before it was settled`, async () => {
      for (const seed of seeds) {
        const what = `seed ${seed}`;
        const harness = new FaultHarness(seed);
        const ledger = new Ledger();
        await killed(harness, ledger, isKnown);
        for (let crash = 0; crash < 3; crash++) {
          const log = await reopened(harness, ledger, what);
          found(ledger);
          for (const durability of ['written', 'synced', 'written'] as const) await ledger.append(log, durability);
          for (const [offset, entry] of ledger.acknowledged) if (offset < log.endOffset - 1) entry.synced = true;
          if (crash === 1) await harness.pass(settleMs);
          harness.powerCut();
          ledger.forgetUnsynced();
        }
        await reopened(harness, ledger, what);
        await harness.store.close();
      }
    });
  }

  test('is written again where the page cache had it and the disk did not', async () => {
    const harness = new FaultHarness(4);
    const ledger = new Ledger();
    await harness.open();
    await ledger.append(logOf(harness), 'synced');
    await harness.pass(checkpointMs);
    for (let i = 0; i < 5; i++) await ledger.append(logOf(harness), 'written');
    harness.disk.inject({ call: 'sync', path: /\.log$/, code: 'EIO' });
    await expect(logOf(harness).sync()).rejects.toThrow();
    expect(harness.disk.failedSyncs).toBe(1);
    harness.kill();
    await harness.open();
    found(ledger);
    // Memory runs short, and takes what the start wrote again before it was on disk: that is what the journal is for.
    await harness.pass(settleMs);
    expect(hasJournal(harness)).toBe(false);
    harness.disk.evictCleanPages();
    await ledger.expectIn(logOf(harness));
    harness.powerCut();
    await reopened(harness, ledger, 'evicted');
  });

  test('is settled by a clean stop, also where nobody opened the partition', async () => {
    for (const opensLog of [true, false]) {
      const harness = new FaultHarness(6);
      const ledger = new Ledger();
      const producer = { id: 7, next: 0 };
      await killed(harness, ledger, true, producer);
      await harness.open();
      found(ledger);
      if (opensLog) await ledger.expectIn(logOf(harness));
      await harness.store.close();
      expect(hasJournal(harness)).toBe(false);
      harness.powerCut();
      const log = await reopened(harness, ledger, 'stopped');
      expect(harness.store.startedClean).toBe(true);
      expect(await ledger.append(log, 'synced', 1, producer)).toMatchObject({ errorCode: 0 });
      await ledger.expectIn(log);
    }
  });

  test('stays in the journal where its sync fails, the partition takes no writes, and the next start has all', async () => {
    for (const opensLog of [true, false]) {
      for (const call of ['sync', 'syncDirectory'] as const) {
        const harness = new FaultHarness(7);
        const ledger = new Ledger();
        await killed(harness, ledger, false);
        await harness.open();
        found(ledger);
        if (opensLog) logOf(harness);
        harness.disk.inject({ call, path: /orders-0/, code: 'EIO' });
        await harness.pass(settleMs);
        expect(hasJournal(harness)).toBe(true);
        const log = logOf(harness);
        expect(log.refusal).toContain('a sync failed');
        await ledger.expectIn(log);
        expect((await append(log, batchOf(['no']))).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
        await harness.store.close();
        harness.powerCut();
        const next = await reopened(harness, ledger, `${call} failed`);
        expect(harness.store.startedClean).toBe(false);
        expect(await ledger.append(next)).toMatchObject({ errorCode: 0 });
        await harness.pass(settleMs);
        expect(hasJournal(harness)).toBe(false);
      }
    }
  });

  test('is tried again where a disk without room kept it from being settled', async () => {
    const harness = new FaultHarness(8);
    const ledger = new Ledger();
    await killed(harness, ledger, true, { id: 7, next: 0 });
    await harness.open();
    found(ledger);
    harness.disk.inject({ call: 'write', path: /\.snapshot/, code: 'ENOSPC' });
    await harness.pass(settleMs);
    expect(hasJournal(harness)).toBe(true);
    expect(logOf(harness).refusal).toBeNull();
    await harness.pass(checkpointMs);
    expect(hasJournal(harness)).toBe(false);
    harness.powerCut();
    await reopened(harness, ledger, 'tried again');
  });

  test('is made durable in place where there is no room for a journal', async () => {
    for (const failure of [
      { call: 'write', path: /millrace\.tails/, code: 'ENOSPC' },
      { call: 'open', path: /millrace\.tails/, code: 'ENOSPC' },
    ] as const) {
      const harness = new FaultHarness(9);
      const ledger = new Ledger();
      await killed(harness, ledger, true);
      harness.disk.inject(failure);
      await reopened(harness, ledger, 'no room');
      found(ledger);
      expect(harness.store.refusal).toBeNull();
      expect(hasJournal(harness)).toBe(false);
      harness.powerCut();
      await reopened(harness, ledger, 'no room, then no power');
    }
  });

  test('does not come back once its topic was deleted, nor into a topic that has its name', async () => {
    for (const seed of seeds) {
      const harness = new FaultHarness(seed);
      const ledger = new Ledger();
      await killed(harness, ledger, seed % 2 === 0);
      await harness.open();
      await logOf(harness).destroy();
      const other = (): PartitionLog =>
        harness.store.open('orders', otherTopicId, 0, { ...defaultLogConfig, ...oneSegment });
      const next = new Ledger();
      if (seed % 3 !== 0) {
        await next.append(other());
        if (seed % 3 === 1) await harness.pass(settleMs);
      }
      harness.powerCut();
      await harness.open();
      harness.store.discardOrphans((_topic, topicId) => topicId === otherTopicId);
      await next.expectIn(other(), `seed ${seed}`);
      await harness.store.close();
      await harness.expectSound(`seed ${seed}`);
    }
  });

  test('goes with the partition of no topic that it belongs to', async () => {
    const harness = new FaultHarness(3);
    await killed(harness, new Ledger(), true);
    await harness.open();
    harness.store.discardOrphans(() => false);
    await harness.pass(settleMs);
    await harness.store.close();
    expect(harness.disk.list('/data').filter((name) => name.startsWith('orders'))).toEqual([]);
    await harness.open();
    expect(harness.store.found()).toEqual([]);
    expect(hasJournal(harness)).toBe(false);
  });

  test('stays deleted where records were deleted up to its end, or retention took it', async () => {
    for (const seed of seeds) {
      const harness = new FaultHarness(seed);
      const ledger = new Ledger();
      await killed(harness, ledger, seed % 2 === 0);
      await harness.open();
      let log = logOf(harness);
      const { endOffset } = log;
      if (seed % 3 === 0) {
        // The segment with the tail is ended and goes.
        log.updateConfig({ ...defaultLogConfig, ...oneSegment, retentionMs: 1 });
        await log.enforceRetention();
        await harness.pass(settleMs + checkpointMs);
        await log.enforceRetention();
        await harness.pass(settleMs);
        expect(log.logStartOffset).toBe(endOffset);
      } else {
        expect(await log.deleteRecordsBefore(asOffset(-1))).toMatchObject({ errorCode: 0, lowWatermark: endOffset });
        if (seed % 3 === 1) await harness.pass(settleMs);
      }
      harness.powerCut();
      await harness.expectSound(`seed ${seed}`);
      await harness.open();
      log = logOf(harness);
      expect(log, `seed ${seed}`).toMatchObject({ logStartOffset: endOffset, endOffset, refusal: null });
      ledger.acknowledged.clear();
      expect(await ledger.append(log)).toMatchObject({ errorCode: 0, baseOffset: endOffset });
      harness.powerCut();
      await reopened(harness, ledger, `seed ${seed}`);
    }
  });

  test('is compacted only once it is settled, and a power cut brings nothing back', async () => {
    for (const seed of seeds) {
      const harness = new FaultHarness(seed);
      const log = (): PartitionLog => harness.log(0, compacted);
      await harness.open();
      for (let i = 0; i < 12; i++) {
        expect(await append(log(), keyed([[`k${i % 2}`, `${i}`]]), 'written')).toMatchObject({ errorCode: 0 });
      }
      harness.kill();
      await harness.open();
      const all = await contents(harness, log());
      log();
      await harness.store.compactDirtiest(compactionSettings);
      harness.powerCut();
      await harness.open();
      expect(new Map((await contents(harness, log())).map(keyAndValue)), `seed ${seed}`).toEqual(
        new Map(all.map(keyAndValue)),
      );
      await harness.pass(settleMs);
      await append(log(), keyed([['last', 'x']]), 'synced');
      await harness.store.compactDirtiest(compactionSettings);
      harness.powerCut();
      await harness.expectSound(`seed ${seed}`);
      await harness.open();
      const last = new Map((await contents(harness, log())).map(keyAndValue));
      expect(last, `seed ${seed}`).toEqual(new Map([...all.map(keyAndValue), ['last', 'x']]));
    }
  });

  test('holds committed reads back where a transaction in it is open, until its marker is synced', async () => {
    for (const seed of seeds) {
      const what = `seed ${seed}`;
      const harness = new FaultHarness(seed);
      await harness.open();
      const transactional = { producerId: 3, producerEpoch: 0, transactional: true };
      await append(logOf(harness), batchOf(['before']), 'written');
      if (seed % 2 === 0) await harness.pass(checkpointMs);
      await append(logOf(harness), batchOf(['in it'], { ...transactional, baseSequence: 0 }), 'written');
      harness.kill();
      await harness.open();
      let log = logOf(harness);
      expect(log).toMatchObject({ highWatermark: 2, lastStableOffset: 1 });
      expect(log.hasOpenTransaction(3, 0)).toBe(true);
      if (seed % 3 === 0) harness.powerCut();
      else {
        await new Promise<AppendResult>((resolve) => {
          harness.store.whenRoom(markerRoomBytes, () =>
            log.appendMarker({ producerId: 3, producerEpoch: 0, coordinatorEpoch: 0, outcome: 'abort' }, resolve),
          );
        });
        expect(log).toMatchObject({ highWatermark: 3, lastStableOffset: 3 });
        if (seed % 3 === 1) await harness.pass(settleMs);
        harness.powerCut();
      }
      await harness.expectSound(what);
      await harness.open();
      log = logOf(harness);
      const isEnded = seed % 3 !== 0;
      expect(log, what).toMatchObject({ highWatermark: isEnded ? 3 : 2, lastStableOffset: isEnded ? 3 : 1 });
      expect(log.hasOpenTransaction(3, 0)).toBe(!isEnded);
      await expectCommittedReads(log, what);
      expect((await valuesFrom(log)).slice(0, 2)).toEqual(['0:before', '1:in it']);
      await harness.store.close();
    }
  });

  test('is in a journal that a start refuses with a sentence where it is damaged', async () => {
    const harness = new FaultHarness(3);
    await killed(harness, new Ledger(), true);
    await harness.open();
    harness.kill();
    const file = harness.disk.open(journalPath, 'write');
    harness.disk.write(file, [Uint8Array.of(7)], 30);
    harness.disk.close(file);
    await expect(harness.open()).rejects.toThrow(/millrace\.tails cannot be used: it is damaged at position 20/);
  });
});

function keyAndValue(line: string): [string, string] {
  const [, key, value] = /^\d+:(.*)=(.*)$/.exec(line)!;
  return [key!, value!];
}
