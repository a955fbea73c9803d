/**
 * Time as the broker sees it. Everything that decides takes a `Clock`, so that a simulation can own time.
 * Any thread; `systemClock` is the real one.
 */

/** A timer that has been set. Cancelling one that has fired, or twice, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall-clock milliseconds since 1970, as records carry them. It may jump. */
  nowMs(): number;
  /** Milliseconds, with fractions, from an arbitrary start. It never goes back. */
  monotonicMs(): number;
  /** Calls `callback` once after at least `delayMs` milliseconds. Timers do not keep a process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls `callback` once behind this turn of the event loop: where a timer asks, after all was read that has come in. */
  afterTurn(callback: () => void): void;
}

const longestDelayMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, callback) => {
    const handle = setTimeout(callback, Math.min(Math.max(delayMs, 0), longestDelayMs));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  // Immediates come behind the phase of Node's event loop that reads, and timers before it.
  afterTurn: (callback) => void setImmediate(callback),
};
