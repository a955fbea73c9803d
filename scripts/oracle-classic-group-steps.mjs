/**
 * The oracle's requests about coordinators and classic groups: members join, are in step, leave and are static, in every
 * version.
 */

import { assignmentOf, masked, subscriptionOf } from './oracle-classic-member.mjs';
import { coordinated } from './oracle-group-member.mjs';
import { create, newTopic, range, settled, zeroUuid } from './oracle-requests.mjs';

const Key = { COMMIT: 8, OFFSETS: 9, FIND: 10, JOIN: 11, HEARTBEAT: 12, LEAVE: 13, SYNC: 14, DESCRIBE: 15, DELETE: 42 };
const rebalanceInProgress = 27;
const coordinatorNotAvailable = 15;

export async function findCoordinators(target) {
  await coordinated(target, target.topic('find'));
  const keys = [
    [1, 'an-id'],
    [2, 'a-group:BBBBBBBBBBBBBBBBBBBBBA:0'],
  ];
  for (const [keyType, key] of keys) await found(target, keyType, key);
  for (const version of range(0, 6)) {
    const ask = (label, keys, keyType) => {
      const fields = version < 4 ? { key: keys[0], keyType } : { coordinatorKeys: keys, keyType };
      return target.ask(label, Key.FIND, version, fields);
    };
    await ask('group', ['a-group'], 0);
    await ask('empty key', [''], 0);
    if (version < 1) continue;
    await ask('transactional id', ['an-id'], 1);
    await ask('empty transactional id', [''], 1);
    await ask('unknown type', ['a-key'], 7);
    await ask('negative type', ['a-key'], -1);
    await ask('share partition of no form', ['a-key'], 2);
    await ask('share partition of no topic', ['a-group:BBBBBBBBBBBBBBBBBBBBBA:0'], 2);
    if (version < 4) continue;
    await ask('several', ['one', 'two'], 0);
    await ask('the same twice', ['one', 'one'], 0);
    await ask('none', [], 0);
  }
}

/** Waits until there is a coordinator: a fresh Kafka first makes the topic that it keeps its state in. */
async function found(target, keyType, key) {
  for (let tries = 0; tries < 100; tries++) {
    const { coordinators } = await target.peek(Key.FIND, 6, { keyType, coordinatorKeys: [key] });
    if (coordinators[0].errorCode !== coordinatorNotAvailable) return;
    await settled();
  }
}

/** Bytes as text, and of made up ids what is not made up; members in the order of these. */
function mask(answer) {
  const text = JSON.stringify(masked(answer, new Map()));
  const value = JSON.parse(text.replaceAll(/-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '-<id>'));
  const inOrder = (members) => members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  if (value.groups?.[0]?.members !== undefined) {
    return { ...value, groups: value.groups.map((group) => ({ ...group, members: inOrder(group.members) })) };
  }
  return value.members === undefined ? value : { ...value, members: inOrder(value.members) };
}

/** A group as its members see it, in one version of JoinGroup and those of the other requests that go with it. */
class ClassicGroup {
  constructor(target, groupId, version, topic) {
    Object.assign(this, { target, groupId, version, topic });
  }

  ask(label, apiKey, version, fields, ask = this.target.ask) {
    return ask(label, apiKey, version, { groupId: this.groupId, ...fields }, mask);
  }

  /** `member` has an id and a generation after this. */
  async join(label, member, more = {}, ask = this.target.ask) {
    const protocols = ['range', 'sticky'].map((name) => ({ name, metadata: subscriptionOf([this.topic]) }));
    const fields = {
      groupId: this.groupId,
      memberId: member.id,
      groupInstanceId: member.instanceId ?? null,
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      protocolType: 'consumer',
      protocols,
      reason: null,
      ...more,
    };
    const answer = await ask(label, Key.JOIN, this.version, fields, mask);
    if (answer === 'closed') return answer;
    if (answer.memberId !== '') member.id = answer.memberId;
    if (answer.errorCode === 0) member.generation = answer.generationId;
    return answer;
  }

  sync(label, member, more = {}, ask = this.target.ask) {
    return this.ask(
      label,
      Key.SYNC,
      Math.min(this.version, 5),
      {
        memberId: member.id,
        generationId: member.generation,
        groupInstanceId: member.instanceId ?? null,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [],
        ...more,
      },
      ask,
    );
  }

  heartbeat(label, member, more = {}) {
    const fields = { memberId: member.id, generationId: member.generation, groupInstanceId: member.instanceId ?? null };
    return this.ask(label, Key.HEARTBEAT, Math.min(this.version, 4), { ...fields, ...more });
  }

  leave(label, ...members) {
    const version = Math.min(this.version, 5);
    const listed = members.map(({ id, instanceId = null }) => ({
      memberId: id,
      groupInstanceId: instanceId,
      reason: null,
    }));
    return this.ask(label, Key.LEAVE, version, version < 3 ? { memberId: members[0].id } : { members: listed });
  }

  describe(label) {
    const fields = { groups: [this.groupId], includeAuthorizedOperations: true };
    return this.target.ask(label, Key.DESCRIBE, Math.min(this.version, 6), fields, mask);
  }

  commit(label, version, member, more = {}) {
    const partition = { partitionIndex: 0, committedOffset: 5, committedLeaderEpoch: -1, committedMetadata: 'mark' };
    return this.ask(label, Key.COMMIT, version, {
      generationIdOrMemberEpoch: member.generation,
      memberId: member.id,
      groupInstanceId: null,
      topics: [{ name: this.topic, topicId: zeroUuid, partitions: [partition] }],
      ...more,
    });
  }

  /** Joins one after the other: the second waits for the first, which hears of it by its heartbeat. */
  async joinBoth(label, first, second, ask) {
    const joining = this.join(`${label}, second`, second, {}, ask);
    for (let tries = 0; tries < 500; tries++) {
      const fields = { groupId: this.groupId, memberId: first.id, generationId: first.generation };
      if ((await this.target.peek(Key.HEARTBEAT, 3, fields)).errorCode === rebalanceInProgress) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await this.join(`${label}, first`, first);
    await joining;
  }
}

export async function classicGroups(target) {
  const topic = target.topic('classic');
  await create(target, 'before', [newTopic(topic, 2)]);
  await settled();
  for (const version of range(0, 9)) {
    const groupId = target.topic(`classic-${version}`);
    await coordinated(target, groupId);
    const group = new ClassicGroup(target, groupId, version, topic);
    const nobody = { id: 'nobody', generation: 1 };
    await group.heartbeat(`${version} unknown group`, nobody);
    await group.sync(`${version} unknown group`, nobody);
    await group.leave(`${version} unknown group`, nobody);
    const first = { id: '', generation: -1 };
    await group.join('unknown member', { ...nobody });
    await group.join('without group', { ...first }, { groupId: '' });
    await group.join('short session', { ...first }, { sessionTimeoutMs: 5999 });
    await group.join('long session', { ...first }, { sessionTimeoutMs: 1_800_001 });
    await group.join('without protocols', { ...first }, { protocols: [] });
    await group.join('without protocol type', { ...first }, { protocolType: '' });
    await group.describe(`${version} before`);
    if ((await group.join('first', first)).errorCode !== 0) await group.join('first with its id', first);
    await group.heartbeat(`${version} before the sync`, first);
    const assignments = [{ memberId: first.id, assignment: assignmentOf([[topic, [0, 1]]]) }];
    await group.sync(`${version} wrong generation`, first, { generationId: 9 });
    await group.sync(`${version} unknown member`, nobody);
    if (version >= 5) await group.sync(`${version} wrong protocol`, first, { protocolName: 'sticky' });
    await group.sync(`${version} first`, first, { assignments });
    await group.sync(`${version} first again`, first);
    await group.describe(`${version} stable`);
    await group.heartbeat(`${version} stable`, first);
    await group.heartbeat(`${version} wrong generation`, first, { generationId: 9 });
    await group.heartbeat(`${version} unknown member`, nobody);
    await group.join('unknown member of a stable group', { ...nobody });
    await group.join('another protocol', { id: '' }, { protocols: [{ name: 'odd', metadata: Buffer.of() }] });
    await group.join('another protocol type', { id: '' }, { protocolType: 'odd' });
    const second = { id: '', generation: -1 };
    const other = target.asOther('other');
    if (version >= 4) await group.join('second', second, {}, other);
    await group.joinBoth('both', first, second, other);
    await group.heartbeat(`${version} first, not synced`, first);
    const shares = [first, second].map(({ id }, i) => ({ memberId: id, assignment: assignmentOf([[topic, [i]]]) }));
    const syncing = group.sync(`${version} second`, second, {}, other);
    await group.sync(`${version} first of both`, first, { assignments: shares });
    await syncing;
    await group.describe(`${version} two members`);
    await group.join('second as before', second, {}, other);
    await group.leave(`${version} unknown member`, nobody);
    await group.leave(`${version} second`, second);
    await group.heartbeat(`${version} first hears`, first);
    await group.describe(`${version} one is left`);
    for (const deleteVersion of range(0, 3)) {
      if (version === 9) await target.ask('not empty', Key.DELETE, deleteVersion, { groupsNames: [groupId] });
    }
    await group.leave(`${version} first`, first);
    await group.describe(`${version} empty`);
    await target.ask(`empty ${version}`, Key.DELETE, version % 4, { groupsNames: [groupId, target.topic('none'), ''] });
    await group.describe(`${version} deleted`);
  }
}

export async function staticClassicMembers(target) {
  const topic = target.topic('static-classic');
  await create(target, 'before', [newTopic(topic, 2)]);
  await settled();
  for (const version of range(5, 9)) {
    const groupId = target.topic(`static-classic-${version}`);
    await coordinated(target, groupId);
    const group = new ClassicGroup(target, groupId, version, topic);
    const one = { id: '', generation: -1, instanceId: 'one' };
    const again = { ...one };
    await group.join('one', one);
    await group.sync(`${version} one`, one, {
      assignments: [{ memberId: one.id, assignment: assignmentOf([[topic, [0]]]) }],
    });
    await group.join('one again', again);
    await group.sync(`${version} one again`, again);
    await group.describe(`${version} one again`);
    await group.heartbeat(`${version} replaced`, one);
    await group.heartbeat(`${version} in its place`, again);
    await group.heartbeat(`${version} unknown instance`, { ...again, instanceId: 'nobody' });
    await group.sync(`${version} replaced syncs`, one);
    await group.commit('replaced commits', 9, one, { groupInstanceId: 'one' });
    await group.commit('in its place commits', 9, again, { groupInstanceId: 'one' });
    await group.leave(`${version} replaced`, one);
    await group.leave(
      `${version} by instance and others`,
      { id: '', instanceId: 'one' },
      { id: 'nobody' },
      { id: '', instanceId: 'two' },
    );
    await group.describe(`${version} gone`);
  }
}

export async function classicOffsets(target) {
  const topic = target.topic('offsets-classic');
  const created = await create(target, 'before', [newTopic(topic, 2)]);
  const { topicId } = created.topics[0];
  await settled();
  const groupId = target.topic('offsets-classic');
  await coordinated(target, groupId);
  const group = new ClassicGroup(target, groupId, 9, topic);
  const member = { id: '', generation: -1 };
  const nobody = { id: '', generation: -1 };
  for (const version of range(2, 10)) {
    const topics = (name, id, partitionIndex = 0) => [
      {
        name,
        topicId: id,
        partitions: [{ partitionIndex, committedOffset: 3, committedLeaderEpoch: 0, committedMetadata: null }],
      },
    ];
    await group.commit('by nobody', version, nobody, {
      topics: topics(topic, topicId),
      groupId: `${groupId}-${version}`,
    });
    await group.commit('missing topic', version, nobody, {
      topics: topics(target.topic('none'), 'BBBBBBBBBBBBBBBBBBBBBA'),
    });
    await group.commit('missing partition', version, nobody, { topics: topics(topic, topicId, 7) });
    await group.commit('without group', version, nobody, { topics: topics(topic, topicId), groupId: '' });
    await group.commit('nothing', version, nobody, { topics: [] });
    const long = topics(topic, topicId);
    long[0].partitions[0].committedMetadata = 'x'.repeat(4097);
    await group.commit('long metadata', version, nobody, { topics: long });
  }
  await group.join('joins', member);
  await group.join('joins with its id', member);
  await group.sync('syncs', member, {
    assignments: [{ memberId: member.id, assignment: assignmentOf([[topic, [0, 1]]]) }],
  });
  for (const version of range(2, 10)) {
    const topics = [
      {
        name: topic,
        topicId,
        partitions: [{ partitionIndex: 1, committedOffset: version, committedLeaderEpoch: -1, committedMetadata: 'm' }],
      },
    ];
    await group.commit('by its member', version, member, { topics });
    await group.commit('by nobody while it has members', version, nobody, { topics });
    await group.commit('wrong generation', version, { ...member, generation: 9 }, { topics });
    await group.commit('unknown member', version, { id: 'nobody', generation: member.generation }, { topics });
  }
  for (const version of range(1, 10)) {
    const partitionIndexes = [0, 1, 7];
    const ask = (label, id, topics, more = {}) => {
      const one = { groupId: id, memberId: null, memberEpoch: -1, topics };
      return target.ask(label, Key.OFFSETS, version, version < 8 ? { ...one, ...more } : { groups: [one], ...more });
    };
    const named = [{ name: topic, topicId, partitionIndexes }];
    await ask('some', groupId, named);
    await ask('missing topic', groupId, [
      { name: target.topic('none'), topicId: 'BBBBBBBBBBBBBBBBBBBBBA', partitionIndexes },
    ]);
    await ask('missing group', target.topic('none'), named);
    await ask('without group', '', named);
    await ask('no topics', groupId, []);
    if (version >= 2) await ask('all', groupId, null);
    if (version >= 2) await ask('all of a missing group', target.topic('none'), null);
    if (version >= 7) await ask('stable', groupId, named, { requireStable: true });
    if (version < 8) continue;
    const several = [groupId, target.topic('none')].map((id) => ({
      groupId: id,
      memberId: null,
      memberEpoch: -1,
      topics: null,
    }));
    await target.ask('several', Key.OFFSETS, version, { groups: several });
    await target.ask('none', Key.OFFSETS, version, { groups: [] });
  }
  await group.leave('leaves', member);
  const partitions = [0, 1, 7].map((partitionIndex) => ({ partitionIndex }));
  await target.ask('deleted', 47, 0, {
    groupId,
    topics: [
      { name: topic, partitions },
      { name: 'none', partitions },
    ],
  });
  await target.ask('deleted of a missing group', 47, 0, {
    groupId: target.topic('none'),
    topics: [{ name: topic, partitions }],
  });
  await target.ask('after', Key.OFFSETS, 7, { groupId, topics: null });
}
