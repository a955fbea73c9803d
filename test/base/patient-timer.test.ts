/** When a timer that is patient comes, and behind what. */

import { expect, it } from 'vitest';
import { setPatientTimer } from '../../src/base/patient-timer.ts';
import { ManualClock } from '../broker/manual-clock.ts';

it('comes when it is due, and is told up to when all was read', () => {
  const clock = new ManualClock();
  const told: number[] = [];
  setPatientTimer(clock, 50, (heardUntilMs) => told.push(heardUntilMs));
  clock.advance(49);
  expect(told).toEqual([]);
  clock.advance(1);
  expect(told).toEqual([50]);
});

it.each([50, 51, 99])('comes behind what is read, however late it is: after %i ms of 50', async (ms) => {
  const clock = new ManualClock();
  const found: unknown[] = [];
  setPatientTimer(clock, 50, (heardUntilMs) => found.push(heardUntilMs));
  await clock.stall(ms, () => found.push('read'));
  expect(found).toEqual(['read', ms]);
});

it('counts no time in which the thread was held up, wherever that falls', async () => {
  const clock = new ManualClock();
  const told: number[] = [];
  setPatientTimer(clock, 5000, () => told.push(clock.monotonicMs()));
  clock.advance(1000);
  await clock.stall(3000);
  clock.advance(1000);
  await clock.stall(7000);
  clock.advance(2999);
  expect(told).toEqual([]);
  clock.advance(1);
  expect(told).toEqual([15_000]);
});

it.each([60, 5000])('does not come where what was read behind %i ms cancels it', async (ms) => {
  const clock = new ManualClock();
  const told: number[] = [];
  const timer = setPatientTimer(clock, 50, (heardUntilMs) => told.push(heardUntilMs));
  await clock.stall(ms, () => timer.cancel());
  clock.advance(5000);
  expect(told).toEqual([]);
});

it('is attended until it has come, or was cancelled', () => {
  const clock = new ManualClock();
  let attending = 0;
  const attend = (): { cancel(): void } => {
    attending++;
    return { cancel: () => void attending-- };
  };
  const attended = Object.assign(clock, { attend });
  setPatientTimer(attended, 50, () => expect(attending).toBe(2));
  const timer = setPatientTimer(attended, 60, () => {});
  clock.advance(55);
  expect(attending).toBe(1);
  timer.cancel();
  expect(attending).toBe(0);
});
