import { describe, expect, it } from 'vitest';
import type { Timer } from '../../src/base/clock.ts';
import { Deadline, DeadlineLists } from '../../src/base/deadline-lists.ts';

/** Time that goes on when it is told to, and how many timers run. */
class HandClock {
  nowMs = 0;
  readonly timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();

  monotonicMs(): number {
    return this.nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.nowMs + delayMs, callback };
    this.timers.add(timer);
    return { cancel: () => void this.timers.delete(timer) };
  }

  /** `earlyMs`: how much before they are due timers come. */
  advance(byMs: number, earlyMs = 0): void {
    const endMs = this.nowMs + byMs;
    for (;;) {
      const next = [...this.timers].toSorted((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined || next.dueMs - earlyMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, next.dueMs - earlyMs);
      this.timers.delete(next);
      next.callback();
    }
    this.nowMs = endMs;
  }
}

class Named extends Deadline {
  readonly #called: string[];
  readonly #name: string;
  readonly #then: () => void;

  constructor(called: string[], name: string, then: () => void = () => {}) {
    super();
    this.#called = called;
    this.#name = name;
    this.#then = then;
  }

  override timeIsUp(): void {
    this.#called.push(this.#name);
    this.#then();
  }
}

function setUp() {
  const clock = new HandClock();
  return { clock, lists: new DeadlineLists(clock), called: [] as string[] };
}

describe('deadlines', () => {
  it('are called when their own time is up, by one timer for each delay', () => {
    const { clock, lists, called } = setUp();
    lists.add(new Named(called, 'a'), 100);
    clock.advance(60);
    lists.add(new Named(called, 'b'), 100);
    lists.add(new Named(called, 'short'), 10);
    expect(clock.timers.size).toBe(2);
    clock.advance(10);
    expect(called).toEqual(['short']);
    clock.advance(29);
    expect(called).toEqual(['short']);
    clock.advance(1);
    expect(called).toEqual(['short', 'a']);
    clock.advance(59);
    expect(called).toEqual(['short', 'a']);
    clock.advance(1);
    expect(called).toEqual(['short', 'a', 'b']);
    clock.advance(1000);
    expect([clock.timers.size, lists.listCount]).toEqual([0, 0]);
  });

  it('are not called once removed, wherever they stand', () => {
    const { clock, lists, called } = setUp();
    const all = ['first', 'second', 'third', 'fourth'].map((name) => new Named(called, name));
    for (const one of all) lists.add(one, 100);
    for (const at of [0, 2]) lists.remove(all[at]!);
    lists.remove(all[2]!);
    clock.advance(100);
    expect(called).toEqual(['second', 'fourth']);
    lists.remove(all[3]!);
  });

  it('are not called early by a timer that is', () => {
    const { clock, lists, called } = setUp();
    lists.add(new Named(called, 'a'), 100);
    clock.advance(99.5, 0.5);
    expect([called, lists.count]).toEqual([[], 1]);
    clock.advance(1);
    expect([called, lists.count]).toEqual([['a'], 0]);
  });

  it('may be added and removed while others are called', () => {
    const { clock, lists, called } = setUp();
    const victim = new Named(called, 'victim');
    const again = new Named(called, 'again');
    lists.add(
      new Named(called, 'a', () => {
        lists.remove(victim);
        lists.add(again, 100);
      }),
      100,
    );
    lists.add(victim, 100);
    clock.advance(100);
    expect(called).toEqual(['a']);
    clock.advance(100);
    expect(called).toEqual(['a', 'again']);
  });

  it('keep no timers for what is over, whatever delays clients make up', () => {
    const { clock, lists, called } = setUp();
    for (let delayMs = 1; delayMs <= 1000; delayMs++) {
      const deadline = new Named(called, 'never');
      lists.add(deadline, delayMs + 10_000);
      lists.remove(deadline);
    }
    expect(lists.listCount).toBeLessThanOrEqual(16);
    expect(clock.timers.size).toBe(lists.listCount);
    // What is in use stays, and is called in its time.
    lists.add(new Named(called, 'honest'), 100);
    for (let delayMs = 1; delayMs <= 1000; delayMs++) {
      const deadline = new Named(called, 'never');
      lists.add(deadline, delayMs + 20_000);
      lists.remove(deadline);
    }
    expect(lists.listCount).toBeLessThanOrEqual(16);
    clock.advance(100);
    expect(called).toEqual(['honest']);
  });

  it('are all called in their time, however many delays are in use', () => {
    const { clock, lists, called } = setUp();
    const names = Array.from({ length: 500 }, (_, i) => String(i));
    for (const [i, name] of names.entries()) lists.add(new Named(called, name), 100 + i);
    expect([lists.listCount, lists.count]).toEqual([500, 500]);
    clock.advance(600);
    expect(called).toEqual(names);
    expect([lists.listCount, lists.count, clock.timers.size]).toEqual([0, 0, 0]);
  });

  it('are not called once all is closed', () => {
    const { clock, lists, called } = setUp();
    lists.add(new Named(called, 'a'), 100);
    lists.close();
    expect(clock.timers.size).toBe(0);
    clock.advance(1000);
    expect(called).toEqual([]);
  });
});
