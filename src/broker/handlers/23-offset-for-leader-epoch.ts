/**
 * OffsetForLeaderEpoch: where a leader epoch ends, by which consumers find that their log was cut (KIP-320).
 * I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { noOffset } from '../../base/numbers.ts';
import {
  defaultOffsetForLeaderEpochResponse,
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochRequestTopicsPartitions,
  type OffsetForLeaderEpochResponse,
  type OffsetForLeaderEpochResponseTopicsPartitions,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { checkLeaderEpoch } from '../leader-check.ts';
import type { ApiHandler } from '../request-context.ts';
import type { TopicImage } from '../metadata-image.ts';

export const offsetForLeaderEpochHandler: ApiHandler<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse> = {
  apiKey: 23,
  handle({ topics }, context, broker) {
    // Other brokers may ask for every topic.
    const mayAskAll = allowsOnCluster(broker.authorizer, context, AclOperation.CLUSTER_ACTION);
    return {
      ...defaultOffsetForLeaderEpochResponse(),
      topics: topics.map(({ topic, partitions }) => {
        if (!mayAskAll && !allowsOnTopic(broker.authorizer, context, AclOperation.DESCRIBE, topic)) {
          return { topic, partitions: partitions.map(({ partition }) => forbidden(partition)) };
        }
        const image = broker.topics.topic(topic);
        return { topic, partitions: partitions.map((partition) => endOf(image, partition, broker)) };
      }),
    };
  },
};

function forbidden(partition: number): OffsetForLeaderEpochResponseTopicsPartitions {
  return { partition, leaderEpoch: -1, endOffset: noOffset, errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED };
}

function endOf(
  topic: TopicImage | null,
  { partition, currentLeaderEpoch, leaderEpoch }: OffsetForLeaderEpochRequestTopicsPartitions,
  broker: Broker,
): OffsetForLeaderEpochResponseTopicsPartitions {
  const nothing = { partition, leaderEpoch: -1, endOffset: noOffset };
  const found = broker.findPartition(topic, partition);
  if (found === null) return { ...nothing, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
  const errorCode = checkLeaderEpoch(currentLeaderEpoch, broker.leaderEpoch);
  // An epoch that has not begun has no end.
  if (errorCode !== ErrorCode.NONE || leaderEpoch < 0 || leaderEpoch > broker.leaderEpoch) {
    return { ...nothing, errorCode };
  }
  return { ...nothing, errorCode, ...found.log.endOffsetForEpoch(leaderEpoch) };
}
