/**
 * OffsetDelete: takes offsets of topics away that the group does not subscribe to (KIP-496); answered once that is
 * durable. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultOffsetDeleteResponse,
  type OffsetDeleteRequest,
  type OffsetDeleteResponse,
  type OffsetDeleteResponseTopicsPartitions,
} from '../../protocol/generated/index.ts';
import { problemOfRequest } from '../groups/coordinator-error.ts';
import type { OffsetToDelete } from '../groups/offset-commits.ts';
import type { ApiHandler } from '../request-context.ts';

export const offsetDeleteHandler: ApiHandler<OffsetDeleteRequest, OffsetDeleteResponse> = {
  apiKey: 47,
  async handle(request, _context, { groups, topics }) {
    const problem = problemOfRequest(request.groupId, groups.isActive);
    if (problem !== ErrorCode.NONE) return { ...defaultOffsetDeleteResponse(), errorCode: problem };
    const offsets: OffsetToDelete[] = [];
    const waiting: OffsetDeleteResponseTopicsPartitions[] = [];
    const responses = request.topics.map(({ name, partitions }) => {
      const topic = topics.topic(name);
      const answers = partitions.map(({ partitionIndex }) => {
        const exists = topic !== null && partitionIndex >= 0 && partitionIndex < topic.partitionCount;
        if (!exists) return { partitionIndex, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
        const answer = { partitionIndex, errorCode: ErrorCode.NONE };
        offsets.push({ topic: name, topicId: topic.id, partition: partitionIndex });
        waiting.push(answer);
        return answer;
      });
      return { name, partitions: answers };
    });
    const outcome = await groups.commits.delete(request.groupId, offsets);
    if (typeof outcome === 'number') return { ...defaultOffsetDeleteResponse(), errorCode: outcome };
    for (const [i, answer] of waiting.entries()) answer.errorCode = outcome[i]!;
    return { ...defaultOffsetDeleteResponse(), topics: responses };
  },
};
