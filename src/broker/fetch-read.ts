/**
 * From the partitions that a fetch asks for to what their logs hold, in two steps: `examine` says without reading what
 * is wrong, what is where and how many bytes wait; `readPartitions` reads within the fetch's bounds. I/O thread.
 *
 *   bounds  partition's max bytes ≤ fetch's max bytes; only the first batch of all may be larger than both
 *
 * One partition's error is its own. It does not wait (fetch-wait.ts) nor know sessions (fetch-session.ts).
 */

import { EnvironmentError } from '../base/environment-error.ts';
import { ErrorCode } from '../base/error-code.ts';
import { asOffset, noOffset } from '../base/numbers.ts';
import { zeroUuid } from '../base/uuid.ts';
import {
  defaultFetchResponseResponsesPartitions,
  type FetchResponseResponsesPartitions,
} from '../protocol/generated/index.ts';
import type { EpochEnd, IsolationLevel, PartitionLog, ReadResult } from '../storage/partition-log.ts';
import type { Broker } from './broker.ts';
import { AclOperation, allowsOnCluster, allowsOnTopic } from './authorizer.ts';
import type { PartitionAnswer } from './fetch-context.ts';
import type { FetchPartition } from './fetch-session.ts';
import { checkLeaderEpoch } from './leader-check.ts';
import type { TopicImage } from './metadata-image.ts';
import type { RequestContext } from './request-context.ts';

const firstVersionWithStorageError = 6;
const firstVersionWithZstd = 10;
/** From here on an error that asks for another leader says who that is (KIP-951). */
export const firstVersionWithLeader = 16;
/** The records of an answer that has none. */
export const noRecords = new Uint8Array(0);

/** What is the same for all partitions of one fetch. */
export interface FetchScope {
  readonly broker: Broker;
  readonly context: RequestContext;
  readonly apiVersion: number;
  readonly isolation: IsolationLevel;
  /** -1: a consumer. */
  readonly replicaId: number;
}

/** Where a partition is. */
export interface PartitionSource {
  readonly topic: TopicImage;
  readonly log: PartitionLog;
}

export interface ExaminedPartition extends PartitionAnswer {
  /** Null where there is nothing to read, now or later. */
  readonly source: PartitionSource | null;
  /** Bytes between the fetch offset and the high watermark, roughly. */
  readonly availableBytes: number;
  /** Whether the client is to hear of it at once; it is not where a topic is unknown, as in Kafka. */
  readonly urgent: boolean;
}

/** Says what a read of `partition` would meet. Its answer is complete but for the records. */
export function examine(partition: FetchPartition, scope: FetchScope): ExaminedPartition {
  const data = defaultFetchResponseResponsesPartitions();
  data.partitionIndex = partition.index;
  data.records = noRecords;
  const found = locate(partition, scope);
  if (typeof found === 'number') {
    const urgent = found === ErrorCode.INCONSISTENT_TOPIC_ID;
    refuse(data, found, scope);
    // Kafka answers so where it did not get as far as a log.
    if (!urgent) data.abortedTransactions = [];
    return { partition, data, source: null, availableBytes: 0, urgent };
  }
  const { log } = found;
  const errorCode = problemOf(partition, log, scope);
  if (errorCode !== ErrorCode.NONE) {
    refuse(data, errorCode, scope);
    return { partition, data, source: null, availableBytes: 0, urgent: true };
  }
  data.highWatermark = log.highWatermark;
  data.lastStableOffset = log.lastStableOffset;
  data.logStartOffset = log.logStartOffset;
  data.abortedTransactions = scope.isolation === 'read_committed' ? [] : null;
  const diverging = divergingEpoch(partition, log);
  if (diverging !== null) {
    data.divergingEpoch = { epoch: diverging.leaderEpoch, endOffset: diverging.endOffset };
    return { partition, data, source: null, availableBytes: 0, urgent: true };
  }
  const availableBytes = log.availableBytes(asOffset(partition.fetchOffset), scope.isolation);
  return { partition, data, source: found, availableBytes, urgent: false };
}

/** How much of `availableBytes` counts towards the fetch's min bytes. */
export function countedBytes({ maxBytes }: FetchPartition, availableBytes: number): number {
  // A first batch is returned whatever the bound.
  return Math.min(availableBytes, Math.max(maxBytes, 1));
}

/**
 * Reads what is there into the answers, at most `maxBytes` together, in order. The reads that gave records are returned:
 * their buffers are to be released.
 */
export async function readPartitions(
  examined: readonly ExaminedPartition[],
  maxBytes: number,
  scope: FetchScope,
): Promise<ReadResult[]> {
  const reads: ReadResult[] = [];
  const pending: Promise<number>[] = [];
  let leftBytes = maxBytes;
  for (const one of examined) {
    if (one.source === null || one.availableBytes === 0) continue;
    const isFirst = reads.length === 0 && pending.length === 0;
    if (!isFirst && leftBytes <= 0) break;
    const boundBytes = Math.min(one.partition.maxBytes, leftBytes);
    const reading = readInto(one, one.source.log, boundBytes, isFirst, scope, reads);
    if (typeof reading === 'number') leftBytes -= reading;
    // Until one has records the others wait: any of them may be the first.
    else if (isFirst) leftBytes -= await reading;
    else {
      leftBytes -= Math.min(boundBytes, one.availableBytes);
      pending.push(reading);
    }
  }
  await Promise.all(pending);
  return reads;
}

/** Reads one partition; gives the bytes of its records. An error becomes its answer. */
function readInto(
  one: ExaminedPartition,
  log: PartitionLog,
  maxBytes: number,
  minOneBatch: boolean,
  scope: FetchScope,
  reads: ReadResult[],
): number | Promise<number> {
  const failed = (error: unknown): number => {
    const { topic, partition } = log;
    scope.broker.logger.error(
      { topic, partition, offset: one.partition.fetchOffset, error },
      'A fetch could not read.',
    );
    const isEnvironment = error instanceof EnvironmentError;
    refuse(one.data, isEnvironment ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.UNKNOWN_SERVER_ERROR, scope);
    return 0;
  };
  const took = (result: ReadResult): number => take(one, result, scope, reads);
  try {
    const offset = asOffset(one.partition.fetchOffset);
    const outcome = log.read({ offset, maxBytes, minOneBatch, isolation: scope.isolation });
    return outcome instanceof Promise ? outcome.then(took).catch(failed) : took(outcome);
  } catch (error) {
    return failed(error);
  }
}

function take(one: ExaminedPartition, result: ReadResult, scope: FetchScope, reads: ReadResult[]): number {
  const { data } = one;
  const { records } = result;
  if (result.errorCode !== ErrorCode.NONE || records.length === 0) result.release();
  if (result.errorCode !== ErrorCode.NONE) {
    refuse(data, result.errorCode, scope);
    return 0;
  }
  data.highWatermark = result.highWatermark;
  data.lastStableOffset = result.lastStableOffset;
  data.logStartOffset = result.logStartOffset;
  if (records.length === 0) return 0;
  reads.push(result);
  data.records = records;
  data.abortedTransactions =
    result.abortedTransactions?.map(({ producerId, firstOffset }) => ({ producerId, firstOffset })) ??
    data.abortedTransactions;
  return records.length;
}

/** Where a partition's log is, or the error that says why there is none. */
function locate(partition: FetchPartition, scope: FetchScope): PartitionSource | ErrorCode {
  const { broker, apiVersion } = scope;
  const { topics } = broker;
  // A session keeps the name that its id once had: so its client hears of a topic that was deleted or made again.
  partition.topicName ??= topics.topicById(partition.topicId)?.name ?? null;
  if (partition.topicName === null) return ErrorCode.UNKNOWN_TOPIC_ID;
  if (!mayRead(partition.topicName, scope)) return ErrorCode.TOPIC_AUTHORIZATION_FAILED;
  const topic = topics.topic(partition.topicName);
  const found = broker.findPartition(topic, partition.index);
  if (found === null) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  if (partition.topicId !== zeroUuid && partition.topicId !== found.topic.id) return ErrorCode.INCONSISTENT_TOPIC_ID;
  if (apiVersion < firstVersionWithZstd && found.topic.configs.get('compression.type') === 'zstd') {
    return ErrorCode.UNSUPPORTED_COMPRESSION_TYPE;
  }
  return found;
}

/** A replica needs no leave for single topics, but that of brokers. */
function mayRead(topic: string, { broker: { authorizer }, context, replicaId }: FetchScope): boolean {
  if (replicaId >= 0) return allowsOnCluster(authorizer, context, AclOperation.CLUSTER_ACTION);
  return allowsOnTopic(authorizer, context, AclOperation.READ, topic);
}

/** What keeps the partition from being read, in the order in which Kafka looks for it. */
function problemOf(partition: FetchPartition, log: PartitionLog, { broker, replicaId }: FetchScope): ErrorCode {
  const { fetchOffset, lastFetchedEpoch, currentLeaderEpoch } = partition;
  const epochError = checkLeaderEpoch(currentLeaderEpoch, broker.leaderEpoch);
  if (epochError !== ErrorCode.NONE) return epochError;
  if (replicaId >= 0) {
    // There are no followers; Kafka has those whom it does not know as such try again.
    return currentLeaderEpoch >= 0 ? ErrorCode.UNKNOWN_LEADER_EPOCH : ErrorCode.NOT_LEADER_OR_FOLLOWER;
  }
  if (lastFetchedEpoch >= 0) {
    const { leaderEpoch, endOffset } = log.endOffsetForEpoch(lastFetchedEpoch);
    if (leaderEpoch < 0 || endOffset < 0) return ErrorCode.OFFSET_OUT_OF_RANGE;
  }
  const beyond = fetchOffset > log.endOffset && divergingEpoch(partition, log) === null;
  return fetchOffset < log.logStartOffset || beyond ? ErrorCode.OFFSET_OUT_OF_RANGE : ErrorCode.NONE;
}

/** Where the client's log and this one part (KIP-595), or null where they do not. */
function divergingEpoch({ fetchOffset, lastFetchedEpoch }: FetchPartition, log: PartitionLog): EpochEnd | null {
  if (lastFetchedEpoch < 0) return null;
  const end = log.endOffsetForEpoch(lastFetchedEpoch);
  return end.leaderEpoch < lastFetchedEpoch || end.endOffset < fetchOffset ? end : null;
}

function refuse(data: FetchResponseResponsesPartitions, errorCode: ErrorCode, scope: FetchScope): void {
  const { apiVersion, broker } = scope;
  const isStorageError = errorCode === ErrorCode.KAFKA_STORAGE_ERROR;
  // Clients of that age do not know the storage error, and would not try again.
  const isTooOld = isStorageError && apiVersion < firstVersionWithStorageError;
  data.errorCode = isTooOld ? ErrorCode.NOT_LEADER_OR_FOLLOWER : errorCode;
  data.highWatermark = noOffset;
  data.lastStableOffset = noOffset;
  data.logStartOffset = noOffset;
  data.abortedTransactions = null;
  if (apiVersion < firstVersionWithLeader) return;
  if (errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH) {
    data.currentLeader = { leaderId: broker.nodeId, leaderEpoch: broker.leaderEpoch };
  }
}
