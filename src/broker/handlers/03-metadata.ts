/**
 * Metadata: this node's address, and topics with their partitions; topics that are missing are created where client and
 * settings allow it. I/O thread.
 * The address is the one of the door that the client came through. Unlike Kafka, which creates in the background and
 * has the client ask again, the response waits for the topic.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid, type Uuid } from '../../base/uuid.ts';
import {
  defaultMetadataResponse,
  type MetadataRequest,
  type MetadataResponse,
  type MetadataResponseTopics,
} from '../../protocol/generated/index.ts';
import { clusterOperations, operationsNotAsked, topicOperations } from '../authorized-operations.ts';
import type { Broker } from '../broker.ts';
import type { TopicImage } from '../metadata-image.ts';
import { replicaStateOf } from '../replica-state.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';
import { maxPartitionsPerRequest } from '../topic-catalog.ts';
import { isInternalTopic, isStateLogTopic, problemOfTopicName } from '../topic-name.ts';

/** Versions 10 and 11 carry ids in requests, but no broker ever looked topics up by them. */
const firstVersionWithIds = 12;

export const metadataHandler: ApiHandler<MetadataRequest, MetadataResponse> = {
  apiKey: 3,
  handle(request, context, broker) {
    const named = request.topics;
    if (named === null || (context.apiVersion === 0 && named.length === 0)) {
      const all = [...broker.topics.image.topics()].map((topic) => topicResponse(topic, request, broker));
      return respond(all, request, context, broker);
    }
    const withIds = named.filter(({ topicId }) => topicId !== zeroUuid);
    if (withIds.length > 0 && context.apiVersion < firstVersionWithIds) return refused(named);
    // As in Kafka, names do not count beside ids.
    const asked = withIds.length > 0 ? withIds.map(({ topicId }) => ({ name: null, topicId })) : named;
    const names = [...new Set(asked.map(({ name }) => name))].filter((name) => name !== null);
    const missing = names.filter((name) => broker.topics.topic(name) === null && !isStateLogTopic(name));
    const mayCreate = request.allowAutoTopicCreation && broker.config.boolean('auto.create.topics.enable');
    // As many as a CreateTopics may ask for; beyond, Kafka creates none of them either.
    const fits = missing.length * broker.config.number('num.partitions') <= maxPartitionsPerRequest;
    if (missing.length > 0 && mayCreate && fits) return createAndRespond(asked, missing, request, context, broker);
    return respond(topicResponses(asked, request, broker, new Map()), request, context, broker);
  },
};

interface AskedTopic {
  readonly name: string | null;
  readonly topicId: Uuid;
}

async function createAndRespond(
  asked: readonly AskedTopic[],
  missing: readonly string[],
  request: MetadataRequest,
  context: RequestContext,
  broker: Broker,
): Promise<MetadataResponse> {
  const created = await Promise.all(
    missing.map((name) => broker.topics.create({ name, partitionCount: -1, replicationFactor: -1, configs: [] })),
  );
  const errors = new Map<string, ErrorCode>();
  for (const [i, { errorCode }] of created.entries()) {
    // Another request may have created it meanwhile, which serves as well.
    if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS)
      errors.set(missing[i]!, errorCode);
  }
  return respond(topicResponses(asked, request, broker, errors), request, context, broker);
}

function topicResponses(
  asked: readonly AskedTopic[],
  request: MetadataRequest,
  broker: Broker,
  errors: ReadonlyMap<string, ErrorCode>,
): MetadataResponseTopics[] {
  const responses: MetadataResponseTopics[] = [];
  const seen = new Set<string>();
  for (const { name, topicId } of asked) {
    const key = name ?? topicId;
    if (seen.has(key)) continue;
    seen.add(key);
    const topic = name === null ? broker.topics.topicById(topicId) : broker.topics.topic(name);
    if (topic !== null) responses.push(topicResponse(topic, request, broker));
    else responses.push(missingTopic(name, topicId, request, errors));
  }
  return responses;
}

function missingTopic(
  name: string | null,
  topicId: Uuid,
  request: MetadataRequest,
  errors: ReadonlyMap<string, ErrorCode>,
): MetadataResponseTopics {
  let errorCode: ErrorCode;
  if (name === null) errorCode = ErrorCode.UNKNOWN_TOPIC_ID;
  else if (problemOfTopicName(name) !== null) errorCode = ErrorCode.INVALID_TOPIC_EXCEPTION;
  else errorCode = errors.get(name) ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  return {
    errorCode,
    name,
    topicId: name === null ? topicId : zeroUuid,
    isInternal: false,
    partitions: [],
    topicAuthorizedOperations: operationsOf(request),
  };
}

function topicResponse(topic: TopicImage, request: MetadataRequest, broker: Broker): MetadataResponseTopics {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: Array.from({ length: topic.partitionCount }, (_, partitionIndex) => ({
      errorCode: ErrorCode.NONE,
      partitionIndex,
      ...replicaStateOf(topic, partitionIndex, broker),
    })),
    topicAuthorizedOperations: operationsOf(request),
  };
}

function respond(
  topics: MetadataResponseTopics[],
  request: MetadataRequest,
  { apiVersion, connection }: RequestContext,
  broker: Broker,
): MetadataResponse {
  const { advertisedHost: host, advertisedPort: port } = connection;
  return {
    ...defaultMetadataResponse(),
    brokers: [{ nodeId: broker.nodeId, host, port, rack: broker.config.text('broker.rack') }],
    clusterId: broker.clusterId,
    controllerId: broker.nodeId,
    // Before version 12 a topic that was asked for by id and is not there has an empty name.
    topics: apiVersion < 12 ? topics.map((topic) => ({ ...topic, name: topic.name ?? '' })) : topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? clusterOperations : operationsNotAsked,
  };
}

function operationsOf({ includeTopicAuthorizedOperations }: MetadataRequest): number {
  return includeTopicAuthorizedOperations ? topicOperations : operationsNotAsked;
}

function refused(asked: readonly AskedTopic[]): MetadataResponse {
  const errorCode = ErrorCode.INVALID_REQUEST;
  return {
    ...defaultMetadataResponse(),
    topics: asked.map(({ name, topicId }) => ({
      errorCode,
      name: name ?? '',
      topicId,
      isInternal: false,
      partitions: [],
      topicAuthorizedOperations: operationsNotAsked,
    })),
  };
}
