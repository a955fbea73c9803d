import { describe, expect, test } from 'vitest';
import { compacted, compactionSettings, contents, KeyedLedger } from './compaction-harness.ts';
import { FaultHarness } from './fault-harness.ts';

const config = { ...compacted, deleteRetentionMs: 1000, indexIntervalBytes: 100 };

/** `promise`, unless the process dies first. */
async function alive<T>(harness: FaultHarness, promise: Promise<T>): Promise<T> {
  let settled = false;
  const outcome = promise.finally(() => (settled = true));
  outcome.catch(() => {});
  await harness.until(() => settled || harness.died);
  if (!settled) throw new Error('the process died');
  return outcome;
}

/** Appends that roll, recovery points, and compactions with tombstones whose horizon passes. */
async function live(harness: FaultHarness, ledger: KeyedLedger): Promise<void> {
  await harness.open();
  const log = harness.log(0, config);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 6; i++) {
      const isTombstone = (i + round) % 4 === 3;
      await alive(
        harness,
        ledger.append(log, [
          [`key-${i % 4}`, isTombstone],
          [`key-${(i + 1) % 6}`, false],
        ]),
      );
    }
    await harness.pass(5250);
    if (harness.died) throw new Error('the process died');
    while (await alive(harness, harness.store.compactDirtiest(compactionSettings)));
    await harness.pass(1500);
  }
  await alive(harness, harness.store.close());
}

describe('a process that dies', () => {
  for (const end of ['kill', 'power cut'] as const) {
    test(`in any call of a run that compacts loses nothing and brings nothing back (${end})`, async () => {
      let deaths = 0;
      for (let call = 1; ; call++) {
        const what = `${end} in call ${call}`;
        const harness = new FaultHarness(call);
        const ledger = new KeyedLedger();
        harness.lastCall = call;
        await live(harness, ledger).catch((error: unknown) => {
          if (!harness.died) throw error;
        });
        if (!harness.died) break;
        deaths++;
        if (end === 'power cut') harness.powerCut();
        await harness.expectSound(what);
        await harness.open();
        const log = harness.log(0, config);
        expect(log.refusal, what).toBeNull();
        ledger.expectIn(await contents(harness, log), what);
        await ledger.append(log, [['key-0', false]]);
        await harness.pass(5250);
        while (await alive(harness, harness.store.compactDirtiest(compactionSettings)));
        const found = await contents(harness, log);
        ledger.expectIn(found, `${what}, compacted again`);
        await harness.store.close();
        await harness.expectSound(what);
        await harness.open();
        expect(await contents(harness, harness.log(0, config)), what).toEqual(found);
        harness.kill();
      }
      expect(deaths).toBeGreaterThan(50);
    }, 120_000);
  }
});
