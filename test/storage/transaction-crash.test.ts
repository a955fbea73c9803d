import { expect, test } from 'vitest';
import { markerRoomBytes, type AppendResult } from '../../src/storage/partition-log.ts';
import { expectCommittedReads, expectedReads } from './committed-reads.ts';
import { FaultHarness } from './fault-harness.ts';
import { append, batchOf } from './store-harness.ts';

/** What the producers were told of the transactions that they ended, by offset. */
interface Told {
  readonly committed: Set<number>;
  readonly aborted: Set<number>;
}

/** Two producers whose transactions overlap, over several segments and recovery points; ends with a clean stop. */
async function live(harness: FaultHarness, told: Told): Promise<void> {
  await harness.open();
  const log = harness.log();
  const alive = async (promise: Promise<AppendResult>): Promise<number> => {
    let result: AppendResult | null = null;
    void promise.then((answer) => (result = answer));
    await harness.until(() => result !== null || harness.died);
    if (result === null) throw new Error('the process died');
    expect(result).toMatchObject({ errorCode: 0 });
    return (result as AppendResult).baseOffset;
  };
  const write = (producerId: number, baseSequence: number): Promise<number> => {
    const options = { producerId, producerEpoch: 0, baseSequence, transactional: true };
    return alive(append(log, batchOf([`${producerId} ${baseSequence}`], options)));
  };
  const end = async (producerId: number, outcome: 'commit' | 'abort', offsets: readonly number[]): Promise<void> => {
    const marker = { producerId, producerEpoch: 0, coordinatorEpoch: 0, outcome };
    await alive(
      new Promise((resolve) => {
        harness.store.whenRoom(markerRoomBytes, () => log.appendMarker(marker, resolve));
      }),
    );
    for (const offset of offsets) (outcome === 'commit' ? told.committed : told.aborted).add(offset);
  };
  for (let round = 0; round < 4; round++) {
    const a = await write(1, round * 2);
    const b = [await write(2, round * 2)];
    await end(1, 'abort', [a]);
    b.push(await write(2, round * 2 + 1));
    if (round % 2 === 0) await harness.pass(5250);
    const c = await write(1, round * 2 + 1);
    await end(2, round === 2 ? 'abort' : 'commit', b);
    await end(1, round === 1 ? 'abort' : 'commit', [c]);
  }
  await write(2, 8);
  const closing = harness.store.close();
  let closed = false;
  closing.then(
    () => (closed = true),
    () => (closed = true),
  );
  await harness.until(() => closed || harness.died);
}

for (const end of ['kill', 'power cut'] as const) {
  test(`a process that dies in any third call leaves aborted transactions hidden and committed ones whole (${end})`, async () => {
    let deaths = 0;
    for (let call = 1; ; call += 3) {
      const what = `${end} in call ${call}`;
      const harness = new FaultHarness(call);
      const told: Told = { committed: new Set(), aborted: new Set() };
      harness.lastCall = call;
      await live(harness, told).catch((error: unknown) => {
        if (!harness.died) throw error;
      });
      if (!harness.died) break;
      deaths++;
      if (end === 'power cut') harness.powerCut();
      await harness.expectSound(what);
      for (const start of ['first start', 'start after a kill', 'start after a clean stop']) {
        await harness.open();
        const log = harness.log();
        expect(log.refusal, what).toBeNull();
        await expectCommittedReads(log, `${what}, ${start}`);
        const { committed, aborted } = await expectedReads(log);
        for (const offset of told.aborted) expect(aborted, what).toContain(offset);
        for (const offset of told.committed) {
          if (offset < log.lastStableOffset) expect(committed, what).toContain(offset);
        }
        if (start === 'first start') harness.kill();
        else await harness.store.close();
        await harness.expectSound(what);
      }
      harness.kill();
    }
    expect(deaths).toBeGreaterThan(20);
  }, 120_000);
}
