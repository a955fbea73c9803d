/**
 * The oracle's requests of members of share groups (KIP-932): heartbeats, records given out and acknowledged, sessions, and
 * offsets. Each scenario makes its own topics and groups.
 */

import { Operation, Resource, settled } from './oracle-requests.mjs';
import { wakeCoordinators } from './oracle-transaction-steps.mjs';
import { Producer } from './oracle-transactional-producer.mjs';
import {
  batch,
  described,
  idOf,
  Key,
  noTopic,
  prepared,
  ShareMember,
  Type,
  withJoinedRanges,
  withoutBytes,
} from './oracle-share-member.mjs';

const Offsets = { DESCRIBE: 90, ALTER: 91, DELETE: 92 };

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

/** A client that closes leaves its group, and then says what became of the records that it still has. */
export async function shareMemberLeaves(target) {
  const { topic, groupId, of } = await prepared(target, 'share-leaves');
  const member = new ShareMember(target, groupId, [topic]);
  const other = new ShareMember(target, groupId, [topic], 2);
  await member.join('joins');
  await member.begin('begins', of());
  await other.beat('another joins', { memberEpoch: 0, subscribedTopicNames: [topic] });
  await other.fetch('another finds nothing', of());
  await member.beat('leaves', { memberEpoch: -1 });
  await member.acknowledge('accepts after it has left', of([batch(0, 0, Type.ACCEPT)]));
  await other.fetch('another finds nothing either');
  await member.fetch('fetches after it has left');
  await member.acknowledge('ends', of([batch(1, 1, Type.ACCEPT)]), { shareSessionEpoch: -1 });
  await other.begin('another gets the rest', of());
}

/** Acknowledgements that name records twice, or records of others, are taken as a whole or not at all. */
export async function shareOverlaps(target) {
  const { topic, groupId, of } = await prepared(target, 'share-overlaps');
  const member = new ShareMember(target, groupId, [topic]);
  const other = new ShareMember(target, groupId, [topic], 2);
  await member.join('joins');
  await other.beat('another joins', { memberEpoch: 0, subscribedTopicNames: [topic] });
  await member.begin('begins', of());
  await other.fetch('another finds nothing', of());
  await member.acknowledge('one offset twice', of([batch(0, 1, Type.ACCEPT), batch(1, 2, Type.RELEASE)]));
  await member.acknowledge('the same twice', of([batch(1, 1, Type.ACCEPT), batch(1, 1, Type.ACCEPT)]));
  await member.acknowledge('the last twice', of([batch(0, 2, Type.ACCEPT), batch(2, 2, Type.REJECT)]));
  await member.acknowledge('one within another', of([batch(0, 2, Type.ACCEPT), batch(1, 1, Type.REJECT)]));
  await member.acknowledge('partly beyond', of([batch(0, 0, Type.ACCEPT), batch(1, 5, Type.ACCEPT)]));
  await member.acknowledge('before the log', of([batch(-5, -2, Type.ACCEPT)]));
  await member.acknowledge('from before the log', of([batch(-1, 0, Type.RELEASE, Type.RELEASE)]));
  await member.acknowledge('without an end', of([batch(0, Number.MAX_SAFE_INTEGER, Type.ACCEPT)]));
  await other.acknowledge('what another member has', of([batch(0, 0, Type.ACCEPT)]));
  await member.fetch('one offset twice, with a fetch', of([batch(0, 1, Type.ACCEPT), batch(1, 2, Type.ACCEPT)]));
  await member.acknowledge('a partition twice', [
    ...of([batch(0, 0, Type.ACCEPT)]),
    ...of([batch(1, 1, Type.RELEASE)]),
  ]);
  await member.fetch('gets what it has released');
  await member.acknowledge('all that it has', of([batch(0, 2, Type.ACCEPT)]));
  await member.acknowledge('all once more', of([batch(0, 2, Type.ACCEPT)]));
  await member.fetch('ends', [], { shareSessionEpoch: -1 });
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

/** What members get of transactions that were committed, were aborted, and are open, in either isolation. */
export async function shareIsolation(target) {
  await wakeCoordinators(target);
  for (const level of ['read_committed', 'read_uncommitted']) {
    // The markers are much younger than the records, and a fetch ends with its segment.
    const oneSegment = { 'segment.ms': '9000000000000', 'retention.ms': '-1' };
    const { topic, topicId, groupId, produce, of } = await prepared(target, `share-${level}`, 1, oneSegment);
    const configs = [{ name: 'share.isolation.level', configOperation: Operation.SET, value: level }];
    await target.peek(Key.CONFIGS, 1, {
      resources: [{ resourceType: Resource.GROUP, resourceName: groupId, configs }],
      validateOnly: false,
    });
    await settled();
    const where = { name: topic, id: topicId };
    const [one, two, three] = ['one', 'two', 'three'].map((name) => new Producer(target, `share-${level}-${name}`));
    for (const producer of [one, two, three]) {
      await producer.init('producer');
      await producer.produce('written', 12, where);
      if (producer !== three) await producer.end('ended', 5, producer === one);
    }
    await produce(['behind']);
    const member = new ShareMember(target, groupId, [topic]);
    member.part = (answer) => withJoinedRanges(withoutBytes(answer));
    await member.join(`joins, ${level}`);
    await member.begin(`begins, ${level}`, of());
    await member.acknowledge('accepts plain ones', of([batch(0, 2, Type.ACCEPT)]));
    await member.acknowledge('releases what was committed', of([batch(3, 3, Type.RELEASE)]));
    await member.fetch('gets it again');
    await member.acknowledge('accepts it', of([batch(3, 3, Type.ACCEPT)]));
    await three.end('ended', 5, true);
    await settled();
    await member.fetch('gets the rest');
    await member.fetch('gets nothing more');
    // Kafka tells a start offset that it has written, which is behind.
    const lags = ({ groups }) =>
      groups.flatMap(({ topics }) => topics.flatMap(({ partitions }) => partitions.map(({ lag }) => lag)));
    await target.ask('offsets', Offsets.DESCRIBE, 1, { groups: [{ groupId, topics: null }] }, lags);
    await member.fetch('ends', [], { shareSessionEpoch: -1 });
  }
}
