import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Compression } from '../../src/records/record-batch.ts';
import type { LogConfig } from '../../src/storage/log-config.ts';
import { compacted, compactionSettings, contents, KeyedLedger, parsed, settled } from './compaction-harness.ts';
import { FaultHarness } from './fault-harness.ts';

type Step =
  | { readonly kind: 'append'; readonly keys: readonly (readonly [key: string, isTombstone: boolean])[] }
  | { readonly kind: 'compact' }
  | { readonly kind: 'restart' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc
        .array(
          fc.tuple(
            fc.nat(7).map((i) => `key-${i}`),
            fc.nat(4).map((i) => i === 0),
          ),
          { minLength: 1, maxLength: 4 },
        )
        .map((keys): Step => ({ kind: 'append', keys })),
    },
    { weight: 2, arbitrary: fc.constant<Step>({ kind: 'compact' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restart' }) },
  ),
  { minLength: 5, maxLength: 60 },
);

const settings = fc.record({
  compression: fc.constantFrom(null, ...Object.values(Compression)),
  // From a few keys on the map is full, and a log takes several passes.
  mapBytes: fc.constantFrom(64 + 24 * 16, 4096),
  minCompactionLagMs: fc.constantFrom(0, 20_000),
  segmentBytes: fc.constantFrom(250, 600),
});

class Model {
  readonly harness = new FaultHarness();
  readonly ledger = new KeyedLedger();
  readonly config: Partial<LogConfig>;
  /** When each offset was appended. */
  readonly #times = new Map<number, number>();

  constructor(config: Partial<LogConfig>) {
    this.config = { ...compacted, deleteRetentionMs: 30_000, ...config };
  }

  get log() {
    return this.harness.log(0, this.config);
  }

  async append(keys: readonly (readonly [string, boolean])[]): Promise<void> {
    const nowMs = this.harness.clock.nowMs();
    const { baseOffset } = await settled(this.harness, this.ledger.append(this.log, keys, nowMs));
    for (let i = 0; i < keys.length; i++) this.#times.set(baseOffset + i, nowMs);
  }

  async compact(mapBytes: number): Promise<void> {
    const { harness } = this;
    await harness.pass(5250);
    const before = parsed(await contents(harness, this.log));
    while (await settled(harness, harness.store.compactDirtiest({ ...compactionSettings, mapBytes })));
    const texts = await contents(harness, this.log);
    this.ledger.expectIn(texts, 'after a compaction');
    const after = new Set(parsed(texts).map(({ offset }) => offset));
    const gone = before.filter(({ offset }) => !after.has(offset));
    const nowMs = harness.clock.nowMs();
    for (const { offset, key, value } of gone) {
      const replaced = before.some((other) => other.key === key && other.offset > offset);
      const ageMs = nowMs - this.#times.get(offset)!;
      expect(replaced || value === null, `${key} at ${offset} went though it is the newest`).toBe(true);
      expect(ageMs, 'nothing goes before min.compaction.lag.ms').toBeGreaterThanOrEqual(
        this.config.minCompactionLagMs!,
      );
      if (!replaced) expect(ageMs, 'no tombstone goes before delete.retention.ms').toBeGreaterThanOrEqual(30_000);
    }
  }

  /** Once everything is old enough, sealed and compacted, nothing is left but the newest of each key. */
  async finish(mapBytes: number): Promise<void> {
    for (let round = 0; round < 3; round++) {
      // The last segment is never compacted, so keys of their own end it.
      for (let i = 0; i < 8; i++) await this.append([[`last-${round}-${i}`, false]]);
      await this.harness.pass(30_000);
      await this.compact(mapBytes);
    }
    const found = parsed(await contents(this.harness, this.log)).filter(({ key }) => key.startsWith('key-'));
    expect(new Set(found.map(({ key }) => key)).size, 'one record of each key').toBe(found.length);
    expect(found.filter(({ value }) => value === null)).toEqual([]);
  }
}

describe('a compacted log', () => {
  test('keeps the newest of each key, nothing that was replaced, and tombstones for their time', async () => {
    await fc.assert(
      fc.asyncProperty(steps, settings, async (taken, { mapBytes, ...config }) => {
        const model = new Model(config);
        await model.harness.open();
        try {
          for (const step of taken) {
            if (step.kind === 'append') await model.append(step.keys);
            else if (step.kind === 'compact') await model.compact(mapBytes);
            else {
              await settled(model.harness, model.harness.store.close());
              await model.harness.expectSound('after a stop');
              model.harness.kill();
              await model.harness.open();
              model.ledger.expectIn(await contents(model.harness, model.log), 'after a restart');
            }
          }
          await model.finish(mapBytes);
          model.harness.kill();
          await model.harness.open();
          model.ledger.expectIn(await contents(model.harness, model.log), 'after a crash');
        } finally {
          model.harness.kill();
        }
      }),
      { numRuns: 25 },
    );
  }, 120_000);
});
