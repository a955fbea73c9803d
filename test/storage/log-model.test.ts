import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';
import type { AppendOptions } from '../../src/storage/partition-log.ts';
import { FaultHarness, Ledger, smallSegments } from './fault-harness.ts';

type Command =
  | {
      readonly kind: 'append';
      readonly partition: number;
      readonly durability: AppendOptions['durability'];
      readonly count: number;
    }
  | { readonly kind: 'produce'; readonly partition: number; readonly count: number }
  | {
      readonly kind: 'fail';
      readonly call: 'write' | 'open' | 'truncate' | 'rename' | 'sync';
      readonly ending: string;
      readonly nth: number;
      readonly times: number;
      readonly code: string;
    }
  | { readonly kind: 'short writes'; readonly chance: number }
  | { readonly kind: 'full'; readonly freeBytes: number }
  | { readonly kind: 'room' }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'delete'; readonly partition: number; readonly share: number }
  | { readonly kind: 'retain'; readonly partition: number; readonly bytes: number }
  | { readonly kind: 'reopen'; readonly how: 'clean' | 'kill' | 'power cut' };

const partition = fc.nat(1);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      partition,
      durability: fc.constantFrom('none', 'written', 'synced'),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('produce' as const), partition, count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      call: fc.constantFrom('write', 'write', 'open', 'truncate', 'rename', 'sync'),
      ending: fc.constantFrom('.log', '.index', '.timeindex', '.snapshot', 'checkpoint', 'points', 'starts', ''),
      nth: fc.integer({ min: 1, max: 4 }),
      times: fc.integer({ min: 1, max: 3 }),
      code: fc.constantFrom('ENOSPC', 'ENOSPC', 'ENOSPC', 'EIO', 'EMFILE'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('short writes' as const), chance: fc.constantFrom(0, 0.5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('full' as const), freeBytes: fc.nat(2000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('room' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(300, 1300, 5300) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      partition,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('retain' as const), partition, bytes: fc.nat(2000) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('reopen' as const), how: fc.constantFrom('clean', 'kill', 'power cut') }),
  },
);

/** Two partitions under the commands, each held against its ledger. */
class Run {
  readonly harness: FaultHarness;
  readonly ledgers = [new Ledger(), new Ledger()];
  readonly producers = [
    { id: 7, next: 0 },
    { id: 8, next: 0 },
  ];
  /** The last batch of each producer that was acknowledged durably, while nobody can say what became of a later one. */
  readonly lastProduced: ({ sequence: number; offset: number } | null)[] = [null, null];
  readonly starts = [0, 0];

  constructor(seed: number) {
    this.harness = new FaultHarness(seed);
  }

  log(index: number) {
    return this.harness.log(index);
  }

  async do(one: Command): Promise<void> {
    const { harness } = this;
    switch (one.kind) {
      case 'append':
        await this.ledgers[one.partition]!.append(this.log(one.partition), one.durability, one.count);
        return;
      case 'produce':
        return this.produce(one.partition, one.count);
      case 'fail':
        return harness.disk.inject({
          call: one.call,
          path: new RegExp(`${one.ending}(\\.tmp)?$`),
          nth: one.nth,
          times: one.times,
          code: one.code,
        });
      case 'short writes':
        harness.disk.shortWriteChance = one.chance;
        return;
      case 'full':
        harness.disk.capacityBytes = harness.disk.usedBytes + one.freeBytes;
        return;
      case 'room':
        harness.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
        harness.disk.clearFailures();
        return harness.pass(600);
      case 'pass':
        return harness.pass(one.ms);
      case 'delete': {
        const log = this.log(one.partition);
        const offset = log.logStartOffset + Math.floor((log.highWatermark - log.logStartOffset) * one.share);
        const { errorCode, lowWatermark } = await log.deleteRecordsBefore(asOffset(offset));
        if (errorCode === ErrorCode.NONE)
          this.starts[one.partition] = Math.max(this.starts[one.partition]!, lowWatermark);
        return;
      }
      case 'retain': {
        const log = this.log(one.partition);
        log.updateConfig({ ...defaultLogConfig, ...smallSegments, retentionBytes: one.bytes });
        // Nothing depends on it that a failing disk would keep from being.
        await log.enforceRetention().catch(() => 0);
        return;
      }
      case 'reopen':
        return this.reopen(one.how);
    }
  }

  /** A batch of the partition's idempotent producer, which asks again where it was not told. */
  async produce(index: number, count: number): Promise<void> {
    const producer = this.producers[index]!;
    const sequence = producer.next;
    const result = await this.ledgers[index]!.append(this.log(index), 'synced', count, producer);
    if (result.errorCode === ErrorCode.NONE) this.lastProduced[index] = { sequence, offset: result.baseOffset };
    // It may be there all the same: this producer gives up, and another takes its place.
    else this.producers[index] = { id: producer.id + 2, next: 0 };
    if (result.errorCode !== ErrorCode.NONE) this.lastProduced[index] = null;
    expect([ErrorCode.NONE, ErrorCode.KAFKA_STORAGE_ERROR]).toContain(result.errorCode);
  }

  async reopen(how: 'clean' | 'kill' | 'power cut'): Promise<void> {
    const { harness } = this;
    if (how === 'clean') {
      await harness.store.close();
      harness.disk = harness.disk.kill();
    } else if (how === 'kill') harness.kill();
    else {
      harness.powerCut();
      for (const ledger of this.ledgers) ledger.forgetUnsynced();
    }
    harness.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
    harness.disk.shortWriteChance = 0;
    await harness.expectSound(how);
    await harness.open();
    for (const [index, ledger] of this.ledgers.entries()) {
      const log = this.log(index);
      expect(log.refusal, how).toBeNull();
      expect(log.logStartOffset, 'a start that was answered holds').toBeGreaterThanOrEqual(this.starts[index]!);
      await ledger.expectIn(log, how);
      this.expectKnown(index);
    }
  }

  /** The producer whose last batch was acknowledged is known by it. */
  expectKnown(index: number): void {
    const last = this.lastProduced[index];
    const producer = this.producers[index]!;
    if (last === null || last === undefined) return;
    const log = this.log(index);
    if (last.offset < log.logStartOffset) return;
    const known = log.activeProducers().find(({ producerId }) => producerId === producer.id);
    expect(known?.lastSequence, 'the producer is known').toBe(producer.next - 1);
    expect(this.ledgers[index]!.acknowledged.has(last.offset)).toBe(true);
  }
}

test('whatever fails, what is read is what was acknowledged, and perhaps what nobody was told of', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(command, { minLength: 5, maxLength: 60, size: 'max' }),
      async (seed, commands) => {
        const run = new Run(seed);
        await run.harness.open();
        for (const one of commands) await run.do(one);
        run.harness.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
        run.harness.disk.clearFailures();
        await run.harness.pass(600);
        for (const [index, ledger] of run.ledgers.entries()) await ledger.expectIn(run.log(index), 'at the end');
        await run.reopen('kill');
        await run.reopen('clean');
        run.harness.kill();
      },
    ),
    {
      numRuns: Number(process.env['MODEL_RUNS'] ?? 60),
      seed: process.env['MODEL_RUNS'] === undefined ? 5 : Date.now(),
      endOnFailure: false,
    },
  );
}, 600_000);
