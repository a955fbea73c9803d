/**
 * Regular expressions over the names of topics, as RE2 understands them (KIP-848). I/O thread.
 * The engine is re2js, a port of RE2: its time grows with the text and the program, whatever the expression, and Kafka's
 * re2j is of the same descent. It is loaded with the first expression. What is longer than an expression of everyday use
 * is refused, and topics are looked through in slices, so that nobody is held up by another's expression.
 */

import type { RE2JS, RE2JSSyntaxException } from 're2js';
import { present } from '../../../base/assert.ts';
import type { Clock } from '../../../base/clock.ts';

/** Compiling takes up to a tenth of a millisecond for a character. */
const longestPattern = 2048;
/** Compiling what repeats takes as long as what it stands for, written out: that is bounded before. */
const longestWrittenOut = 16_384;
/** RE2 repeats no more than this, repetitions within repetitions included. */
const mostRepetitions = 1000;
/** Matching one name takes up to some ten nanoseconds for each instruction and character. */
const largestProgram = 4096;
/** What a slice may cost, in instructions for each name. */
const sliceInstructions = 5000;

type Engine = typeof import('re2js');

export class TopicRegexes {
  readonly #clock: Clock;
  #engine: Engine | null = null;
  #loading: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves once expressions can be checked. Rejects where the engine is not installed. */
  load(): Promise<void> {
    this.#loading ??= import('re2js').then((engine) => {
      this.#engine = engine;
    });
    return this.#loading;
  }

  /** What is wrong with an expression, or null. Only after `load`. */
  problemOf(pattern: string): string | null {
    const compiled = this.#compile(pattern);
    return typeof compiled === 'string' ? compiled : null;
  }

  /** The names that each of the expressions matches as a whole. One that is not valid matches nothing. */
  async match(patterns: readonly string[], names: readonly string[]): Promise<Map<string, Set<string>>> {
    await this.load();
    const matched = new Map<string, Set<string>>();
    for (const pattern of patterns) matched.set(pattern, await this.#matchOne(pattern, names));
    return matched;
  }

  async #matchOne(pattern: string, names: readonly string[]): Promise<Set<string>> {
    const matched = new Set<string>();
    const compiled = this.#compile(pattern);
    if (typeof compiled === 'string') return matched;
    const sliceLength = Math.max(Math.floor(sliceInstructions / compiled.programSize()), 1);
    for (const [i, name] of names.entries()) {
      if (i > 0 && i % sliceLength === 0) await this.#othersTurn();
      if (compiled.matches(name)) matched.add(name);
    }
    return matched;
  }

  #compile(pattern: string): RE2JS | string {
    const { RE2JS, RE2JSSyntaxException } = present(this.#engine, 'the engine is loaded');
    if (pattern.length > longestPattern) return `it is longer than ${longestPattern} characters`;
    if (pattern.length * repetitionsIn(pattern) > longestWrittenOut) return 'it repeats too much';
    try {
      const compiled = RE2JS.compile(pattern);
      return compiled.programSize() > largestProgram ? 'it repeats too much' : compiled;
    } catch (error) {
      if (error instanceof RE2JSSyntaxException) return (error as RE2JSSyntaxException).getDescription();
      throw error;
    }
  }

  #othersTurn(): Promise<void> {
    return new Promise((resolve) => void this.#clock.setTimer(0, resolve));
  }
}

/** At most how often any part of the expression stands in it once it is written out. */
function repetitionsIn(pattern: string): number {
  let product = 1;
  for (const [, least = '1', most = ''] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    product = Math.min(product * Math.max(Number(least), Number(most), 1), mostRepetitions);
  }
  return product;
}
