/**
 * Whether calls that block their thread have been quick of late, so that one more may be made though others wait
 * meanwhile. Any thread. One slow call counts for much: it needs several quick ones in a row to be forgotten.
 */

const quickInARow = 4;

export class QuickCalls {
  readonly #quickMs: number;
  #streak: number;

  /** A call is quick that takes less than `quickMs`. Without a call they count as quick where `trusted`. */
  constructor(quickMs: number, trusted: boolean) {
    this.#quickMs = quickMs;
    this.#streak = trusted ? quickInARow : 0;
  }

  get areQuick(): boolean {
    return this.#streak >= quickInARow;
  }

  took(durationMs: number): void {
    this.#streak = durationMs < this.#quickMs ? Math.min(this.#streak + 1, quickInARow) : 0;
  }
}
