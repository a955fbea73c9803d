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
import { AclOperation, allowsOnCluster, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { TopicImage } from '../metadata-image.ts';
import type { ApiHandler } from '../request-context.ts';
import { forbiddenTopic, messageOf, quotaExceeded, type ChangeResult } from '../topic-catalog.ts';

const firstVersionWithIds = 6;
const firstVersionWithDisabledError = 3;
/** Before it a client that deletes too many topics only waits (KIP-599). */
const firstVersionWithQuotaErrors = 5;

interface Named {
  readonly name: string | null;
  readonly topicId: Uuid;
}

interface Found extends Named {
  readonly topic: TopicImage | null;
}

export const deleteTopicsHandler: ApiHandler<DeleteTopicsRequest, DeleteTopicsResponse> = {
  apiKey: 20,
  async handle(request, context, broker) {
    const { apiVersion, charge } = context;
    const mayDeleteAll = allowsOnCluster(broker.authorizer, context, AclOperation.DELETE);
    const may = (operation: AclOperation, name: string): boolean =>
      mayDeleteAll || allowsOnTopic(broker.authorizer, context, operation, name);
    const isStrict = apiVersion >= firstVersionWithQuotaErrors;
    const chargeFor = (topic: TopicImage | null): ChangeResult | null =>
      topic === null || charge === null || charge.mutate(topic.partitionCount, isStrict) ? null : quotaExceeded;
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
    const responses = groupsOf(topics, broker).map((group) => {
      const [{ topic }] = group;
      const name = group.find((named) => named.name !== null)?.name ?? null;
      const topicId = group.find((named) => named.topicId !== zeroUuid)?.topicId ?? zeroUuid;
      const knownName = topic?.name ?? name;
      const isVisible = knownName === null || may(AclOperation.DESCRIBE, knownName);
      const mayDelete = isVisible && (topic === null || may(AclOperation.DELETE, topic.name));
      const problem = allowed ? problemOf(group) : disabled;
      if (problem !== null || mayDelete) {
        return remove({ name, topicId, topic }, problem ?? chargeFor(topic), broker);
      }
      // Who has the id hears the name of a topic that may be described, and who has the name no id.
      return remove({ name: name ?? (isVisible ? knownName : null), topicId, topic }, forbiddenTopic, broker);
    });
    return { ...defaultDeleteTopicsResponse(), responses: await Promise.all(responses) };
  },
};

/** What leads to one topic, or is one topic's missing name or id, is answered once, and refused where it is several. */
function groupsOf(topics: readonly Named[], broker: Broker): [Found, ...Found[]][] {
  const groups = new Map<string, [Found, ...Found[]]>();
  for (const named of topics) {
    const found = { ...named, topic: find(named, broker) };
    const key = found.topic?.id ?? `${named.name ?? ''}/${named.topicId}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [found]);
    else group.push(found);
  }
  return [...groups.values()];
}

async function remove(
  { name, topicId, topic }: Found,
  refusal: ChangeResult | null,
  broker: Broker,
): Promise<DeleteTopicsResponseResponses> {
  if (refusal !== null || topic === null) {
    const { errorCode, message } = refusal ?? notThere(name);
    return { name, topicId, errorCode, errorMessage: message };
  }
  const result = await broker.topics.delete(topic.id);
  return { name: topic.name, topicId: topic.id, errorCode: result.errorCode, errorMessage: messageOf(result) };
}

function find({ name, topicId }: Named, broker: Broker): TopicImage | null {
  if (name !== null) return topicId === zeroUuid ? broker.topics.topic(name) : null;
  return broker.topics.topicById(topicId);
}

function problemOf([{ name, topicId }, ...others]: [Found, ...Found[]]): ChangeResult | null {
  const invalid = (message: string): ChangeResult => ({ errorCode: ErrorCode.INVALID_REQUEST, message });
  if (name !== null && topicId !== zeroUuid) return invalid('You may not specify both topic name and topic id.');
  if (name === null && topicId === zeroUuid) return invalid('Neither topic name nor id were specified.');
  return others.length === 0 ? null : invalid('The topic is named more than once.');
}

function notThere(name: string | null): ChangeResult {
  if (name === null)
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_ID, message: 'This server does not host this topic ID.' };
  const message = 'This server does not host this topic-partition.';
  return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message };
}
