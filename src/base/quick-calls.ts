/**
 * Whether calls that block their thread have been quick of late, so that one more may be made though others wait
 * meanwhile. Any thread. Once they were slow it needs several quick ones in a row for that to be forgotten.
 */

const quickInARow = 4;

export class QuickCalls {
  readonly #quickMs: number;
  readonly #slowInARow: number;
  /** Quick calls, up to as many as count. */
  #streak: number;
  #slow = 0;

  /**
   * A call is quick that takes less than `quickMs`. Without a call they count as quick where `trusted`, and no more after
   * so many slow ones in a row.
   */
  constructor(quickMs: number, trusted: boolean, slowInARow = 1) {
    this.#quickMs = quickMs;
    this.#slowInARow = slowInARow;
    this.#streak = trusted ? quickInARow : 0;
  }

  get areQuick(): boolean {
    return this.#streak >= quickInARow;
  }

  took(durationMs: number): void {
    if (durationMs < this.#quickMs) {
      this.#slow = 0;
      this.#streak = Math.min(this.#streak + 1, quickInARow);
      return;
    }
    this.#slow++;
    if (this.#slow >= this.#slowInARow || !this.areQuick) this.#streak = 0;
  }
}
