/**
 * The topics as consumer groups see them: ids and partitions of those that exist, a hash that differs where they do, and
 * how often that has changed. I/O thread.
 */

import type { Uuid } from '../../../base/uuid.ts';
import type { TopicImage } from '../../metadata-image.ts';
import type { TopicCatalog } from '../../topic-catalog.ts';

/** A topic with as many partitions as it has. */
export interface AssignableTopic {
  readonly topicId: Uuid;
  readonly partitionCount: number;
}

const hashes = new WeakMap<TopicImage, number>();
/** Two hashes of 26 bits make one safe integer. */
const hashModulus = 2 ** 26;

export class TopicView {
  readonly #topics: TopicCatalog;
  readonly #stopListening: readonly (() => void)[];
  /** Grows with every change to which topics there are, and how large. */
  version = 0;
  /** Grows whenever a topic was created, or got more partitions. */
  growths = 0;

  constructor(topics: TopicCatalog) {
    this.#topics = topics;
    const grown = topics.onGrown(() => {
      this.version++;
      this.growths++;
    });
    this.#stopListening = [grown, topics.onDeleted(() => void this.version++)];
  }

  stop(): void {
    for (const stop of this.#stopListening) stop();
  }

  /** The id of a topic that exists, or null. */
  idOf(name: string): Uuid | null {
    return this.#topics.topic(name)?.id ?? null;
  }

  /** How many partitions a topic has that exists, or null. */
  partitionCountOf(name: string): number | null {
    return this.#topics.topic(name)?.partitionCount ?? null;
  }

  /** The name of a topic that exists, or null. */
  nameOf(topicId: Uuid): string | null {
    return this.#topics.topicById(topicId)?.name ?? null;
  }

  names(): IterableIterator<string> {
    return namesOf(this.#topics.image.topics());
  }

  /** Those of the names that exist. */
  assignable(names: Iterable<string>): AssignableTopic[] {
    const found: AssignableTopic[] = [];
    for (const name of names) {
      const topic = this.#topics.topic(name);
      if (topic !== null) found.push({ topicId: topic.id, partitionCount: topic.partitionCount });
    }
    return found;
  }

  /** A number that stays the same as long as those of the topics that exist and their partitions do, in any order. */
  hash(names: Iterable<string>): number {
    let high = 0;
    let low = 0;
    for (const name of names) {
      const topic = this.#topics.topic(name);
      if (topic === null) continue;
      const hash = topicHash(topic);
      high = (high + Math.floor(hash / hashModulus)) % hashModulus;
      low = (low + (hash % hashModulus)) % hashModulus;
    }
    return high * hashModulus + low;
  }
}

function* namesOf(topics: Iterable<TopicImage>): Generator<string> {
  for (const { name } of topics) yield name;
}

/**
 * FNV-1a (draft-eastlake-fnv) twice, over the id and the partitions; an id belongs to one name. What is added up has to be
 * mixed to the last bit before: of FNV-1a alone, two topics that grow together would often cancel out.
 */
function topicHash(topic: TopicImage): number {
  let hash = hashes.get(topic);
  if (hash === undefined) {
    const text = `${topic.id}/${topic.partitionCount}`;
    hash = (fnv1a(text, 0x811c9dc5) % hashModulus) * hashModulus + (fnv1a(text, 0x01000193) % hashModulus);
    hashes.set(topic, hash);
  }
  return hash;
}

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

/** The last step of MurmurHash3 (Appleby). */
function mixed(hash: number): number {
  let bits = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
