/**
 * Time and order of a simulated run, from one seed. Single thread: everything in the run happens inside `run`.
 *
 * Events come in the order of their virtual time, and among equals in a seeded one. Between two events all microtasks
 * (and immediates that stood when the event ended) are drained, so what an event set off has settled before the next
 * begins. Time stands still inside an event. Every event goes into a running hash, with its time and label: two runs
 * with equal hashes took the same steps. It does not stop code from looking at the real clock or at real files.
 */

import type { Clock, Timer } from '../../src/base/clock.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { EventQueue, type SimulatedEvent } from './event-queue.ts';

export interface SchedulerOptions {
  /** The longest that `complete` takes, in virtual milliseconds; 10 unless given. */
  readonly maxLatencyMs?: number;
  /** What the wall clock shows at the start; a fixed day unless given. */
  readonly startMs?: number;
  /** How many of the last events and notes are kept; 64 unless given. */
  readonly traceLength?: number;
}

export interface RunLimits {
  /** Stops before the first event after this virtual time; the clock is then there. */
  readonly untilMs?: number;
  /** Looked at after every event; the run stops where it gives true. */
  readonly until?: () => boolean;
  /** Throws when so many events were not enough, which ends a run that goes in circles; a million unless given. */
  readonly maxEvents?: number;
}

const defaultStartMs = Date.UTC(2026, 0, 1);
const defaultTraceLength = 64;

// Taken at import, so that a test that replaces the global timers does not stop the simulation.
const realImmediate = globalThis.setImmediate;

export class Scheduler {
  /** The run's randomness. Whoever draws from it does so inside the run, or before it, in a fixed order. */
  readonly random: SeededRandom;
  /** The run's clock. Its timers are events. */
  readonly clock: Clock;
  readonly #seed: number;
  readonly #events = new EventQueue();
  readonly #maxLatencyMs: number;
  readonly #traceLength: number;
  #recent: string[] = [];
  readonly #settledListeners = new Set<() => void>();
  #wallOffsetMs: number;
  #nowMs = 0;
  #nextOrder = 0;
  #eventCount = 0;
  #isRunning = false;
  #hashLow = 0x811c9dc5;
  #hashHigh = 0x9e3779b9;

  constructor(seed: number, options: SchedulerOptions = {}) {
    this.#seed = seed;
    this.random = new SeededRandom(seed);
    this.#maxLatencyMs = options.maxLatencyMs ?? 10;
    this.#wallOffsetMs = options.startMs ?? defaultStartMs;
    this.#traceLength = options.traceLength ?? defaultTraceLength;
    this.clock = {
      nowMs: () => Math.floor(this.#wallOffsetMs + this.#nowMs),
      monotonicMs: () => this.#nowMs,
      // Nothing takes time in itself here, so that no thread is held up.
      heardMs: () => this.#nowMs,
      attend: () => ({ cancel: () => {} }),
      setTimer: (delayMs, callback) => this.schedule('timer', delayMs, callback),
      afterTurn: (callback) => void this.schedule('end of turn', 0, callback),
    };
  }

  /** Virtual milliseconds since the run began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have happened. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Events that are still to come. */
  get pendingCount(): number {
    return this.#events.size;
  }

  /** The hash over all that happened so far, as 16 hexadecimal digits. */
  get traceHash(): string {
    const digits = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
    return digits(this.#hashHigh) + digits(this.#hashLow);
  }

  /** The last events and notes, oldest first, for the message of a test that fails. */
  get recentTrace(): readonly string[] {
    return this.#recent.slice(-this.#traceLength);
  }

  /** Calls `callback` once, `delayMs` virtual milliseconds from now; a negative delay counts as none. */
  schedule(label: string, delayMs: number, callback: () => void): Timer {
    if (!Number.isFinite(delayMs)) throw new RangeError(`${label}: a delay must be finite, not ${delayMs}`);
    const event: SimulatedEvent = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      choice: this.random.nextUint32(),
      order: this.#nextOrder++,
      label,
      callback,
    };
    this.#events.add(event);
    return { cancel: () => this.#events.cancel(event) };
  }

  /**
   * Calls `callback` once at a seeded time within the greatest latency. Two calls may change places.
   * Times are whole or half milliseconds, so that several fall together and the seeded order decides.
   */
  complete(label: string, callback: () => void): void {
    this.schedule(label, this.random.below(this.#maxLatencyMs * 2 + 1) / 2, callback);
  }

  /** Puts `text` into the trace, such as an answer that a simulated client saw. */
  note(text: string): void {
    this.#mix(text);
    this.#recent.push(`${this.#nowMs} ${text}`);
    if (this.#recent.length >= this.#traceLength * 2) this.#recent = this.#recent.slice(-this.#traceLength);
  }

  /**
   * Calls `listener` after every event, once what it set off has settled, so that it can look for work and schedule it.
   * Returns how to stop that.
   */
  onSettled(listener: () => void): () => void {
    this.#settledListeners.add(listener);
    return () => void this.#settledListeners.delete(listener);
  }

  /** Sets the wall clock forward or back; the monotonic one goes on as it did. */
  jumpWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
    this.note(`wall clock jumps by ${byMs}`);
  }

  /**
   * Lets events happen until none is left or a limit is met. Whatever an event throws comes out here.
   * Throws as well where `maxEvents` were not enough.
   */
  async run(limits: RunLimits = {}): Promise<void> {
    if (this.#isRunning) throw new Error('the run is already under way');
    const untilMs = limits.untilMs ?? Number.POSITIVE_INFINITY;
    const lastEvent = this.#eventCount + (limits.maxEvents ?? 1_000_000);
    this.#isRunning = true;
    try {
      // What was set off before the run settles first, since it may add events.
      await this.#settle();
      while (limits.until?.() !== true) {
        const event = this.#events.takeUntil(untilMs);
        if (event === null) {
          if (untilMs !== Number.POSITIVE_INFINITY) this.#nowMs = Math.max(this.#nowMs, untilMs);
          return;
        }
        if (this.#eventCount === lastEvent) {
          throw new Error(`seed ${this.#seed}: no end after ${lastEvent} events\n${this.recentTrace.join('\n')}`);
        }
        this.#nowMs = event.atMs;
        this.#eventCount++;
        this.note(event.label);
        event.callback();
        await this.#settle();
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async #settle(): Promise<void> {
    await settle();
    for (const listener of this.#settledListeners) listener();
  }

  /** FNV-1a in two lanes over the time and the text. */
  #mix(text: string): void {
    const step = (value: number): void => {
      this.#hashLow = Math.imul(this.#hashLow ^ value, 0x01000193);
      this.#hashHigh = Math.imul((this.#hashHigh ^ value) + (this.#hashHigh >>> 15), 0x85ebca6b);
    };
    const doubledMs = this.#nowMs * 2;
    step(doubledMs >>> 0);
    step(Math.floor(doubledMs / 2 ** 32));
    step(text.length);
    for (let i = 0; i < text.length; i++) step(text.charCodeAt(i));
  }
}

/** Resolves once every microtask has run, those that microtasks added included. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    realImmediate(resolve);
  });
}
