/**
 * Timers for what ends because nothing was heard for long, such as a session. Any thread.
 *
 *   held up: a call that hangs, a process that was suspended ──► timers that fell due meanwhile ──► what came in meanwhile
 *
 * Node calls timers before it reads, so that a session would end over a heartbeat that has lain in its socket for
 * seconds. A timer of these counts only the time in which the thread could hear (`hold-up-meter.ts`), and comes after what
 * has come in by then: also where it is punctual, for it may be so behind another timer that took long. It decides nothing.
 */

import type { Clock, Timer } from './clock.ts';

/**
 * Calls `callback` once `clock.heardMs` has moved on by `delayMs` milliseconds, and after all was read that had come in by
 * then; a negative delay is one that has passed already. `heardUntilMs` is where `clock.heardMs` was when all that was read had
 * come in: it may lie behind.
 */
export function setPatientTimer(clock: Clock, delayMs: number, callback: (heardUntilMs: number) => void): Timer {
  const attendance = clock.attend();
  const dueMs = clock.heardMs() + delayMs;
  let timer: Timer | null = null;
  let isCancelled = false;
  const come = (heardUntilMs: number): void => {
    if (isCancelled) return;
    callback(heardUntilMs);
    attendance.cancel();
  };
  const wait = (delayMs: number): void => {
    timer = clock.setTimer(Math.max(Math.ceil(delayMs), 0), () => {
      const heardUntilMs = clock.heardMs();
      if (heardUntilMs < dueMs) wait(dueMs - heardUntilMs);
      // Messages of WebSockets, which are gathered as they are read and passed on behind the turn, come between the two.
      else clock.afterTurn(() => clock.afterTurn(() => come(heardUntilMs)));
    });
  };
  wait(delayMs);
  return {
    cancel: () => {
      isCancelled = true;
      timer?.cancel();
      attendance.cancel();
    },
  };
}
