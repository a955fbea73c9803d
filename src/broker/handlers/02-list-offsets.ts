/**
 * ListOffsets: offsets by name (earliest, latest, …) or by time. I/O thread.
 *
 *   -1 latest   -2 earliest   -3 of the largest timestamp   -4 earliest local   -5 latest tiered   -6 next to be tiered
 *
 * Nothing is tiered, so the local log is all there is. Logs are searched by time one after the other: each search holds
 * a buffer, and a request may name any number of partitions.
 */

import { EnvironmentError } from '../../base/environment-error.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { noOffset, noTimestamp } from '../../base/numbers.ts';
import {
  defaultListOffsetsResponse,
  type ListOffsetsRequest,
  type ListOffsetsRequestTopicsPartitions,
  type ListOffsetsResponse,
  type ListOffsetsResponseTopicsPartitions,
} from '../../protocol/generated/index.ts';
import type { PartitionLog } from '../../storage/partition-log.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { checkLeaderEpoch } from '../leader-check.ts';
import type { ApiHandler } from '../request-context.ts';

const Asked = { LATEST: -1, EARLIEST: -2, MAX_TIMESTAMP: -3, EARLIEST_LOCAL: -4, LATEST_TIERED: -5, NEXT_TIERED: -6 };

/** The first version of the request in which each name means something. */
const firstVersions: ReadonlyMap<number, number> = new Map([
  [Asked.LATEST, 1],
  [Asked.EARLIEST, 1],
  [Asked.MAX_TIMESTAMP, 7],
  [Asked.EARLIEST_LOCAL, 8],
  [Asked.LATEST_TIERED, 9],
  [Asked.NEXT_TIERED, 11],
]);

interface Found {
  readonly timestamp: number;
  readonly offset: number;
  readonly leaderEpoch: number;
}

const nothing: Found = { timestamp: noTimestamp, offset: noOffset, leaderEpoch: -1 };

export const listOffsetsHandler: ApiHandler<ListOffsetsRequest, ListOffsetsResponse> = {
  apiKey: 2,
  async handle(request, context, broker) {
    const { apiVersion, connection } = context;
    const isKnownLevel = request.isolationLevel === 0 || request.isolationLevel === 1;
    const readCommitted = request.isolationLevel === 1;
    const response = defaultListOffsetsResponse();
    for (const [name, byIndex] of partitionsByTopic(request)) {
      const mayDescribe = allowsOnTopic(broker.authorizer, context, AclOperation.DESCRIBE, name);
      const partitions: ListOffsetsResponseTopicsPartitions[] = [];
      for (const [partitionIndex, partition] of byIndex) {
        // Nobody is there any more to look for.
        if (!connection.open) return response;
        if (!mayDescribe) {
          partitions.push({ partitionIndex, errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED, ...nothing });
          continue;
        }
        partitions.push(
          isKnownLevel && partition !== null
            ? await lookUp(name, partition, apiVersion, readCommitted, broker)
            : { partitionIndex, errorCode: ErrorCode.INVALID_REQUEST, ...nothing },
        );
      }
      response.topics.push({ name, partitions });
    }
    return response;
  },
};

/** What is asked of each partition. One that stands twice, wherever, is answered once, with an error: null. */
function partitionsByTopic({
  topics,
}: ListOffsetsRequest): Map<string, Map<number, ListOffsetsRequestTopicsPartitions | null>> {
  const byTopic = new Map<string, Map<number, ListOffsetsRequestTopicsPartitions | null>>();
  for (const { name, partitions } of topics) {
    const byIndex = byTopic.get(name) ?? new Map<number, ListOffsetsRequestTopicsPartitions | null>();
    byTopic.set(name, byIndex);
    for (const partition of partitions) {
      const { partitionIndex } = partition;
      byIndex.set(partitionIndex, byIndex.has(partitionIndex) ? null : partition);
    }
  }
  return byTopic;
}

async function lookUp(
  name: string,
  { partitionIndex, currentLeaderEpoch, timestamp }: ListOffsetsRequestTopicsPartitions,
  apiVersion: number,
  readCommitted: boolean,
  broker: Broker,
): Promise<ListOffsetsResponseTopicsPartitions> {
  const answer = (errorCode: ErrorCode, found: Found = nothing): ListOffsetsResponseTopicsPartitions => ({
    partitionIndex,
    errorCode,
    ...found,
  });
  const found = broker.findPartition(broker.topics.topic(name), partitionIndex);
  if (found === null) return answer(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  const epochError = checkLeaderEpoch(currentLeaderEpoch, broker.leaderEpoch);
  if (epochError !== ErrorCode.NONE) return answer(epochError);
  const firstVersion = timestamp >= 0 ? 1 : firstVersions.get(timestamp);
  if (firstVersion === undefined || apiVersion < firstVersion) return answer(ErrorCode.UNSUPPORTED_VERSION);
  try {
    return answer(ErrorCode.NONE, await offsetFor(timestamp, found.log, readCommitted, broker.leaderEpoch));
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    broker.logger.error(
      { topic: name, partition: partitionIndex, error },
      'An offset could not be looked for by time.',
    );
    return answer(ErrorCode.KAFKA_STORAGE_ERROR);
  }
}

async function offsetFor(
  timestamp: number,
  log: PartitionLog,
  readCommitted: boolean,
  leaderEpoch: number,
): Promise<Found> {
  switch (timestamp) {
    case Asked.LATEST: {
      const offset = readCommitted ? log.lastStableOffset : log.highWatermark;
      return { timestamp: noTimestamp, offset, leaderEpoch };
    }
    case Asked.EARLIEST:
    case Asked.EARLIEST_LOCAL: {
      const offset = log.logStartOffset;
      // In an empty log the next record will be of this run.
      return {
        timestamp: noTimestamp,
        offset,
        leaderEpoch: offset < log.endOffset ? log.epochAt(offset) : leaderEpoch,
      };
    }
    case Asked.LATEST_TIERED:
    case Asked.NEXT_TIERED:
      return nothing;
    default: {
      const end = readCommitted ? log.lastStableOffset : log.highWatermark;
      const found =
        timestamp === Asked.MAX_TIMESTAMP ? await log.offsetOfMaxTimestamp() : await log.offsetForTimestamp(timestamp);
      // What a consumer could not fetch is not there for it.
      if (found === null || found.offset >= end) return nothing;
      return { timestamp: found.timestampMs, offset: found.offset, leaderEpoch: found.leaderEpoch };
    }
  }
}
