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
  /** Calls `callback` once behind this turn of the event loop: where a timer asks, after all that has come in was read and served. */
  afterTurn(callback: () => void): void;
}

const longestDelayMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  // Not `performance.now`: what `performance` is made of takes a millisecond of a start to load.
  monotonicMs: () => {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  setTimer: (delayMs, callback) => {
    const handle = setTimeout(callback, Math.min(Math.max(delayMs, 0), longestDelayMs));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  // Immediates come behind the phase of Node's event loop that reads, and timers before it. What a door gathers as it reads, and
  // passes on in an immediate of its own, comes before the second.
  afterTurn: (callback) => void setImmediate(() => setImmediate(callback)),
};
