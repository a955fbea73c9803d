/** How long bodies share the thread's time. */

import { describe, expect, it } from 'vitest';
import { WorkTurns, type TurnWork } from '../../src/server/http-ingest/work-turns.ts';
import { ManualClock } from '../broker/manual-clock.ts';

describe('the time of a turn', () => {
  const stepMs = 2;

  function setUp() {
    const clock = new ManualClock();
    const callbacks: (() => void)[] = [];
    const turns = new WorkTurns({
      monotonicMs: () => clock.monotonicMs(),
      afterTurn: (callback) => void callbacks.push(callback),
    });
    const order: string[] = [];
    /** Work of so many steps. */
    const workOf = (name: string, steps: number): TurnWork => {
      let left = steps;
      return {
        goOn(endMs) {
          do {
            order.push(name);
            left--;
            clock.advance(stepMs);
          } while (left > 0 && clock.monotonicMs() < endMs);
          return left > 0;
        },
      };
    };
    const endTurn = (): number => {
      const startMs = clock.monotonicMs();
      for (const callback of callbacks.splice(0)) callback();
      return clock.monotonicMs() - startMs;
    };
    return { clock, turns, order, workOf, endTurn, callbacks };
  }

  it('is one for all that wait, who get slices in turn until they are done', () => {
    const { turns, order, workOf, endTurn, callbacks } = setUp();
    for (const name of ['a', 'b', 'c']) turns.later(workOf(name, 12));
    const turnsMs: number[] = [];
    while (callbacks.length > 0) turnsMs.push(endTurn());
    expect(turnsMs.reduce((sum, ms) => sum + ms, 0)).toBe(3 * 12 * stepMs);
    // A slice, and with it a turn, may end one step late.
    expect(Math.max(...turnsMs)).toBeLessThanOrEqual(20 + stepMs);
    expect(order.slice(0, 9).join('')).toBe('aaabbbccc');
    expect(order.filter((name) => name === 'c').length).toBe(12);
  });

  it('is used up by what comes, and begins anew with the next turn', () => {
    const { clock, turns, endTurn, callbacks } = setUp();
    expect(turns.isOver).toBe(false);
    clock.advance(19);
    expect(turns.isOver).toBe(false);
    clock.advance(1);
    expect(turns.isOver).toBe(true);
    endTurn();
    expect(callbacks.length).toBe(0);
    expect(turns.isOver).toBe(false);
  });

  it('is used by those that wait before those that come', () => {
    const { turns, order, workOf, endTurn } = setUp();
    turns.later(workOf('long', 100));
    endTurn();
    expect(order.length).toBe(10);
    expect(turns.isOver).toBe(true);
  });

  it('has each of those that wait go on a step, however slow the clock says that they are', () => {
    const { clock, turns, endTurn, callbacks } = setUp();
    let steps = 0;
    turns.later({
      goOn() {
        clock.advance(1000);
        return ++steps < 3;
      },
    });
    while (callbacks.length > 0) endTurn();
    expect(steps).toBe(3);
  });
});
