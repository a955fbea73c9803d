/**
 * Many groups, and groups of many members, against the real program: all of them work, somebody who works beside them is
 * served, and a start after kill -9 finds them. MILLRACE_GROUPS=10000 and MILLRACE_MEMBERS=1000 make them as many as that
 * (npm run test:faults).
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { present } from '../../src/base/assert.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import type { TopicImage } from '../../src/broker/metadata-image.ts';
import { createTopicsApi, listGroupsApi, offsetFetchApi } from '../../src/protocol/generated/index.ts';
import { describeGroup, TestConsumer } from '../broker/groups/consumer/test-consumer.ts';
import { TestMember } from '../broker/groups/test-member.ts';
import { Bystander } from '../fuzz/bystander.ts';
import { defectsIn } from '../fuzz/fuzz-run.ts';
import { ProgramProcess } from '../program/program-process.ts';
import { ProgramWire } from '../program/request-wire.ts';

const groupCount = Number(process.env['MILLRACE_GROUPS'] ?? '300');
const memberCount = Number(process.env['MILLRACE_MEMBERS'] ?? '60');
const connectionCount = 20;
/** It measures nothing; so long that only a hang takes longer, on a machine that does much else. */
const timeout = 600_000;
/** Groups wait for each other's members this long, in milliseconds. */
const joinDelayMs = 1500;

let data: string;
let program: ProgramProcess;
let bystander: Bystander;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'millrace-groups-'));
});

afterEach(async () => {
  await program.stop('SIGKILL');
  rmSync(data, { recursive: true, force: true });
});

async function start(delayMs: number): Promise<void> {
  program = await ProgramProcess.serving(join(data, 'data'), ['--set', `group.initial.rebalance.delay.ms=${delayMs}`]);
  bystander = await Bystander.start(program.kafkaPort, 1000);
}

async function judge(): Promise<void> {
  // Where the disk is slow, all the rest may be done before its first record is synced.
  await vi.waitUntil(() => bystander.promisedCount > 0 || bystander.problems.length > 0, { timeout });
  await bystander.finish();
  expect(bystander.problems).toEqual([]);
  expect(defectsIn(program.log)).toEqual([]);
}

async function createTopic(wire: ProgramWire, partitionCount: number): Promise<TopicImage> {
  const spec = { name: 'topic', numPartitions: partitionCount, replicationFactor: 1, assignments: [], configs: [] };
  const { topics } = await wire.request(createTopicsApi, 7, { topics: [spec], timeoutMs: 60_000 });
  const { errorCode, topicId } = present(topics[0], 'the topic is answered');
  expect(errorCode).toBe(ErrorCode.NONE);
  return { id: topicId, name: 'topic', partitionCount } as TopicImage;
}

describe(`${groupCount} groups`, () => {
  it('of one member each work, and are there after kill -9', { timeout }, async () => {
    await start(0);
    const wire = await ProgramWire.open(program.kafkaPort, connectionCount);
    const topic = await createTopic(wire, 1);
    const options = { sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 300_000 };
    const members = Array.from({ length: groupCount }, (_, i) => new TestMember(wire, `group-${i}`, options));
    await Promise.all(
      members.map(async (member, i) => {
        expect((await member.join()).errorCode).toBe(ErrorCode.NONE);
        expect((await member.sync()).errorCode).toBe(ErrorCode.NONE);
        expect(await member.commit(topic, 0, i)).toBe(ErrorCode.NONE);
      }),
    );
    for (const member of members) expect(await member.heartbeat()).toBe(ErrorCode.NONE);
    wire.close();
    await judge();
    await program.stop('SIGKILL');

    await start(0);
    const next = await ProgramWire.open(program.kafkaPort, connectionCount);
    const { groups } = await next.request(listGroupsApi, 5, { statesFilter: ['Stable'] });
    expect(groups).toHaveLength(groupCount);
    for (const [i, member] of members.entries()) {
      member.harness = next;
      member.connection = next.connect();
      expect(await member.heartbeat()).toBe(ErrorCode.NONE);
      const topics = [{ topicId: zeroUuid, name: topic.name, partitionIndexes: [0] }];
      const asked = [{ groupId: member.groupId, memberId: null, memberEpoch: -1, topics }];
      const answer = await next.request(offsetFetchApi, 8, { groups: asked }, member.connection);
      expect(answer.groups[0]!.topics[0]!.partitions[0]!.committedOffset).toBe(i);
    }
    next.close();
    await judge();
  });
});

describe(`a group of ${memberCount} members`, () => {
  it('of the classic protocol comes to one generation, and commits', { timeout }, async () => {
    await start(joinDelayMs);
    // Who joins waits for the others.
    const wire = await ProgramWire.open(program.kafkaPort, memberCount);
    const topic = await createTopic(wire, memberCount);
    const options = { sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 300_000 };
    const members = Array.from({ length: memberCount }, () => new TestMember(wire, 'group', options));
    await Promise.all(members.map((member) => member.join()));
    // Members whose first request only gave them an id may have come behind a generation that began without them.
    for (let isWhole = false; !isWhole;) {
      const answers = await Promise.all(members.map(async (member) => (await member.sync()).errorCode));
      isWhole = answers.every((errorCode) => errorCode === ErrorCode.NONE);
      if (!isWhole) await Promise.all(members.map((member) => member.join()));
    }
    expect(new Set(members.map(({ generation }) => generation)).size).toBe(1);
    const codes = await Promise.all(members.map((member, i) => member.commit(topic, i, 7)));
    expect(new Set(codes)).toEqual(new Set([ErrorCode.NONE]));
    wire.close();
    await judge();
  });

  it('of the consumer protocol shares its partitions, and is there after kill -9', { timeout }, async () => {
    await start(0);
    const wire = await ProgramWire.open(program.kafkaPort, connectionCount);
    await createTopic(wire, memberCount);
    const members = Array.from({ length: memberCount }, (_, i) => new TestConsumer(wire, `member-${i}`));
    await Promise.all(members.map((member) => member.join()));
    await untilStable(wire, members);
    const before = members.map(({ partitions }) => partitions);
    expect(before.every((partitions) => partitions.length === 1)).toBe(true);
    expect(new Set(before.flat()).size).toBe(memberCount);
    wire.close();
    await judge();
    await program.stop('SIGKILL');

    await start(0);
    const next = await ProgramWire.open(program.kafkaPort, connectionCount);
    for (const member of members) Object.assign(member, { harness: next, connection: next.connect() });
    await untilStable(next, members);
    expect(members.map(({ partitions }) => partitions)).toEqual(before);
    next.close();
    await judge();
  });
});

/** Members say what they have, again and again, until all have come to the group's epoch. */
async function untilStable(wire: ProgramWire, members: readonly TestConsumer[]): Promise<void> {
  do {
    const codes = await Promise.all(members.map((member) => member.beat()));
    expect(new Set(codes)).toEqual(new Set([ErrorCode.NONE]));
  } while ((await describeGroup(wire)).groupState !== 'Stable');
}
