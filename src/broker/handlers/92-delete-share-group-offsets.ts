/**
 * DeleteShareGroupOffsets (KIP-932): has a share group without members forget where it is in topics; answered once that
 * is durable. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid } from '../../base/uuid.ts';
import {
  defaultDeleteShareGroupOffsetsResponse,
  type DeleteShareGroupOffsetsRequest,
  type DeleteShareGroupOffsetsResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import { isRefusal, refusal, type Refusal } from '../groups/consumer/refusal.ts';
import type { ApiHandler } from '../request-context.ts';
import { problemOfShareRequest } from '../share/share-version.ts';

export const deleteShareGroupOffsetsHandler: ApiHandler<
  DeleteShareGroupOffsetsRequest,
  DeleteShareGroupOffsetsResponse
> = {
  apiKey: 92,
  async handle({ groupId, topics }, context, broker) {
    const problem = problemOfShareRequest(groupId, broker);
    if (problem !== null) return refused(problem);
    const { shares } = broker.groups;
    const run = shares.findEmpty(groupId);
    if (isRefusal(run)) return refused(run);
    const responses = topics.map(({ topicName }) => {
      const response = { topicName, topicId: zeroUuid, errorCode: ErrorCode.NONE as number, errorMessage: null };
      if (!allowsOnTopic(broker.authorizer, context, AclOperation.READ, topicName)) {
        return { ...response, errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED };
      }
      const topic = broker.topics.topic(topicName);
      if (topic !== null && shares.forget(run, topic.id)) return { ...response, topicId: topic.id };
      // Kafka's tool shows it as it is.
      const errorMessage = 'This server does not host this topic-partition.';
      return { ...response, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage };
    });
    const errorCode = await shares.settled(groupId);
    if (errorCode !== ErrorCode.NONE) return refused(refusal(errorCode, 'The change could not be written.'));
    return { ...defaultDeleteShareGroupOffsetsResponse(), responses };
  },
};

function refused({ errorCode, message }: Refusal): DeleteShareGroupOffsetsResponse {
  return { ...defaultDeleteShareGroupOffsetsResponse(), errorCode, errorMessage: message };
}
