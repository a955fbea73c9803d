/**
 * TxnOffsetCommit: offsets of a group that become valid with a producer's transaction. I/O thread.
 *
 *   versions 0-4   the group was added by AddOffsetsToTxn   …   5-6   this adds it (KIP-890)
 *
 * From version 3 on (KIP-447) a member's commits are fenced by its generation, as those without transactions are.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultTxnOffsetCommitResponse,
  type TxnOffsetCommitRequest,
  type TxnOffsetCommitRequestTopics,
  type TxnOffsetCommitResponse,
  type TxnOffsetCommitResponseTopicsPartitions,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import type { OffsetToCommit } from '../groups/offset-commits.ts';
import type { TopicImage } from '../metadata-image.ts';
import type { ApiHandler } from '../request-context.ts';
import { admissionErrorFor } from '../transactions/transaction-error.ts';
import { offsetsPartition } from '../transactions/transaction-partitions.ts';

const firstVersionThatKnowsAbortable = 4;
const firstVersionOfV2 = 5;
const firstVersionWithIds = 6;

export const txnOffsetCommitHandler: ApiHandler<TxnOffsetCommitRequest, TxnOffsetCommitResponse> = {
  apiKey: 28,
  async handle(request, { apiVersion }, broker) {
    const response = defaultTxnOffsetCommitResponse();
    const offsets: OffsetToCommit[] = [];
    const waiting: TxnOffsetCommitResponseTopicsPartitions[] = [];
    for (const requested of request.topics) {
      const topic = find(requested, apiVersion, broker);
      const partitions = requested.partitions.map((partition) => {
        const { partitionIndex } = partition;
        const exists = topic !== null && partitionIndex >= 0 && partitionIndex < topic.partitionCount;
        if (!exists) return { partitionIndex, errorCode: problemOf(topic, apiVersion) };
        offsets.push({
          topicId: topic.id,
          partition: partitionIndex,
          offset: partition.committedOffset,
          leaderEpoch: partition.committedLeaderEpoch,
          metadata: partition.committedMetadata ?? '',
        });
        const answer = { partitionIndex, errorCode: ErrorCode.NONE };
        waiting.push(answer);
        return answer;
      });
      response.topics.push({ topicId: requested.topicId, name: requested.name, partitions });
    }
    // Where nothing is left to commit, nobody asks whether the transaction would have taken it.
    if (offsets.length === 0) return response;
    const errorCodes = await commit(request, apiVersion, offsets, broker);
    for (const [i, answer] of waiting.entries()) answer.errorCode = errorCodes[i]!;
    return response;
  },
};

async function commit(
  request: TxnOffsetCommitRequest,
  apiVersion: number,
  offsets: readonly OffsetToCommit[],
  broker: Broker,
): Promise<readonly ErrorCode[]> {
  const { groups, transactions, config } = broker;
  const { transactionalId, producerId, producerEpoch, groupId } = request;
  if (!groups.isActive) return offsets.map(() => ErrorCode.COORDINATOR_NOT_AVAILABLE);
  if (groupId === '') return offsets.map(() => ErrorCode.INVALID_GROUP_ID);
  const partitions = [offsetsPartition(groupId, config.number('offsets.topic.num.partitions'))];
  const version = apiVersion >= firstVersionOfV2 ? 2 : 0;
  const admission = { transactionalId, producerId, producerEpoch, partitions, version } as const;
  const committer = {
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    generation: request.generationIdOrMemberEpoch,
    knowsMissingGroups: apiVersion >= firstVersionWithIds,
    retentionMs: -1,
    producerId,
  };
  /** The commit is on its way before anything else can end the transaction. A defect in it is this request's alone. */
  const commitAdmitted = async (admitted: ErrorCode): Promise<readonly ErrorCode[]> => {
    const errorCode = admissionErrorFor(admitted, apiVersion >= firstVersionThatKnowsAbortable);
    return errorCode === ErrorCode.NONE
      ? groups.commits.commit(groupId, committer, offsets)
      : offsets.map(() => errorCode);
  };
  return new Promise((resolve) => {
    transactions.admission.admit(admission, ([admitted = ErrorCode.UNKNOWN_SERVER_ERROR]) => {
      resolve(commitAdmitted(admitted));
    });
  });
}

function find(
  { topicId, name }: TxnOffsetCommitRequestTopics,
  apiVersion: number,
  { topics }: Broker,
): TopicImage | null {
  return apiVersion >= firstVersionWithIds ? topics.topicById(topicId) : topics.topic(name);
}

function problemOf(topic: TopicImage | null, apiVersion: number): ErrorCode {
  const isUnknownId = topic === null && apiVersion >= firstVersionWithIds;
  return isUnknownId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
}
