/**
 * Which partitions each member of a streams group can be asked for, for those that have an endpoint (interactive queries
 * across instances). Any thread.
 */

import type { TopicView } from '../consumer/topic-view.ts';
import type { StreamsGroup } from './streams-group.ts';
import type { Endpoint, StreamsMember } from './streams-member.ts';
import type { EpochedTaskSet } from './tasks.ts';

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: number[];
}

export interface EndpointPartitions {
  readonly userEndpoint: Endpoint;
  readonly activePartitions: TopicPartitions[];
  readonly standbyPartitions: TopicPartitions[];
}

/** From so many partitions on an answer takes no further member. */
const maxPartitions = 500_000;

/** The members that have an endpoint, `member` last. */
export function partitionsByEndpoint(
  group: StreamsGroup,
  member: StreamsMember,
  topics: TopicView,
): EndpointPartitions[] {
  const found: EndpointPartitions[] = [];
  let left = maxPartitions;
  const others = [...group.members.values()].filter(({ id }) => id !== member.id);
  for (const { endpoint, assigned } of [...others, member]) {
    if (endpoint === null || left <= 0) continue;
    const activePartitions = partitionsOf(group, assigned.active, topics);
    const replicas = [assigned.standby, assigned.warmup];
    const standbyPartitions = replicas.flatMap((tasks) => partitionsOf(group, tasks, topics));
    for (const { partitions } of [...activePartitions, ...standbyPartitions]) left -= partitions.length;
    found.push({ userEndpoint: endpoint, activePartitions, standbyPartitions });
  }
  return found;
}

/** The partitions of all that the tasks' subtopologies read. */
function partitionsOf(group: StreamsGroup, tasks: EpochedTaskSet, topics: TopicView): TopicPartitions[] {
  const found: TopicPartitions[] = [];
  for (const [id, partitions] of tasks) {
    const subtopology = group.configured?.subtopologies?.get(id);
    if (subtopology === undefined) continue;
    const sources = [...subtopology.sourceTopics, ...subtopology.repartitionSourceTopics.map(({ name }) => name)];
    for (const topic of new Set(sources)) {
      const partitionCount = topics.partitionCountOf(topic) ?? 0;
      const within = [...partitions.keys()].filter((partition) => partition < partitionCount);
      if (within.length > 0) found.push({ topic, partitions: within.toSorted((a, b) => a - b) });
    }
  }
  return found;
}
