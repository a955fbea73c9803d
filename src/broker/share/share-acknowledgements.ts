/**
 * The acknowledgements in a request, of ShareFetch or ShareAcknowledge: checked, and given to their partitions. I/O thread.
 * Each partition is for itself. What is checked, and in which order, is as in Kafka.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Uuid } from '../../base/uuid.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { refusal, type Refusal } from '../groups/consumer/refusal.ts';
import { placeName, type SharePlace } from '../groups/share/share-records.ts';
import type { RequestContext } from '../request-context.ts';
import { AcknowledgeType, type AcknowledgementBatch } from './acknowledging.ts';

/** As both requests carry them. */
export interface AcknowledgedTopic {
  readonly topicId: Uuid;
  readonly partitions: readonly {
    readonly partitionIndex: number;
    readonly acknowledgementBatches: readonly AcknowledgementBatch[];
  }[];
}

export interface Acknowledging {
  readonly groupId: string;
  readonly memberId: string;
  /** Whether the version of the request knows renewals. */
  readonly knowsRenewal: boolean;
  /** Whether the request says that it renews. */
  readonly isRenewal: boolean;
}

/** What became of the acknowledgements of one partition; null where they were taken. */
export interface Acknowledged {
  readonly place: SharePlace;
  readonly problem: Refusal | null;
}

/** Resolves once what was taken is durable. A partition that is named twice counts as it is named last. */
export async function acknowledgeAll(
  topics: readonly AcknowledgedTopic[],
  acknowledging: Acknowledging,
  context: RequestContext,
  broker: Broker,
): Promise<Acknowledged[]> {
  const byPlace = new Map<string, { place: SharePlace; batches: readonly AcknowledgementBatch[] }>();
  for (const { topicId, partitions } of topics) {
    for (const { partitionIndex, acknowledgementBatches } of partitions) {
      const place = { topicId, partition: partitionIndex };
      byPlace.set(placeName(place), { place, batches: acknowledgementBatches });
    }
  }
  const outcomes = [...byPlace.values()].map(async ({ place, batches }): Promise<Acknowledged> => {
    const problem = problemOf(place, batches, acknowledging, context, broker);
    if (problem !== null) return { place, problem };
    if (batches.length === 0) return { place, problem: null };
    const { groupId, memberId } = acknowledging;
    const partition = broker.groups.sharePartitions.find(groupId, place);
    if (partition === null) {
      const message = 'No member of the group has records of the partition.';
      return { place, problem: refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message) };
    }
    return { place, problem: await partition.acknowledge(memberId, batches) };
  });
  const acknowledged = await Promise.all(outcomes);
  // As in Kafka, a request without any acknowledgement that can be taken is told of its mistakes alone.
  const hasAny = [...byPlace.values()].some(({ batches }) => batches.length > 0);
  return hasAny ? acknowledged : acknowledged.filter(({ problem }) => problem !== null);
}

function problemOf(
  { topicId, partition }: SharePlace,
  batches: readonly AcknowledgementBatch[],
  acknowledging: Acknowledging,
  context: RequestContext,
  broker: Broker,
): Refusal | null {
  const topic = broker.topics.topicById(topicId);
  if (topic === null) return refusal(ErrorCode.UNKNOWN_TOPIC_ID, 'There is no topic with that id.');
  const message = problemOfBatches(batches, acknowledging);
  if (message !== null) return refusal(ErrorCode.INVALID_REQUEST, message);
  if (!allowsOnTopic(broker.authorizer, context, AclOperation.READ, topic.name)) {
    return refusal(ErrorCode.TOPIC_AUTHORIZATION_FAILED, 'The topic may not be read.');
  }
  if (partition >= 0 && partition < topic.partitionCount) return null;
  return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `Topic ${topic.name} has no partition ${partition}.`);
}

function problemOfBatches(
  batches: readonly AcknowledgementBatch[],
  { knowsRenewal, isRenewal }: Acknowledging,
): string | null {
  const lastType = knowsRenewal ? AcknowledgeType.RENEW : AcknowledgeType.REJECT;
  let before = -1;
  for (const { firstOffset, lastOffset, acknowledgeTypes } of batches) {
    if (firstOffset > lastOffset) return `A batch ends at offset ${lastOffset} before it begins at ${firstOffset}.`;
    if (firstOffset < before) return `The batch at offset ${firstOffset} does not follow the one before it.`;
    if (acknowledgeTypes.length === 0) return `The batch at offset ${firstOffset} says nothing of its records.`;
    if (acknowledgeTypes.length > 1 && lastOffset - firstOffset !== acknowledgeTypes.length - 1) {
      return `The batch at offset ${firstOffset} does not have a type for each of its records.`;
    }
    for (const type of acknowledgeTypes) {
      if (type < AcknowledgeType.GAP || type > lastType) return `There is no acknowledge type ${type}.`;
      if (type === AcknowledgeType.RENEW && !isRenewal) return 'The request does not say that it renews locks.';
    }
    before = lastOffset;
  }
  return null;
}
