/** A member of a consumer group (KIP-848) as the oracle's scenarios drive it, and its group as it is described. */

import { GroupMember } from './oracle-group-member.mjs';

export class Member extends GroupMember {
  key = 68;
  part = inOrder;
  absent = { topicPartitions: null, subscribedTopicNames: null };
  joining = { rebalanceTimeoutMs: 45_000, topicPartitions: [] };
  owned = { topicPartitions: [] };

  take({ assignment }) {
    if (assignment !== null) this.owned = { topicPartitions: assignment.topicPartitions };
  }
}

/** Kafka tells topics in the order of a hash table. */
function inOrder(value) {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const keyOf = ({ topicName, partitions }) => `${topicName} ${partitions.join()}`;
  const fields = Object.entries(value).map(([key, item]) => {
    const isTopics = key === 'topicPartitions' && item !== null;
    return [key, isTopics ? item.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)) : inOrder(item)];
  });
  return Object.fromEntries(fields);
}

/** … and members as well. */
export const byMemberId = (answer) => ({
  ...answer,
  groups: answer.groups.map((group) => ({
    ...group,
    members: group.members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1)),
  })),
});

export const describe = (target, label, groupId, version = 1) => {
  const fields = { groupIds: [groupId], includeAuthorizedOperations: true };
  return target.ask(`describe, ${label}`, 69, version, fields, (answer) => inOrder(byMemberId(answer)));
};
