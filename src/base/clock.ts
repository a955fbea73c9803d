/**
 * Time as the broker sees it. Everything that decides takes a `Clock`, so that a simulation can own time.
 * Any thread; `systemClock` is the real one.
 */

import { HoldUpMeter } from './hold-up-meter.ts';

/** A timer that has been set. Cancelling one that has fired, or twice, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall-clock milliseconds since 1970, as records carry them. It may jump. */
  nowMs(): number;
  /** Milliseconds, with fractions, from an arbitrary start. It never goes back. */
  monotonicMs(): number;
  /**
   * As `monotonicMs`, from another start, but it stands while this thread is held up and hears nobody, as far as somebody
   * attends: for how long nothing was heard from somebody.
   */
  heardMs(): number;
  /** Has what holds this thread up be seen, until the attendance is cancelled. It keeps no process alive. */
  attend(): Timer;
  /** Calls `callback` once after at least `delayMs` milliseconds. Timers do not keep a process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls `callback` once, soon behind this turn of the event loop: behind what the turn reads where a timer or a read asks. */
  afterTurn(callback: () => void): void;
}

const longestDelayMs = 2 ** 31 - 1;

// Not `performance.now`: what `performance` is made of takes a millisecond of a start to load.
function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

function setTimer(delayMs: number, callback: () => void): Timer {
  const handle = setTimeout(callback, Math.min(Math.max(delayMs, 0), longestDelayMs));
  handle.unref();
  return { cancel: () => clearTimeout(handle) };
}

const meter = new HoldUpMeter({ monotonicMs, setTimer });

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs,
  heardMs: () => meter.heardMs(),
  attend: () => meter.attend(),
  setTimer,
  // Immediates come behind the phase of Node's event loop that reads, and timers before it.
  afterTurn: (callback) => void setImmediate(callback),
};
