/**
 * The answer to requests for the state of share groups, which Kafka's brokers send each other: none of what they name is
 * kept in the place that they mean, so this node is not its coordinator, as a Kafka says too where nobody uses share
 * groups. Any thread.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { Uuid } from '../base/uuid.ts';

interface StateRequest {
  readonly groupId: string;
  readonly topics: readonly {
    readonly topicId: Uuid;
    readonly partitions: readonly { readonly partition: number }[];
  }[];
}

interface Refusal {
  readonly partition: number;
  readonly errorCode: ErrorCode;
  readonly errorMessage: string;
}

/** The refusal of each partition, as `complete` makes it the response's; nothing where no group is named. */
export function refusedTopics<Partition>(
  { groupId, topics }: StateRequest,
  intent: string,
  complete: (refusal: Refusal) => Partition,
): { topicId: Uuid; partitions: Partition[] }[] {
  if (groupId === '') return [];
  const errorMessage = `Unable to ${intent}: This is not the correct coordinator.`;
  return topics.map(({ topicId, partitions }) => ({
    topicId,
    partitions: partitions.map(({ partition }) =>
      complete({ partition, errorCode: ErrorCode.NOT_COORDINATOR, errorMessage }),
    ),
  }));
}
