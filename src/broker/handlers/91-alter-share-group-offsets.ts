/**
 * AlterShareGroupOffsets (KIP-932): sets where a share group without members goes on; one that is not there comes into
 * being. Answered once that is durable. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid } from '../../base/uuid.ts';
import {
  defaultAlterShareGroupOffsetsResponse,
  defaultAlterShareGroupOffsetsResponseResponsesPartitions,
  type AlterShareGroupOffsetsRequest,
  type AlterShareGroupOffsetsRequestTopics,
  type AlterShareGroupOffsetsResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { refusal, type Refusal } from '../groups/consumer/refusal.ts';
import type { SharePlace } from '../groups/share/share-records.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';
import { problemOfShareRequest } from '../share/share-version.ts';

export const alterShareGroupOffsetsHandler: ApiHandler<AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse> =
  {
    apiKey: 91,
    async handle({ groupId, topics }, context, broker) {
      const problem = problemOfShareRequest(groupId, broker);
      if (problem !== null) return refused(problem);
      const places: (SharePlace & { startOffset: number })[] = [];
      const responses = topics.map((topic) => check(topic, context, broker, places));
      const { shares } = broker.groups;
      const refusing = shares.alter(groupId, places);
      if (refusing !== null) return refused(refusing);
      const errorCode = await shares.settled(groupId);
      if (errorCode !== ErrorCode.NONE) return refused(refusal(errorCode, 'The change could not be written.'));
      return { ...defaultAlterShareGroupOffsetsResponse(), responses };
    },
  };

function refused({ errorCode, message }: Refusal): AlterShareGroupOffsetsResponse {
  return { ...defaultAlterShareGroupOffsetsResponse(), errorCode, errorMessage: message };
}

/** The answer for one topic, where all goes well with what is there; those partitions go into `places`. */
function check(
  { topicName, partitions }: AlterShareGroupOffsetsRequestTopics,
  context: RequestContext,
  broker: Broker,
  places: (SharePlace & { startOffset: number })[],
): AlterShareGroupOffsetsResponse['responses'][number] {
  const topic = broker.topics.topic(topicName);
  const mayRead = allowsOnTopic(broker.authorizer, context, AclOperation.READ, topicName);
  return {
    topicName,
    topicId: topic?.id ?? zeroUuid,
    partitions: partitions.map(({ partitionIndex, startOffset }) => {
      const response = { ...defaultAlterShareGroupOffsetsResponseResponsesPartitions(), partitionIndex };
      if (!mayRead) return { ...response, errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED };
      if (topic === null || partitionIndex < 0 || partitionIndex >= topic.partitionCount) {
        const errorMessage = `Topic ${topicName} has no partition ${partitionIndex}.`;
        return { ...response, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage };
      }
      places.push({ topicId: topic.id, partition: partitionIndex, startOffset });
      return response;
    }),
  };
}
