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
