/**
 * Timers for what ends because nothing was heard for long, such as a session. Any thread.
 *
 *   held up: a call that hangs, a process that was suspended ──► timers that fell due meanwhile ──► what came in meanwhile
 *
 * Node calls timers before it reads, so that a session would end over a heartbeat that has lain in its socket for
 * seconds. A timer of these that is late comes after what has come in by then, and is told for how long the thread
 * was held up, so that those who were waited for can be granted that time. It decides nothing.
 */

import type { Clock, Timer } from './clock.ts';

/** Timers count in milliseconds, and are so late each time. */
const punctualMs = 1;
/** Whoever is as late by the load alone loses nothing by being patient. */
const heldUpFromMs = 100;

/**
 * Calls `callback` once after at least `delayMs` milliseconds, and after all was read that had come in by then. `heldUpMs` is
 * for how many milliseconds at least the thread was held up when the timer fell due; 0 where it was not, or hardly.
 */
export function setPatientTimer(clock: Clock, delayMs: number, callback: (heldUpMs: number) => void): Timer {
  const dueMs = clock.monotonicMs() + Math.max(delayMs, 0);
  let isCancelled = false;
  const timer = clock.setTimer(delayMs, () => {
    const lateMs = clock.monotonicMs() - dueMs;
    if (lateMs < punctualMs) {
      callback(0);
      return;
    }
    clock.afterTurn(() => {
      if (!isCancelled) callback(lateMs < heldUpFromMs ? 0 : lateMs);
    });
  });
  return {
    cancel: () => {
      isCancelled = true;
      timer.cancel();
    },
  };
}
