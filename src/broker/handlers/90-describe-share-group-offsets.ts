/**
 * DescribeShareGroupOffsets (KIP-932): where share groups are in their partitions, and how many records lie before them.
 * I/O thread. Of a group, topic or partition that is not there it says, as Kafka does, that nothing was read.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid } from '../../base/uuid.ts';
import {
  defaultDescribeShareGroupOffsetsResponse,
  defaultDescribeShareGroupOffsetsResponseGroups,
  type DescribeShareGroupOffsetsRequest,
  type DescribeShareGroupOffsetsRequestGroups,
  type DescribeShareGroupOffsetsResponse,
  type DescribeShareGroupOffsetsResponseGroups,
  type DescribeShareGroupOffsetsResponseGroupsTopicsPartitions,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import { isRefusal } from '../groups/consumer/refusal.ts';
import { placeNamed } from '../groups/share/share-records.ts';
import type { TopicImage } from '../metadata-image.ts';
import type { ApiHandler } from '../request-context.ts';
import { SharePartition } from '../share/share-partition.ts';
import { endOfKnown } from '../share/share-partitions.ts';
import { hasShareGroups } from '../share/share-version.ts';

/** From so many partitions on a response takes no further group: a request may name one many times. */
const maxPartitions = 500_000;
const nothingRead = { startOffset: -1, leaderEpoch: 0, lag: -1, errorCode: ErrorCode.NONE, errorMessage: null };

export const describeShareGroupOffsetsHandler: ApiHandler<
  DescribeShareGroupOffsetsRequest,
  DescribeShareGroupOffsetsResponse
> = {
  apiKey: 90,
  async handle(request, _context, broker) {
    const groups: DescribeShareGroupOffsetsResponseGroups[] = [];
    let partitionCount = 0;
    for (const asked of request.groups) {
      const response = { ...defaultDescribeShareGroupOffsetsResponseGroups(), groupId: asked.groupId };
      groups.push(response);
      response.errorCode = problemOf(partitionCount, broker);
      if (response.errorCode !== ErrorCode.NONE) continue;
      await broker.groups.shares.settled(asked.groupId);
      response.topics = topicsOf(asked, broker);
      for (const { partitions } of response.topics) partitionCount += 1 + partitions.length;
    }
    return { ...defaultDescribeShareGroupOffsetsResponse(), groups };
  },
};

function problemOf(partitionCount: number, broker: Broker): ErrorCode {
  if (!hasShareGroups(broker)) return ErrorCode.UNSUPPORTED_VERSION;
  if (!broker.groups.isActive) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  return partitionCount > maxPartitions ? ErrorCode.INVALID_REQUEST : ErrorCode.NONE;
}

function topicsOf(
  { groupId, topics: asked }: DescribeShareGroupOffsetsRequestGroups,
  broker: Broker,
): DescribeShareGroupOffsetsResponseGroups['topics'] {
  if (asked !== null) {
    return asked.map(({ topicName, partitions }) => {
      const topic = broker.topics.topic(topicName);
      return {
        topicName,
        topicId: topic?.id ?? zeroUuid,
        partitions: partitions.map((partition) => describe(groupId, topic, partition, broker)),
      };
    });
  }
  const run = broker.groups.shares.find(groupId);
  if (isRefusal(run)) return [];
  const byTopic = new Map<TopicImage, number[]>();
  for (const name of run.group.partitions) {
    const { topicId, partition } = placeNamed(name);
    const topic = broker.topics.topicById(topicId);
    if (topic === null) continue;
    const partitions = byTopic.get(topic);
    if (partitions === undefined) byTopic.set(topic, [partition]);
    else partitions.push(partition);
  }
  return [...byTopic].map(([topic, partitions]) => ({
    topicName: topic.name,
    topicId: topic.id,
    partitions: partitions.toSorted((a, b) => a - b).map((partition) => describe(groupId, topic, partition, broker)),
  }));
}

function describe(
  groupId: string,
  topic: TopicImage | null,
  partitionIndex: number,
  broker: Broker,
): DescribeShareGroupOffsetsResponseGroupsTopicsPartitions {
  const found = broker.findPartition(topic, partitionIndex);
  const nothing = { partitionIndex, ...nothingRead };
  if (topic === null || found === null) return nothing;
  const { sharePartitions } = broker.groups;
  const place = { topicId: topic.id, partition: partitionIndex };
  const stored = sharePartitions.stored(groupId, place);
  if (stored.startOffset < 0) return nothing;
  const running = sharePartitions.find(groupId, place);
  const state = running?.state ?? SharePartition.restore(stored, endOfKnown(stored, found.log));
  const lag = Math.max(0, found.log.highWatermark - state.startOffset - state.doneCount);
  return { ...nothing, startOffset: state.startOffset, leaderEpoch: broker.leaderEpoch, lag };
}
