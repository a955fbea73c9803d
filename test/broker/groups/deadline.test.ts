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
  ['right before it is due', 999, 5000],
  ['soon after it was set', 1, 5000],
  ['for much longer than it was set', 400, 3_600_000],
])('passes as much later as the thread was held up %s', async (_, beforeMs, heldUpMs) => {
  const { clock, deadline, passed } = start();
  deadline.set(1000);
  clock.advance(beforeMs);
  await clock.stall(heldUpMs);
  clock.advance(1000 - beforeMs - 1);
  expect(passed).toEqual([]);
  clock.advance(1);
  expect(passed).toEqual([1000 + heldUpMs]);
});

test('is not put off for hold-ups before it was set, nor by those that are hardly any', async () => {
  const { clock, deadline, passed } = start();
  await clock.stall(5000);
  deadline.set(1000);
  clock.advance(970);
  await clock.stall(90);
  expect(passed).toEqual([6060]);
});

test('is told up to when all was read as it passes', async () => {
  const clock = new ManualClock();
  const told: number[] = [];
  const deadline = new Deadline(clock, (heardUntilMs) => told.push(heardUntilMs));
  deadline.set(50);
  await clock.stall(60, () => clock.pass(30));
  expect(told).toEqual([60]);
});

test('what was put off while others were read, and passed as the thread was held up again, waits for what came in since', async () => {
  const { clock, deadline, passed } = start();
  deadline.set(50);
  await clock.stall(60, () => {
    deadline.set(50);
    clock.pass(60);
  });
  expect(passed).toEqual([]);
  await clock.stall(0, () => deadline.set(50));
  expect(passed).toEqual([]);
  clock.advance(49);
  expect(passed).toEqual([]);
  clock.advance(1);
  expect(passed).toEqual([170]);
});
