/**
 * Waiting: delays, signals, back-off, and a bell that wakes whoever waits. Any thread; timers of the platform.
 * Everything that waits here can be aborted, and rejects then with the signal's reason.
 */

/** Resolves after `delayMs` milliseconds. Rejects with the signal's reason once it fires. */
export function delay(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error);
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }, delayMs);
    const aborted = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    signal?.addEventListener('abort', aborted, { once: true });
  });
}

/** As `promise`, but rejects with the signal's reason once that fires; what `promise` stands for goes on. */
export function abortable<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      // Somebody has to hear of a rejection that nobody waits for any more.
      promise.catch(() => {});
      return reject(signal.reason as Error);
    }
    const aborted = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}

/** A signal that fires with the first of `signals`, and what lets go of them again. */
export function anySignal(signals: readonly (AbortSignal | undefined)[]): {
  readonly signal: AbortSignal;
  release(): void;
} {
  const controller = new AbortController();
  const undo: (() => void)[] = [];
  for (const signal of signals) {
    if (signal === undefined) continue;
    if (signal.aborted) {
      controller.abort(signal.reason);
      break;
    }
    const aborted = (): void => controller.abort(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    undo.push(() => signal.removeEventListener('abort', aborted));
  }
  return { signal: controller.signal, release: () => undo.forEach((step) => step()) };
}

/** How long to wait between attempts. */
export interface Backoff {
  /** Before the second attempt, in milliseconds. */
  readonly firstMs: number;
  /** It doubles up to here, in milliseconds. */
  readonly longestMs: number;
}

/**
 * The wait after the failed attempt number `failures` (from 1), in milliseconds: doubled each time, and spread over
 * its upper half so that clients that failed together do not come back together.
 */
export function backoffMs({ firstMs, longestMs }: Backoff, failures: number, random = Math.random): number {
  const whole = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return whole / 2 + (whole / 2) * random();
}

/** Wakes all who wait; who waits later waits for the next ring. */
export class Bell {
  #rung: Promise<void> | null = null;
  #ring: () => void = () => {};

  /** Resolves at the next ring. */
  wait(signal?: AbortSignal): Promise<void> {
    this.#rung ??= new Promise((resolve) => {
      this.#ring = resolve;
    });
    return abortable(this.#rung, signal);
  }

  ring(): void {
    if (this.#rung === null) return;
    this.#rung = null;
    this.#ring();
  }
}
