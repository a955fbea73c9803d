import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { markerRoomBytes, type AppendResult } from '../../src/storage/partition-log.ts';
import { expectCommittedReads, expectedReads } from './committed-reads.ts';
import { FaultHarness, smallSegments } from './fault-harness.ts';
import { append, batchOf } from './store-harness.ts';

type Command =
  | { readonly kind: 'write'; readonly producer: number; readonly count: number }
  | { readonly kind: 'end'; readonly producer: number; readonly outcome: 'commit' | 'abort'; readonly version: 0 | 2 }
  | { readonly kind: 'plain' }
  | { readonly kind: 'at once'; readonly commands: readonly Command[] }
  | { readonly kind: 'fail'; readonly call: 'write' | 'open' | 'sync'; readonly ending: string; readonly nth: number }
  | { readonly kind: 'full'; readonly freeBytes: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'delete'; readonly share: number }
  | { readonly kind: 'reopen'; readonly how: 'clean' | 'kill' | 'power cut' };

const producer = fc.nat(2);
const write = fc.record({ kind: fc.constant('write' as const), producer, count: fc.integer({ min: 1, max: 3 }) });
const end = fc.record({
  kind: fc.constant('end' as const),
  producer,
  outcome: fc.constantFrom('commit', 'abort', 'abort'),
  version: fc.constantFrom(0, 2),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: write },
  { weight: 7, arbitrary: end },
  { weight: 2, arbitrary: fc.constant<Command>({ kind: 'plain' }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('at once' as const),
      commands: fc.array(fc.oneof(write, end), { minLength: 2, maxLength: 12 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      call: fc.constantFrom('write', 'open', 'sync'),
      ending: fc.constantFrom('.log', '.txnindex', '.index', '.snapshot', 'points'),
      nth: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('full' as const), freeBytes: fc.nat(1500) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(300, 1300, 5300) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('reopen' as const), how: fc.constantFrom('clean', 'kill', 'power cut') }),
  },
);

interface Producer {
  id: number;
  epoch: number;
  sequence: number;
  /** The offsets that were acknowledged of the transaction that is open. */
  offsets: number[];
}

/** One partition and its transactional producers; who was not told of what it wrote is replaced by another. */
class Run {
  readonly harness: FaultHarness;
  readonly producers: Producer[] = [1, 2, 3].map((id) => ({ id, epoch: 0, sequence: 0, offsets: [] }));
  /** Records of transactions whose end was acknowledged. */
  readonly committed = new Set<number>();
  readonly aborted = new Set<number>();
  #nextId = 100;

  constructor(seed: number) {
    this.harness = new FaultHarness(seed);
  }

  async do(one: Command): Promise<void> {
    const { harness } = this;
    switch (one.kind) {
      case 'write':
        return this.write(one.producer, one.count);
      case 'end':
        return this.end(one.producer, one.outcome, one.version);
      case 'plain': {
        await append(harness.log(), batchOf(['plain']), 'written');
        return;
      }
      case 'at once':
        await Promise.all(one.commands.map((each) => this.do(each)));
        return;
      case 'fail': {
        const path = new RegExp(`${one.ending}(\\.tmp)?$`);
        return harness.disk.inject({ call: one.call, path, nth: one.nth, times: 1, code: 'ENOSPC' });
      }
      case 'full':
        harness.disk.capacityBytes = harness.disk.usedBytes + one.freeBytes;
        return;
      case 'pass':
        return harness.pass(one.ms);
      case 'delete': {
        const log = harness.log();
        const offset = log.logStartOffset + Math.floor((log.highWatermark - log.logStartOffset) * one.share);
        await log.deleteRecordsBefore(asOffset(offset));
        return;
      }
      case 'reopen':
        return this.reopen(one.how);
    }
  }

  async write(index: number, count: number): Promise<void> {
    const { id: producerId, epoch: producerEpoch, sequence: baseSequence } = this.producers[index]!;
    this.producers[index]!.sequence += count;
    const options = { producerId, producerEpoch, baseSequence, transactional: true };
    const values = Array.from({ length: count }, (_, i) => `${producerId} ${baseSequence + i}`);
    const result = await append(this.harness.log(), batchOf(values, options));
    if (this.producers[index]!.id !== producerId) return;
    if (result.errorCode !== ErrorCode.NONE) this.replace(index);
    else for (let i = 0; i < count; i++) this.producers[index]!.offsets.push(result.baseOffset + i);
  }

  async end(index: number, outcome: 'commit' | 'abort', transactionVersion: 0 | 2): Promise<void> {
    const one = this.producers[index]!;
    const { id: producerId, epoch } = one;
    const producerEpoch = transactionVersion === 2 ? epoch + 1 : epoch;
    one.epoch = producerEpoch;
    if (transactionVersion === 2) one.sequence = 0;
    const marker = { producerId, producerEpoch, coordinatorEpoch: 0, outcome, transactionVersion };
    const { store } = this.harness;
    const result = await new Promise<AppendResult>((resolve) => {
      store.whenRoom(markerRoomBytes, () => this.harness.log().appendMarker(marker, resolve));
    });
    if (this.producers[index]!.id !== producerId) return;
    if (result.errorCode !== ErrorCode.NONE) return this.replace(index);
    const offsets = one.offsets.splice(0).filter((offset) => offset < result.baseOffset);
    for (const offset of offsets) (outcome === 'commit' ? this.committed : this.aborted).add(offset);
  }

  /** What the producer has open stays open: nobody ends it. Here somebody does, as a coordinator would. */
  replace(index: number): void {
    this.producers[index] = { id: this.#nextId++, epoch: 0, sequence: 0, offsets: [] };
  }

  async reopen(how: 'clean' | 'kill' | 'power cut'): Promise<void> {
    const { harness } = this;
    if (how === 'clean') {
      await harness.store.close();
      harness.disk = harness.disk.kill();
    } else if (how === 'kill') harness.kill();
    else harness.powerCut();
    harness.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
    await harness.expectSound(how);
    await harness.open();
    const log = harness.log();
    expect(log.refusal, how).toBeNull();
    const open = log.activeProducers().filter((one) => one.currentTransactionFirstOffset >= 0);
    await this.expectReads(how);
    // What nobody is left to end is aborted, so that the rest of the run shows something.
    for (const { producerId, producerEpoch } of open) {
      if (this.producers.some(({ id }) => id === producerId)) continue;
      const marker = { producerId, producerEpoch, coordinatorEpoch: 0, outcome: 'abort' as const };
      await new Promise<AppendResult>((resolve) => log.appendMarker(marker, resolve));
    }
  }

  async expectReads(what: string): Promise<void> {
    const log = this.harness.log();
    await expectCommittedReads(log, what);
    const { committed, aborted } = await expectedReads(log);
    const isThere = (offset: number): boolean => offset >= log.logStartOffset;
    for (const offset of this.committed) {
      if (isThere(offset) && offset < log.lastStableOffset) expect(committed, what).toContain(offset);
    }
    for (const offset of this.aborted) if (isThere(offset)) expect(aborted, what).toContain(offset);
  }
}

test('whatever fails, readers of committed records see committed transactions whole and nothing of the others', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(command, { minLength: 5, maxLength: 50, size: 'max' }),
      async (seed, commands) => {
        const run = new Run(seed);
        await run.harness.open();
        run.harness.log(0, smallSegments);
        for (const [i, one] of commands.entries()) {
          await run.do(one);
          await run.expectReads(`after command ${i}, ${one.kind}`);
        }
        run.harness.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
        run.harness.disk.clearFailures();
        await run.harness.pass(600);
        await run.expectReads('at the end');
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
