/**
 * One group, two protocols: a classic group becomes a consumer group when the first member joins that speaks the consumer
 * protocol, and a classic one again once the last of those is gone (KIP-848). I/O thread; it makes groups and changes
 * none.
 */

import { ErrorCode } from '../../../base/error-code.ts';
import type { Uuid } from '../../../base/uuid.ts';
import type { BrokerConfig } from '../../broker-config.ts';
import type { ClassicGroup, MemberMemory } from '../classic-group.ts';
import {
  encodeAssignment,
  readAssignment,
  readSubscription,
  type Assignment,
  type NamedPartitions,
} from '../consumer-protocol.ts';
import type { GroupMember } from '../group-member.ts';
import { ConsumerGroup } from './consumer-group.ts';
import { newConsumerMember, type ConsumerMember } from './consumer-member.ts';
import { withEpoch, type Partitions, type TopicPartitionsField } from './partitions.ts';
import { groupNotFound, refusal, type Refusal } from './refusal.ts';
import type { TopicView } from './topic-view.ts';

/** Why the classic group stays one, or null. */
export function problemOfUpgrade(group: ClassicGroup, config: BrokerConfig): Refusal | null {
  const refuse = (why: string): Refusal =>
    groupNotFound(`Cannot upgrade classic group ${group.id} to consumer group because ${why}.`);
  if (!allowsUpgrade(config)) return refuse('online upgrade is disabled');
  if (!group.usesConsumerProtocol) return refuse('the group does not use the consumer embedded protocol');
  if (group.members.size > config.number('group.consumer.max.size')) {
    return refuse('the group size exceeds the consumer group maximum size');
  }
  return null;
}

export function allowsUpgrade(config: BrokerConfig): boolean {
  return ['upgrade', 'bidirectional'].includes(migrationPolicy(config));
}

export function allowsDowngrade(config: BrokerConfig): boolean {
  return ['downgrade', 'bidirectional'].includes(migrationPolicy(config));
}

/** Whether members of the other protocol may join at all. */
export function allowsMigration(config: BrokerConfig): boolean {
  return migrationPolicy(config) !== 'disabled';
}

function migrationPolicy(config: BrokerConfig): string {
  return (config.text('group.consumer.migration.policy') ?? '').toLowerCase();
}

/** The group with its members where they are, its generation as its epoch. */
export function upgraded(classic: ClassicGroup, topics: TopicView, memory: MemberMemory): ConsumerGroup | Refusal {
  const group = new ConsumerGroup(classic.id, memory);
  const { generation } = classic;
  const taken = new Set<string>();
  for (const classicMember of classic.members.values()) {
    const member = upgradedMember(classic, classicMember, topics, taken);
    if ('errorCode' in member) {
      group.release();
      return member;
    }
    group.putMember(member);
    group.putTarget(member.id, withoutEpochs(member));
  }
  group.setEpochs({
    epoch: generation,
    assignmentEpoch: generation,
    assignedMs: 0,
    metadataHash: topics.hash(group.subscriptions.topics()),
  });
  return group;
}

function upgradedMember(
  classic: ClassicGroup,
  { id, instanceId, description, assignment }: GroupMember,
  topics: TopicView,
  taken: Set<string>,
): ConsumerMember | Refusal {
  const refuse = (why: string): Refusal =>
    groupNotFound(`Cannot upgrade classic group ${classic.id} to consumer group because ${why}.`);
  const given = readAssignment(assignment);
  const protocolName = classic.protocolName ?? classic.selectProtocol();
  const protocol = description.protocols.find(({ name }) => name === protocolName);
  const subscription = protocol === undefined ? null : readSubscription(protocol.metadata);
  if (given === null || subscription === null) return refuse('the embedded consumer protocol is malformed');
  if (given.hasUserData) return refuse('an unsupported custom assignor is in use');
  const partitions = byTopicId(given, topics);
  for (const [topicId, indexes] of partitions) {
    for (const partition of indexes) {
      const place = `${topicId} ${partition}`;
      if (taken.has(place))
        return refusal(ErrorCode.UNKNOWN_SERVER_ERROR, 'The leader gave a partition to two members.');
      taken.add(place);
    }
  }
  return {
    ...newConsumerMember(id),
    epoch: classic.generation,
    previousEpoch: classic.generation,
    instanceId,
    rackId: subscription.rackId,
    rebalanceTimeoutMs: description.rebalanceTimeoutMs,
    clientId: description.clientId,
    clientHost: description.clientHost,
    subscribedTopics: new Set(subscription.topics),
    assigned: withEpoch(partitions, classic.generation),
    classic: { sessionTimeoutMs: description.sessionTimeoutMs, protocols: description.protocols },
  };
}

function byTopicId({ partitions }: Assignment, topics: TopicView): Partitions {
  const byId = new Map<Uuid, Set<number>>();
  for (const { topic, partitions: indexes } of partitions) {
    const [known] = topics.assignable([topic]);
    if (known === undefined) continue;
    const existing = indexes.filter((index) => index >= 0 && index < known.partitionCount);
    if (existing.length > 0) byId.set(known.topicId, new Set([...(byId.get(known.topicId) ?? []), ...existing]));
  }
  return byId;
}

function withoutEpochs({ assigned }: ConsumerMember): Partitions {
  return new Map([...assigned].map(([topicId, epochs]) => [topicId, new Set(epochs.keys())]));
}

/** Why a consumer group stays one where only members of the classic protocol would be left, or null. */
export function problemOfDowngrade(remaining: number, config: BrokerConfig): string | null {
  if (!allowsDowngrade(config)) return 'online downgrade is disabled';
  const maxSize = config.number('group.max.size');
  return remaining > maxSize ? `it has more than group.max.size=${maxSize} members` : null;
}

/** What a member of the classic protocol is to be told as its assignment. */
export function assignmentFor(member: ConsumerMember, partitions: Partitions, topics: TopicView): Uint8Array {
  const metadata = member.classic?.protocols[0]?.metadata;
  const version = metadata === undefined ? 0 : (readSubscription(metadata)?.version ?? 0);
  const named: NamedPartitions[] = [];
  for (const [topicId, indexes] of partitions) {
    const topic = topics.nameOf(topicId);
    if (topic !== null) named.push({ topic, partitions: [...indexes].toSorted((a, b) => a - b) });
  }
  return encodeAssignment(version, named);
}

/** Partitions that a member names, by the ids of their topics; those of topics that are gone are left out. */
export function ownedById(owned: readonly NamedPartitions[], topics: TopicView): TopicPartitionsField[] {
  const fields: TopicPartitionsField[] = [];
  for (const { topic, partitions } of owned) {
    const topicId = topics.idOf(topic);
    if (topicId !== null) fields.push({ topicId, partitions });
  }
  return fields;
}
