import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import {
  deleteGroupsApi,
  listGroupsApi,
  offsetCommitApi,
  offsetDeleteApi,
  offsetFetchApi,
} from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, encodeRequest } from '../broker-harness.ts';
import { isWaiting, settle, stableGroup, type TestMember } from './test-member.ts';

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** Expired offsets are looked for so often. */
const checkMs = 10 * minuteMs;

interface Commit {
  readonly partition?: number;
  readonly offset: number;
  readonly groupId?: string;
  readonly retentionMs?: number;
  readonly metadata?: string;
}

async function commit(harness: BrokerHarness, topic: TopicImage, options: Commit): Promise<number> {
  const { partition = 0, offset, groupId = 'group', retentionMs = -1, metadata = null } = options;
  const fields = { committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: metadata };
  const { topics } = await harness.request(offsetCommitApi, 4, {
    groupId,
    generationIdOrMemberEpoch: -1,
    retentionTimeMs: retentionMs,
    topics: [{ name: topic.name, topicId: topic.id, partitions: [{ partitionIndex: partition, ...fields }] }],
  });
  return topics[0]!.partitions[0]!.errorCode;
}

async function fetch(
  harness: BrokerHarness,
  topicName: string,
  requireStable = false,
  groupId = 'group',
): Promise<number[]> {
  const topics = [{ name: topicName, partitionIndexes: [0, 1] }];
  const response = await harness.request(offsetFetchApi, 7, { groupId, topics, requireStable });
  return response.topics[0]!.partitions.map(({ committedOffset }) => committedOffset);
}

async function groupIds(harness: BrokerHarness): Promise<string[]> {
  const { groups } = await harness.request(listGroupsApi, 5, {});
  return groups.map(({ groupId }) => groupId);
}

/** Lets time pass in steps between which what was set off finishes. */
async function pass(harness: BrokerHarness, ms: number, members: readonly TestMember[] = []): Promise<void> {
  const stepMs = members.length > 0 ? 5000 : checkMs;
  for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
    harness.clock.advance(Math.min(stepMs, ms - passedMs));
    await settle();
    for (const member of members) await member.heartbeat();
  }
}

describe('a commit', () => {
  it('is answered once it is durable, and whoever reads meanwhile waits for it', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    harness.store.held = [];
    const committing = commit(harness, topic, { offset: 7 });
    expect(await isWaiting(committing)).toBe(true);
    const fetches = [fetch(harness, 'topic'), fetch(harness, 'topic', true)];
    for (const fetching of fetches) expect(await isWaiting(fetching)).toBe(true);
    expect(await fetch(harness, 'topic', false, 'another')).toEqual([-1, -1]);
    harness.store.finishHeld();
    expect(await committing).toBe(ErrorCode.NONE);
    expect(await Promise.all(fetches)).toEqual([
      [7, -1],
      [7, -1],
    ]);
  });

  it('goes beside others of its connection, in their order, and only a large one comes first', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    harness.store.held = [];
    const commits = [7, 9, 5].map((offset) => commit(harness, topic, { offset }));
    for (const committing of commits) expect(await isWaiting(committing)).toBe(true);
    const fetching = fetch(harness, 'topic');
    harness.store.finishHeld();
    expect(await Promise.all(commits)).toEqual([ErrorCode.NONE, ErrorCode.NONE, ErrorCode.NONE]);
    expect(await fetching).toEqual([5, -1]);
    const comesFirst = (partitionCount: number): boolean => {
      const partitions = Array.from({ length: partitionCount }, (_, partitionIndex) => ({
        partitionIndex,
        committedOffset: 1,
        committedLeaderEpoch: -1,
        committedMetadata: null,
      }));
      const topics = [{ name: 'topic', topicId: topic.id, partitions }];
      return harness.dispatcher.comesFirst(encodeRequest(offsetCommitApi, 4, { groupId: 'group', topics }));
    };
    expect([comesFirst(1), comesFirst(100), comesFirst(1000)]).toEqual([false, false, true]);
  });

  it('that fails changes nothing', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    await commit(harness, topic, { offset: 7 });
    harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    expect(await commit(harness, topic, { offset: 8 })).toBe(ErrorCode.NOT_COORDINATOR);
    expect(await commit(harness, topic, { offset: 8, groupId: 'other' })).toBe(ErrorCode.NOT_COORDINATOR);
    expect(await fetch(harness, 'topic', true)).toEqual([7, -1]);
    expect(await groupIds(harness)).toEqual(['group']);
  });

  it('of one partition leaves the others as they were', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    await commit(harness, topic, { offset: 7 });
    await commit(harness, topic, { offset: 9, partition: 1 });
    await commit(harness, topic, { offset: 3 });
    expect(await fetch(harness, 'topic')).toEqual([3, 9]);
  });

  it('can be far in the future of a retention that a client asks for', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    expect(await commit(harness, topic, { offset: 7, retentionMs: 2 ** 63 })).toBe(ErrorCode.NONE);
    expect(await fetch(harness, 'topic')).toEqual([7, -1]);
  });
});

describe('a deleted group', () => {
  it('takes along commits that are under way', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    harness.store.held = [];
    const committing = commit(harness, topic, { offset: 7 });
    const deleting = harness.request(deleteGroupsApi, 3, { groupsNames: ['group'] });
    harness.store.finishHeld();
    expect(await committing).toBe(ErrorCode.NONE);
    expect((await deleting).results[0]!.errorCode).toBe(ErrorCode.NONE);
    expect(await fetch(harness, 'topic')).toEqual([-1, -1]);
    expect(await groupIds(harness)).toEqual([]);
    const again = await BrokerHarness.open({ store: harness.store });
    expect(await groupIds(again)).toEqual([]);
  });

  it('does not take along commits that come later', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    await commit(harness, topic, { offset: 7 });
    harness.store.held = [];
    const deleting = harness.request(deleteGroupsApi, 3, { groupsNames: ['group'] });
    const committing = commit(harness, topic, { offset: 8, partition: 1 });
    harness.store.finishHeld();
    await Promise.all([deleting, committing]);
    expect(await fetch(harness, 'topic')).toEqual([-1, 8]);
    const again = await BrokerHarness.open({ store: harness.store });
    expect(await fetch(again, 'topic')).toEqual([-1, 8]);
  });

  it('with many offsets does not take along commits that come later either', async () => {
    const harness = await BrokerHarness.open();
    const topics = [await harness.createTopic('topic', 6000), await harness.createTopic('other', 6000)];
    const asked = topics.map(({ id: topicId, name, partitionCount }) => ({
      topicId,
      name,
      partitions: Array.from({ length: partitionCount }, (_, partitionIndex) => ({
        partitionIndex,
        committedOffset: 1,
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
    }));
    const fields = { groupId: 'group', generationIdOrMemberEpoch: -1, topics: asked };
    await harness.request(offsetCommitApi, 10, fields);
    harness.store.held = [];
    const deleting = harness.request(deleteGroupsApi, 3, { groupsNames: ['group'] });
    const committing = commit(harness, topics[1]!, { offset: 8, partition: 5999 });
    for (const finish of harness.store.held.splice(0)) {
      finish();
      await settle();
    }
    harness.store.finishHeld();
    await Promise.all([deleting, committing]);
    expect(await fetch(harness, 'topic')).toEqual([-1, -1]);
    const place = { topicId: topics[1]!.id, partition: 5999 };
    expect(harness.broker.groups.commits.get('group', place)?.offset).toBe(8);
    expect([...harness.broker.groups.commits.slots('group')]).toHaveLength(1);
  });

  it('may have more removals than one batch may hold', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 10_000);
    const { groups } = harness.broker;
    const groupId = 'g'.repeat(1000);
    const committer = { memberId: '', instanceId: null, generation: -1, retentionMs: -1, producerId: null };
    const offsets = Array.from({ length: 10_000 }, (_, partition) => ({
      ...{ topicId: topic.id, partition, offset: 1, leaderEpoch: -1, metadata: '' },
    }));
    const committed = await groups.commits.commit(groupId, { ...committer, knowsMissingGroups: true }, offsets);
    expect(new Set(committed)).toEqual(new Set([ErrorCode.NONE]));
    const { results } = await harness.request(deleteGroupsApi, 3, { groupsNames: [groupId] });
    expect(results[0]!.errorCode).toBe(ErrorCode.NONE);
    const again = await BrokerHarness.open({ store: harness.store });
    expect(await groupIds(again)).toEqual([]);
  });

  it('is there again where the deletion could not be written', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    await commit(harness, topic, { offset: 7 });
    harness.store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    const { results } = await harness.request(deleteGroupsApi, 3, { groupsNames: ['group'] });
    expect(results[0]!.errorCode).toBe(ErrorCode.NOT_COORDINATOR);
    expect(await groupIds(harness)).toEqual(['group']);
    expect(await fetch(harness, 'topic')).toEqual([7, -1]);
  });
});

test('a topic that was deleted takes its offsets along, and one that is made anew has none', async () => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('topic', 2);
  const other = await harness.createTopic('other', 2);
  await commit(harness, topic, { offset: 7 });
  await commit(harness, other, { offset: 9 });
  await harness.broker.topics.delete(topic.id);
  expect(await fetch(harness, 'topic')).toEqual([-1, -1]);
  const all = await harness.request(offsetFetchApi, 7, { groupId: 'group', topics: null });
  expect(all.topics.map(({ name }) => name)).toEqual(['other']);
  await harness.createTopic('topic', 2);
  expect(await fetch(harness, 'topic')).toEqual([-1, -1]);
  await pass(harness, checkMs);
  expect([...harness.broker.groups.commits.slots('group')].map(({ topicId }) => topicId)).toEqual([other.id]);
  await harness.broker.topics.delete(other.id);
  await pass(harness, checkMs);
  expect(await groupIds(harness)).toEqual([]);
});

describe('offsets expire', () => {
  it('after the commit, where the group never had members', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    await commit(harness, topic, { offset: 7 });
    await pass(harness, dayMs);
    await commit(harness, topic, { offset: 8, partition: 1 });
    await pass(harness, 6 * dayMs - checkMs);
    expect(await fetch(harness, 'topic')).toEqual([7, 8]);
    await pass(harness, checkMs);
    expect(await fetch(harness, 'topic')).toEqual([-1, 8]);
    await pass(harness, dayMs);
    expect(await groupIds(harness)).toEqual([]);
  });

  it('all together after the group became empty, whenever they were committed', async () => {
    const harness = await BrokerHarness.open({ config: { 'offsets.retention.minutes': '60' } });
    const topic = await harness.createTopic('topic', 2);
    const [member] = (await stableGroup(harness, 1)) as [TestMember];
    await member.commit(topic, 0, 7);
    await pass(harness, 90 * minuteMs, [member]);
    await member.commit(topic, 1, 8);
    expect(await fetch(harness, 'topic')).toEqual([7, 8]);
    await member.leave();
    await pass(harness, 50 * minuteMs);
    expect(await fetch(harness, 'topic')).toEqual([7, 8]);
    await pass(harness, 20 * minuteMs);
    expect(await fetch(harness, 'topic')).toEqual([-1, -1]);
    expect(await groupIds(harness)).toEqual([]);
    const again = await BrokerHarness.open({ store: harness.store });
    expect(await groupIds(again)).toEqual([]);
  });

  it('of topics that no member subscribes to, while the others stay', async () => {
    const harness = await BrokerHarness.open({ config: { 'offsets.retention.minutes': '60' } });
    const topic = await harness.createTopic('topic', 2);
    const unread = await harness.createTopic('unread', 2);
    const [member] = (await stableGroup(harness, 1)) as [TestMember];
    await member.commit(topic, 0, 7);
    await member.commit(unread, 0, 8);
    await pass(harness, 80 * minuteMs, [member]);
    expect(await fetch(harness, 'topic')).toEqual([7, -1]);
    expect(await fetch(harness, 'unread')).toEqual([-1, -1]);
    expect(await member.heartbeat()).toBe(ErrorCode.NONE);
  });

  it('when the commit said so', async () => {
    const harness = await BrokerHarness.open();
    const topic = await harness.createTopic('topic', 2);
    await commit(harness, topic, { offset: 7, retentionMs: 5 * minuteMs });
    await commit(harness, topic, { offset: 8, partition: 1, retentionMs: 15 * minuteMs });
    await pass(harness, checkMs);
    expect(await fetch(harness, 'topic')).toEqual([-1, 8]);
    await pass(harness, checkMs);
    expect(await fetch(harness, 'topic')).toEqual([-1, -1]);
  });

  it('in slices, so that requests are served meanwhile', async () => {
    const harness = await BrokerHarness.open({ config: { 'offsets.retention.minutes': '1' } });
    const topic = await harness.createTopic('topic', 100);
    for (let group = 0; group < 250; group++) {
      const partitions = Array.from({ length: 100 }, (_, partitionIndex) => ({
        partitionIndex,
        committedOffset: 1,
        committedLeaderEpoch: -1,
        committedMetadata: null,
      }));
      await harness.request(offsetCommitApi, 4, {
        groupId: `group ${group}`,
        generationIdOrMemberEpoch: -1,
        retentionTimeMs: -1,
        topics: [{ name: topic.name, topicId: topic.id, partitions }],
      });
    }
    harness.clock.advance(checkMs);
    await settle();
    expect((await groupIds(harness)).length).toBeGreaterThan(100);
    for (let slice = 0; slice < 3; slice++) {
      harness.clock.advance(0);
      await settle();
    }
    expect(await groupIds(harness)).toEqual([]);
  });
});

test('deletes offsets durably, those that are under way included', async () => {
  const harness = await BrokerHarness.open();
  const topic = await harness.createTopic('topic', 2);
  await commit(harness, topic, { offset: 7 });
  harness.store.held = [];
  const committing = commit(harness, topic, { offset: 8, partition: 1 });
  const partitions = [{ partitionIndex: 0 }, { partitionIndex: 1 }];
  const deleting = harness.request(offsetDeleteApi, 0, { groupId: 'group', topics: [{ name: 'topic', partitions }] });
  expect(await isWaiting(deleting)).toBe(true);
  harness.store.finishHeld();
  await Promise.all([committing, deleting]);
  const again = await BrokerHarness.open({ store: harness.store });
  expect(await fetch(again, 'topic')).toEqual([-1, -1]);
});

test('metadata may have as many characters as offset.metadata.max.bytes says', async () => {
  const harness = await BrokerHarness.open({ config: { 'offset.metadata.max.bytes': '10' } });
  const topic = await harness.createTopic('topic', 2);
  expect(await commit(harness, topic, { offset: 1, metadata: 'x'.repeat(10) })).toBe(ErrorCode.NONE);
  expect(await commit(harness, topic, { offset: 2, metadata: 'x'.repeat(11) })).toBe(
    ErrorCode.OFFSET_METADATA_TOO_LARGE,
  );
  expect(await fetch(harness, 'topic')).toEqual([1, -1]);
});
