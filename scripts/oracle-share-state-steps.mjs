/**
 * The oracle's requests for the state of share groups (KIP-932), which Kafka's brokers send each other: before there is
 * any, and of a group that is in use.
 */

import { create, newTopic, zeroUuid } from './oracle-requests.mjs';
import { batch, prepared, ShareMember, Type } from './oracle-share-member.mjs';

const Key = { INITIALIZE: 83, READ: 84, WRITE: 85, DELETE: 86, SUMMARY: 87 };
const noTopic = 'BBBBBBBBBBBBBBBBBBBBBA';

/** Asks of the state of partitions: `topics` are [id, partition…]. */
class StateAsker {
  constructor(target, groupId, topics) {
    Object.assign(this, { target, groupId, topics });
  }

  #ask(label, key, version, partition) {
    const topics = this.topics.map(([topicId, ...indexes]) => ({
      topicId,
      partitions: indexes.map((index) => ({ partition: index, ...partition })),
    }));
    return this.target.ask(label, key, version, { groupId: this.groupId, topics });
  }

  initialize(label, more = {}) {
    return this.#ask(`initialize ${label}`, Key.INITIALIZE, 0, { stateEpoch: 1, startOffset: 0, ...more });
  }

  read(label, leaderEpoch = 0) {
    return this.#ask(`read ${label}`, Key.READ, 0, { leaderEpoch });
  }

  write(label, version, more = {}) {
    const nothing = { stateEpoch: 1, leaderEpoch: 0, startOffset: 0, deliveryCompleteCount: -1, stateBatches: [] };
    return this.#ask(`write v${version} ${label}`, Key.WRITE, version, { ...nothing, ...more });
  }

  summary(label, version, leaderEpoch = 0) {
    return this.#ask(`summary v${version} ${label}`, Key.SUMMARY, version, { leaderEpoch });
  }

  remove(label) {
    return this.#ask(`delete ${label}`, Key.DELETE, 0, {});
  }
}

export async function shareGroupState(target) {
  const topic = target.topic('share-state');
  const created = await create(target, 'before', [newTopic(topic, 1)]);
  const { topicId } = created.topics[0];
  const group = target.topic('group');
  const cases = {
    'of a topic': [group, [[topicId, 0]]],
    'of a missing topic': [group, [[noTopic, 0]]],
    'of no group': ['', [[topicId, 0]]],
    'of no topic': [group, []],
    'of a missing partition': [group, [[topicId, 5]]],
  };
  for (const [label, [groupId, topics]] of Object.entries(cases)) {
    const asker = new StateAsker(target, groupId, topics);
    await asker.initialize(label);
    await asker.read(label);
    for (const version of [0, 1]) {
      await asker.write(label, version);
      await asker.summary(label, version);
    }
    await asker.remove(label);
  }
}

/** Of a partition of which one record is accepted, one given out, and one not read. Nothing here changes it. */
export async function shareGroupStateInUse(target) {
  const { topic, topicId, groupId, of } = await prepared(target, 'share-state-used');
  const member = new ShareMember(target, groupId, [topic]);
  await member.join('joins');
  await member.begin('begins', of());
  await member.acknowledge('accepts', of([batch(0, 0, Type.ACCEPT)]));
  await member.acknowledge('releases', of([batch(1, 1, Type.RELEASE)]));
  const cases = {
    'in use': [groupId, [[topicId, 0]]],
    unread: [groupId, [[topicId, 1]]],
    'of a missing partition': [groupId, [[topicId, 5]]],
    'of a missing topic': [groupId, [[noTopic, 0]]],
    'of the zero topic': [groupId, [[zeroUuid, 0]]],
    'of no topic': [groupId, []],
    'of nobody': [target.topic('nobody'), [[topicId, 0]]],
    'below zero': [groupId, [[topicId, -1]]],
    'of no group': ['', [[topicId, 0]]],
  };
  for (const [label, [group, topics]] of Object.entries(cases)) {
    const asker = new StateAsker(target, group, topics);
    await asker.read(label);
    await asker.read(`${label}, without an epoch`, -1);
    for (const version of [0, 1]) await asker.summary(label, version);
  }
  const asker = new StateAsker(target, groupId, [[topicId, 0]]);
  await asker.write('of an older epoch', 1, { stateEpoch: 0 });
  await asker.write('of an older leader', 1, { leaderEpoch: -1 });
}
