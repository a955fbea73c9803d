/**
 * AlterPartitionReassignments: which nodes have a partition's replicas. I/O thread.
 * On a single node a partition can only be told to stay, so no reassignment is ever under way and none can be cancelled.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultAlterPartitionReassignmentsResponse,
  type AlterPartitionReassignmentsRequest,
  type AlterPartitionReassignmentsResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler } from '../request-context.ts';
import { shownName } from '../shown-name.ts';
import type { ChangeResult } from '../topic-catalog.ts';

export const alterPartitionReassignmentsHandler: ApiHandler<
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse
> = {
  apiKey: 45,
  handle({ topics, allowReplicationFactorChange }, context, broker) {
    const response = { ...defaultAlterPartitionReassignmentsResponse(), allowReplicationFactorChange };
    if (!allowsOnCluster(broker.authorizer, context, AclOperation.ALTER)) {
      return { ...response, errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, errorMessage: null };
    }
    // As Kafka has it, which then asks nobody.
    if (topics.length === 0) return { ...response, errorMessage: '' };
    const responses = topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, replicas }) => {
        const { errorCode, message } = outcome(name, partitionIndex, replicas, broker);
        return { partitionIndex, errorCode, errorMessage: message };
      }),
    }));
    return { ...response, errorMessage: null, responses };
  },
};

function outcome(name: string, partition: number, replicas: readonly number[] | null, broker: Broker): ChangeResult {
  const missing = (message: string): ChangeResult => ({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message });
  const topic = broker.topics.topic(name);
  if (topic === null) return missing(`Unable to find a topic named ${shownName(name)}.`);
  if (partition < 0 || partition >= topic.partitionCount) {
    return missing(`Unable to find partition ${name}:${partition}.`);
  }
  if (replicas === null) return { errorCode: ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, message: null };
  const problem = problemOfReplicas(replicas, broker.nodeId);
  if (problem === null) return { errorCode: ErrorCode.NONE, message: null };
  const message = `The manual partition assignment includes ${problem}.`;
  return { errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT, message };
}

/** What is wrong with the list of nodes, in Kafka's order of looking. */
function problemOfReplicas(replicas: readonly number[], nodeId: number): string | null {
  if (replicas.length === 0) return 'an empty replica list';
  const sorted = replicas.toSorted((a, b) => a - b);
  for (const [i, replica] of sorted.entries()) {
    if (i > 0 && replica === sorted[i - 1]) return `the broker ${replica} more than once`;
    if (replica !== nodeId) return `broker ${replica}, but no such broker is registered`;
  }
  return null;
}
