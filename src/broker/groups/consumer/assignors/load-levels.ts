/**
 * Members by how many partitions they have, so that the least and the most loaded are found without a search. Any thread.
 * It changes `loads` along with its levels.
 */

import { present } from '../../../../base/assert.ts';

export class LoadLevels {
  readonly #loads: Int32Array;
  /** The members at each load, from `#base` on. */
  readonly #levels: number[][] = [];
  readonly #base: number;
  #lowest = 0;
  #highest = 0;

  /** `members` are indexes into `loads`; one at least. */
  constructor(members: readonly number[], loads: Int32Array) {
    this.#loads = loads;
    let base = Infinity;
    for (const member of members) base = Math.min(base, loads[member]!);
    this.#base = base;
    for (const member of members) this.#push(member);
  }

  /** How many partitions the most loaded has more than the least loaded. */
  get spread(): number {
    return this.#highest - this.#lowest;
  }

  /** The most loaded member. */
  get most(): number {
    return present(this.#levels[this.#highest]?.at(-1), 'the highest level has a member');
  }

  /** Gives the least loaded member one partition more; returns which it is. */
  fillLeast(): number {
    const member = present(this.#levels[this.#lowest]?.pop(), 'the lowest level has a member');
    this.#loads[member]!++;
    this.#push(member);
    if (this.#levels[this.#lowest]!.length === 0) this.#lowest++;
    return member;
  }

  /** Takes one partition from the most loaded member. */
  drainMost(): void {
    const member = present(this.#levels[this.#highest]?.pop(), 'the highest level has a member');
    this.#loads[member]!--;
    this.#push(member);
    this.#settleHighest();
  }

  /** The most loaded member cannot give any; it takes no further part. Only while the spread is not 0. */
  dropMost(): void {
    this.#levels[this.#highest]?.pop();
    this.#settleHighest();
  }

  #settleHighest(): void {
    while (this.#highest > this.#lowest && (this.#levels[this.#highest]?.length ?? 0) === 0) this.#highest--;
  }

  #push(member: number): void {
    const level = this.#loads[member]! - this.#base;
    const members = (this.#levels[level] ??= []);
    members.push(member);
    if (level > this.#highest) this.#highest = level;
  }
}
