/**
 * Deadlines of what is nearly always over before, by the thousand: one timer for all of the same delay. Any thread.
 *
 *   delay 30,000 ms   ─►  oldest ⇄ … ⇄ newest        the timer waits for the oldest; those behind it are due later
 *   delay  1,500 ms   ─►  oldest
 *
 * A timer of its own for each is a good part of what a small request costs. A list without entries keeps its timer for the next
 * ones, until there are many lists: clients choose the delays. It does not know what is due.
 */

import type { Clock, Timer } from './clock.ts';

/** What is to be called when its time is up; it stands in one list at most. */
export abstract class Deadline {
  dueMs = 0;
  list: DeadlineList | null = null;
  older: Deadline | null = null;
  newer: Deadline | null = null;

  /** Its time is up, and it stands in no list any more. */
  abstract timeIsUp(): void;
}

interface DeadlineList {
  readonly delayMs: number;
  oldest: Deadline | null;
  newest: Deadline | null;
  timer: Timer | null;
}

/** From so many lists on, a delay that is new may have those ended that are empty. */
const keptLists = 16;

export class DeadlineLists {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'setTimer'>;
  readonly #lists = new Map<number, DeadlineList>();
  #count = 0;
  /** With so many lists it looks for empty ones: twice as many as it left, or each new delay would cost a look at all of them. */
  #looksAt = keptLists;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'setTimer'>) {
    this.#clock = clock;
  }

  /** How many stand in the lists. */
  get count(): number {
    return this.#count;
  }

  /** How many delays there are timers for. */
  get listCount(): number {
    return this.#lists.size;
  }

  /** Calls `deadline.timeIsUp` once after `delayMs` milliseconds, unless it is removed before. */
  add(deadline: Deadline, delayMs: number): void {
    const list = this.#lists.get(delayMs) ?? this.#begin(delayMs);
    this.#count++;
    deadline.dueMs = this.#clock.monotonicMs() + delayMs;
    deadline.list = list;
    deadline.older = list.newest;
    if (list.newest === null) list.oldest = deadline;
    else list.newest.newer = deadline;
    list.newest = deadline;
    list.timer ??= this.#timerOf(list, delayMs);
  }

  /** Nothing happens to one that is not in a list. */
  remove(deadline: Deadline): void {
    const { list, older, newer } = deadline;
    if (list === null) return;
    this.#count--;
    if (older === null) list.oldest = newer;
    else older.newer = newer;
    if (newer === null) list.newest = older;
    else newer.older = older;
    deadline.list = null;
    deadline.older = null;
    deadline.newer = null;
  }

  /** Nothing is called any more. */
  close(): void {
    for (const list of this.#lists.values()) list.timer?.cancel();
    this.#lists.clear();
  }

  #begin(delayMs: number): DeadlineList {
    if (this.#lists.size >= this.#looksAt) this.#endEmpty();
    const list: DeadlineList = { delayMs, oldest: null, newest: null, timer: null };
    this.#lists.set(delayMs, list);
    return list;
  }

  /** Ends those lists that nothing stands in. */
  #endEmpty(): void {
    for (const list of this.#lists.values()) if (list.oldest === null) this.#end(list);
    this.#looksAt = Math.max(this.#lists.size * 2, keptLists);
  }

  #end(list: DeadlineList): void {
    list.timer?.cancel();
    list.timer = null;
    this.#lists.delete(list.delayMs);
  }

  #timerOf(list: DeadlineList, delayMs: number): Timer {
    return this.#clock.setTimer(delayMs, () => this.#due(list));
  }

  #due(list: DeadlineList): void {
    list.timer = null;
    while (list.oldest !== null) {
      const { oldest } = list;
      // A timer may come a fraction of a millisecond early.
      const leftMs = Math.ceil(oldest.dueMs - this.#clock.monotonicMs());
      if (leftMs > 0) {
        list.timer ??= this.#timerOf(list, leftMs);
        return;
      }
      this.remove(oldest);
      oldest.timeIsUp();
    }
    // What came meanwhile has a timer of its own.
    if (list.timer === null && this.#lists.get(list.delayMs) === list) this.#end(list);
  }
}
