/**
 * The oracle's requests of members of consumer groups (KIP-848): heartbeats, offsets at member epochs, and groups that
 * change their protocol. Each scenario makes its own topics and groups.
 */

import { describe, Member } from './oracle-consumer-member.mjs';
import { assignable, coordinated, idOf, untilDeleted, wrongEpochs } from './oracle-group-member.mjs';
import { create, newTopic, range, settled, zeroUuid } from './oracle-requests.mjs';

export async function consumerGroupHeartbeat(target) {
  const topic = target.topic('beats');
  await create(target, 'before', [newTopic(topic, 3)]);
  await settled();
  for (const version of range(0, 1)) {
    const groupId = target.topic(`beats-${version}`);
    await coordinated(target, groupId);
    const subscribed = { subscribedTopicNames: [topic], serverAssignor: 'range' };
    const first = new Member(target, version, groupId, idOf(1), subscribed);
    const second = new Member(target, version, groupId, idOf(2), subscribed);
    await first.beat('unknown group', { memberEpoch: 1 });
    await first.leave('leave unknown group');
    await first.join('first joins');
    await describe(target, `with one, ${version}`, groupId);
    await first.ack('first has all');
    await wrongEpochs(first, second);
    await assignable();
    await second.join('second joins');
    await describe(target, `with two, reconciling, ${version}`, groupId);
    await second.beat('second waits');
    await first.beat('first hears');
    await describe(target, `first revokes, ${version}`, groupId);
    await first.beat('first still has', {
      topicPartitions: [{ topicId: first.owned.topicPartitions[0].topicId, partitions: [0, 1, 2] }],
    });
    await second.beat('second waits more');
    await first.ack('first has revoked');
    await second.beat('second gets');
    await second.ack('second has');
    await describe(target, `with two, ${version}`, groupId);
    await describe(target, `with two, ${version}`, groupId, 0);
    await assignable();
    await untilDeleted(first, second, (label) => describe(target, `${label}, ${version}`, groupId));
  }
}

export async function consumerGroupMistakes(target) {
  const topic = target.topic('mistakes');
  await create(target, 'before', [newTopic(topic)]);
  await settled();
  for (const version of range(0, 1)) {
    const groupId = target.topic(`mistakes-${version}`);
    await coordinated(target, groupId);
    const member = new Member(target, version, groupId, idOf(1), { subscribedTopicNames: [topic] });
    await member.join('without member id', { memberId: '', groupId: `${groupId}-anonymous` });
    await member.join('without group id', { groupId: '' });
    await member.join('blank member id', { memberId: '  ' });
    await member.join('empty instance id', { instanceId: '' });
    await member.join('empty rack', { rackId: '' });
    await member.join('without rebalance timeout', { rebalanceTimeoutMs: -1 });
    await member.join('without partitions', { topicPartitions: null });
    await member.join('with partitions', { topicPartitions: [{ topicId: zeroUuid, partitions: [0] }] });
    await member.join('without subscription', { subscribedTopicNames: null });
    await member.join('unknown assignor', { serverAssignor: 'best' });
    await member.beat('epoch -2 without instance', { memberEpoch: -2 });
    await member.beat('epoch -3', { memberEpoch: -3 });
    await describe(target, `nothing left, ${version}`, groupId);
    await member.join('no topics', { subscribedTopicNames: [] });
    await describe(target, `no topics, ${version}`, groupId);
    await assignable();
    await member.beat('missing topic', { subscribedTopicNames: [target.topic('none')] });
    await describe(target, `missing topic, ${version}`, groupId);
    await assignable();
    await member.beat('twice the same', { subscribedTopicNames: [topic, topic] });
    await member.beat('a heartbeat with all', {
      rebalanceTimeoutMs: 45_000,
      subscribedTopicNames: [topic],
      topicPartitions: [],
    });
    await member.beat('owns what it was not given', {
      topicPartitions: [{ topicId: zeroUuid, partitions: [0, -1] }],
    });
    await target.ask(`not empty, ${version}`, 42, 2, { groupsNames: [groupId] });
    await member.leave('leaves');
  }
}

export async function staticMembers(target) {
  const topic = target.topic('static');
  await create(target, 'before', [newTopic(topic, 4)]);
  await settled();
  const groupId = target.topic('static');
  await coordinated(target, groupId);
  const described = { subscribedTopicNames: [topic], serverAssignor: 'range', instanceId: 'one' };
  const first = new Member(target, 1, groupId, idOf(1), described);
  const again = new Member(target, 1, groupId, idOf(3), described);
  const other = new Member(target, 1, groupId, idOf(2), { ...described, instanceId: 'two' });
  await first.join('first joins');
  await first.ack('first has');
  await again.join('instance not released');
  await again.beat('fenced', { memberEpoch: 2 });
  await again.beat('unknown instance', { memberEpoch: 2, instanceId: 'three' });
  await again.leave('fenced leaves');
  await assignable();
  await other.join('other joins');
  await first.beat('first hears');
  await first.ack('first has revoked');
  await other.beat('other gets');
  await first.leave('first pauses', -2);
  await describe(target, 'paused', groupId);
  await first.beat('paused beats', { memberEpoch: 3 });
  await again.join('comes back');
  await describe(target, 'back', groupId);
  await again.ack('back has');
  await first.beat('replaced beats');
  await again.leave('leaves for good');
  await describe(target, 'left', groupId);
  await other.leave('other leaves', -2);
  await describe(target, 'other pauses', groupId);
  await target.ask('remove by instance', 13, 5, {
    groupId,
    members: [
      { memberId: '', groupInstanceId: 'two', reason: 'gone' },
      { memberId: idOf(7), groupInstanceId: null, reason: null },
    ],
  });
  await describe(target, 'all left', groupId);
}

export async function offsetsAtMemberEpochs(target) {
  const topic = target.topic('epochs');
  await create(target, 'before', [newTopic(topic, 2)]);
  await settled();
  const groupId = target.topic('epochs');
  await coordinated(target, groupId);
  const member = new Member(target, 1, groupId, idOf(1), { subscribedTopicNames: [topic], serverAssignor: 'range' });
  await member.join('joins');
  await member.ack('has');
  const [{ topicId }] = member.owned.topicPartitions;
  const commit = (label, version, epoch, memberId = member.memberId, partitionIndex = 0, more = {}) =>
    target.ask(label, 8, version, {
      groupId,
      memberId,
      generationIdOrMemberEpoch: epoch,
      topics: [
        {
          topicId,
          name: topic,
          partitions: [{ partitionIndex, committedOffset: 7, committedLeaderEpoch: -1, committedMetadata: 'm' }],
        },
      ],
      ...more,
    });
  const fetch = (
    label,
    version,
    memberId,
    memberEpoch,
    topics = [{ topicId, name: topic, partitionIndexes: [0, 1] }],
  ) => target.ask(label, 9, version, { groups: [{ groupId, memberId, memberEpoch, topics }], requireStable: false });
  for (const version of range(2, 10)) {
    await commit('at its epoch', version, member.epoch);
    await commit('ahead', version, member.epoch + 1);
    await commit('behind', version, 0);
    await commit('as nobody', version, -1, '');
    await commit('as an unknown member', version, member.epoch, idOf(9));
    await commit('as the member, without epoch', version, -1);
  }
  for (const version of range(8, 10)) {
    await fetch('at its epoch', version, member.memberId, member.epoch);
    await fetch('ahead', version, member.memberId, member.epoch + 1);
    await fetch('behind', version, member.memberId, 1);
    await fetch('as nobody', version, null, -1);
    await fetch('as nobody with an epoch', version, null, 1);
    await fetch('as an unknown member', version, idOf(9), member.epoch);
    await fetch('empty member id', version, '', -1);
    await fetch('all', version, member.memberId, member.epoch, null);
    await fetch('all, ahead', version, member.memberId, member.epoch + 1, null);
  }
  await target.ask('delete in use', 47, 0, { groupId, topics: [{ name: topic, partitions: [{ partitionIndex: 0 }] }] });
  await assignable();
  const second = new Member(target, 1, groupId, idOf(2), member.described);
  await second.join('second joins');
  await member.beat('first revokes');
  await commit('what it revokes', 9, member.epoch, member.memberId, 1);
  await member.ack('first has revoked');
  await commit('at the epoch before', 9, member.epoch - 1);
  await commit('at the epoch before, what it no longer has', 9, member.epoch - 1, member.memberId, 1);
  await member.leave('first leaves');
  await second.leave('second leaves');
  for (const version of range(8, 10)) {
    await commit('by nobody, empty group', version, -1, '');
    await commit('by a member, empty group', version, 3, idOf(1));
    await fetch('empty group', version, null, -1);
  }
  await target.ask('delete', 47, 0, { groupId, topics: [{ name: topic, partitions: [{ partitionIndex: 0 }] }] });
}

export async function listedGroups(target) {
  const topic = target.topic('listed');
  await create(target, 'before', [newTopic(topic)]);
  await settled();
  const groupId = target.topic('listed');
  await coordinated(target, groupId);
  const member = new Member(target, 1, groupId, idOf(1), { subscribedTopicNames: [topic] });
  await member.join('joins');
  await member.ack('has');
  // Other groups are there too.
  const ofThis = (answer) => ({ ...answer, groups: answer.groups.filter((group) => group.groupId === groupId) });
  const list = (label, version, fields = {}) => target.ask(label, 16, version, fields, ofThis);
  for (const version of range(0, 5)) await list('all', version);
  for (const statesFilter of [
    ['Stable'],
    ['stable'],
    ['Empty'],
    [' stable '],
    ['Reconciling', 'STABLE'],
    ['nothing'],
  ]) {
    await list(`states ${statesFilter.join()}`, 5, { statesFilter });
  }
  for (const typesFilter of [['consumer'], ['Consumer'], ['classic'], ['classic', 'consumer'], ['nothing']]) {
    await list(`types ${typesFilter.join()}`, 5, { typesFilter });
  }
  for (const version of range(0, 6)) await target.ask('as a classic group', 15, version, { groups: [groupId] });
  await member.leave('leaves');
  await list('empty', 5, { typesFilter: ['consumer'], statesFilter: ['empty'] });
}

export async function topicRegexes(target) {
  const prefix = target.topic('matched');
  await create(target, 'before', [
    newTopic(`${prefix}-a`, 2),
    newTopic(`${prefix}-b`),
    newTopic(target.topic('other')),
  ]);
  await settled();
  const groupId = target.topic('regex');
  await coordinated(target, groupId);
  const regex = (subscribedTopicRegex, subscribedTopicNames = null) => ({ subscribedTopicRegex, subscribedTopicNames });
  const member = new Member(target, 1, groupId, idOf(1), { serverAssignor: 'range', ...regex(`${prefix}-.*`) });
  for (const wrong of [
    'a(b',
    '[a',
    'a**',
    '(?=a)',
    '\\C',
    'a{1001}',
    '(a{1000}){1000}',
    '(?P<n',
    '*',
    '\\',
    'x{2}{3}',
    '(?z)',
  ]) {
    const other = new Member(target, 1, `${groupId}-wrong`, idOf(1), regex(wrong));
    await other.join(`wrong: ${wrong}`);
  }
  for (const [i, right] of [
    '',
    '.*',
    '(?i)A',
    '\\pL+',
    '(a+)+$',
    '\\Qa.b\\E',
    '[[:alpha:]]',
    '^$',
    '(?P<n>a)',
    'a|b',
  ].entries()) {
    const other = new Member(target, 1, `${groupId}-${i}`, idOf(1), regex(right));
    await other.join(`right: ${right}`);
  }
  await member.join('joins');
  await assignable();
  await member.beat('hears');
  await member.ack('has');
  await describe(target, 'matched', groupId);
  await assignable();
  const second = new Member(target, 1, groupId, idOf(2), { serverAssignor: 'range', ...regex(`${prefix}-.*`) });
  await second.join('second joins with the same');
  await member.beat('hears of the second');
  await member.ack('has revoked');
  await second.beat('second gets');
  await second.ack('second has');
  await describe(target, 'both', groupId);
  await assignable();
  await second.beat('takes it back', regex('', [`${prefix}-b`]));
  await second.ack('by name');
  await member.beat('hears of the change');
  await member.ack('has after the change');
  await second.beat('second is done');
  await describe(target, 'one of each', groupId);
  await member.leave('leaves');
  await second.leave('second leaves');
}
