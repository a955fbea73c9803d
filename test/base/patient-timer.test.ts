/** What a timer that is patient is told, and behind what it comes. */

import { expect, it } from 'vitest';
import { setPatientTimer } from '../../src/base/patient-timer.ts';
import { ManualClock } from '../broker/manual-clock.ts';

it('is told that nobody was held up where it comes in time', () => {
  const clock = new ManualClock();
  const told: number[] = [];
  setPatientTimer(clock, 50, (heldUpMs) => told.push(heldUpMs));
  clock.advance(49);
  expect(told).toEqual([]);
  clock.advance(1);
  expect(told).toEqual([0]);
});

it.each([
  [50, [0, 'read']],
  [51, ['read', 0]],
  [149, ['read', 0]],
  [150, ['read', 100]],
  [5050, ['read', 5000]],
])(
  'comes behind what is read where the thread was held up for %i ms of 50, and is told of it: %o',
  async (ms, seen) => {
    const clock = new ManualClock();
    const found: unknown[] = [];
    setPatientTimer(clock, 50, (heldUpMs) => found.push(heldUpMs));
    await clock.stall(ms, () => found.push('read'));
    expect(found).toEqual(seen);
  },
);

it('does not come where what was read cancels it', async () => {
  const clock = new ManualClock();
  const told: number[] = [];
  const timer = setPatientTimer(clock, 50, (heldUpMs) => told.push(heldUpMs));
  await clock.stall(5000, () => timer.cancel());
  clock.advance(5000);
  expect(told).toEqual([]);
});
