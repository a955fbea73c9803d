import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asOffset } from '../../src/base/numbers.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';
import type { Durability } from '../../src/storage/partition-log.ts';
import { FaultHarness, smallSegments } from './fault-harness.ts';
import { NamedClient } from './named-client.ts';
import { append, batchOf } from './store-harness.ts';

type Ending = 'clean' | 'kill' | 'power cut';
type Command =
  | { readonly kind: 'prepare'; readonly client: number; readonly count: number; readonly gap: number }
  | { readonly kind: 'send'; readonly client: number; readonly times: number; readonly pause: number }
  | {
      readonly kind: 'send and die';
      readonly client: number;
      readonly times: number;
      readonly turns: number;
      readonly how: Ending;
    }
  | { readonly kind: 'reconnect'; readonly client: number }
  | { readonly kind: 'other' }
  | { readonly kind: 'fail'; readonly call: 'write' | 'sync' | 'rename'; readonly nth: number; readonly code: string }
  | { readonly kind: 'full'; readonly freeBytes: number }
  | { readonly kind: 'room' }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'delete'; readonly share: number }
  | { readonly kind: 'retain'; readonly bytes: number }
  | { readonly kind: 'lose snapshots' }
  | { readonly kind: 'reopen'; readonly how: Ending };

const client = fc.nat(2);
const how = fc.constantFrom<Ending>('clean', 'kill', 'power cut');
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('prepare' as const),
      client,
      count: fc.integer({ min: 1, max: 4 }),
      gap: fc.constantFrom(1, 1, 1, 2, 2 ** 40),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      client,
      times: fc.integer({ min: 1, max: 2 }),
      // Long enough for a partition without room to have looked again.
      pause: fc.constantFrom(0, 1, 3, 300),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('send and die' as const),
      client,
      times: fc.integer({ min: 1, max: 2 }),
      turns: fc.nat(12),
      how: fc.constantFrom<Ending>('kill', 'power cut'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reconnect' as const), client }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('other' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      call: fc.constantFrom('write', 'write', 'sync', 'rename'),
      nth: fc.integer({ min: 1, max: 4 }),
      code: fc.constantFrom('ENOSPC', 'ENOSPC', 'EIO'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('full' as const), freeBytes: fc.nat(600) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('room' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(300, 1300, 5300) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('retain' as const), bytes: fc.nat(2000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose snapshots' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reopen' as const), how }) },
);

/** Three named producers and a plain one over one partition. */
class Run {
  readonly harness: FaultHarness;
  readonly clients: readonly NamedClient[];
  #deleted = false;

  constructor(seed: number, durability: Durability) {
    this.harness = new FaultHarness(seed);
    this.clients = ['a', 'b', 'sensor-7'].map((name) => new NamedClient(name, durability));
  }

  get log() {
    return this.harness.log();
  }

  async do(one: Command): Promise<void> {
    const { harness } = this;
    switch (one.kind) {
      case 'prepare':
        return this.clients[one.client]!.prepare(one.count, one.gap);
      case 'send':
        return this.clients[one.client]!.flush(this.log, one.times, async () => {
          if (one.pause < 250) return harness.turns(one.pause);
          // What did not go a moment ago goes again, while what comes before it may be on its way back.
          this.makeRoom();
          return harness.pass(one.pause);
        });
      case 'send and die': {
        const sent = this.clients[one.client]!.flush(this.log, one.times);
        sent.catch(() => {});
        await harness.turns(one.turns);
        return this.reopen(one.how);
      }
      case 'reconnect':
        return this.clients[one.client]!.reconnect(this.log);
      case 'other':
        await append(this.log, batchOf(['other'], {}, 1000));
        return;
      case 'fail':
        // Not the file of log starts: verify takes its difference from a clean stop for damage.
        return harness.disk.inject({
          call: one.call,
          path: /orders-0|points/,
          nth: one.nth,
          times: 1,
          code: one.code,
        });
      case 'full':
        harness.disk.capacityBytes = harness.disk.usedBytes + one.freeBytes;
        return;
      case 'room':
        this.makeRoom();
        return harness.pass(600);
      case 'pass':
        return harness.pass(one.ms);
      case 'delete': {
        this.#deleted = true;
        const { log } = this;
        await log.deleteRecordsBefore(asOffset(Math.floor(log.highWatermark * one.share)));
        return;
      }
      case 'retain':
        this.#deleted = true;
        this.log.updateConfig({ ...defaultLogConfig, ...smallSegments, retentionBytes: one.bytes });
        await this.log.enforceRetention().catch(() => 0);
        return;
      case 'lose snapshots':
        // From the log alone they come back, as long as the log is whole.
        if (this.#deleted) return;
        return this.reopen('kill', true);
      case 'reopen':
        return this.reopen(one.how);
    }
  }

  makeRoom(): void {
    this.harness.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
    this.harness.disk.clearFailures();
  }

  async reopen(ending: Ending, withoutSnapshots = false): Promise<void> {
    const { harness } = this;
    if (ending === 'clean') {
      await harness.store.close();
      harness.disk = harness.disk.kill();
    } else if (ending === 'kill') harness.kill();
    else harness.powerCut();
    this.makeRoom();
    if (withoutSnapshots) {
      const directory = '/data/orders-0';
      if (!harness.disk.isDirectory(directory)) return void (await harness.open());
      for (const name of harness.disk.list(directory)) {
        if (name.endsWith('.snapshot') || name.endsWith('.named')) harness.disk.remove(`${directory}/${name}`);
      }
    } else await harness.expectSound(ending);
    await harness.open();
    expect(this.log.refusal, ending).toBeNull();
    for (const one of this.clients) {
      await one.expectIn(this.log, ending);
      await one.reconnect(this.log);
    }
  }

  /** Everybody sends what waits until nothing does. */
  async finish(): Promise<void> {
    this.makeRoom();
    await this.harness.pass(600);
    if (this.log.refusal !== null) await this.reopen('kill');
    for (const one of this.clients) {
      for (let i = 0; one.waitingCount > 0; i++) {
        expect(i, `${one.name} comes to an end`).toBeLessThan(5);
        await one.flush(this.log);
      }
      await one.expectIn(this.log, 'at the end');
    }
  }
}

for (const durability of ['synced', 'written'] as const) {
  test(`whatever fails, each number is stored once and acknowledged once (${durability})`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(command, { minLength: 5, maxLength: 60, size: 'max' }),
        async (seed, commands) => {
          const run = new Run(seed, durability);
          await run.harness.open();
          for (const one of commands) {
            // What is only written a power cut takes.
            const cuts = 'how' in one && one.how === 'power cut' && durability === 'written';
            await run.do(cuts ? { ...one, how: 'kill' } : one);
          }
          await run.finish();
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
}
