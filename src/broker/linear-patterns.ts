/**
 * Regular expressions from clients, as RE2 understands them: over names of topics (KIP-848), transactional ids (KIP-1152)
 * and what clients say of themselves (KIP-714). I/O thread.
 * The engine is re2js, a port of RE2: its time grows with the text and the program, whatever the expression, and Kafka's
 * re2j is of the same descent. It is loaded with the first expression. What is longer than an expression of everyday use
 * is refused, and many expressions and names are gone through in slices, so that nobody is held up by another's expression.
 */

import type { RE2JSSyntaxException } from 're2js';
import { present } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';

/** Compiling takes up to a tenth of a millisecond for a character. */
const longestPattern = 2048;
/** Compiling what repeats takes as long as what it stands for, written out: that is bounded before. */
const longestWrittenOut = 16_384;
/** RE2 repeats no more than this, repetitions within repetitions included. */
const mostRepetitions = 1000;
/** A class of Unicode has hundreds of ranges, each of which is gone through while it is compiled. */
const mostUnicodeClasses = 64;
/**
 * Alternatives and what may be there or not, such as a? and a*, written out: each may have one more place of the program looked at
 * for each character of a name, and compiling so many takes long as well. A list of topics that fits in has fewer.
 */
const mostBranches = 256;
/** Matching one name takes some ten nanoseconds for each instruction and character, and in the worst case some hundred. */
const largestProgram = 4096;
/** What a slice may cost, in instructions that are held against a name, and in time, after which no other piece begins. */
const sliceInstructions = 5000;
const sliceMs = 5;
/** What a character costs that is compiled, in the same measure. */
const instructionsPerCharacter = 40;

type Engine = typeof import('re2js');

/** A compiled expression. */
export interface LinearPattern {
  /** Whether it matches the text as a whole. */
  matches(text: string): boolean;
  /** Its instructions: what a character may cost. */
  programSize(): number;
}

export class LinearPatterns {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #turns: Turns;
  #engine: Engine | null = null;
  #loading: Promise<void> | null = null;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#turns = new Turns(clock);
  }

  /** Resolves with true once expressions can be compiled; with false where the engine is not installed, and says so. */
  async ready(): Promise<boolean> {
    try {
      await this.#load();
      return true;
    } catch (error) {
      this.#logger.error({ error }, 'Regular expressions cannot be used: the package re2js does not load. Install it.');
      return false;
    }
  }

  /** What is wrong with an expression, or null. Only once `ready`. */
  problemOf(pattern: string): string | null {
    const compiled = this.compile(pattern);
    return typeof compiled === 'string' ? compiled : null;
  }

  /** The names that each of the expressions matches as a whole. One that is not valid matches nothing. Rejects without the engine. */
  async match(patterns: readonly string[], names: readonly string[]): Promise<Map<string, Set<string>>> {
    await this.#load();
    const matched = new Map<string, Set<string>>();
    const slices = new Slices(this.#turns, this.#clock);
    for (const pattern of patterns) {
      const found = new Set<string>();
      matched.set(pattern, found);
      await slices.spend(writtenOutLength(pattern) * instructionsPerCharacter);
      const compiled = this.compile(pattern);
      if (typeof compiled === 'string') continue;
      const instructions = compiled.programSize();
      for (const name of names) {
        const othersTurn = slices.spend(instructions);
        if (othersTurn !== null) await othersTurn;
        if (compiled.matches(name)) found.add(name);
      }
    }
    return matched;
  }

  /** The expression, or what is wrong with it. Only once `ready`. */
  compile(pattern: string): LinearPattern | string {
    const { RE2JS, RE2JSSyntaxException } = present(this.#engine, 'the engine is loaded');
    if (pattern.length > longestPattern) return `it is longer than ${longestPattern} characters`;
    if (writtenOutLength(pattern) > longestWrittenOut) return 'it repeats too much';
    if (branchCount(pattern) > mostBranches) return `it has more than ${mostBranches} alternatives, written out`;
    if ((pattern.match(/\\p/gi)?.length ?? 0) > mostUnicodeClasses) return 'it has too many classes of Unicode';
    try {
      const compiled = RE2JS.compile(pattern);
      return compiled.programSize() > largestProgram ? 'it repeats too much' : compiled;
    } catch (error) {
      if (error instanceof RE2JSSyntaxException) return (error as RE2JSSyntaxException).getDescription();
      throw error;
    }
  }

  #load(): Promise<void> {
    this.#loading ??= import('re2js').then((engine) => {
      this.#engine = engine;
    });
    return this.#loading;
  }
}

/** Lets one after the other go on, one in a turn of the event loop. */
class Turns {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) this.#wait();
    });
  }

  #wait(): void {
    this.#clock.setTimer(0, () => {
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#wait();
    });
  }
}

/** Work in slices, between which others have their turn: many small pieces in one, and a large one by itself. */
class Slices {
  readonly #turns: Turns;
  readonly #clock: Clock;
  #left = sliceInstructions;
  #endMs: number;

  constructor(turns: Turns, clock: Clock) {
    this.#turns = turns;
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + sliceMs;
  }

  /** To be called before a piece of work of that cost: null where it goes on at once, or what it waits for. */
  spend(cost: number): Promise<void> | null {
    const isBegun = this.#left < sliceInstructions;
    if (!isBegun || (cost <= this.#left && this.#clock.monotonicMs() < this.#endMs)) {
      this.#left -= cost;
      return null;
    }
    return this.#next(cost);
  }

  async #next(cost: number): Promise<void> {
    await this.#turns.next();
    this.#left = sliceInstructions - cost;
    this.#endMs = this.#clock.monotonicMs() + sliceMs;
  }
}

/** At most how many characters the expression has once what it repeats is written out. */
function writtenOutLength(pattern: string): number {
  let repetitions = 1;
  for (const [, least = '1', most = ''] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    repetitions = Math.min(repetitions * Math.max(Number(least), Number(most), 1), mostRepetitions);
  }
  return pattern.length * repetitions;
}

/** Branches of an expression, or of a group in it. */
interface Branches {
  /** Without those of what came last. */
  before: number;
  /** Of what came last, which may be repeated yet. */
  last: number;
}

const repetition = /\{(\d+)(?:(,)(\d*))?\}/y;

/** At most how many branches an expression has once what it repeats is written out; any number for one that is not valid. */
function branchCount(pattern: string): number {
  const groups: Branches[] = [{ before: 0, last: 0 }];
  for (let at = 0; at < pattern.length;) {
    const group = groups.at(-1)!;
    const char = pattern[at]!;
    at++;
    if (char === '(') {
      groups.push({ before: 0, last: 0 });
      // Here it says of what kind the group is; what follows counts nothing.
      if (pattern[at] === '?') at++;
    } else if (char === ')' && groups.length > 1) {
      groups.pop();
      follow(groups.at(-1)!, group.before + group.last);
    } else if (char === '|') follow(group, 1);
    else if (char === '*' || char === '+' || char === '?') group.last++;
    else {
      repetition.lastIndex = at - 1;
      const found = char === '{' ? repetition.exec(pattern) : null;
      if (found === null) {
        follow(group, 0);
        if (char === '\\') at++;
        else if (char === '[') at = endOfClass(pattern, at);
        continue;
      }
      at += found[0].length - 1;
      const [least, isRange, most] = [Number(found[1]), found[2] !== undefined, found[3] ?? ''];
      const copies = Math.max(least, Number(most), 1);
      const optional = most === '' ? 1 : Math.max(copies - least, 0);
      group.last = group.last * copies + (isRange ? optional : 0);
    }
  }
  return groups.reduce((sum, { before, last }) => sum + before + last, 0);
}

/** Something with `branches` comes behind what was there. */
function follow(group: Branches, branches: number): void {
  group.before += group.last;
  group.last = branches;
}

/** Where a class of characters ends that begins before `at`; a bracket may be its first character. */
function endOfClass(pattern: string, at: number): number {
  let next = pattern[at] === '^' ? at + 1 : at;
  if (pattern[next] === ']') next++;
  while (next < pattern.length && pattern[next] !== ']') {
    const named = pattern.startsWith('[:', next) ? pattern.indexOf(':]', next + 2) : -1;
    if (named >= 0) next = named + 2;
    else next += pattern[next] === '\\' ? 2 : 1;
  }
  return next + 1;
}
