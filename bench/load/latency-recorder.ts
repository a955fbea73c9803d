/**
 * Latencies, all of them kept, and their percentiles. Any thread.
 *
 * Each is measured from when a request was to be sent, not from when it was (else a server that stalls is asked nothing
 * while it does, and its stall counts once: "coordinated omission"). A histogram would need less memory, but a run has
 * some hundred thousand values of 8 bytes, sorting them is exact, and it needs no package.
 */

/** In milliseconds. */
export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly p9999: number;
  readonly max: number;
}

export class LatencyRecorder {
  #values: Float64Array;
  #count = 0;

  constructor(expectedCount = 1024) {
    this.#values = new Float64Array(Math.max(expectedCount, 16));
  }

  get count(): number {
    return this.#count;
  }

  add(latencyMs: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#count * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count++] = latencyMs;
  }

  /** Null where there is none. */
  summary(): Latencies | null {
    return summaryOf(this.#values.subarray(0, this.#count));
  }
}

/** Sorts `valuesMs`. Null where there is none. */
export function summaryOf(valuesMs: Float64Array): Latencies | null {
  const count = valuesMs.length;
  if (count === 0) return null;
  valuesMs.sort();
  // The nearest rank: the smallest value that is not below the given share of all.
  const at = (share: number): number => valuesMs[Math.max(Math.ceil(share * count) - 1, 0)]!;
  return {
    count,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    p9999: at(0.9999),
    max: at(1),
  };
}
