/**
 * Whether a server keeps up with a fixed rate, from how many requests were answered by each quarter of the schedule. Load
 * thread.
 *
 *   due       ▁▂▃▄▅▆▇█       answered   ▁▂▂▃▃▄▄▅  falls behind in both halves that are looked at: it misses the rate
 *             ¼ ½ ¾ 1                   ▁▂▃▄▅▆▇▇  stalls at the end: it does not, and its latencies tell
 *             └───┘                     ▁▁▂▃▄▅▆▇  answers late, but all the time as late: it does not
 *               └───┘
 *
 * A queue that only grows does so in the two overlapping halves from ¼ to ¾ and from ½ to the end; a stall that lies on the
 * end of one of them leaves the other as it was.
 */

const quarters = 4;

export class ScheduleLooks {
  readonly #startedMs: number;
  readonly #quarterMs: number;
  readonly #count: number;
  /** Answered by the end of each quarter. */
  readonly #answered = new Float64Array(quarters);

  /** `count` requests are due, the first at `startedMs`, each `intervalMs` behind the one before. */
  constructor(startedMs: number, count: number, intervalMs: number) {
    this.#startedMs = startedMs;
    this.#quarterMs = (count * intervalMs) / quarters;
    this.#count = count;
  }

  answered(nowMs: number): void {
    const quarter = Math.max(Math.ceil((nowMs - this.#startedMs) / this.#quarterMs), 1);
    for (let i = quarter; i <= quarters; i++) this.#answered[i - 1]!++;
  }

  /** Of the rate, what was answered in the better of the two halves. */
  rateReached(): number {
    const due = this.#count / 2;
    const half = (fromQuarter: number): number =>
      (this.#answered[fromQuarter + 1]! - this.#answered[fromQuarter - 1]!) / due;
    return Math.max(half(1), half(2));
  }
}
