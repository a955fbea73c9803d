/**
 * Which topics a subscription means: names, and patterns in which `*` stands for any characters and `?` for one. Any
 * thread; pure. Matching goes back to the last `*` only, so its cost is bounded by the product of both lengths.
 */

import { isInternalTopic, isStateLogTopic } from '../../broker/topic-name.ts';

export class TopicSelection {
  /** Topics that are meant by name. */
  readonly names: ReadonlySet<string>;
  readonly #patterns: readonly string[];

  constructor(entries: readonly string[]) {
    this.names = new Set(entries.filter((entry) => !isPattern(entry)));
    this.#patterns = entries.filter(isPattern);
  }

  get patternCount(): number {
    return this.#patterns.length;
  }

  /** Whether a topic that exists is meant. Patterns do not mean topics that coordinators write. */
  includes(topic: string): boolean {
    if (isStateLogTopic(topic)) return false;
    if (this.names.has(topic)) return true;
    return !isInternalTopic(topic) && this.#patterns.some((pattern) => matches(pattern, topic));
  }
}

function isPattern(entry: string): boolean {
  return entry.includes('*') || entry.includes('?');
}

/** Whether all of `text` is what `pattern` says. */
export function matches(pattern: string, text: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    if (pattern[place] === '*') {
      star = place++;
      starAt = at;
    } else if (place < pattern.length && (pattern[place] === '?' || pattern[place] === text[at])) {
      place++;
      at++;
    } else if (star >= 0) {
      // The star takes one character more.
      place = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (pattern[place] === '*') place++;
  return place === pattern.length;
}
