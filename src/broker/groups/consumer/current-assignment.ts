/**
 * Brings a member of a consumer group nearer to its target assignment (KIP-848, "reconciliation"): what it has to give up
 * first, what it gets at once, and what it waits for because others still have it. Any thread; pure functions.
 *
 *   stable ──► unrevoked ──(its heartbeat no longer names what it gave up)──► unreleased ──► stable
 *      └──────────────────────────────────────────────────────────────────────────┴────────────┘
 */

import type { Uuid } from '../../../base/uuid.ts';
import { sameProgress, type ConsumerMember, type MemberProgress } from './consumer-member.ts';
import {
  containsAny,
  hasPartition,
  noEpochedPartitions,
  type EpochedPartitions,
  type Partitions,
  type TopicPartitionsField,
} from './partitions.ts';

export interface ReconciliationInput {
  readonly targetEpoch: number;
  readonly target: Partitions;
  /** Whether what the member subscribes to has just changed. */
  readonly subscriptionChanged: boolean;
  /** The topics that the member subscribes to and that exist. */
  readonly subscribedIds: ReadonlySet<Uuid>;
  /** What the member says that it has; null where it does not say. */
  readonly owned: readonly TopicPartitionsField[] | null;
  /** Whether a partition is with some member. */
  readonly isOwned: (topicId: Uuid, partition: number) => boolean;
}

/** The member after its next step; the same object where there is none. */
export function reconciled(member: ConsumerMember, input: ReconciliationInput): ConsumerMember {
  const progress = nextProgress(member, input);
  return progress === member || sameProgress(progress, member) ? member : { ...member, ...progress };
}

function nextProgress(member: ConsumerMember, input: ReconciliationInput): MemberProgress {
  switch (member.state) {
    case 'stable':
      if (member.epoch !== input.targetEpoch) return towardsTarget(member, input);
      return input.subscriptionChanged ? withoutUnsubscribed(member, input) : member;
    case 'unrevoked':
      if (!stillOwns(member.revoking, input.owned)) return towardsTarget(member, input);
      return input.subscriptionChanged ? withoutUnsubscribed(member, input) : member;
    case 'unreleased':
      return towardsTarget(member, input);
  }
}

/** Who does not say what it has, has all that it had. */
function stillOwns(revoking: EpochedPartitions, owned: readonly TopicPartitionsField[] | null): boolean {
  return owned === null || containsAny(revoking, owned);
}

/** Before there is a new target, the member gives up what it no longer subscribes to. */
function withoutUnsubscribed(member: ConsumerMember, { subscribedIds, owned }: ReconciliationInput): MemberProgress {
  const assigned = new Map(member.assigned);
  const revoking = new Map(member.revoking);
  for (const [topicId, epochs] of member.assigned) {
    if (subscribedIds.has(topicId)) continue;
    assigned.delete(topicId);
    revoking.set(topicId, new Map([...(revoking.get(topicId) ?? []), ...epochs]));
  }
  if (assigned.size === member.assigned.size) return member;
  const moved = { ...member, previousEpoch: member.epoch, assigned };
  if (!stillOwns(revoking, owned)) return moved;
  return { ...moved, state: 'unrevoked', revoking };
}

function towardsTarget(member: ConsumerMember, input: ReconciliationInput): MemberProgress {
  const { kept, revoking } = splitAssigned(member, input);
  if (revoking.size > 0 && stillOwns(revoking, input.owned)) {
    return { epoch: member.epoch, previousEpoch: member.epoch, state: 'unrevoked', assigned: kept, revoking };
  }
  const { assigned, isComplete } = withGranted(kept, member, input);
  return {
    epoch: input.targetEpoch,
    previousEpoch: member.epoch,
    state: isComplete ? 'stable' : 'unreleased',
    assigned,
    revoking: noEpochedPartitions,
  };
}

/** Of what the member has: what is in its target too, and what is not. */
function splitAssigned(
  { assigned }: ConsumerMember,
  { target, subscribedIds }: ReconciliationInput,
): { readonly kept: EpochedPartitions; readonly revoking: EpochedPartitions } {
  const kept = new Map<Uuid, Map<number, number>>();
  const revoking = new Map<Uuid, Map<number, number>>();
  for (const [topicId, epochs] of assigned) {
    const wanted = subscribedIds.has(topicId) ? target.get(topicId) : undefined;
    const keptEpochs = new Map<number, number>();
    const revokingEpochs = new Map<number, number>();
    for (const [partition, epoch] of epochs) {
      (wanted?.has(partition) === true ? keptEpochs : revokingEpochs).set(partition, epoch);
    }
    if (keptEpochs.size > 0) kept.set(topicId, keptEpochs);
    if (revokingEpochs.size > 0) revoking.set(topicId, revokingEpochs);
  }
  return { kept, revoking };
}

/** `kept` with what of the target is free, or with the member itself, which gave it up for another target before. */
function withGranted(
  kept: EpochedPartitions,
  member: ConsumerMember,
  { target, targetEpoch, subscribedIds, isOwned }: ReconciliationInput,
): { readonly assigned: EpochedPartitions; readonly isComplete: boolean } {
  const assigned = new Map(kept);
  let isComplete = true;
  for (const [topicId, partitions] of target) {
    if (!subscribedIds.has(topicId)) continue;
    const keptEpochs = kept.get(topicId);
    let epochs: Map<number, number> | null = null;
    for (const partition of partitions) {
      if (keptEpochs?.has(partition) === true) continue;
      if (isOwned(topicId, partition) && !hasPartition(member.revoking, topicId, partition)) isComplete = false;
      else (epochs ??= new Map(keptEpochs)).set(partition, targetEpoch);
    }
    if (epochs !== null) assigned.set(topicId, epochs);
  }
  return { assigned, isComplete };
}
