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
import { authorizedOperations, authorizedOperationsOnCluster, operationsNotAsked } from '../authorized-operations.ts';
import { AclOperation, AclResource, allowsOnCluster, allowsOnTopic } from '../authorizer.ts';
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
    const asking = { request, context, broker };
    if (named === null || (context.apiVersion === 0 && named.length === 0)) {
      return respond(
        Array.from(broker.topics.image.topics(), (topic) => topicResponse(topic, asking)),
        asking,
      );
    }
    const withIds = named.filter(({ topicId }) => topicId !== zeroUuid);
    if (withIds.length > 0 && context.apiVersion < firstVersionWithIds) return refused(named);
    // As in Kafka, names do not count beside ids.
    const asked = withIds.length > 0 ? withIds.map(({ topicId }) => ({ name: null, topicId })) : named;
    const names = [...new Set(asked.map(({ name }) => name))].filter((name) => name !== null);
    const missing = names.filter((name) => broker.topics.topic(name) === null && !isStateLogTopic(name));
    const mayCreate = request.allowAutoTopicCreation && broker.config.boolean('auto.create.topics.enable');
    if (missing.length > 0 && mayCreate) return createAndRespond(asked, missing, asking);
    return respond(topicResponses(asked, new Map(), asking), asking);
  },
};

interface AskedTopic {
  readonly name: string | null;
  readonly topicId: Uuid;
}

/** One request, and who answers it to whom. */
interface Asking {
  readonly request: MetadataRequest;
  readonly context: RequestContext;
  readonly broker: Broker;
}

function createAndRespond(
  asked: readonly AskedTopic[],
  missing: readonly string[],
  asking: Asking,
): MetadataResponse | Promise<MetadataResponse> {
  const { context, broker } = asking;
  const mayCreateAll = allowsOnCluster(broker.authorizer, context, AclOperation.CREATE);
  const isForbidden = (name: string): boolean =>
    !mayCreateAll && !allowsOnTopic(broker.authorizer, context, AclOperation.CREATE, name);
  const forbidden = missing.filter(isForbidden);
  const errors = new Map(forbidden.map((name) => [name, ErrorCode.TOPIC_AUTHORIZATION_FAILED as ErrorCode]));
  const allowed = missing.filter((name) => !errors.has(name));
  // As many as a CreateTopics may ask for; beyond, Kafka creates none of them either.
  const fits = allowed.length * broker.config.number('num.partitions') <= maxPartitionsPerRequest;
  if (allowed.length === 0 || !fits) return respond(topicResponses(asked, errors, asking), asking);
  return create(allowed, errors, broker).then(() => respond(topicResponses(asked, errors, asking), asking));
}

/** Makes the topics; which were not, and why, stands in `errors` then. */
async function create(names: readonly string[], errors: Map<string, ErrorCode>, { topics }: Broker): Promise<void> {
  const created = await Promise.all(
    names.map((name) => topics.create({ name, partitionCount: -1, replicationFactor: -1, configs: [] })),
  );
  for (const [i, { errorCode }] of created.entries()) {
    // Another request may have created it meanwhile, which serves as well.
    if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS) errors.set(names[i]!, errorCode);
  }
}

function topicResponses(
  asked: readonly AskedTopic[],
  errors: ReadonlyMap<string, ErrorCode>,
  asking: Asking,
): MetadataResponseTopics[] {
  const { topics } = asking.broker;
  const responses: MetadataResponseTopics[] = [];
  const seen = new Set<string>();
  for (const { name, topicId } of asked) {
    const key = name ?? topicId;
    if (seen.has(key)) continue;
    seen.add(key);
    const topic = name === null ? topics.topicById(topicId) : topics.topic(name);
    if (topic !== null) responses.push(topicResponse(topic, asking));
    else responses.push(name === null ? unknownId(topicId) : missingTopic(name, errors, asking));
  }
  return responses;
}

function unknownId(topicId: Uuid): MetadataResponseTopics {
  return {
    ...{ errorCode: ErrorCode.UNKNOWN_TOPIC_ID, name: null, topicId },
    ...{ isInternal: false, partitions: [], topicAuthorizedOperations: operationsNotAsked },
  };
}

function missingTopic(name: string, errors: ReadonlyMap<string, ErrorCode>, asking: Asking): MetadataResponseTopics {
  const error = errors.get(name);
  const isForbidden = error === ErrorCode.TOPIC_AUTHORIZATION_FAILED;
  let errorCode: ErrorCode;
  if (isForbidden) errorCode = error;
  else if (problemOfTopicName(name) !== null) errorCode = ErrorCode.INVALID_TOPIC_EXCEPTION;
  else errorCode = error ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  return {
    errorCode,
    name,
    topicId: zeroUuid,
    isInternal: isForbidden && isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: isForbidden ? operationsNotAsked : operationsOn(name, asking),
  };
}

function topicResponse(topic: TopicImage, asking: Asking): MetadataResponseTopics {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: Array.from({ length: topic.partitionCount }, (_, partitionIndex) => ({
      errorCode: ErrorCode.NONE,
      partitionIndex,
      ...replicaStateOf(topic, partitionIndex, asking.broker),
    })),
    topicAuthorizedOperations: operationsOn(topic.name, asking),
  };
}

function respond(topics: MetadataResponseTopics[], { request, context, broker }: Asking): MetadataResponse {
  const { advertisedHost: host, advertisedPort: port } = context.connection;
  return {
    ...defaultMetadataResponse(),
    brokers: [{ nodeId: broker.nodeId, host, port, rack: broker.config.text('broker.rack') }],
    clusterId: broker.clusterId,
    controllerId: broker.nodeId,
    // Before version 12 a topic that was asked for by id and is not there has an empty name.
    topics: context.apiVersion < 12 ? topics.map((topic) => ({ ...topic, name: topic.name ?? '' })) : topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? authorizedOperationsOnCluster(broker, context)
      : operationsNotAsked,
  };
}

function operationsOn(name: string, { request, context, broker }: Asking): number {
  if (!request.includeTopicAuthorizedOperations) return operationsNotAsked;
  return authorizedOperations(broker, context, AclResource.TOPIC, name);
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
