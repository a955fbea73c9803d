/**
 * CreateTopics. I/O thread. Each topic stands for itself: one that is refused does not keep the others from being made.
 * It answers once the metadata log has the topics; their files appear with their first batches.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid } from '../../base/uuid.ts';
import {
  defaultCreateTopicsResponse,
  type CreateTopicsRequest,
  type CreateTopicsRequestTopics,
  type CreateTopicsResponse,
  type CreateTopicsResponseTopics,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { topicConfigEntries } from '../config-entries.ts';
import type { ApiHandler } from '../request-context.ts';
import {
  forbiddenTopic,
  maxPartitionsPerRequest,
  messageOf,
  quotaExceeded,
  type ChangeResult,
  type CreatedTopic,
  type TopicSpec,
} from '../topic-catalog.ts';

/** Before it a client that makes too many topics only waits (KIP-599). */
const firstVersionWithQuotaErrors = 6;

export const createTopicsHandler: ApiHandler<CreateTopicsRequest, CreateTopicsResponse> = {
  apiKey: 19,
  async handle({ topics, validateOnly }, context, broker) {
    const { apiVersion, charge } = context;
    const mayCreateAll = allowsOnCluster(broker.authorizer, context, AclOperation.CREATE);
    const isStrict = apiVersion >= firstVersionWithQuotaErrors;
    const problemOf = (partitionCount: number): ChangeResult | null =>
      charge === null || charge.mutate(partitionCount, isStrict) ? null : quotaExceeded;
    const times = new Map<string, number>();
    for (const { name } of topics) times.set(name, (times.get(name) ?? 0) + 1);
    const partitionCount = topics.reduce((sum, topic) => sum + partitionsOf(topic, broker), 0);
    const tooMany = partitionCount > maxPartitionsPerRequest ? excessive : null;
    const results: Promise<CreateTopicsResponseTopics>[] = [];
    for (const topic of topics) {
      const seen = times.get(topic.name);
      // A name that stands twice is answered once, with an error.
      if (seen === undefined) continue;
      if (seen > 1) times.delete(topic.name);
      const allowed = mayCreateAll || allowsOnTopic(broker.authorizer, context, AclOperation.CREATE, topic.name);
      const refusal = allowed ? (tooMany ?? (seen > 1 ? duplicate : null)) : forbiddenTopic;
      const mayDescribe = allowsOnTopic(broker.authorizer, context, AclOperation.DESCRIBE_CONFIGS, topic.name);
      results.push(create(topic, refusal, { validateOnly, mayDescribe }, problemOf, broker));
    }
    return { ...defaultCreateTopicsResponse(), topics: await Promise.all(results) };
  },
};

const duplicate: ChangeResult = { errorCode: ErrorCode.INVALID_REQUEST, message: 'Duplicate topic name.' };

const excessive: ChangeResult = {
  errorCode: ErrorCode.POLICY_VIOLATION,
  message: 'Excessively large number of partitions per request.',
};

function partitionsOf({ numPartitions, assignments }: CreateTopicsRequestTopics, { config }: Broker): number {
  if (assignments.length > 0) return assignments.length;
  return numPartitions === -1 ? config.number('num.partitions') : Math.max(numPartitions, 0);
}

async function create(
  topic: CreateTopicsRequestTopics,
  refusal: ChangeResult | null,
  { validateOnly, mayDescribe }: { readonly validateOnly: boolean; readonly mayDescribe: boolean },
  problemOf: (partitionCount: number) => ChangeResult | null,
  broker: Broker,
): Promise<CreateTopicsResponseTopics> {
  const spec = refusal ?? specOf(topic, broker.nodeId);
  const result: CreatedTopic =
    'errorCode' in spec ? { ...spec, topic: null } : await broker.topics.create(spec, validateOnly, problemOf);
  const { name } = topic;
  const { topic: created, errorCode } = result;
  const base = { name, errorCode, errorMessage: messageOf(result), topicConfigErrorCode: ErrorCode.NONE };
  const undescribed = { ...base, numPartitions: -1, replicationFactor: -1, configs: [] };
  if (created === null) return { ...undescribed, topicId: zeroUuid };
  const topicConfigErrorCode = ErrorCode.TOPIC_AUTHORIZATION_FAILED;
  if (!mayDescribe) return { ...undescribed, topicId: created.id, topicConfigErrorCode };
  return {
    ...base,
    topicId: created.id,
    numPartitions: created.partitionCount,
    replicationFactor: 1,
    configs: topicConfigEntries(created.configs, broker.config).map((entry) => ({
      name: entry.name,
      value: entry.value,
      readOnly: false,
      configSource: entry.source,
      isSensitive: false,
    })),
  };
}

function specOf(topic: CreateTopicsRequestTopics, nodeId: number): TopicSpec | ChangeResult {
  const { name, numPartitions, replicationFactor, assignments } = topic;
  const configs = topic.configs.map(({ name: config, value }) => [config, value] as const);
  if (assignments.length === 0) return { name, partitionCount: numPartitions, replicationFactor, configs };
  if (replicationFactor !== -1) {
    return invalid('A manual partition assignment was specified, but replication factor was not set to -1.');
  }
  if (numPartitions !== -1) {
    return invalid('A manual partition assignment was specified, but numPartitions was not set to -1.');
  }
  const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex));
  const consecutive = indexes.size === assignments.length && assignments.every((_, i) => indexes.has(i));
  if (!consecutive) return invalidAssignment('partitions should be a consecutive 0-based integer sequence.');
  for (const { brokerIds } of assignments) {
    const problem = problemOfReplicas(brokerIds, nodeId);
    if (problem !== null) return invalidAssignment(`The manual partition assignment includes ${problem}.`);
  }
  return { name, partitionCount: assignments.length, replicationFactor: 1, configs };
}

/** What the replicas of one partition have that they may not have, as the end of a sentence, or null. */
function problemOfReplicas(brokerIds: readonly number[], nodeId: number): string | null {
  if (brokerIds.length === 0) return 'an empty replica list';
  const other = brokerIds.find((id) => id !== nodeId);
  if (other !== undefined) return `broker ${other}, but no such broker is registered`;
  return brokerIds.length > 1 ? `the broker ${nodeId} more than once` : null;
}

function invalid(message: string): ChangeResult {
  return { errorCode: ErrorCode.INVALID_REQUEST, message };
}

function invalidAssignment(message: string): ChangeResult {
  return { errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT, message };
}
