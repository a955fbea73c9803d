import { expect, test } from 'vitest';
import { Deadline } from '../../../src/broker/groups/deadline.ts';
import { ManualClock } from '../manual-clock.ts';

function start(): { clock: ManualClock; deadline: Deadline; passed: number[] } {
  const clock = new ManualClock();
  const passed: number[] = [];
  return { clock, passed, deadline: new Deadline(clock, () => passed.push(clock.monotonicMs())) };
}

test('passes once, when it is due', () => {
  const { clock, deadline, passed } = start();
  deadline.set(100);
  clock.advance(99);
  expect(passed).toEqual([]);
  clock.advance(1000);
  expect(passed).toEqual([100]);
  expect(deadline.isSet).toBe(false);
});

test('is put off with the one timer that it has', () => {
  const { clock, deadline, passed } = start();
  for (let i = 0; i < 100; i++) {
    deadline.set(100);
    expect(clock.pendingCount).toBe(1);
    clock.advance(60);
  }
  clock.advance(1000);
  expect(passed).toEqual([99 * 60 + 100]);
});

test('can be moved forward', () => {
  const { clock, deadline, passed } = start();
  deadline.set(100);
  deadline.set(10);
  expect(clock.pendingCount).toBe(1);
  clock.advance(1000);
  expect(passed).toEqual([10]);
});

test('does not pass when it was cleared, and can be set again', () => {
  const { clock, deadline, passed } = start();
  deadline.set(100);
  deadline.clear();
  expect(clock.pendingCount).toBe(0);
  clock.advance(1000);
  deadline.set(5);
  clock.advance(5);
  expect(passed).toEqual([1005]);
});

test('can be set anew when it passes', () => {
  const clock = new ManualClock();
  const passed: number[] = [];
  const deadline = new Deadline(clock, () => {
    passed.push(clock.monotonicMs());
    if (passed.length < 3) deadline.set(10);
  });
  deadline.set(10);
  clock.advance(100);
  expect(passed).toEqual([10, 20, 30]);
});

test('is put off by what is read first of all that came in while the thread was held up', async () => {
  const { clock, deadline, passed } = start();
  deadline.set(1000);
  await clock.stall(5000, () => deadline.set(1000));
  clock.advance(999);
  expect(passed).toEqual([]);
  clock.advance(1);
  expect(passed).toEqual([6000]);
});

test.each([
  ['for the time in which the thread was held up', 400, 1000 + 400 + 400],
  ['and for no longer than it was set', 60_000, 61_000 + 1000],
])('is put off once where nobody came, %s', async (_, lateMs, passesMs) => {
  const { clock, deadline, passed } = start();
  deadline.set(1000);
  await clock.stall(1000 + lateMs);
  expect(deadline.isSet).toBe(true);
  clock.advance(passesMs - clock.monotonicMs() - 1);
  expect(passed).toEqual([]);
  // The thread is held up again: that had been granted.
  await clock.stall(500);
  expect(passed).toEqual([passesMs + 499]);
});

test('what was put off while others were read, and passed as the thread was held up again, waits for what came in since', async () => {
  const { clock, deadline, passed } = start();
  deadline.set(100);
  await clock.stall(150, () => {
    deadline.set(100);
    clock.pass(150);
  });
  expect(passed).toEqual([]);
  await clock.stall(0, () => deadline.set(100));
  expect(passed).toEqual([]);
  clock.advance(99);
  expect(passed).toEqual([]);
  clock.advance(1);
  expect(passed).toHaveLength(1);
});
