/**
 * Regular expressions from clients, as RE2 understands them: over names of topics (KIP-848), transactional ids (KIP-1152)
 * and what clients say of themselves (KIP-714). I/O thread.
 * The engine is re2js, a port of RE2: its time grows with the text and the program, whatever the expression, and Kafka's
 * re2j is of the same descent. It is loaded with the first expression. What is longer than an expression of everyday use
 * is refused, and many names are looked through in slices, so that nobody is held up by another's expression.
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
/** Matching one name takes up to some ten nanoseconds for each instruction and character. */
const largestProgram = 4096;
/** What a slice may cost, in instructions for each name. */
const sliceInstructions = 5000;

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
  #engine: Engine | null = null;
  #loading: Promise<void> | null = null;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
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
    for (const pattern of patterns) matched.set(pattern, await this.#matchOne(pattern, names));
    return matched;
  }

  async #matchOne(pattern: string, names: readonly string[]): Promise<Set<string>> {
    const matched = new Set<string>();
    const compiled = this.compile(pattern);
    if (typeof compiled === 'string') return matched;
    const sliceLength = Math.max(Math.floor(sliceInstructions / compiled.programSize()), 1);
    for (const [i, name] of names.entries()) {
      if (i > 0 && i % sliceLength === 0) await this.#othersTurn();
      if (compiled.matches(name)) matched.add(name);
    }
    return matched;
  }

  /** The expression, or what is wrong with it. Only once `ready`. */
  compile(pattern: string): LinearPattern | string {
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

  #load(): Promise<void> {
    this.#loading ??= import('re2js').then((engine) => {
      this.#engine = engine;
    });
    return this.#loading;
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
