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
 * Calls `callback` once after at least `delayMs` milliseconds, and after all was read that had come in by then; a negative
 * delay is one that has passed already. `heldUpMs` is for how many milliseconds at least the thread was held up when the timer
 * fell due; 0 where it was not, or hardly. `heardUntilMs` is the monotonic time up to which all that came in was read: it may lie
 * behind, as the thread may have been held up again since.
 */
export function setPatientTimer(
  clock: Clock,
  delayMs: number,
  callback: (heldUpMs: number, heardUntilMs: number) => void,
): Timer {
  const dueMs = clock.monotonicMs() + delayMs;
  let isCancelled = false;
  const timer = clock.setTimer(Math.max(delayMs, 0), () => {
    const firedMs = clock.monotonicMs();
    const lateMs = firedMs - dueMs;
    if (lateMs < punctualMs) {
      callback(0, firedMs);
      return;
    }
    clock.afterTurn(() => {
      if (!isCancelled) callback(lateMs < heldUpFromMs ? 0 : lateMs, firedMs);
    });
  });
  return {
    cancel: () => {
      isCancelled = true;
      timer.cancel();
    },
  };
}
