/**
 * The oracle's requests of members of share groups (KIP-932): heartbeats, records given out and acknowledged, sessions, and
 * offsets. Each scenario makes its own topics and groups.
 */

import { coordinated } from './oracle-consumer-group-steps.mjs';
import {
  batchOf,
  create,
  hosted,
  newTopic,
  Operation,
  Resource,
  settled,
  timeoutMs,
  zeroUuid,
} from './oracle-requests.mjs';

const Key = { PRODUCE: 0, LIST: 16, DELETE: 42, CONFIGS: 44, BEAT: 76, DESCRIBE: 77, FETCH: 78, ACKNOWLEDGE: 79 };
const Offsets = { DESCRIBE: 90, ALTER: 91, DELETE: 92 };
const Type = { GAP: 0, ACCEPT: 1, RELEASE: 2, REJECT: 3, RENEW: 4 };
const noTopic = `${'A'.repeat(20)}Zg`;
const idOf = (number) => `3f2504e0-4f89-11d3-9a0c-0305e82c330${number}`;

/** Kafka prepares partitions for a group once a member has joined, and begins another epoch when it has. */
const withoutEpoch = (answer) => ({ ...answer, memberEpoch: answer.memberEpoch > 0 ? '<epoch>' : answer.memberEpoch });
const described = (answer) => ({
  ...answer,
  groups: answer.groups.map((group) => ({
    ...group,
    groupEpoch: group.groupEpoch > 0 ? '<epoch>' : group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch > 0 ? '<epoch>' : group.assignmentEpoch,
    members: group.members.map(withoutEpoch),
  })),
});

/** A batch of the log comes as a whole, of which not all may be acquired: that it comes is compared. Topics have no order. */
const withoutBytes = ({ responses, ...answer }) => ({
  ...answer,
  responses: responses
    .toSorted((a, b) => a.partitions[0].partitionIndex - b.partitions[0].partitionIndex)
    .map((topic) => ({
      ...topic,
      partitions: topic.partitions
        .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
        .map(({ acknowledgeErrorMessage: _sentence, ...partition }) => ({
          ...partition,
          records: partition.records.length > 0,
        })),
    })),
});

class ShareMember {
  epoch = 0;
  sessionEpoch = 0;

  constructor(target, groupId, topics, number = 1) {
    Object.assign(this, { target, groupId, topics, memberId: idOf(number) });
  }

  get #who() {
    return { groupId: this.groupId, memberId: this.memberId };
  }

  /** Joins, and stays until it has something to read, which is not compared; then joins again. */
  async join(label) {
    const fields = { ...this.#who, memberEpoch: 0, rackId: null, subscribedTopicNames: this.topics };
    for (let tries = 0; tries < 100; tries++) {
      const { assignment } = await this.target.peek(Key.BEAT, 1, fields);
      if (assignment !== null && assignment.topicPartitions.length > 0) break;
      await settled();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return this.beat(label, { memberEpoch: 0, subscribedTopicNames: this.topics });
  }

  async beat(label, more = {}) {
    const fields = { ...this.#who, memberEpoch: this.epoch, rackId: null, subscribedTopicNames: null, ...more };
    const answer = await this.target.ask(label, Key.BEAT, 1, fields, withoutEpoch);
    if (answer.errorCode === 0) this.epoch = answer.memberEpoch;
    return answer;
  }

  async fetch(label, topics = [], more = {}, version = 2) {
    const fields = {
      ...this.#who,
      shareSessionEpoch: this.sessionEpoch,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1_000_000,
      maxRecords: 500,
      batchSize: 500,
      shareAcquireMode: 0,
      isRenewAck: false,
      topics,
      forgottenTopicsData: [],
      ...more,
    };
    const answer = await this.target.ask(label, Key.FETCH, version, fields, withoutBytes);
    if (answer.errorCode === 0) this.sessionEpoch++;
    return answer;
  }

  /** Kafka opens a share partition while the first fetch is answered: it is asked until there are records. */
  async begin(label, topics) {
    for (let tries = 0; tries < 100; tries++) {
      const fields = {
        ...this.#who,
        shareSessionEpoch: 0,
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1_000_000,
        maxRecords: 1,
      };
      const more = { batchSize: 1, shareAcquireMode: 1, isRenewAck: false, topics, forgottenTopicsData: [] };
      const { responses } = await this.target.peek(Key.FETCH, 2, { ...fields, ...more });
      const partitions = responses.flatMap((topic) => topic.partitions);
      if (partitions.some(({ acquiredRecords }) => acquiredRecords.length > 0)) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // What was acquired meanwhile comes back with the session's end.
    await this.target.peek(Key.FETCH, 2, {
      ...{ ...this.#who, shareSessionEpoch: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 0, maxRecords: 0, batchSize: 1 },
      ...{ shareAcquireMode: 0, isRenewAck: false, topics: [], forgottenTopicsData: [] },
    });
    this.sessionEpoch = 0;
    await settled();
    return this.fetch(label, topics);
  }

  async acknowledge(label, topics, more = {}, version = 2) {
    const fields = { ...this.#who, shareSessionEpoch: this.sessionEpoch, isRenewAck: false, topics, ...more };
    const answer = await this.target.ask(label, Key.ACKNOWLEDGE, version, fields);
    if (answer.errorCode === 0) this.sessionEpoch++;
    return answer;
  }
}

/** A topic with three records in its first partition, and a group that begins with the earliest. */
async function prepared(target, name, partitionCount = 2) {
  const topic = target.topic(name);
  const groupId = target.topic(`${name}-group`);
  const { topics } = await create(target, 'before', [newTopic(topic, partitionCount)]);
  await hosted(target, topic);
  await coordinated(target, groupId);
  const configs = [{ name: 'share.auto.offset.reset', configOperation: Operation.SET, value: 'earliest' }];
  await target.peek(Key.CONFIGS, 1, {
    resources: [{ resourceType: Resource.GROUP, resourceName: groupId, configs }],
    validateOnly: false,
  });
  await settled();
  const { topicId } = topics[0];
  const produce = (texts, index = 0) => {
    const partitionData = [{ index, records: batchOf(texts) }];
    const topicData = [{ topicId: zeroUuid, name: topic, partitionData }];
    return target.peek(Key.PRODUCE, 9, { transactionalId: null, acks: -1, timeoutMs, topicData });
  };
  await produce(['one', 'two', 'three']);
  const of = (acknowledgementBatches = [], partitionIndex = 0, id = topicId) => [
    { topicId: id, partitions: [{ partitionIndex, acknowledgementBatches }] },
  ];
  return { topic, topicId, groupId, produce, of };
}

const batch = (firstOffset, lastOffset, ...acknowledgeTypes) => ({ firstOffset, lastOffset, acknowledgeTypes });

export async function shareGroupHeartbeat(target) {
  const { topic, groupId } = await prepared(target, 'share-beats');
  const member = new ShareMember(target, groupId, [topic]);
  const describe = (label, groupIds = [groupId]) =>
    target.ask(label, Key.DESCRIBE, 1, { groupIds, includeAuthorizedOperations: true }, described);
  const listed = (answer) => ({ ...answer, groups: answer.groups.filter((group) => group.groupId === groupId) });
  const list = (label, fields) =>
    target.ask(label, Key.LIST, 5, { statesFilter: [], typesFilter: [], ...fields }, listed);
  await member.beat('nobody', { memberEpoch: 1 });
  await member.join('joins again');
  await member.beat('stays');
  await member.beat('has more', { memberEpoch: 99 });
  await member.beat('below -1', { memberEpoch: -2 });
  await member.beat('without topics', { memberEpoch: 0 });
  await member.beat('with no topics', { memberEpoch: 0, subscribedTopicNames: [] });
  await member.beat('with an empty rack', { memberEpoch: 0, subscribedTopicNames: [topic], rackId: '' });
  await member.beat('with a long id', { memberId: 'x'.repeat(37) });
  await member.beat('with no id', { memberId: '' });
  await member.beat('of no group', { groupId: '' });
  await member.beat('says its topics', { subscribedTopicNames: [topic] });
  await describe('described');
  await describe('nobody described', [target.topic('nobody')]);
  await describe('of no name described', ['']);
  await list('listed by type', { typesFilter: ['share'] });
  await list('listed by another type', { typesFilter: ['consumer'] });
  await list('listed by state', { statesFilter: ['Stable'] });
  await target.ask('deleted too early', Key.DELETE, 2, { groupsNames: [groupId] });
  await member.beat('leaves', { memberEpoch: -1 });
  await member.beat('leaves again', { memberEpoch: -1 });
  await describe('empty described');
  await list('listed empty', {});
  await otherKinds(target, groupId, topic);
  await target.ask('deleted', Key.DELETE, 2, { groupsNames: [groupId] });
  await describe('deleted described');
}

/** A share group stays one, also for members of other protocols; and others stay what they are. */
async function otherKinds(target, groupId, topic) {
  const memberId = idOf(9);
  const joining = {
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
  };
  await target.ask('joins as a classic member', 11, 9, {
    ...{ groupId, sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000, groupInstanceId: null, reason: null },
    ...joining,
  });
  const consumer = { memberId, memberEpoch: 0, instanceId: null, rackId: null, rebalanceTimeoutMs: 30_000 };
  const subscribing = {
    subscribedTopicNames: [topic],
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: [],
  };
  await target.ask('joins as a consumer', 68, 1, { groupId, ...consumer, ...subscribing });
  const partitions = [{ partitionIndex: 0, committedOffset: 1, committedLeaderEpoch: -1, committedMetadata: '' }];
  const committer = { generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null };
  await target.ask('commits', 8, 9, { groupId, ...committer, topics: [{ name: topic, partitions }] });
  await target.ask('is asked for offsets', 9, 9, {
    groups: [{ groupId, memberId: null, memberEpoch: -1, topics: null }],
    requireStable: false,
  });
  await target.ask('has offsets deleted', 47, 0, {
    groupId,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0 }] }],
  });
  await target.ask('heartbeat', 12, 4, { groupId, generationId: 1, memberId, groupInstanceId: null });
  await target.ask('leaves as a classic member', 13, 5, {
    groupId,
    members: [{ memberId, groupInstanceId: null, reason: null }],
  });
  await target.ask('described as a classic group', 15, 6, { groups: [groupId], includeAuthorizedOperations: false });
  await target.ask('described as a consumer group', 69, 1, { groupIds: [groupId], includeAuthorizedOperations: false });
  const consumers = target.topic('share-consumers');
  await target.peek(68, 1, { groupId: consumers, ...consumer, ...subscribing });
  const sharing = { memberId, memberEpoch: 0, rackId: null, subscribedTopicNames: [topic] };
  await target.ask('joins a consumer group', Key.BEAT, 1, { groupId: consumers, ...sharing });
}

export async function shareFetch(target) {
  const { topic, topicId, groupId, of } = await prepared(target, 'share-records');
  const member = new ShareMember(target, groupId, [topic]);
  const other = new ShareMember(target, groupId, [topic], 2);
  await member.join('joins');
  await member.begin('begins', of());
  await member.fetch('has all');
  await member.fetch('wrong epoch', [], { shareSessionEpoch: 77 });
  await other.fetch('no session', [], { shareSessionEpoch: 1 });
  await other.fetch('no session to end', [], { shareSessionEpoch: -1 });
  await other.fetch('acknowledges at once', of([batch(0, 0, Type.ACCEPT)]));
  await member.fetch('no group', [], { groupId: null });
  await member.fetch('no member', [], { memberId: null });
  await member.fetch('acquire mode 7', [], { shareAcquireMode: 7 });
  member.sessionEpoch++;
  await member.fetch('missing', [...of([], 9), ...of([], 0, noTopic)]);
  await member.fetch('forgets', [], {
    forgottenTopicsData: [
      { topicId, partitions: [9] },
      { topicId: noTopic, partitions: [0] },
    ],
  });
  await member.acknowledge('accepts', of([batch(0, 0, Type.ACCEPT)]), {}, 1);
  await member.acknowledge('accepts twice', of([batch(0, 0, Type.ACCEPT)]));
  await member.acknowledge('releases and rejects', of([batch(1, 2, Type.RELEASE, Type.REJECT)]));
  await member.acknowledge('what it has not', of([batch(1, 1, Type.ACCEPT)]));
  await mistakes(member, of);
  await member.fetch('comes again', [], {}, 1);
  await member.acknowledge('renews', of([batch(1, 1, Type.RENEW)]), { isRenewAck: true });
  await member.fetch('renews and fetches', of([batch(1, 1, Type.RENEW)]), { isRenewAck: true });
  const nothing = { maxBytes: 0, minBytes: 0, maxRecords: 0, maxWaitMs: 0 };
  await member.fetch('renews with a fetch', of([batch(1, 1, Type.RENEW)]), { isRenewAck: true, ...nothing });
  await member.fetch('accepts with a fetch', of([batch(1, 1, Type.ACCEPT)]));
  await member.fetch('ends', [], { shareSessionEpoch: -1 });
  await member.acknowledge('without a session', of([batch(1, 1, Type.ACCEPT)]));
  await new ShareMember(target, target.topic('share-nobody'), [topic], 3).fetch('of no group', []);
}

async function mistakes(member, of) {
  await member.acknowledge('beyond', of([batch(2, 9, Type.ACCEPT)]));
  await member.acknowledge('inverted', of([batch(3, 1, Type.ACCEPT)]));
  await member.acknowledge('no types', of([batch(1, 1)]));
  await member.acknowledge('unknown type', of([batch(1, 1, 9)]));
  await member.acknowledge('negative type', of([batch(1, 1, -1)]));
  await member.acknowledge('renewal unsaid', of([batch(1, 1, Type.RENEW)]));
  await member.acknowledge('renewal too early', of([batch(1, 1, Type.RENEW)]), {}, 1);
  await member.acknowledge('too few types', of([batch(1, 4, Type.ACCEPT, Type.ACCEPT)]));
  await member.acknowledge('out of order', of([batch(2, 2, Type.ACCEPT), batch(1, 1, Type.ACCEPT)]));
  await member.acknowledge('nothing', of());
  await member.acknowledge('partition that it does not read', of([batch(0, 0, Type.ACCEPT)], 1));
  await member.acknowledge('missing partition', of([batch(0, 0, Type.ACCEPT)], 9));
  await member.acknowledge('missing topic', of([batch(0, 0, Type.ACCEPT)], 0, noTopic));
  await member.acknowledge('first of a session', of(), { shareSessionEpoch: 0 });
  await member.acknowledge('wrong session', of(), { shareSessionEpoch: 77 });
  await member.acknowledge('no group', of(), { groupId: null });
  await member.acknowledge('no member', of(), { memberId: null });
}

export async function shareGroupOffsets(target) {
  const { topic, groupId, of } = await prepared(target, 'share-offsets');
  const missing = target.topic('share-missing');
  const describe = (label, version, topics = null, group = groupId) =>
    target.ask(label, Offsets.DESCRIBE, version, { groups: [{ groupId: group, topics }] });
  const alter = (label, startOffset, group = groupId, partitionIndex = 0, topicName = topic) =>
    target.ask(label, Offsets.ALTER, 0, {
      groupId: group,
      topics: [{ topicName, partitions: [{ partitionIndex, startOffset }] }],
    });
  const remove = (label, topicName = topic, group = groupId) =>
    target.ask(label, Offsets.DELETE, 0, { groupId: group, topics: [{ topicName }] });
  const member = new ShareMember(target, groupId, [topic]);
  await describe('of nobody', 1);
  await remove('deleted of nobody');
  await member.join('joins');
  await describe('unread', 1);
  await member.begin('begins', of());
  await member.acknowledge('accepts', of([batch(0, 0, Type.ACCEPT)]));
  await member.acknowledge('accepts the last', of([batch(2, 2, Type.ACCEPT)]));
  for (const version of [0, 1]) await describe('read', version);
  await describe('named', 1, [{ topicName: topic, partitions: [0, 1] }]);
  await describe('of a missing topic', 1, [{ topicName: missing, partitions: [0] }]);
  await describe('of no topics', 1, []);
  await alter('altered too early', 1);
  await remove('deleted too early');
  await member.fetch('ends', [], { shareSessionEpoch: -1 });
  await member.beat('leaves', { memberEpoch: -1 });
  await alter('altered', 1);
  await describe('altered', 1, [{ topicName: topic, partitions: [0] }]);
  await alter('altered beyond', 1, groupId, 7);
  await alter('altered of a missing topic', 1, groupId, 0, missing);
  await alter('altered of no group', 1, '');
  await alter('altered to none', -1);
  await alter('altered into being', 1, target.topic('share-made'));
  await describe('of what was made', 1, [{ topicName: topic, partitions: [0] }], target.topic('share-made'));
  await remove('deleted');
  await remove('deleted again');
  await remove('deleted of a missing topic', missing);
  await remove('deleted of no group', topic, '');
  await describe('deleted', 1);
}
