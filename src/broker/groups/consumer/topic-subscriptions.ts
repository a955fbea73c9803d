/**
 * What the members of a group subscribe to: topics by name, and by regular expressions together with what those
 * were last seen to match. I/O thread.
 */

import { changeCount } from './counts.ts';
import type { ConsumerMember } from './consumer-member.ts';

/** The topics that a regular expression matched. */
export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>;
  /** When they were looked for, in wall-clock milliseconds. */
  readonly resolvedMs: number;
  /** How often topics had been created then (`TopicView.growths`); -1 for one of an earlier run. */
  readonly growths: number;
}

/** What of a member counts here. */
export type Subscriber = Pick<ConsumerMember, 'subscribedTopics' | 'subscribedRegex'>;

export class TopicSubscriptions {
  /** How many members subscribe to each topic by its name. */
  readonly #byName = new Map<string, number>();
  /** How many of the resolved expressions match each topic. */
  readonly #byRegex = new Map<string, number>();
  /** How many members have each expression. */
  readonly #regexMembers = new Map<string, number>();
  readonly #resolved = new Map<string, ResolvedRegex>();

  get resolved(): ReadonlyMap<string, ResolvedRegex> {
    return this.#resolved;
  }

  /** The expressions that members have. */
  regexes(): string[] {
    return [...this.#regexMembers.keys()];
  }

  get hasRegexes(): boolean {
    return this.#regexMembers.size > 0;
  }

  /** All topics that some member subscribes to; they need not exist. */
  *topics(): Generator<string> {
    yield* this.#byName.keys();
    for (const topic of this.#byRegex.keys()) if (!this.#byName.has(topic)) yield topic;
  }

  has(topic: string): boolean {
    return this.#byName.has(topic) || this.#byRegex.has(topic);
  }

  regexMemberCount(regex: string): number {
    return this.#regexMembers.get(regex) ?? 0;
  }

  count(member: Subscriber, change: 1 | -1): void {
    for (const topic of member.subscribedTopics) changeCount(this.#byName, topic, change);
    if (member.subscribedRegex !== '') changeCount(this.#regexMembers, member.subscribedRegex, change);
  }

  putResolved(regex: string, resolved: ResolvedRegex): void {
    this.removeResolved(regex);
    this.#resolved.set(regex, resolved);
    for (const topic of resolved.topics) changeCount(this.#byRegex, topic, 1);
  }

  removeResolved(regex: string): void {
    const before = this.#resolved.get(regex);
    if (before === undefined) return;
    this.#resolved.delete(regex);
    for (const topic of before.topics) changeCount(this.#byRegex, topic, -1);
  }

  /** Whether `memberCount` members all subscribe to the same: the same names, or one and the same expression. */
  isShared(memberCount: number): boolean {
    if (this.#regexMembers.size === 0) {
      for (const count of this.#byName.values()) if (count !== memberCount) return false;
      return true;
    }
    const [count] = this.#regexMembers.values();
    return this.#regexMembers.size === 1 && count === memberCount && this.#byName.size === 0;
  }

  /** The topics of one member, those that its expression matched included. */
  topicsOf({ subscribedTopics, subscribedRegex }: Subscriber): ReadonlySet<string> {
    const matched = subscribedRegex === '' ? undefined : this.#resolved.get(subscribedRegex)?.topics;
    if (matched === undefined || matched.size === 0) return subscribedTopics;
    return subscribedTopics.size === 0 ? matched : new Set([...subscribedTopics, ...matched]);
  }
}
