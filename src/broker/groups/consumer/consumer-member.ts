/**
 * A member of a consumer group (KIP-848), as a value: what it said of itself, and how far it has come towards its target
 * assignment. A change makes a new one. Any thread; it does not know the group (consumer-group.ts).
 *
 *   stable       at the epoch of its target, with all of it
 *   unrevoked    told to give partitions up, and not yet heard to have done so
 *   unreleased   at the epoch of its target, without those of its partitions that other members still have
 */

import { equalBytes } from '../equal-bytes.ts';
import { protocolsSizeBytes, type MemberProtocol } from '../group-member.ts';
import { textsSizeBytes } from '../text-sizes.ts';
import { noEpochedPartitions, sameEpochedPartitions, type EpochedPartitions } from './partitions.ts';

/** In the order of the numbers that records have for them. */
export const reconciliationStates = ['stable', 'unrevoked', 'unreleased'] as const;
export type ReconciliationState = (typeof reconciliationStates)[number];

/** What a member that still speaks the classic protocol said in its JoinGroup. */
export interface ClassicPart {
  readonly sessionTimeoutMs: number;
  /** In the order of preference; one at least. */
  readonly protocols: readonly MemberProtocol[];
}

/** What a member says of itself. */
export interface MemberIdentity {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly subscribedTopics: ReadonlySet<string>;
  /** Empty where it subscribes by names alone. */
  readonly subscribedRegex: string;
  /** The assignor that it asks for, or null. */
  readonly assignor: string | null;
  /** Null for a member that speaks the consumer protocol. */
  readonly classic: ClassicPart | null;
}

/** How far a member has come. */
export interface MemberProgress {
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly state: ReconciliationState;
  readonly assigned: EpochedPartitions;
  readonly revoking: EpochedPartitions;
}

export interface ConsumerMember extends MemberIdentity, MemberProgress {
  readonly id: string;
}

/** The epochs with which a member says something else than where it is. */
export const MemberEpoch = { JOINING: 0, LEAVING: -1, LEAVING_STATIC: -2 } as const;

/** What a member takes beside what it says. */
const memberOverheadBytes = 1024;

const noIdentity: MemberIdentity = {
  instanceId: null,
  rackId: null,
  clientId: '',
  clientHost: '',
  rebalanceTimeoutMs: -1,
  subscribedTopics: new Set(),
  subscribedRegex: '',
  assignor: null,
  classic: null,
};

const noProgress: MemberProgress = {
  epoch: 0,
  previousEpoch: -1,
  state: 'stable',
  assigned: noEpochedPartitions,
  revoking: noEpochedPartitions,
};

/** A member of which nothing is known but its id. */
export function newConsumerMember(id: string): ConsumerMember {
  return { id, ...noIdentity, ...noProgress };
}

export function isReconciledTo(
  { state, epoch }: Pick<MemberProgress, 'state' | 'epoch'>,
  assignmentEpoch: number,
): boolean {
  return state === 'stable' && epoch === assignmentEpoch;
}

export function sameIdentity(a: MemberIdentity, b: MemberIdentity): boolean {
  return (
    a.instanceId === b.instanceId &&
    a.rackId === b.rackId &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.subscribedRegex === b.subscribedRegex &&
    a.assignor === b.assignor &&
    sameTopics(a.subscribedTopics, b.subscribedTopics) &&
    sameClassicPart(a.classic, b.classic)
  );
}

export function sameProgress(a: MemberProgress, b: MemberProgress): boolean {
  return (
    a.epoch === b.epoch &&
    a.previousEpoch === b.previousEpoch &&
    a.state === b.state &&
    sameEpochedPartitions(a.assigned, b.assigned) &&
    sameEpochedPartitions(a.revoking, b.revoking)
  );
}

export function sameTopics(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const topic of a) if (!b.has(topic)) return false;
  return true;
}

/** What a member takes in memory, in bytes, roughly. */
export function memberSizeBytes({ id, clientId, rackId, instanceId, ...rest }: ConsumerMember): number {
  let sizeBytes = memberOverheadBytes + id.length + clientId.length + (rackId?.length ?? 0) + (instanceId?.length ?? 0);
  sizeBytes += rest.subscribedRegex.length + textsSizeBytes(rest.subscribedTopics);
  return sizeBytes + protocolsSizeBytes(rest.classic?.protocols ?? []);
}

function sameClassicPart(a: ClassicPart | null, b: ClassicPart | null): boolean {
  if (a === null || b === null) return a === b;
  if (a.sessionTimeoutMs !== b.sessionTimeoutMs || a.protocols.length !== b.protocols.length) return false;
  return a.protocols.every(({ name, metadata }, i) => {
    const other = b.protocols[i]!;
    return name === other.name && equalBytes(metadata, other.metadata);
  });
}
