/**
 * What the fuzzer knows of the broker that it attacks: names, ids and numbers that are there, so that requests get past
 * the first check. It learns from responses.
 */

import { zeroUuid, type Uuid } from '../../src/base/uuid.ts';

/** As many learned values of one kind are kept; older ones are forgotten. */
const keptValues = 16;

export class World {
  readonly topics: string[] = ['fuzz-one', 'fuzz-many', 'fuzz-compacted', 'fuzz-missing', '__consumer_offsets'];
  readonly topicIds: Uuid[] = [zeroUuid];
  readonly groups: string[] = ['fuzz-group', 'fuzz-group-2', 'fuzz-group-3'];
  readonly memberIds: string[] = [''];
  readonly producerIds: number[] = [-1, 0, 1000];
  readonly sessionIds: number[] = [0];
  readonly #untouchableIds: ReadonlySet<Uuid>;

  /** `untouchableIds`: topics of others, which are never named. */
  constructor(untouchableIds: Iterable<Uuid>) {
    this.#untouchableIds = new Set(untouchableIds);
  }

  /** Takes over what a response tells: any field of these names, however deep. */
  learn(response: unknown): void {
    if (typeof response !== 'object' || response === null || response instanceof Uint8Array) return;
    if (Array.isArray(response)) {
      for (const item of response.slice(0, keptValues)) this.learn(item);
      return;
    }
    for (const [name, value] of Object.entries(response)) {
      if (name === 'memberId' && typeof value === 'string') keep(this.memberIds, value);
      else if (name === 'topicId' && typeof value === 'string') {
        if (!this.#untouchableIds.has(value as Uuid)) keep(this.topicIds, value as Uuid);
      } else if (name === 'producerId' && typeof value === 'number') keep(this.producerIds, value);
      else if (name === 'sessionId' && typeof value === 'number') keep(this.sessionIds, value);
      else this.learn(value);
    }
  }
}

function keep<T>(values: T[], value: T): void {
  if (values.includes(value)) return;
  values.push(value);
  // The first is the value for "none", which stays.
  if (values.length > keptValues) values.splice(1, 1);
}
