/**
 * The oracle's requests of members of streams groups (KIP-1071): topologies and their topics, heartbeats, offsets at
 * member epochs, static members and settings. Each scenario makes its own topics and groups.
 */

import { assignable, coordinated, idOf, untilDeleted, wrongEpochs } from './oracle-group-member.mjs';
import { create, newTopic, range, Resource, settled, zeroUuid } from './oracle-requests.mjs';
import {
  configure,
  describe,
  inOrder,
  internalTopic,
  nothing,
  StreamsMember,
  subtopology,
  wordCount,
} from './oracle-streams-member.mjs';

const atOnce = { 'streams.initial.rebalance.delay.ms': '0' };

export async function streamsGroupHeartbeat(target) {
  const lines = target.topic('lines');
  await create(target, 'before', [newTopic(lines, 2)]);
  await settled();
  for (const version of range(0, 1)) {
    const groupId = target.topic(`streams-${version}`);
    await coordinated(target, groupId);
    await configure(target, `${version}`, groupId, atOnce);
    const topology = wordCount(lines, groupId);
    const first = new StreamsMember(target, version, groupId, idOf(1), { topology });
    const second = new StreamsMember(target, version, groupId, idOf(2), { topology });
    await first.beat('unknown group', { memberEpoch: 1 });
    await first.leave('leave unknown group');
    await first.join('first joins');
    await describe(target, `with one, not ready, ${version}`, groupId);
    await settled();
    await assignable();
    await first.beat('first hears of its topics');
    await first.ack('first has all');
    await describe(target, `with one, ${version}`, groupId);
    await target.ask(
      'internal topics',
      3,
      9,
      { topics: topicsOf(topology), allowAutoTopicCreation: false },
      plainTopics,
    );
    await target.ask('internal topics, settings', 32, 4, { resources: resourcesOf(topology) }, setThere);
    await wrongEpochs(first, second);
    await assignable();
    await second.join('second joins');
    await describe(target, `with two, reconciling, ${version}`, groupId);
    await second.beat('second waits');
    const before = first.owned;
    await first.beat('first hears');
    await describe(target, `first revokes, ${version}`, groupId);
    await first.beat('first still has', before);
    await second.beat('second waits more');
    await first.ack('first has revoked');
    await second.beat('second gets');
    await second.ack('second has');
    await describe(target, `with two, ${version}`, groupId);
    await describe(target, `with two, described, ${version}`, groupId, 1, { includeTopologyDescription: true });
    await describe(target, `with two, ${version}`, groupId, 0);
    await target.ask(`not empty, ${version}`, 42, 2, { groupsNames: [groupId] });
    await assignable();
    await untilDeleted(first, second, (label) => describe(target, `${label}, ${version}`, groupId));
  }
}

const internalNames = ({ subtopologies }) =>
  subtopologies.flatMap(({ repartitionSourceTopics, stateChangelogTopics }) =>
    [...repartitionSourceTopics, ...stateChangelogTopics].map(({ name }) => name),
  );

const topicsOf = (topology) => internalNames(topology).map((name) => ({ name }));

const resourcesOf = (topology) =>
  internalNames(topology).map((resourceName) => ({
    resourceType: Resource.TOPIC,
    resourceName,
    configurationKeys: null,
  }));

const plainTopics = ({ topics }) =>
  topics.map(({ name, errorCode, isInternal, partitions }) => ({
    name,
    errorCode,
    isInternal,
    count: partitions.length,
  }));

/** What was set when the topics were made. */
const setThere = ({ results }) =>
  results.map(({ resourceName, configs }) => ({
    resourceName,
    configs: configs
      .filter(({ configSource }) => configSource === 1)
      .map(({ name, value }) => `${name}=${value}`)
      .toSorted(),
  }));

export async function streamsGroupMistakes(target) {
  const lines = target.topic('mistakes');
  await create(target, 'before', [newTopic(lines)]);
  await settled();
  for (const version of range(0, 1)) {
    const groupId = target.topic(`mistaken-${version}`);
    await coordinated(target, groupId);
    await configure(target, `${version}`, groupId, atOnce);
    const topology = { epoch: 0, subtopologies: [subtopology('0', [lines])] };
    const member = new StreamsMember(target, version, groupId, idOf(1), { topology });
    const of = (...subtopologies) => ({ topology: { epoch: 0, subtopologies } });
    await member.join('without member id', { memberId: '' });
    await member.join('without group id', { groupId: '' });
    await member.join('empty instance id', { instanceId: '' });
    await member.join('empty rack', { rackId: '' });
    await member.join('without rebalance timeout', { rebalanceTimeoutMs: -1 });
    await member.join('with tasks', { activeTasks: [{ subtopologyId: '0', partitions: [0] }] });
    await member.join('without warm-up tasks', { warmupTasks: null });
    await member.join('without tasks', { activeTasks: null, standbyTasks: null, warmupTasks: null });
    await member.join('without topology', { topology: null });
    await member.beat('epoch -2 without instance', { memberEpoch: -2 });
    await member.beat('epoch -3', { memberEpoch: -3 });
    await member.beat('a topology in between', { memberEpoch: 1, topology });
    await member.join('expressions', of(subtopology('0', [], { sourceTopicRegex: ['.*'] })));
    await member.join('an internal topic', of(subtopology('0', ['__consumer_offsets'])));
    await member.join('an illegal topic', of(subtopology('0', ['no/topic'])));
    await member.join(
      'a changelog with partitions',
      of(subtopology('0', [lines], { stateChangelogTopics: [internalTopic('c', 2)] })),
    );
    await member.join(
      'a loop',
      of(subtopology('0', [], { repartitionSinkTopics: ['r'], repartitionSourceTopics: [internalTopic('r')] })),
    );
    await member.join(
      'a source that nobody writes',
      of(subtopology('0', [lines], { repartitionSourceTopics: [internalTopic('r')] })),
    );
    await member.join('no sources', of(subtopology('0', [])));
    await describe(target, `nothing left, ${version}`, groupId);
    await member.join('joins');
    await assignable();
    await member.ack('has');
    await member.beat('an unknown subtopology', { ...nothing, activeTasks: [{ subtopologyId: '9', partitions: [0] }] });
    await member.beat('an unknown task', { ...nothing, standbyTasks: [{ subtopologyId: '0', partitions: [7] }] });
    const offsets = [0, 0].map((offset) => ({ subtopologyId: '0', partition: 0, offset }));
    await member.beat('task offsets twice', { taskOffsets: offsets });
    await member.beat('task offsets', { taskOffsets: [offsets[0]], taskEndOffsets: [{ ...offsets[0], offset: 9 }] });
    await describe(target, `task offsets, ${version}`, groupId);
    const other = new StreamsMember(target, version, groupId, idOf(2), {});
    await other.join('another topology', { topology: wordCount(lines, groupId) });
    await other.join('a newer topology', { topology: { ...topology, epoch: 3 } });
    await member.leave('leaves');
    await member.join('another topology in an empty group', { topology: wordCount(lines, groupId) });
    await target.ask('classic member in the empty group', 11, 5, joinGroup(groupId));
  }
}

const joinGroup = (groupId) => ({
  groupId,
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 10_000,
  protocolType: 'consumer',
  memberId: 'made-up',
  protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
});

export async function streamsTopologies(target) {
  const [large, small, later] = ['large', 'small', 'later'].map((name) => target.topic(name));
  await create(target, 'before', [newTopic(large, 3), newTopic(small, 2)]);
  await settled();
  const cases = {
    missing: [subtopology('0', [large, later])],
    copartitioned: [
      subtopology('0', [large, small], {
        copartitionGroups: [{ sourceTopics: [0, 1], sourceTopicRegex: [], repartitionSourceTopics: [] }],
      }),
    ],
    repartitioned: [
      subtopology('0', [large], { repartitionSinkTopics: [target.topic('to-small')] }),
      subtopology('1', [small], {
        repartitionSourceTopics: [internalTopic(target.topic('to-small'))],
        copartitionGroups: [{ sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] }],
      }),
    ],
    fixed: [
      subtopology('0', [large], { repartitionSinkTopics: [target.topic('fixed')] }),
      subtopology('1', [small], {
        repartitionSourceTopics: [internalTopic(target.topic('fixed'), 5)],
        copartitionGroups: [{ sourceTopics: [0], sourceTopicRegex: [], repartitionSourceTopics: [0] }],
      }),
    ],
    taken: [subtopology('0', [large], { stateChangelogTopics: [internalTopic(small)] })],
  };
  for (const [name, subtopologies] of Object.entries(cases)) {
    const groupId = target.topic(`topologies-${name}`);
    await coordinated(target, groupId);
    await configure(target, name, groupId, atOnce);
    const member = new StreamsMember(target, 1, groupId, idOf(1), { topology: { epoch: 2, subtopologies } });
    await member.join(`${name} joins`);
    await settled();
    await assignable();
    await member.beat(`${name} beats`);
    await describe(target, name, groupId);
    if (name === 'missing') {
      await create(target, 'later', [newTopic(later, 1)]);
      await settled();
      await assignable();
      await member.beat('hears of the topic');
      await describe(target, 'the topic is there', groupId);
    }
    await member.leave(`${name} leaves`);
  }
}

export async function streamsStaticMembers(target) {
  const lines = target.topic('static-lines');
  await create(target, 'before', [newTopic(lines, 2)]);
  await settled();
  const groupId = target.topic('static-streams');
  await coordinated(target, groupId);
  await configure(target, 'static', groupId, atOnce);
  const topology = { epoch: 0, subtopologies: [subtopology('0', [lines])] };
  const userEndpoint = { host: 'localhost', port: 7070 };
  const described = { topology, instanceId: 'one', processId: 'p', userEndpoint, rackId: 'r' };
  const first = new StreamsMember(target, 1, groupId, idOf(1), described);
  const again = new StreamsMember(target, 1, groupId, idOf(2), described);
  await first.join('first joins', { endpointInformationEpoch: -1 });
  await first.ack('first has');
  await first.beat('asks for endpoints', { endpointInformationEpoch: -1 });
  await first.beat('knows the endpoints', { endpointInformationEpoch: 2 });
  await again.join('instance not released');
  await again.beat('fenced', { memberEpoch: 2 });
  await again.beat('unknown instance', { memberEpoch: 2, instanceId: 'three' });
  await again.leave('fenced leaves');
  await first.leave('first pauses', -2);
  await describe(target, 'paused', groupId);
  await again.join('comes back');
  await describe(target, 'back', groupId);
  await again.ack('back has');
  await first.beat('replaced beats', { memberEpoch: 2 });
  await again.beat('moves its endpoint', { userEndpoint: { host: 'elsewhere', port: 1 } });
  await again.beat('stops the application', { shutdownApplication: true });
  await describe(target, 'stopping', groupId);
  await again.leave('leaves for good');
  await describe(target, 'left', groupId);
}

export async function streamsSettings(target) {
  const lines = target.topic('settings-lines');
  await create(target, 'before', [newTopic(lines, 2)]);
  await settled();
  const groupId = target.topic('settings-streams');
  await coordinated(target, groupId);
  const topology = wordCount(lines, groupId);
  const first = new StreamsMember(target, 1, groupId, idOf(1), { topology });
  const second = new StreamsMember(target, 1, groupId, idOf(2), { topology });
  await first.join('first joins, and waits for more');
  await describe(target, 'waiting', groupId);
  await settled();
  await second.join('second joins as well');
  await first.beat('first waits');
  await new Promise((resolve) => setTimeout(resolve, 3200));
  // Which of two equal members gets which tasks hangs on a hash of Kafka's.
  first.part = second.part = counted;
  await first.ack('first hears');
  await second.ack('second hears');
  await configure(target, 'standby', groupId, {
    'streams.num.standby.replicas': '1',
    'streams.heartbeat.interval.ms': '6000',
    'streams.rack.aware.assignment.tags': 'zone',
  });
  await assignable();
  for (const round of ['hears', 'has', 'has again']) {
    await first.ack(`first ${round} with standby tasks`);
    await second.ack(`second ${round} with standby tasks`);
  }
  for (const typesFilter of [['streams'], ['Streams'], ['classic']]) {
    for (const statesFilter of [[], ['Stable'], ['NotReady'], ['not_ready'], ['Empty']]) {
      await target.ask(`${typesFilter} ${statesFilter}`, 16, 5, { typesFilter, statesFilter }, only(groupId));
    }
  }
  const notReady = new StreamsMember(target, 1, `${groupId}-not-ready`, idOf(1), {
    topology: { epoch: 0, subtopologies: [subtopology('0', [target.topic('never')])] },
  });
  await notReady.join('not ready');
  for (const statesFilter of [['NotReady'], ['not_ready'], ['notready'], ['NOT_READY']]) {
    await target.ask(
      `listed as ${statesFilter}`,
      16,
      5,
      { typesFilter: [], statesFilter },
      only(`${groupId}-not-ready`),
    );
  }
  await target.ask('described as classic', 15, 6, { groups: [groupId] });
  await target.ask('described as consumers', 69, 1, { groupIds: [groupId] });
  await target.ask('consumer heartbeat', 68, 1, {
    groupId,
    memberId: idOf(5),
    memberEpoch: 0,
    rebalanceTimeoutMs: 1000,
    subscribedTopicNames: [lines],
    topicPartitions: [],
  });
  await target.ask('classic join', 11, 5, { ...joinGroup(groupId), memberId: '' });
  await target.ask('classic heartbeat', 12, 4, { groupId, generationId: 1, memberId: 'm', groupInstanceId: null });
  await target.ask('classic leave', 13, 2, { groupId, memberId: 'm' });
  await first.leave('first leaves');
  await assignable();
  for (const round of ['hears', 'has', 'has again']) await second.ack(`second ${round} alone`);
  await second.leave('second leaves');
}

const counted = ({ activeTasks, standbyTasks, ...rest }) =>
  inOrder({ ...rest, active: sizeOf(activeTasks), standby: sizeOf(standbyTasks) });

const sizeOf = (tasks) => tasks?.reduce((sum, { partitions }) => sum + partitions.length, 0);

const only = (groupId) => (answer) => ({
  ...answer,
  groups: answer.groups.filter((group) => group.groupId === groupId),
});

export async function streamsOffsets(target) {
  const lines = target.topic('offset-lines');
  await create(target, 'before', [newTopic(lines, 2)]);
  await settled();
  const groupId = target.topic('offset-streams');
  await coordinated(target, groupId);
  await configure(target, 'offsets', groupId, atOnce);
  const topology = { epoch: 0, subtopologies: [subtopology('0', [lines])] };
  const member = new StreamsMember(target, 1, groupId, idOf(1), { topology });
  await member.join('joins');
  await member.ack('has');
  const { topics } = await target.peek(3, 12, {
    topics: [{ name: lines, topicId: zeroUuid }],
    allowAutoTopicCreation: false,
  });
  const [{ topicId }] = topics;
  const partitions = [{ partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: -1, committedMetadata: 'm' }];
  const commit = (label, version, epoch, memberId = member.memberId) =>
    target.ask(label, 8, version, {
      groupId,
      memberId,
      generationIdOrMemberEpoch: epoch,
      topics: [{ topicId, name: lines, partitions }],
    });
  for (const version of range(2, 10)) {
    await commit('at its epoch', version, member.epoch);
    await commit('ahead', version, member.epoch + 1);
    await commit('behind', version, 0);
    await commit('as nobody', version, -1, '');
    await commit('as an unknown member', version, member.epoch, idOf(9));
  }
  for (const version of range(9, 10)) {
    const asked = [{ topicId, name: lines, partitionIndexes: [0, 1] }];
    for (const memberEpoch of [member.epoch, member.epoch + 1, -1]) {
      const groups = [{ groupId, memberId: member.memberId, memberEpoch, topics: asked }];
      await target.ask(`fetch at ${memberEpoch}`, 9, version, { groups, requireStable: false });
    }
  }
  await target.ask('delete offsets', 47, 0, {
    groupId,
    topics: [{ name: lines, partitions: [{ partitionIndex: 0 }] }],
  });
  await member.leave('leaves');
  await target.ask('delete offsets, empty', 47, 0, {
    groupId,
    topics: [{ name: lines, partitions: [{ partitionIndex: 0 }] }],
  });
  await target.ask('topology description', 93, 0, {
    groupId,
    memberId: idOf(1),
    topologyEpoch: 0,
    topologyDescription: { subtopologies: [], globalStores: [] },
  });
}
