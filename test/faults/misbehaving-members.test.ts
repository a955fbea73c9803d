/**
 * Groups of every kind with two members that do what they should, over real sockets, while others lie about who they are, about
 * their generation or epoch, and about what they have; or join and are not heard of again, with connections that are gone or stay
 * open without a word. Liars hear what Apache Kafka tells them (the oracle's scenarios), the two stay what they were, and get
 * back what those had who vanished. Somebody who writes and reads meanwhile does not notice.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import type { TopicImage } from '../../src/broker/metadata-image.ts';
import { createTopicsApi, describeGroupsApi, shareGroupDescribeApi } from '../../src/protocol/generated/index.ts';
import { describeGroup, TestConsumer } from '../broker/groups/consumer/test-consumer.ts';
import {
  allTasks,
  describeStreams,
  subtopology,
  TestStreamsMember,
} from '../broker/groups/streams/test-streams-member.ts';
import { TestMember } from '../broker/groups/test-member.ts';
import { TestShareConsumer } from '../broker/share/test-share-consumer.ts';
import { Bystander } from '../fuzz/bystander.ts';
import { ProgramWire } from '../program/request-wire.ts';
import { BrokerInProcess } from './broker-in-process.ts';

const sessionMs = 6000;
const patienceMs = 120_000;
const partitionCount = 4;
const nobody = '0'.repeat(22);
const kinds = ['consumer', 'share', 'streams'];
const settings: Readonly<Record<string, string>> = {
  'group.initial.rebalance.delay.ms': '0',
  ...Object.fromEntries(
    kinds.flatMap((kind) => [
      [`group.${kind}.min.session.timeout.ms`, String(sessionMs)],
      [`group.${kind}.session.timeout.ms`, String(sessionMs)],
    ]),
  ),
  'group.streams.initial.rebalance.delay.ms': '0',
};

let broker: BrokerInProcess;
let bystander: Bystander;

beforeAll(async () => {
  broker = await BrokerInProcess.start(settings);
  bystander = await Bystander.start(broker.kafkaPort);
});

afterAll(async () => {
  await bystander.finish();
  expect(bystander.problems).toEqual([]);
  expect(broker.errors).toEqual([]);
  expect(broker.defects).toEqual([]);
  await broker[Symbol.asyncDispose]();
});

type Lie = readonly [what: string, tell: () => Promise<number>, answer: ErrorCode];

/** Two members of one group. */
interface Pair {
  /** Heartbeats of both, in which they take part in what the group does; throws at an error that nobody gives cause for. */
  beat(): Promise<void>;
  /** Who they are and what they have. */
  state(): unknown;
  /** The partitions that they have together, in order. */
  held(): number[];
  /** The state and the number of members of the group, as it is described. */
  described(): Promise<readonly [state: string, memberCount: number]>;
  lies(liars: ProgramWire): readonly Lie[];
  /** One more member joins over `wire` and has its part. */
  joinMore(wire: ProgramWire): Promise<void>;
}

type Opening = (wire: ProgramWire, topic: TopicImage) => Promise<Pair>;

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function expectNone(...errorCodes: number[]): void {
  expect(errorCodes.filter((errorCode) => errorCode !== ErrorCode.NONE)).toEqual([]);
}

/** Has the pair take turns with heartbeats until the group has so many members and is stable. */
async function untilStable(pair: Pair, memberCount: number): Promise<void> {
  for (let isStable = false; !isStable; await sleep(100)) {
    await pair.beat();
    const [state, count] = await pair.described();
    isStable = state === 'Stable' && count === memberCount;
  }
}

/** Has a new member send heartbeats until it has its part. */
async function untilGiven(beat: () => Promise<number>, hasPart: () => boolean): Promise<void> {
  while (!hasPart()) {
    expectNone(await beat());
    await sleep(50);
  }
}

function newId(wire: ProgramWire): string {
  return wire.connect().id.toString().padStart(22, 'm');
}

async function codeOf(answer: Promise<{ readonly errorCode: number }>): Promise<number> {
  return (await answer).errorCode;
}

/** A member of a group whose members have epochs, and may commit offsets. */
type EpochMember = Pick<TestConsumer | TestStreamsMember, 'id' | 'epoch' | 'send' | 'leave' | 'commit'>;

/** What nobody and a member of another epoch than `member` may not say; `liar` makes who says that it is that. */
function liesOfEpochs(
  liar: (id: string, epoch: number) => EpochMember,
  { id, epoch }: EpochMember,
  topic: TopicImage,
): Lie[] {
  const unknown = liar(nobody, epoch);
  const ahead = liar(id, epoch + 1);
  return [
    ['a heartbeat of nobody', () => codeOf(unknown.send()), ErrorCode.UNKNOWN_MEMBER_ID],
    ['a commit of nobody', () => unknown.commit(topic, 0), ErrorCode.UNKNOWN_MEMBER_ID],
    ['a goodbye of nobody', () => codeOf(unknown.leave()), ErrorCode.UNKNOWN_MEMBER_ID],
    ['a heartbeat of the next epoch', () => codeOf(ahead.send()), ErrorCode.FENCED_MEMBER_EPOCH],
    ['a commit of the next epoch', () => ahead.commit(topic, 0), ErrorCode.STALE_MEMBER_EPOCH],
    ['a heartbeat of an epoch that is none', () => codeOf(liar(id, -3).send()), ErrorCode.INVALID_REQUEST],
  ];
}

const classic: Opening = async (wire, topic) => {
  const groupId = 'classic';
  const options = { topics: [topic.name], sessionTimeoutMs: sessionMs };
  const members = [new TestMember(wire, groupId, options), new TestMember(wire, groupId, options)] as const;
  const [first, second] = members;
  const rejoin = async (...others: Promise<{ readonly errorCode: number }>[]): Promise<void> => {
    const known = others.length === 0 ? members : [first];
    const joins = await Promise.all([...known.map((member) => member.join()), ...others]);
    expectNone(...joins.map(({ errorCode }) => errorCode));
    await Promise.all(members.map((member) => member.sync()));
  };
  expectNone((await first.join()).errorCode, (await first.sync()).errorCode);
  const joining = second.join();
  while ((await first.heartbeat()) !== ErrorCode.REBALANCE_IN_PROGRESS) await sleep(20);
  await rejoin(joining);
  const liar = (liars: ProgramWire, id: string, generation: number, more = {}): TestMember =>
    Object.assign(new TestMember(liars, groupId, { ...options, ...more }), { id, generation });
  return {
    async beat() {
      const codes = await Promise.all(members.map((member) => member.heartbeat()));
      const isRebalance = codes.includes(ErrorCode.REBALANCE_IN_PROGRESS);
      if (isRebalance) await rejoin();
      else expectNone(...codes);
    },
    state: () => members.map(({ id, generation, joined }) => ({ id, generation, leader: joined!.leader })),
    // What a leader of the classic protocol assigns is its own matter: that it knows of these two alone is enough.
    held: () => (members.some(({ joined }) => joined!.members.length === 2) ? range(partitionCount) : []),
    async described() {
      const { groups } = await wire.request(describeGroupsApi, 5, { groups: [groupId] });
      return [groups[0]!.groupState, groups[0]!.members.length];
    },
    lies(liars) {
      const unknown = liar(liars, 'nobody', first.generation);
      const ahead = liar(liars, first.id, first.generation + 1);
      const wordy = liar(liars, first.id, first.generation);
      return [
        ['a heartbeat of nobody', () => unknown.heartbeat(), ErrorCode.UNKNOWN_MEMBER_ID],
        ['a join with an id of nobody', async () => (await unknown.join()).errorCode, ErrorCode.UNKNOWN_MEMBER_ID],
        ['a sync of nobody', async () => (await unknown.sync()).errorCode, ErrorCode.UNKNOWN_MEMBER_ID],
        ['a commit of nobody', () => unknown.commit(topic, 0, 1), ErrorCode.UNKNOWN_MEMBER_ID],
        ['a goodbye of nobody', () => unknown.leave(), ErrorCode.UNKNOWN_MEMBER_ID],
        ['a heartbeat of the next generation', () => ahead.heartbeat(), ErrorCode.ILLEGAL_GENERATION],
        ['a sync of the next generation', async () => (await ahead.sync()).errorCode, ErrorCode.ILLEGAL_GENERATION],
        ['a commit of the next generation', () => ahead.commit(topic, 0, 1), ErrorCode.ILLEGAL_GENERATION],
        [
          'a commit with much metadata',
          () => wordy.commit(topic, 0, 1, 'm'.repeat(5000)),
          ErrorCode.OFFSET_METADATA_TOO_LARGE,
        ],
        [
          'a join with a protocol that nobody knows',
          async () => (await liar(liars, '', -1, { protocolNames: ['mine'] }).join()).errorCode,
          ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        ],
        [
          'a join with a session of no time',
          async () => (await liar(liars, '', -1, { sessionTimeoutMs: 1 }).join()).errorCode,
          ErrorCode.INVALID_SESSION_TIMEOUT,
        ],
      ];
    },
    async joinMore(others) {
      const member = new TestMember(others, groupId, options);
      expectNone((await member.join()).errorCode, (await member.sync()).errorCode);
    },
  };
};

const consumer: Opening = async (wire, topic) => {
  const options = { groupId: 'consumer', topics: [topic.name] };
  const members = [new TestConsumer(wire, 'one', options), new TestConsumer(wire, 'two', options)] as const;
  const [first] = members;
  for (const member of members) expectNone((await member.join()).errorCode);
  const liar = (liars: ProgramWire, id: string, epoch: number, more = {}): TestConsumer =>
    Object.assign(new TestConsumer(liars, id, { ...options, ...more }), { epoch });
  return {
    async beat() {
      expectNone(...(await Promise.all(members.map((member) => member.beat()))));
    },
    state: () => members.map(({ id, epoch, owned }) => ({ id, epoch, owned })),
    held: () => members.flatMap(({ partitions }) => partitions).toSorted(),
    async described() {
      const group = await describeGroup(wire, options.groupId);
      return [group.groupState, group.members.length];
    },
    lies(liars) {
      const hostile = '(((((a*)*)*)*)*)*$'.repeat(40);
      return [
        ...liesOfEpochs((id, epoch) => liar(liars, id, epoch), first, topic),
        [
          'a join with an assignor that nobody knows',
          () => codeOf(liar(liars, nobody, 0, { assignor: 'mine' }).join()),
          ErrorCode.UNSUPPORTED_ASSIGNOR,
        ],
        [
          'a join with an expression that is none',
          () => codeOf(liar(liars, nobody, 0, { regex: '(' }).join()),
          ErrorCode.INVALID_REGULAR_EXPRESSION,
        ],
        [
          'an expression that other engines never come to an end of, in a group of its own',
          () => codeOf(liar(liars, nobody, 0, { groupId: 'hostile', regex: hostile }).join()),
          ErrorCode.NONE,
        ],
      ];
    },
    async joinMore(others) {
      const member = new TestConsumer(others, newId(others), options);
      expectNone((await member.join()).errorCode);
      await untilGiven(
        () => member.beat(),
        () => member.partitions.length > 0,
      );
    },
  };
};

const share: Opening = async (wire, topic) => {
  const groupId = 'share';
  const newMember = (over: ProgramWire): TestShareConsumer => new TestShareConsumer(over, groupId, [topic.name]);
  const first = newMember(wire);
  const members = [first, newMember(wire)];
  for (const member of members) expectNone((await member.join()).errorCode);
  const liar = (liars: ProgramWire, id: string, epoch: number): TestShareConsumer =>
    Object.assign(newMember(liars), { id, epoch, assigned: first.assigned });
  return {
    async beat() {
      const answers = await Promise.all(members.map((member) => member.beat()));
      expectNone(...answers.map(({ errorCode }) => errorCode));
    },
    state: () => members.map(({ id, epoch, assigned }) => ({ id, epoch, assigned })),
    held() {
      const all = members.flatMap(({ assigned }) => assigned.flatMap(({ partitions }) => partitions));
      return [...new Set(all)].toSorted();
    },
    async described() {
      const { groups } = await wire.request(shareGroupDescribeApi, 1, { groupIds: [groupId] });
      const { groupState, groupEpoch, assignmentEpoch, members: all } = groups[0]!;
      const isSettled = groupEpoch === assignmentEpoch && all.every(({ memberEpoch }) => memberEpoch === groupEpoch);
      return [isSettled ? groupState : 'Reconciling', all.length];
    },
    lies(liars) {
      const unknown = liar(liars, nobody, first.epoch);
      const ahead = liar(liars, first.id, first.epoch + 1);
      return [
        ['a heartbeat of nobody', async () => (await unknown.beat()).errorCode, ErrorCode.UNKNOWN_MEMBER_ID],
        ['a goodbye of nobody', async () => (await unknown.leave()).errorCode, ErrorCode.UNKNOWN_MEMBER_ID],
        ['a heartbeat of the next epoch', async () => (await ahead.beat()).errorCode, ErrorCode.FENCED_MEMBER_EPOCH],
        [
          'a fetch of a session that was not begun',
          async () => (await Object.assign(liar(liars, first.id, 1), { sessionEpoch: 7 }).fetchResponse()).errorCode,
          ErrorCode.SHARE_SESSION_NOT_FOUND,
        ],
        [
          'an acknowledgement without a session',
          () => Object.assign(liar(liars, first.id, 1), { sessionEpoch: 7 }).acknowledge([[0, 0, 1]]),
          ErrorCode.SHARE_SESSION_NOT_FOUND,
        ],
      ];
    },
    async joinMore(others) {
      const member = newMember(others);
      expectNone((await member.join()).errorCode);
      await untilGiven(
        () => codeOf(member.beat()),
        () => member.assigned.length > 0,
      );
    },
  };
};

const streams: Opening = async (wire, topic) => {
  const topology = { epoch: 0, subtopologies: [subtopology('0', [topic.name])] };
  const options = { groupId: 'streams', topology };
  const members = [new TestStreamsMember(wire, 'one', options), new TestStreamsMember(wire, 'two', options)] as const;
  const [first] = members;
  for (const member of members) expectNone((await member.join()).errorCode);
  const liar = (liars: ProgramWire, id: string, epoch: number, more = {}): TestStreamsMember =>
    Object.assign(new TestStreamsMember(liars, id, { ...options, ...more }), { epoch });
  return {
    async beat() {
      const answers = await Promise.all(members.map((member) => member.beat()));
      expectNone(...answers.map(({ errorCode }) => errorCode));
    },
    state: () => members.map(({ id, epoch, tasks }) => ({ id, epoch, tasks })),
    held: () => allTasks(members).map((task) => Number(task.split('_')[1])),
    async described() {
      const group = await describeStreams(wire, options.groupId);
      return [group.groupState, group.members.length];
    },
    lies(liars) {
      const part = subtopology('0', [topic.name]);
      const doubled = { epoch: 0, subtopologies: [part, part] };
      return [
        ...liesOfEpochs((id, epoch) => liar(liars, id, epoch), first, topic),
        [
          'a join with a topology of two parts of one name',
          () => codeOf(liar(liars, nobody, 0, { topology: doubled }).join()),
          ErrorCode.STREAMS_INVALID_TOPOLOGY,
        ],
      ];
    },
    async joinMore(others) {
      const member = new TestStreamsMember(others, newId(others), options);
      expectNone((await member.join()).errorCode);
      await untilGiven(
        () => codeOf(member.beat()),
        () => member.named().length > 0,
      );
    },
  };
};

async function createTopic(wire: ProgramWire, name: string): Promise<TopicImage> {
  const spec = { name, numPartitions: partitionCount, replicationFactor: 1, assignments: [], configs: [] };
  const { topics } = await wire.request(createTopicsApi, 7, { topics: [spec], timeoutMs: 60_000 });
  expectNone(topics[0]!.errorCode);
  return { id: topics[0]!.topicId, name, partitionCount } as TopicImage;
}

describe.concurrent.each([
  ['classic', classic],
  ['consumer', consumer],
  ['share', share],
  ['streams', streams],
])('two members of a %s group', (name, open) => {
  it('are left alone by liars, and have everything again when others vanish', { timeout: patienceMs }, async () => {
    const wire = await ProgramWire.open(broker.kafkaPort, 2);
    const topic = await createTopic(wire, `topic-of-${name}`);
    const pair = await open(wire, topic);
    await untilStable(pair, 2);
    const before = pair.state();

    const liars = await ProgramWire.open(broker.kafkaPort, 1);
    for (const [what, tell, answer] of pair.lies(liars)) {
      expect(await tell(), what).toBe(answer);
      await pair.beat();
      expect(pair.state(), what).toEqual(before);
    }
    liars.close();

    const gone = await ProgramWire.open(broker.kafkaPort, 1);
    const silent = await ProgramWire.open(broker.kafkaPort, 1);
    for (const vanishing of [gone, silent]) {
      let isIn = false;
      const joining = pair.joinMore(vanishing).finally(() => (isIn = true));
      while (!isIn) await Promise.all([pair.beat(), sleep(50)]);
      await joining;
    }
    gone.close();
    await untilStable(pair, 2);
    expect(pair.held()).toEqual(range(partitionCount));
    silent.close();
    wire.close();
  });
});
