/**
 * A member of a share group (KIP-932), as a value: what it said of itself, and what it has. A change makes a new one. Any
 * thread; it does not know the group (share-group.ts).
 */

import { sameTopics } from '../consumer/consumer-member.ts';
import { noPartitions, samePartitions, type Partitions } from '../consumer/partitions.ts';
import { textsSizeBytes } from '../text-sizes.ts';

export interface ShareMember {
  readonly id: string;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly subscribedTopics: ReadonlySet<string>;
  readonly epoch: number;
  readonly previousEpoch: number;
  /** Others may have the same partitions. */
  readonly assigned: Partitions;
}

/** What a member takes beside what it says. */
const memberOverheadBytes = 768;

/** A member of which nothing is known but its id. */
export function newShareMember(id: string): ShareMember {
  return {
    id,
    rackId: null,
    clientId: '',
    clientHost: '',
    subscribedTopics: new Set(),
    epoch: 0,
    previousEpoch: -1,
    assigned: noPartitions,
  };
}

export function sameShareMember(a: ShareMember, b: ShareMember): boolean {
  return (
    a === b ||
    (a.rackId === b.rackId &&
      a.clientId === b.clientId &&
      a.clientHost === b.clientHost &&
      a.epoch === b.epoch &&
      a.previousEpoch === b.previousEpoch &&
      sameTopics(a.subscribedTopics, b.subscribedTopics) &&
      samePartitions(a.assigned, b.assigned))
  );
}

/** What a member takes in memory, in bytes, roughly. */
export function shareMemberSizeBytes({ id, clientId, rackId, subscribedTopics }: ShareMember): number {
  const sizeBytes = memberOverheadBytes + id.length + clientId.length + (rackId?.length ?? 0);
  return sizeBytes + textsSizeBytes(subscribedTopics);
}
