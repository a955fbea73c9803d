/**
 * OffsetCommit: a group, or somebody who only stores offsets, commits; answered once it is durable. I/O thread.
 * Partitions that do not exist have errors of their own, and the others are committed together.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultOffsetCommitResponse,
  type OffsetCommitRequest,
  type OffsetCommitRequestTopics,
  type OffsetCommitResponse,
  type OffsetCommitResponseTopicsPartitions,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import type { OffsetToCommit } from '../groups/offset-commits.ts';
import type { TopicImage } from '../metadata-image.ts';
import type { ApiHandler } from '../request-context.ts';

const firstVersionThatKnowsMissingGroups = 9;
const firstVersionWithIds = 10;

export const offsetCommitHandler: ApiHandler<OffsetCommitRequest, OffsetCommitResponse> = {
  apiKey: 8,
  handle(request, { apiVersion }, broker) {
    const response = defaultOffsetCommitResponse();
    const offsets: OffsetToCommit[] = [];
    const waiting: OffsetCommitResponseTopicsPartitions[] = [];
    for (const requested of request.topics) {
      const topic = find(requested, apiVersion, broker);
      const partitions = requested.partitions.map((partition) => {
        const { partitionIndex } = partition;
        const answer = { partitionIndex, errorCode: problemOf(topic, partitionIndex, apiVersion) };
        if (topic === null || answer.errorCode !== ErrorCode.NONE) return answer;
        offsets.push({
          topicId: topic.id,
          partition: partitionIndex,
          offset: partition.committedOffset,
          leaderEpoch: partition.committedLeaderEpoch,
          metadata: partition.committedMetadata ?? '',
        });
        waiting.push(answer);
        return answer;
      });
      response.topics.push({ topicId: requested.topicId, name: requested.name, partitions });
    }
    // Where nothing is left to commit, nobody asks whether the group would have taken it.
    if (offsets.length === 0) return response;
    return commit(request, apiVersion, offsets, broker).then((errorCodes) => {
      for (const [i, answer] of waiting.entries()) answer.errorCode = errorCodes[i]!;
      return response;
    });
  },
};

function commit(
  request: OffsetCommitRequest,
  apiVersion: number,
  offsets: readonly OffsetToCommit[],
  { groups }: Broker,
): Promise<readonly ErrorCode[]> {
  if (!groups.isActive) return Promise.resolve(offsets.map(() => ErrorCode.COORDINATOR_NOT_AVAILABLE));
  const committer = {
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    generation: request.generationIdOrMemberEpoch,
    knowsMissingGroups: apiVersion >= firstVersionThatKnowsMissingGroups,
    retentionMs: request.retentionTimeMs,
    producerId: null,
  };
  return groups.commits.commit(request.groupId, committer, offsets);
}

function find({ topicId, name }: OffsetCommitRequestTopics, apiVersion: number, { topics }: Broker): TopicImage | null {
  return apiVersion >= firstVersionWithIds ? topics.topicById(topicId) : topics.topic(name);
}

function problemOf(topic: TopicImage | null, partition: number, apiVersion: number): ErrorCode {
  if (topic === null && apiVersion >= firstVersionWithIds) return ErrorCode.UNKNOWN_TOPIC_ID;
  const exists = topic !== null && partition >= 0 && partition < topic.partitionCount;
  return exists ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
}
