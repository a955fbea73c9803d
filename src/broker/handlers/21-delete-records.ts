/**
 * DeleteRecords: raises the log start offset of partitions, up to the high watermark. I/O thread.
 * It answers once the new starts are durable, whatever time the request gives: on one node nobody is waited for.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { noOffset, type Offset } from '../../base/numbers.ts';
import {
  defaultDeleteRecordsResponse,
  type DeleteRecordsRequest,
  type DeleteRecordsResponse,
  type DeleteRecordsResponseTopicsPartitions,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';
import { isInternalTopic } from '../topic-name.ts';
import { topicLogConfig } from '../topic-config.ts';

export const deleteRecordsHandler: ApiHandler<DeleteRecordsRequest, DeleteRecordsResponse> = {
  apiKey: 21,
  async handle(request, context, broker) {
    const topics = [...offsetsByTopic(request)].map(async ([name, offsets]) => ({
      name,
      partitions: await Promise.all(
        [...offsets].map(([index, offset]) => deleteBefore(name, index, offset, context, broker)),
      ),
    }));
    return { ...defaultDeleteRecordsResponse(), topics: await Promise.all(topics) };
  },
};

/** A partition that stands twice is answered once, for the last offset that was named. */
function offsetsByTopic({ topics }: DeleteRecordsRequest): Map<string, Map<number, Offset>> {
  const byTopic = new Map<string, Map<number, Offset>>();
  for (const { name, partitions } of topics) {
    const offsets = byTopic.get(name) ?? new Map<number, Offset>();
    byTopic.set(name, offsets);
    for (const { partitionIndex, offset } of partitions) offsets.set(partitionIndex, offset as Offset);
  }
  return byTopic;
}

async function deleteBefore(
  name: string,
  partitionIndex: number,
  offset: Offset,
  context: RequestContext,
  broker: Broker,
): Promise<DeleteRecordsResponseTopicsPartitions> {
  const refuse = (errorCode: ErrorCode) => ({ partitionIndex, lowWatermark: noOffset, errorCode });
  if (!allowsOnTopic(broker.authorizer, context, AclOperation.DELETE, name)) {
    return refuse(ErrorCode.TOPIC_AUTHORIZATION_FAILED);
  }
  if (isInternalTopic(name)) return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION);
  const found = broker.findPartition(broker.topics.topic(name), partitionIndex);
  if (found === null) return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  const { compactPolicy, deletePolicy } = topicLogConfig(found.topic.configs, broker.config.setValue);
  // A topic that is only compacted promises the last record of each key for ever.
  if (compactPolicy && !deletePolicy) return refuse(ErrorCode.POLICY_VIOLATION);
  // -1 stands for the high watermark.
  if (offset < noOffset || offset > found.log.highWatermark) return refuse(ErrorCode.OFFSET_OUT_OF_RANGE);
  const { errorCode, lowWatermark } = await found.log.deleteRecordsBefore(offset);
  return { partitionIndex, lowWatermark, errorCode };
}
