import { expect, test } from 'vitest';
import { ErrorCode } from '../../../../src/base/error-code.ts';
import {
  apiVersionsApi,
  deleteGroupsApi,
  incrementalAlterConfigsApi,
  joinGroupApi,
  listGroupsApi,
  updateFeaturesApi,
} from '../../../../src/protocol/generated/index.ts';
import { BrokerHarness } from '../../broker-harness.ts';
import {
  allTasks,
  assignmentIntervalMs,
  describeStreams,
  initialDelayMs,
  internalTopic,
  reconcileStreams,
  stableStreams,
  subtopology,
  tasksOf,
  TestStreamsMember,
  wordCount,
} from './test-streams-member.ts';

test('the broker makes the internal topics, and members share the tasks once they are there', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 3);
  const member = new TestStreamsMember(harness, 'm0');
  const joined = await member.join();
  expect(joined.status!.map(({ statusCode }) => statusCode)).toEqual([5, 3]);
  expect([joined.memberEpoch, joined.activeTasks]).toEqual([1, []]);
  const repartition = harness.broker.topics.topic('app-words-repartition')!;
  const changelog = harness.broker.topics.topic('app-counts-changelog')!;
  expect([repartition.partitionCount, changelog.partitionCount]).toEqual([3, 3]);
  expect(changelog.configs.get('cleanup.policy')).toBe('compact');
  expect((await describeStreams(harness)).groupState).toBe('NotReady');
  const other = new TestStreamsMember(harness, 'm1');
  expect((await other.join()).status!.map(({ statusCode }) => statusCode)).toEqual([5]);
  harness.clock.advance(initialDelayMs);
  await reconcileStreams(harness, [member, other]);
  expect(allTasks([member, other])).toEqual([...tasksOf('0', 3), ...tasksOf('1', 3)]);
  expect(member.named()).toHaveLength(3);
  const described = await describeStreams(harness);
  expect(described.topology!.subtopologies![1]!.stateChangelogTopics[0]!.partitions).toBe(3);
  expect(described.assignorName).toBe('sticky');
});

test('a group whose source topics are missing waits for them', async () => {
  const harness = await BrokerHarness.open();
  const member = new TestStreamsMember(harness, 'm0');
  const { status } = await member.join();
  expect(status).toContainEqual({ statusCode: 1, statusDetail: 'Source topics lines are missing.' });
  expect(harness.broker.topics.topic('app-words-repartition')).toBeNull();
  await harness.createTopic('lines', 2);
  harness.clock.advance(initialDelayMs);
  await reconcileStreams(harness, [member]);
  expect(allTasks([member])).toEqual([...tasksOf('0', 2), ...tasksOf('1', 2)]);
});

test('an active task goes to the next member only once the last has given it up', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 2);
  const [first] = (await stableStreams(harness, 1)) as [TestStreamsMember];
  const second = new TestStreamsMember(harness, 'm1');
  harness.clock.advance(assignmentIntervalMs);
  await second.join();
  expect(second.named()).toEqual([]);
  const before = first.tasks;
  await first.send();
  expect(first.named()).toHaveLength(2);
  // It says that it still has all: nothing moves.
  await first.send(before);
  await second.beat();
  expect(second.named()).toEqual([]);
  await first.send(first.tasks);
  await second.beat();
  expect(allTasks([first, second])).toEqual([...tasksOf('0', 2), ...tasksOf('1', 2)]);
  await reconcileStreams(harness, [first, second]);
});

test('standby tasks are with another process than their active task, and take its place when it leaves', async () => {
  const harness = await BrokerHarness.open({ config: { 'group.streams.num.standby.replicas': '1' } });
  await harness.createTopic('lines', 4);
  const members = await stableStreams(harness, 2);
  const [first, second] = members as [TestStreamsMember, TestStreamsMember];
  const stateful = (member: TestStreamsMember): string[] => member.named().filter((name) => name.startsWith('1_'));
  expect(first.named('standbyTasks').toSorted()).toEqual(stateful(second).toSorted());
  expect(second.named('standbyTasks').toSorted()).toEqual(stateful(first).toSorted());
  await first.leave();
  await reconcileStreams(harness, [second]);
  expect(allTasks([second])).toEqual([...tasksOf('0', 4), ...tasksOf('1', 4)]);
  expect(second.named('standbyTasks')).toEqual([]);
});

test('a member that does not give up its tasks in time is taken out', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 2);
  const [first] = (await stableStreams(harness, 1, { rebalanceTimeoutMs: 5000 })) as [TestStreamsMember];
  const second = new TestStreamsMember(harness, 'm1');
  harness.clock.advance(assignmentIntervalMs);
  await second.join();
  await first.send();
  harness.clock.advance(4999);
  expect((await first.send()).errorCode).toBe(ErrorCode.NONE);
  harness.clock.advance(1);
  expect((await first.send()).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  await reconcileStreams(harness, [second]);
  expect(allTasks([second])).toEqual([...tasksOf('0', 2), ...tasksOf('1', 2)]);
});

test('a member that is not heard of is taken out when its session ends', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 2);
  const [first, second] = (await stableStreams(harness, 2)) as [TestStreamsMember, TestStreamsMember];
  harness.clock.advance(44_000);
  expect((await first.beat()).errorCode).toBe(ErrorCode.NONE);
  harness.clock.advance(1000);
  expect((await second.send()).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  await reconcileStreams(harness, [first]);
  expect(first.named()).toHaveLength(4);
});

test('a member commits at its epoch, and behind it what it had then and still has', async () => {
  const harness = await BrokerHarness.open();
  const lines = await harness.createTopic('lines', 2);
  const unread = await harness.createTopic('unread', 1);
  const [first] = (await stableStreams(harness, 1)) as [TestStreamsMember];
  const since = first.epoch;
  expect(await first.commit(lines, 0)).toBe(ErrorCode.NONE);
  expect(await first.commit(lines, 0, since + 1)).toBe(ErrorCode.STALE_MEMBER_EPOCH);
  const second = new TestStreamsMember(harness, 'm1');
  harness.clock.advance(assignmentIntervalMs);
  await second.join();
  await reconcileStreams(harness, [first, second]);
  expect(first.epoch).toBeGreaterThan(since);
  const kept = first.named().find((name) => name.startsWith('0_'))!;
  expect(await first.commit(lines, Number(kept.slice(2)), since)).toBe(ErrorCode.NONE);
  expect(await first.commit(lines, 1 - Number(kept.slice(2)), since)).toBe(ErrorCode.STALE_MEMBER_EPOCH);
  expect(await first.commit(unread, 0, since)).toBe(ErrorCode.STALE_MEMBER_EPOCH);
});

test('a static member that comes back has its tasks again, without a rebalance', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 2);
  const options = { instanceId: 'i', processId: 'p' };
  const [first] = (await stableStreams(harness, 1, options)) as [TestStreamsMember];
  const { groupEpoch } = await describeStreams(harness);
  const back = new TestStreamsMember(harness, 'again', options);
  expect((await back.join()).errorCode).toBe(ErrorCode.UNRELEASED_INSTANCE_ID);
  await first.leave(-2);
  await back.join();
  expect(allTasks([back])).toEqual([...tasksOf('0', 2), ...tasksOf('1', 2)]);
  expect((await describeStreams(harness)).groupEpoch).toBe(groupEpoch);
  expect((await first.send({ memberEpoch: groupEpoch })).errorCode).toBe(ErrorCode.FENCED_INSTANCE_ID);
});

test('members hear of endpoints, of a shutdown of the application, and of a topology that is newer than theirs', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 1);
  const first = new TestStreamsMember(harness, 'm0', { endpoint: { host: 'one', port: 65_535 } });
  await first.join({ topology: { ...wordCount, epoch: 1 } });
  harness.clock.advance(initialDelayMs);
  await reconcileStreams(harness, [first]);
  const second = new TestStreamsMember(harness, 'm1');
  harness.clock.advance(assignmentIntervalMs);
  const joined = await second.join();
  expect(joined.status).toContainEqual({
    statusCode: 0,
    statusDetail: "The member's topology epoch 0 is behind the group's topology epoch 1.",
  });
  const [endpoint] = joined.partitionsByUserEndpoint!;
  expect(endpoint!.userEndpoint).toEqual({ host: 'one', port: 65_535 });
  expect(endpoint!.activePartitions).toContainEqual({ topic: 'lines', partitions: [0] });
  const { endpointInformationEpoch } = joined;
  expect((await second.send({ endpointInformationEpoch })).partitionsByUserEndpoint).toBeNull();
  await second.send({ shutdownApplication: true });
  expect((await first.send()).status!.map(({ statusCode }) => statusCode)).toEqual([4]);
});

test('a changed topology is refused, and the group keeps its own', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 1);
  const [first] = (await stableStreams(harness, 1)) as [TestStreamsMember];
  const second = new TestStreamsMember(harness, 'm1');
  const changed = { epoch: 1, subtopologies: [subtopology('0', ['lines'])] };
  const refused = await second.join({ topology: changed });
  expect([refused.errorCode, refused.errorMessage]).toEqual([
    ErrorCode.INVALID_REQUEST,
    'Topology updates are not supported yet.',
  ]);
  expect((await describeStreams(harness)).members.map(({ memberId }) => memberId)).toEqual([first.id]);
});

test('settings of the group take effect with the next heartbeat', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 2);
  const members = await stableStreams(harness, 2);
  const configs = [
    { name: 'streams.num.standby.replicas', configOperation: 0, value: '1' },
    { name: 'streams.heartbeat.interval.ms', configOperation: 0, value: '6000' },
    { name: 'streams.session.timeout.ms', configOperation: 0, value: '60000' },
  ];
  await harness.request(incrementalAlterConfigsApi, 1, {
    resources: [{ resourceType: 32, resourceName: 'app', configs }],
    validateOnly: false,
  });
  await reconcileStreams(harness, members);
  expect(members.flatMap((member) => member.named('standbyTasks')).toSorted()).toEqual(['1_0', '1_1']);
  expect((await members[0]!.send()).heartbeatIntervalMs).toBe(6000);
  harness.clock.advance(59_999);
  expect((await members[0]!.send()).errorCode).toBe(ErrorCode.NONE);
  harness.clock.advance(60_000);
  expect((await members[0]!.send()).errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
});

test('a restart finds members, epochs, topology and assignments, and a snapshot has all of them', async () => {
  const before = await BrokerHarness.open();
  const lines = await before.createTopic('lines', 5);
  const members = await stableStreams(before, 2);
  const joining = new TestStreamsMember(before, 'm2', { instanceId: 'i', endpoint: { host: 'h', port: 1 } });
  before.clock.advance(assignmentIntervalMs);
  await joining.join({ clientTags: [{ key: 'zone', value: 'a' }] });
  await members[0]!.send();
  const told = await describeStreams(before);
  expect(told.groupState).toBe('Reconciling');
  // 5 MiB of changes make a snapshot due.
  for (let i = 0; i < 1400; i++) await members[1]!.commit(lines, 0);
  const harness = await BrokerHarness.open({ store: before.store, seed: 2 });
  expect(await describeStreams(harness)).toMatchObject({ ...told, topology: expect.anything() });
  const everybody = [...members, joining];
  for (const member of everybody) {
    member.harness = harness;
    member.connection = harness.connect();
  }
  await reconcileStreams(harness, everybody);
  expect(allTasks(everybody)).toEqual([...tasksOf('0', 5), ...tasksOf('1', 5)]);
  expect((await describeStreams(harness)).topology).toEqual(told.topology);
});

test('internal topics that were deleted are made again, and tasks grow with the topics that they read', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 2);
  const [member] = (await stableStreams(harness, 1)) as [TestStreamsMember];
  const { topics } = harness.broker;
  await topics.delete(topics.topic('app-counts-changelog')!.id);
  const { status } = await member.send();
  expect(status!.map(({ statusCode }) => statusCode)).toContain(3);
  expect((await describeStreams(harness)).groupState).toBe('NotReady');
  await reconcileStreams(harness, [member]);
  expect(allTasks([member])).toEqual([...tasksOf('0', 2), ...tasksOf('1', 2)]);
  await topics.addPartitions('lines', 3, false);
  const grown = await member.send();
  expect(grown.status!.map(({ statusCode, statusDetail }) => `${statusCode} ${statusDetail}`).join()).toMatch(
    /2 Existing topic app-words-repartition has different number of partitions: expected 3, found 2/,
  );
  await topics.addPartitions('app-words-repartition', 3, false);
  await topics.addPartitions('app-counts-changelog', 3, false);
  await reconcileStreams(harness, [member]);
  expect(allTasks([member])).toEqual([...tasksOf('0', 3), ...tasksOf('1', 3)]);
});

test('a heartbeat with nothing new writes nothing', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 3);
  const [member] = (await stableStreams(harness, 1)) as [TestStreamsMember];
  await member.beat();
  const log = harness.store.open('__millrace_groups', `${'A'.repeat(21)}g`, 0, {} as never);
  const end = log.endOffset;
  for (let i = 0; i < 10; i++) await member.send(member.tasks);
  expect(log.endOffset).toBe(end);
});

test('streams groups are listed, keep others out, and can be deleted once they are empty', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 1);
  const [member] = (await stableStreams(harness, 1)) as [TestStreamsMember];
  const listed = await harness.request(listGroupsApi, 5, { typesFilter: ['Streams'] });
  expect(listed.groups).toEqual([
    { groupId: 'app', protocolType: 'streams', groupState: 'Stable', groupType: 'streams' },
  ]);
  const joined = await harness.request(joinGroupApi, 9, {
    groupId: 'app',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
  });
  expect(joined.errorCode).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  const deletion = () => harness.request(deleteGroupsApi, 2, { groupsNames: ['app'] });
  expect((await deletion()).results[0]!.errorCode).toBe(ErrorCode.NON_EMPTY_GROUP);
  await member.leave();
  expect((await describeStreams(harness)).groupState).toBe('Empty');
  expect((await deletion()).results[0]!.errorCode).toBe(ErrorCode.NONE);
  expect((await describeStreams(harness)).errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
  const again = await BrokerHarness.open({ store: harness.store, seed: 2 });
  expect((await describeStreams(again)).errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
});

test('streams.version is told as a feature, and without it there are no streams groups', async () => {
  const harness = await BrokerHarness.open();
  const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1' };
  const { finalizedFeatures } = await harness.request(apiVersionsApi, 4, software);
  expect(finalizedFeatures).toContainEqual({ name: 'streams.version', maxVersionLevel: 1, minVersionLevel: 1 });
  const update = { feature: 'streams.version', maxVersionLevel: 0, allowDowngrade: false, upgradeType: 2 };
  const { errorCode } = await harness.request(updateFeaturesApi, 1, { featureUpdates: [update] });
  expect(errorCode).toBe(ErrorCode.NONE);
  await harness.createTopic('lines', 1);
  const member = new TestStreamsMember(harness, 'm0');
  expect((await member.join()).errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION);
  expect((await describeStreams(harness)).errorCode).toBe(ErrorCode.UNSUPPORTED_VERSION);
});

test('a member says no more of itself than there is room for, and what is refused leaves nothing behind', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 1);
  const names = Array.from({ length: 60_000 }, (_, i) => `a-source-topic-${i}`);
  const huge = new TestStreamsMember(harness, 'huge', {
    topology: { epoch: 0, subtopologies: [subtopology('0', names)] },
  });
  expect((await huge.join()).errorCode).toBe(ErrorCode.INVALID_REQUEST);
  expect((await describeStreams(harness)).errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
  const [member] = (await stableStreams(harness, 1)) as [TestStreamsMember];
  const tags = Array.from({ length: 100 }, (_, i) => ({ key: `tag ${i}`, value: 'x'.repeat(20_000) }));
  expect((await member.send({ clientTags: tags })).errorCode).toBe(ErrorCode.INVALID_REQUEST);
  const taskOffsets = Array.from({ length: 50_000 }, (_, partition) => ({ subtopologyId: '1', partition, offset: 1 }));
  expect((await member.send({ taskOffsets })).errorCode).toBe(ErrorCode.INVALID_REQUEST);
  expect((await member.send({ taskOffsets: taskOffsets.slice(0, 10) })).errorCode).toBe(ErrorCode.NONE);
  expect((await describeStreams(harness)).members[0]!.taskOffsets).toHaveLength(10);
});

test('internal topics that cannot be made are named in the status, and made once they can', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 1);
  const changelog = { ...internalTopic('log'), topicConfigs: [{ key: 'no.such.setting', value: '1' }] };
  const topology = { epoch: 0, subtopologies: [subtopology('0', ['lines'], { stateChangelogTopics: [changelog] })] };
  const member = new TestStreamsMember(harness, 'm0', { topology });
  const { status } = await member.join();
  expect(status!.find(({ statusCode }) => statusCode === 3)!.statusDetail).toMatch(
    /^Internal topics are missing: log; Creation failed: log \(.*no\.such\.setting/,
  );
  await harness.createTopic('log', 1);
  harness.clock.advance(initialDelayMs);
  await reconcileStreams(harness, [member]);
  expect(member.named()).toEqual(['0_0']);
});

test('topologies that cannot be are refused in a sentence, and nothing is left of them', async () => {
  const harness = await BrokerHarness.open();
  await harness.createTopic('lines', 2);
  const loop = {
    repartitionSinkTopics: ['round'],
    repartitionSourceTopics: [internalTopic('round')],
  };
  const topologies = [
    [subtopology('0', [], loop)],
    [subtopology('0', ['lines'], { repartitionSourceTopics: [internalTopic('never-written')] })],
    [subtopology('0', [])],
    [subtopology('0', ['lines']), subtopology('0', ['lines'])],
    [subtopology('0', ['lines'], { repartitionSourceTopics: [internalTopic('negative', -1)] })],
    [subtopology('0', ['lines'], { stateChangelogTopics: [internalTopic('changelog', 3)] })],
    [
      subtopology('0', ['lines'], {
        copartitionGroups: [{ sourceTopics: [0, 7], sourceTopicRegex: [], repartitionSourceTopics: [] }],
      }),
    ],
    [subtopology('0', ['__consumer_offsets'])],
    [subtopology('0', ['../lines'])],
    [
      subtopology('0', ['lines'], {
        repartitionSinkTopics: ['big'],
        repartitionSourceTopics: [internalTopic('big', 2_000_000_000)],
      }),
    ],
  ];
  for (const [i, subtopologies] of topologies.entries()) {
    const member = new TestStreamsMember(harness, `m${i}`, { topology: { epoch: 0, subtopologies } });
    const { errorCode, errorMessage } = await member.join();
    expect([i, errorCode]).toEqual([i, ErrorCode.STREAMS_INVALID_TOPOLOGY]);
    expect(errorMessage).toMatch(/\w{3}/);
  }
  const negative = new TestStreamsMember(harness, 'negative', { topology: { ...wordCount, epoch: -1 } });
  expect((await negative.join()).errorCode).toBe(ErrorCode.STREAMS_INVALID_TOPOLOGY);
  const expressions = [subtopology('0', [], { sourceTopicRegex: ['(a+)+$'] })];
  const regex = new TestStreamsMember(harness, 'regex', { topology: { epoch: 0, subtopologies: expressions } });
  expect((await regex.join()).errorCode).toBe(ErrorCode.INVALID_REQUEST);
  expect((await describeStreams(harness)).errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND);
});
