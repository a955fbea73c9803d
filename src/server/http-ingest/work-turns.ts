/**
 * The time that bodies of requests may take of the thread, all together: so much in each turn of the event loop, and what
 * is not done by then goes on in the next ones, a slice each in turn. I/O thread.
 *
 *   work that comes ─► goes on until `endMs` ─┬─ done
 *                                             └─ `later` ─► queue ─► a slice ─► behind the others, until it is done
 *
 * It does not know what the work is.
 */

import type { Clock } from '../../base/clock.ts';

/** Something that takes long, in steps. */
export interface TurnWork {
  /** Goes on until `endMs` of the monotonic clock, a step at least; whether there is more to do. It throws nothing. */
  goOn(endMs: number): boolean;
}

/** In milliseconds: what others wait for at most beside their own. */
const turnMs = 20;
/** What one of those that wait gets before the next one's turn, in milliseconds. */
const sliceMs = 5;

export class WorkTurns {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'afterTurn'>;
  #queue: TurnWork[] = [];
  /** When the time of this turn is used up; null where nobody asked for any yet. */
  #endMs: number | null = null;
  #isScheduled = false;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'afterTurn'>) {
    this.#clock = clock;
  }

  /** Until when work may go on that begins now, by the monotonic clock. */
  get endMs(): number {
    if (this.#endMs === null) this.#begin();
    return this.#endMs!;
  }

  /** Whether the time of this turn is used up: what comes now is for `later`. */
  get isOver(): boolean {
    return this.#clock.monotonicMs() >= this.endMs;
  }

  /** Has `work`, which is not among what waits, go on in the turns to come. */
  later(work: TurnWork): void {
    this.#queue.push(work);
    this.#schedule();
  }

  #begin(): void {
    this.#endMs = this.#clock.monotonicMs() + turnMs;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.afterTurn(() => {
      this.#isScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    this.#endMs = null;
    if (this.#queue.length === 0) return;
    const endMs = this.endMs;
    let nowMs = endMs - turnMs;
    while (this.#queue.length > 0 && nowMs < endMs) {
      const work = this.#queue.shift()!;
      if (work.goOn(Math.min(endMs, nowMs + sliceMs))) this.#queue.push(work);
      nowMs = this.#clock.monotonicMs();
    }
  }
}
