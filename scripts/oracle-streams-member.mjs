/** A member of a streams group (KIP-1071) as the oracle's scenarios drive it, its topology, and its group as it is described. */

import { GroupMember } from './oracle-group-member.mjs';
import { Operation, Resource, settled } from './oracle-requests.mjs';

export const nothing = { activeTasks: [], standbyTasks: [], warmupTasks: [] };

export const subtopology = (subtopologyId, sourceTopics, more = {}) => ({
  subtopologyId,
  sourceTopics,
  sourceTopicRegex: [],
  stateChangelogTopics: [],
  repartitionSinkTopics: [],
  repartitionSourceTopics: [],
  copartitionGroups: [],
  ...more,
});

export const internalTopic = (name, partitions = 0, configs = {}) => ({
  name,
  partitions,
  replicationFactor: 0,
  topicConfigs: Object.entries(configs).map(([key, value]) => ({ key, value })),
});

/** Words are counted: lines are read, and words by a key of their own over a repartition topic. */
export function wordCount(lines, prefix, epoch = 0) {
  const repartition = `${prefix}-words-repartition`;
  return {
    epoch,
    subtopologies: [
      subtopology('0', [lines], { repartitionSinkTopics: [repartition] }),
      subtopology('1', [], {
        repartitionSourceTopics: [
          internalTopic(repartition, 0, { 'cleanup.policy': 'delete', 'segment.bytes': '52428800' }),
        ],
        stateChangelogTopics: [internalTopic(`${prefix}-counts-changelog`, 0, { 'cleanup.policy': 'compact' })],
      }),
    ],
  };
}

export class StreamsMember extends GroupMember {
  key = 88;
  part = inOrder;
  absent = { activeTasks: null, standbyTasks: null, warmupTasks: null };
  /** Its tasks. */
  owned = nothing;

  get joining() {
    return { rebalanceTimeoutMs: 45_000, processId: `p-${this.memberId}`, ...nothing, clientTags: [] };
  }

  take({ activeTasks, standbyTasks, warmupTasks }) {
    if (activeTasks !== null) this.owned = { activeTasks, standbyTasks, warmupTasks };
  }
}

/** Kafka tells tasks, topics and tags in the order of a hash table. */
export function inOrder(value) {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([key, item]) => {
    if (key === 'statusDetail') return [key, listedInOrder(item)];
    const isList = Array.isArray(item) && typeof item[0] === 'object';
    return [key, isList ? item.map(inOrder).toSorted(byText) : inOrder(item)];
  });
  return Object.fromEntries(fields);
}

const byText = (a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

function listedInOrder(text) {
  const start = 'Internal topics are missing: ';
  return text.startsWith(start) ? start + text.slice(start.length).split(', ').toSorted().join(', ') : text;
}

export const describe = (target, label, groupId, version = 1, more = {}) => {
  const fields = { groupIds: [groupId], includeAuthorizedOperations: true, ...more };
  return target.ask(`describe, ${label}`, 89, version, fields, inOrder);
};

/** Sets what counts for the group alone. */
export async function configure(target, label, groupId, settings) {
  const configs = Object.entries(settings).map(([name, value]) => ({ name, value, configOperation: Operation.SET }));
  const resources = [{ resourceType: Resource.GROUP, resourceName: groupId, configs }];
  await target.ask(`${label}, settings`, 44, 1, { resources, validateOnly: false });
  await settled();
}
