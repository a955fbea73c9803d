/**
 * Which partitions of a consumer group are with a member, as far as the coordinator knows, and at which of its epochs: a
 * partition goes to the next member only once it is not here any more. I/O thread.
 */

import { assert } from '../../../base/assert.ts';
import type { Uuid } from '../../../base/uuid.ts';
import type { ConsumerMember } from './consumer-member.ts';
import type { EpochedPartitions } from './partitions.ts';

export class PartitionEpochs {
  readonly #topics = new Map<Uuid, Map<number, string>>();

  /** Whether a member has the partition, or has not been heard to have given it up. */
  isOwned(topicId: Uuid, partition: number): boolean {
    return this.#topics.get(topicId)?.has(partition) === true;
  }

  add({ id, assigned, revoking }: ConsumerMember): void {
    this.#add(id, assigned);
    this.#add(id, revoking);
  }

  remove({ id, assigned, revoking }: ConsumerMember): void {
    this.#remove(id, assigned);
    this.#remove(id, revoking);
  }

  #add(memberId: string, partitions: EpochedPartitions): void {
    for (const [topicId, epochs] of partitions) {
      let owners = this.#topics.get(topicId);
      if (owners === undefined) this.#topics.set(topicId, (owners = new Map()));
      for (const partition of epochs.keys()) {
        assert(!owners.has(partition), 'a partition is with one member');
        owners.set(partition, memberId);
      }
    }
  }

  #remove(memberId: string, partitions: EpochedPartitions): void {
    for (const [topicId, epochs] of partitions) {
      const owners = this.#topics.get(topicId);
      for (const partition of epochs.keys()) {
        assert(owners?.get(partition) === memberId, 'the partition is with the member');
        owners.delete(partition);
      }
      if (owners?.size === 0) this.#topics.delete(topicId);
    }
  }
}
