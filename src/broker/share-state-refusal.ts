/**
 * The answer to requests for the state of share groups, which Kafka's brokers send each other: none of what they name is
 * kept in the place that they mean, so this node is not its coordinator, as a Kafka says too where nobody uses share
 * groups. I/O thread.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { Uuid } from '../base/uuid.ts';
import { AclOperation, allowsOnCluster } from './authorizer.ts';
import type { Broker } from './broker.ts';
import type { RequestContext } from './request-context.ts';

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

/** Who asks whom, and what for. */
interface StateAsking {
  readonly context: RequestContext;
  readonly broker: Broker;
  readonly intent: string;
}

/** The refusal of each partition, as `complete` makes it the response's; nothing where no group is named. */
export function refusedTopics<Partition>(
  { groupId, topics }: StateRequest,
  { context, broker, intent }: StateAsking,
  complete: (refusal: Refusal) => Partition,
): { topicId: Uuid; partitions: Partition[] }[] {
  const isBroker = allowsOnCluster(broker.authorizer, context, AclOperation.CLUSTER_ACTION);
  if (isBroker && groupId === '') return [];
  const errorCode = isBroker ? ErrorCode.NOT_COORDINATOR : ErrorCode.CLUSTER_AUTHORIZATION_FAILED;
  const errorMessage = isBroker
    ? `Unable to ${intent}: This is not the correct coordinator.`
    : 'Cluster authorization failed.';
  return topics.map(({ topicId, partitions }) => ({
    topicId,
    partitions: partitions.map(({ partition }) => complete({ partition, errorCode, errorMessage })),
  }));
}
