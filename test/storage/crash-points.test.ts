import { describe, expect, test } from 'vitest';
import { asOffset } from '../../src/base/numbers.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';
import { FaultHarness, Ledger, smallSegments } from './fault-harness.ts';

/** What happens in one run: appends that roll, deletions, retention, recovery points, a clean stop. */
async function live(harness: FaultHarness, ledger: Ledger): Promise<void> {
  await harness.open();
  const log = harness.log();
  const producer = { id: 7, next: ledger.acknowledged.size };
  const told = (result: { errorCode: number }): void => {
    if (result.errorCode !== 0) throw new Error(`an append was answered with ${result.errorCode}`);
  };
  for (let i = 0; i < 9; i++)
    told(await alive(harness, ledger.append(log, i % 2 === 0 ? 'synced' : 'written', 1, producer)));
  await harness.pass(5250);
  await alive(harness, log.deleteRecordsBefore(asOffset(log.logStartOffset + 5)));
  for (let i = 0; i < 9; i++) told(await alive(harness, ledger.append(log, 'synced', 1, producer)));
  log.updateConfig({ ...defaultLogConfig, ...smallSegments, retentionBytes: 700 });
  await alive(harness, log.enforceRetention());
  await harness.pass(1250);
  told(await alive(harness, ledger.append(log, 'written', 2, producer)));
  await harness.pass(5250);
  await alive(harness, harness.store.close());
}

/** `promise`, unless the process dies first. */
async function alive<T>(harness: FaultHarness, promise: Promise<T>): Promise<T> {
  let settled = false;
  const outcome = promise.finally(() => (settled = true));
  outcome.catch(() => {});
  await harness.until(() => settled || harness.died);
  if (!settled) throw new Error('the process died');
  return outcome;
}

describe('a process that dies', () => {
  for (const end of ['kill', 'power cut'] as const) {
    test(`in any call of a run that appends, rolls, deletes, checkpoints and stops loses nothing (${end})`, async () => {
      let deaths = 0;
      for (let call = 1; ; call++) {
        const what = `${end} in call ${call}`;
        const harness = new FaultHarness(call);
        const ledger = new Ledger();
        const run = async (): Promise<void> => {
          await harness.open();
          await ledger.append(harness.log());
          await harness.store.close();
          harness.kill();
          harness.lastCall = call;
          await live(harness, ledger);
        };
        await run().catch((error: unknown) => {
          if (!harness.died) throw error;
        });
        if (!harness.died) break;
        deaths++;
        if (end === 'power cut') {
          harness.powerCut();
          ledger.forgetUnsynced();
        }
        await harness.expectSound(what);
        await harness.open();
        const log = harness.log();
        expect(log.refusal, what).toBeNull();
        await ledger.expectIn(log, what);
        expect(await ledger.append(log), what).toMatchObject({ errorCode: 0 });
        await log.enforceRetention();
        await harness.store.close();
        await harness.expectSound(what);
        await harness.open();
        await ledger.expectIn(harness.log(), what);
        harness.kill();
      }
      expect(deaths).toBeGreaterThan(60);
    }, 60_000);

    test(`in any call of a recovery loses nothing (${end})`, async () => {
      let deaths = 0;
      for (let call = 1; ; call++) {
        const what = `${end} in call ${call}`;
        const harness = new FaultHarness(call);
        const ledger = new Ledger();
        await harness.open();
        for (let i = 0; i < 15; i++)
          await ledger.append(harness.log(), i % 2 === 0 ? 'synced' : 'written', 2, undefined);
        if (end === 'kill') harness.kill();
        else {
          harness.powerCut();
          ledger.forgetUnsynced();
        }
        harness.lastCall = call;
        await harness.open().catch((error: unknown) => {
          if (!harness.died) throw error;
        });
        if (!harness.died) break;
        deaths++;
        if (end === 'power cut') harness.powerCut();
        await harness.open();
        await ledger.expectIn(harness.log(), what);
        expect(await ledger.append(harness.log()), what).toMatchObject({ errorCode: 0 });
        await harness.store.close();
        await harness.expectSound(what);
      }
      expect(deaths).toBeGreaterThan(3);
    }, 60_000);
  }
});
