/**
 * DescribeTopicPartitions (KIP-966): topics in the order of their names, page by page. I/O thread.
 * A page ends at the limit of partitions, the client's or ours, and its cursor says where the next begins. Topics that
 * are missing do not count.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid } from '../../base/uuid.ts';
import {
  defaultDescribeTopicPartitionsResponse,
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponse,
  type DescribeTopicPartitionsResponseTopics,
} from '../../protocol/generated/index.ts';
import { parted } from '../access/gate.ts';
import { authorizedOperations, operationsNotAsked } from '../authorized-operations.ts';
import { AclOperation, AclResource, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { TopicImage } from '../metadata-image.ts';
import { replicaStateOf } from '../replica-state.ts';
import type { ApiHandler } from '../request-context.ts';
import { isInternalTopic, problemOfTopicName } from '../topic-name.ts';

export const describeTopicPartitionsHandler: ApiHandler<
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse
> = {
  apiKey: 75,
  handle(request, context, broker) {
    const { cursor, responsePartitionLimit } = request;
    const asked = namesOf(request, broker);
    // A cursor names a topic that was asked for; one for all topics may name one that is gone meanwhile.
    const isInvalid =
      cursor !== null &&
      (cursor.partitionIndex < 0 || (request.topics.length > 0 && !asked.includes(cursor.topicName)));
    if (isInvalid) return refused(request);
    const from = cursor?.topicName ?? '';
    const isVisible = (name: string): boolean => allowsOnTopic(broker.authorizer, context, AclOperation.DESCRIBE, name);
    const { allowed: names, forbidden } = parted(
      asked.filter((name) => name >= from),
      isVisible,
    );
    const operationsOn = (name: string): number => authorizedOperations(broker, context, AclResource.TOPIC, name);
    const maxPartitions = broker.config.number('max.request.partition.size.limit');
    let left = Math.max(Math.min(responsePartitionLimit, maxPartitions), 1);
    const response = defaultDescribeTopicPartitionsResponse();
    for (const name of names) {
      if (left === 0) {
        response.nextCursor = { topicName: name, partitionIndex: 0 };
        break;
      }
      const topic = broker.topics.topic(name);
      if (topic === null) {
        response.topics.push({ ...missingTopic(name), topicAuthorizedOperations: operationsOn(name) });
        continue;
      }
      const first = name === from ? (cursor?.partitionIndex ?? 0) : 0;
      const end = Math.min(topic.partitionCount, first + left);
      response.topics.push({
        ...topicResponse(topic, first, end, broker),
        topicAuthorizedOperations: operationsOn(name),
      });
      if (end < topic.partitionCount) {
        response.nextCursor = { topicName: name, partitionIndex: end };
        break;
      }
      left -= Math.max(end - first, 0);
    }
    // Nobody is told whether they are there.
    if (request.topics.length > 0) for (const name of forbidden) response.topics.push(forbiddenTopic(name));
    return response;
  },
};

/** In order, each once. No names mean all topics. */
function namesOf({ topics }: DescribeTopicPartitionsRequest, broker: Broker): string[] {
  const names =
    topics.length > 0 ? topics.map(({ name }) => name) : Array.from(broker.topics.image.topics(), ({ name }) => name);
  // oxlint-disable-next-line unicorn/require-array-sort-compare -- the plain order compares UTF-16 units, as Java does.
  return [...new Set(names)].toSorted();
}

function topicResponse(
  topic: TopicImage,
  firstPartition: number,
  endPartition: number,
  broker: Broker,
): DescribeTopicPartitionsResponseTopics {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: Array.from({ length: Math.max(endPartition - firstPartition, 0) }, (_, i) => ({
      errorCode: ErrorCode.NONE,
      partitionIndex: firstPartition + i,
      ...replicaStateOf(topic, firstPartition + i, broker),
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    })),
    topicAuthorizedOperations: operationsNotAsked,
  };
}

function missingTopic(name: string): DescribeTopicPartitionsResponseTopics {
  return {
    errorCode:
      problemOfTopicName(name) === null ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION,
    name,
    topicId: zeroUuid,
    isInternal: false,
    partitions: [],
    topicAuthorizedOperations: operationsNotAsked,
  };
}

function forbiddenTopic(name: string): DescribeTopicPartitionsResponseTopics {
  return { ...missingTopic(name), errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED };
}

function refused({ topics }: DescribeTopicPartitionsRequest): DescribeTopicPartitionsResponse {
  const errorCode = ErrorCode.INVALID_REQUEST;
  return {
    ...defaultDescribeTopicPartitionsResponse(),
    topics: topics.map(({ name }) => ({ ...missingTopic(name), errorCode })),
  };
}
