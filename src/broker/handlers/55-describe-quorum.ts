/**
 * DescribeQuorum: this node, which is leader and only voter of the metadata log. I/O thread.
 * It is asked for that log alone; any other list of partitions gets Kafka's error for each of them.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid } from '../../base/uuid.ts';
import {
  defaultDescribeQuorumResponse,
  type DescribeQuorumRequest,
  type DescribeQuorumResponse,
  type DescribeQuorumResponseTopicsPartitions,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';
import { stateLogTopics } from '../topic-name.ts';

export const describeQuorumHandler: ApiHandler<DescribeQuorumRequest, DescribeQuorumResponse> = {
  apiKey: 55,
  handle(request, context, broker) {
    if (!allowsOnCluster(broker.authorizer, context, AclOperation.DESCRIBE)) {
      return { ...defaultDescribeQuorumResponse(), errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED };
    }
    const asksForLog = isForMetadataLog(request);
    const topics = request.topics.map(({ topicName, partitions }) => ({
      topicName,
      partitions: partitions.map(({ partitionIndex }) =>
        asksForLog ? quorumOf(partitionIndex, broker) : unknown(partitionIndex),
      ),
    }));
    const nodes = asksForLog ? [nodeOf(context, broker)] : [];
    return { ...defaultDescribeQuorumResponse(), errorMessage: '', topics, nodes };
  },
};

function isForMetadataLog({ topics }: DescribeQuorumRequest): boolean {
  const [topic] = topics;
  if (topics.length !== 1 || topic?.topicName !== stateLogTopics.metadata) return false;
  return topic.partitions.length === 1 && topic.partitions[0]?.partitionIndex === 0;
}

function quorumOf(partitionIndex: number, broker: Broker): DescribeQuorumResponseTopicsPartitions {
  const { nodeId, leaderEpoch, metadataLog } = broker;
  const nowMs = broker.clock.nowMs();
  return {
    partitionIndex,
    errorCode: ErrorCode.NONE,
    errorMessage: '',
    leaderId: nodeId,
    leaderEpoch,
    highWatermark: metadataLog.highWatermark,
    currentVoters: [
      {
        replicaId: nodeId,
        replicaDirectoryId: zeroUuid,
        logEndOffset: metadataLog.endOffset,
        lastFetchTimestamp: nowMs,
        lastCaughtUpTimestamp: nowMs,
      },
    ],
    observers: [],
  };
}

function unknown(partitionIndex: number): DescribeQuorumResponseTopicsPartitions {
  return {
    partitionIndex,
    errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    errorMessage: 'This server does not host this topic-partition.',
    leaderId: 0,
    leaderEpoch: 0,
    highWatermark: 0,
    currentVoters: [],
    observers: [],
  };
}

/** The controller has no door of its own: it is reached where the client came in. */
function nodeOf({ connection }: RequestContext, { nodeId }: Broker): DescribeQuorumResponse['nodes'][number] {
  const { advertisedHost: host, advertisedPort: port } = connection;
  return { nodeId, listeners: [{ name: 'CONTROLLER', host, port }] };
}
