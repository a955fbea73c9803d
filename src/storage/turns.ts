/** Has at most so many of something under way at once; the others wait in the order of asking. I/O thread. */

export class Turns {
  #max: number;
  #underWay = 0;
  /** Those at and behind `#next` wait; the others have been let in. */
  #waiting: (() => void)[] = [];
  #next = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes effect for those that begin from now on. */
  set max(max: number) {
    this.#max = max;
    this.#admit();
  }

  /** Runs `work` in its turn, at once where there is one; as `work` in all else. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#max) {
      // Who is woken has its place already, so that nobody who comes meanwhile takes it.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#underWay++;
    try {
      return await work();
    } finally {
      this.#underWay--;
      this.#admit();
    }
  }

  #admit(): void {
    while (this.#underWay < this.#max && this.#next < this.#waiting.length) {
      this.#underWay++;
      this.#waiting[this.#next++]!();
    }
    // Taken from the front one by one, a long queue would be moved each time.
    if (this.#next < this.#waiting.length) return;
    this.#waiting = [];
    this.#next = 0;
  }
}
