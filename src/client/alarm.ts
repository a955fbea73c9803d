/** Wakes its owner at the earliest of the times it was asked for. Any thread. Times are those of `performance.now()`. */

export class Alarm {
  readonly #wake: () => void;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #atMs = Infinity;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** Has `wake` called at `atMs`, or before where an earlier time was asked for. Each call uses up what was asked. */
  wakeAt(atMs: number): void {
    if (atMs >= this.#atMs) return;
    this.stop();
    this.#atMs = atMs;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#atMs = Infinity;
        this.#wake();
      },
      Math.max(0, atMs - performance.now()),
    );
  }

  /** Forgets what was asked for. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#atMs = Infinity;
  }
}
