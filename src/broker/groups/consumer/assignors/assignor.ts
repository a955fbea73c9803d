/**
 * What assigns the partitions of topics to the members of a consumer group, on the broker's side (KIP-848). Any thread.
 * Where members and replicas stand (racks) is kept and told, and not looked at here: neither do Kafka 4.4's range, uniform
 * and simple assignors.
 */

import type { Uuid } from '../../../../base/uuid.ts';
import type { Partitions } from '../partitions.ts';

/** A member as an assignor sees it. */
export interface AssignableMember {
  readonly id: string;
  readonly instanceId: string | null;
  /** The topics that it subscribes to; all of them exist. */
  readonly topicIds: ReadonlySet<Uuid>;
  /** Its target so far; topics in it may be gone, or not subscribed to any more. */
  readonly target: Partitions;
}

export interface AssignmentInput {
  readonly members: readonly AssignableMember[];
  /** How many partitions each topic has that some member subscribes to. */
  readonly partitionCounts: ReadonlyMap<Uuid, number>;
  /** Whether all members subscribe to the same topics. */
  readonly isHomogeneous: boolean;
}

/** Gives each partition to one of those that subscribe to its topic; the result has every member. */
export type Assign = (input: AssignmentInput) => Map<string, Partitions>;
