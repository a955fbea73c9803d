/**
 * DeleteTopics, by name or by id. I/O thread. It answers once the metadata log no longer has the topic and its
 * directories are set aside.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid, type Uuid } from '../../base/uuid.ts';
import {
  defaultDeleteTopicsResponse,
  type DeleteTopicsRequest,
  type DeleteTopicsResponse,
  type DeleteTopicsResponseResponses,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import type { TopicImage } from '../metadata-image.ts';
import type { ApiHandler } from '../request-context.ts';
import { messageOf, type ChangeResult } from '../topic-catalog.ts';

const firstVersionWithIds = 6;
const firstVersionWithDisabledError = 3;

interface Named {
  readonly name: string | null;
  readonly topicId: Uuid;
}

export const deleteTopicsHandler: ApiHandler<DeleteTopicsRequest, DeleteTopicsResponse> = {
  apiKey: 20,
  async handle(request, { apiVersion }, broker) {
    const topics: readonly Named[] =
      apiVersion >= firstVersionWithIds
        ? request.topics
        : request.topicNames.map((name) => ({ name, topicId: zeroUuid }));
    const allowed = broker.config.boolean('delete.topic.enable');
    const disabled: ChangeResult = {
      errorCode:
        apiVersion >= firstVersionWithDisabledError ? ErrorCode.TOPIC_DELETION_DISABLED : ErrorCode.INVALID_REQUEST,
      message: 'Topic deletion is disabled.',
    };
    const seen = new Set<string>();
    const responses = topics.map((named) => {
      const topic = find(named, broker);
      const key = topic?.id ?? named.name ?? named.topicId;
      const refusal = allowed ? problemOf(named, topic, seen.has(key)) : disabled;
      seen.add(key);
      return remove(named, topic, refusal, broker);
    });
    return { ...defaultDeleteTopicsResponse(), responses: await Promise.all(responses) };
  },
};

async function remove(
  named: Named,
  topic: TopicImage | null,
  refusal: ChangeResult | null,
  broker: Broker,
): Promise<DeleteTopicsResponseResponses> {
  const gone: ChangeResult = { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: null };
  const result = refusal ?? (topic === null ? gone : await broker.topics.delete(topic.id));
  return {
    name: topic?.name ?? named.name,
    topicId: topic?.id ?? named.topicId,
    errorCode: result.errorCode,
    errorMessage: messageOf(result),
  };
}

function find({ name, topicId }: Named, broker: Broker): TopicImage | null {
  if (name !== null) return topicId === zeroUuid ? broker.topics.topic(name) : null;
  return broker.topics.topicById(topicId);
}

function problemOf({ name, topicId }: Named, topic: TopicImage | null, seen: boolean): ChangeResult | null {
  const invalid = (message: string): ChangeResult => ({ errorCode: ErrorCode.INVALID_REQUEST, message });
  if (name !== null && topicId !== zeroUuid) return invalid('You may not specify both topic name and topic id.');
  if (name === null && topicId === zeroUuid) return invalid('Neither topic name nor id were specified.');
  if (seen) return invalid(name === null ? 'Duplicate topic id.' : 'Duplicate topic name.');
  if (topic !== null) return null;
  if (name !== null) {
    const message = 'This server does not host this topic-partition.';
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message };
  }
  return { errorCode: ErrorCode.UNKNOWN_TOPIC_ID, message: 'This server does not host this topic ID.' };
}
