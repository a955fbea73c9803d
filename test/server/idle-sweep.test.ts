/** Which connections count as idle for too long, and when they are looked for. */

import { expect, it } from 'vitest';
import { sweepIdle } from '../../src/server/idle-sweep.ts';
import type { RequestPipeline } from '../../src/server/request-pipeline.ts';
import { ManualClock } from '../broker/manual-clock.ts';

/** Sweeps over connections that were last active at these times, and gives what has been ended. */
function sweep(clock: ManualClock, idleMs: number, idleSinceMs: readonly (() => number)[]) {
  const pipelines = idleSinceMs.map(
    (since) =>
      ({
        get idleSinceMs() {
          return since();
        },
      }) as RequestPipeline,
  );
  const ended: number[] = [];
  const stop = sweepIdle(
    clock,
    idleMs,
    () => pipelines,
    (pipeline) => ended.push(pipelines.indexOf(pipeline)),
  );
  return { ended, stop };
}

it('ends those over which nothing moved for longer than allowed, until it is stopped', () => {
  const clock = new ManualClock();
  const startMs = clock.monotonicMs();
  const { ended, stop } = sweep(clock, 1000, [() => startMs, () => clock.monotonicMs(), () => startMs + 500]);
  clock.advance(1000);
  expect(ended).toEqual([]);
  clock.advance(250);
  expect(ended).toEqual([0]);
  stop();
  clock.advance(10_000);
  expect(ended).toEqual([0]);
});

it.each([0, 1, 40])('spares a connection that is owed a response where %i ms are allowed', (idleMs) => {
  const clock = new ManualClock();
  const { ended, stop } = sweep(clock, idleMs, [() => clock.monotonicMs()]);
  for (let i = 0; i < 10; i++) clock.advance(50);
  expect(ended).toEqual([]);
  stop();
});

it('ends nobody where the time is negative', () => {
  const clock = new ManualClock();
  const startMs = clock.monotonicMs();
  const { ended } = sweep(clock, -1, [() => startMs]);
  clock.advance(1_000_000);
  expect(ended).toEqual([]);
});

it('takes nobody for idle over a time in which nothing was read', async () => {
  const clock = new ManualClock();
  const startMs = clock.monotonicMs();
  let heardMs = startMs;
  const { ended, stop } = sweep(clock, 1000, [() => startMs, () => heardMs]);
  clock.advance(700);
  await clock.stall(5000, () => (heardMs = clock.heardMs()));
  // Between two sweeps that are in time.
  clock.advance(100);
  await clock.stall(120);
  clock.advance(449);
  expect(ended).toEqual([]);
  clock.advance(1);
  expect(ended).toEqual([0]);
  stop();
});

it('ends nobody any more where it is stopped by what was read first', async () => {
  const clock = new ManualClock();
  const { ended, stop } = sweep(clock, 1000, [() => 0]);
  clock.advance(1200);
  await clock.stall(90, stop);
  expect(ended).toEqual([]);
  expect(clock.pendingCount).toBe(0);
});
