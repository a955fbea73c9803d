/**
 * The oracle's requests of a client that may not do everything, to a broker with an authorizer. The rules stand here too;
 * each broker is told of them in its own way (`target.rule`): Kafka by CreateAcls, Millrace by the test's own authorizer,
 * for none that reads rules comes with it. As in a Kafka with `allow.everyone.if.no.acl.found`, what no rule names anybody
 * may use; of what a rule names nothing but what one allows.
 */

import { describe as describeConsumers, Member } from './oracle-consumer-member.mjs';
import { coordinated } from './oracle-group-member.mjs';
import {
  batchOf,
  create,
  fetchedPart,
  hosted,
  newTopic,
  range,
  settled,
  timeoutMs,
  zeroUuid,
} from './oracle-requests.mjs';
import { ShareMember } from './oracle-share-member.mjs';
import { describe as describeStreams, StreamsMember, subtopology } from './oracle-streams-member.mjs';
import { wakeCoordinators } from './oracle-transaction-steps.mjs';

/** The numbers of access control lists. */
const Rule = { TOPIC: 2, GROUP: 3, CLUSTER: 4, TRANSACTIONAL_ID: 5 };
const Operation = { ALL: 2, READ: 3, CREATE: 5, ALTER: 7, DESCRIBE: 8, CLUSTER_ACTION: 9 };
const DESCRIBE_CONFIGS = 10;
const ALTER_CONFIGS = 11;

const deny = (resource, name) => ({ resource, name, operation: Operation.ALL, isAllowed: false });
const allow = (resource, name, operation) => ({ resource, name, operation, isAllowed: true });

const noGeneration = { memberId: '', generationIdOrMemberEpoch: -1, groupInstanceId: null, retentionTimeMs: -1 };
const idOf = (number) => `${'A'.repeat(20)}${number}A`;

/** What the whole scenario speaks of. */
async function things(target) {
  const named = (...names) => Object.fromEntries(names.map((name) => [name, target.topic(name)]));
  const topics = named('open', 'secret', 'unread');
  await create(
    target,
    'topics',
    Object.values(topics).map((name) => newTopic(name)),
  );
  await hosted(target, ...Object.values(topics));
  const known = await target.peek(3, 12, {
    topics: Object.values(topics).map((name) => ({ name, topicId: zeroUuid })),
    allowAutoTopicCreation: false,
  });
  const ids = new Map(known.topics.map(({ name, topicId }) => [name, topicId]));
  return { ...topics, ...named('missing', 'group', 'hidden', 'members', 'shares', 'streams', 'id', 'hiddenId'), ids };
}

/** Offsets, members and a transaction, made while everything is allowed. */
async function prepare(target, the) {
  const partitions = [{ partitionIndex: 0, committedOffset: 5, committedLeaderEpoch: -1, committedMetadata: null }];
  for (const groupId of [the.group, the.hidden]) {
    const topics = [the.open, the.secret, the.unread].map((name) => ({ name, partitions }));
    await target.ask(`commit of ${shortOf(target, groupId)}`, 8, 9, { groupId, ...noGeneration, topics });
  }
  for (const transactionalId of [the.id, the.hiddenId]) {
    const { producerId, producerEpoch } = await target.ask(`init of ${shortOf(target, transactionalId)}`, 22, 4, {
      transactionalId,
      transactionTimeoutMs: timeoutMs,
    });
    const v3AndBelowTopics = [the.open, the.secret].map((name) => ({ name, partitions: [0] }));
    await target.ask(`partitions of ${shortOf(target, transactionalId)}`, 24, 3, {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics,
    });
    the.producer ??= { producerId, producerEpoch };
  }
  const member = new Member(target, 1, the.members, idOf(1));
  await member.join('consumer', { subscribedTopicNames: [the.open, the.secret] });
  await new ShareMember(target, the.shares, [the.open, the.secret], 2).join('shares');
  const streams = new StreamsMember(target, 1, the.streams, idOf(3));
  const topology = { epoch: 0, subtopologies: [subtopology('0', [the.open, the.secret])] };
  await streams.join('streams', { topology });
}

/** A name without what all of the scenario's have in front. */
const shortOf = (target, name) => name.slice(target.topic('').length);

const byName = (...names) => names.map((name) => ({ name, topicId: zeroUuid }));

async function topics(target, the) {
  const ours = (answer) => ({
    ...answer,
    topics: answer.topics.filter(({ name }) => name?.startsWith(target.topic(''))),
  });
  for (const version of range(0, 13)) {
    const operations = version >= 8 ? { includeTopicAuthorizedOperations: true } : {};
    const asked = { allowAutoTopicCreation: false, ...operations };
    await target.ask('all topics', 3, version, { ...asked, topics: version === 0 ? [] : null }, ours);
    const named = byName(the.open, the.secret, the.unread);
    await target.ask('named topics', 3, version, { ...asked, topics: named });
    await target.ask('nothing but a secret', 3, version, { ...asked, topics: byName(the.secret) });
    if (version < 12) continue;
    const withIds = [the.open, the.secret, the.unread].map((name) => ({ name: null, topicId: the.ids.get(name) }));
    await target.ask('topics by id', 3, version, { ...asked, topics: withIds });
  }
  const page = { responsePartitionLimit: 2000, cursor: null };
  await target.ask('named topics', 75, 0, { ...page, topics: byName(the.open, the.secret, the.unread, the.missing) });
  await target.ask('all topics', 75, 0, { ...page, topics: [] }, ours);
  const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }];
  const three = [the.open, the.secret, the.unread];
  const listed = three.map((name) => ({ name, partitions }));
  await target.ask('three topics', 2, 7, { replicaId: -1, isolationLevel: 0, topics: listed });
  const epochs = three.map((topic) => ({
    topic,
    partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 0 }],
  }));
  // Where an epoch ends in a log without records is not what this is about.
  await target.ask('three topics', 23, 4, { replicaId: -1, topics: epochs }, ({ topics }) =>
    topics.map(({ topic, partitions: [{ errorCode }] }) => `${topic} ${errorCode}`).toSorted(),
  );
  const producers = three.map((name) => ({ name, partitionIndexes: [0] }));
  await target.ask('three topics', 61, 0, { topics: producers });
}

async function records(target, the) {
  const three = [the.open, the.secret, the.unread];
  for (const version of [9, 13]) {
    const topicData = three.map((name) => ({
      ...(version >= 13 ? { topicId: the.ids.get(name) } : { name }),
      partitionData: [{ index: 0, records: batchOf(['x']) }],
    }));
    await target.ask('three topics', 0, version, { transactionalId: null, acks: 1, timeoutMs, topicData });
    const producer = { ...the.producer, baseSequence: 0, transactional: true };
    const transactional = [
      { ...topicData[0], partitionData: [{ index: 0, records: batchOf(['x'], () => {}, producer) }] },
    ];
    for (const transactionalId of [the.hiddenId, null]) {
      const fields = { transactionalId, acks: 1, timeoutMs, topicData: [...transactional, topicData[1]] };
      await target.ask(`in ${transactionalId === null ? 'nobody' : 'a hidden'}'s transaction`, 0, version, fields);
    }
    const unknown = { currentLeaderEpoch: -1, lastFetchedEpoch: -1, logStartOffset: -1, replicaDirectoryId: zeroUuid };
    const partitions = [{ partition: 0, ...unknown, fetchOffset: 0, partitionMaxBytes: 1_000_000 }];
    const fetched = three.map((topic) => ({
      ...(version >= 13 ? { topicId: the.ids.get(topic) } : { topic }),
      partitions,
    }));
    const fields = {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1_000_000,
      isolationLevel: 0,
      topics: fetched,
    };
    const question = { ...fields, sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [], rackId: '' };
    await target.ask('three topics', 1, version, question, ({ responses, ...answer }) => ({
      ...answer,
      responses: responses.map((each) => ({ ...each, partitions: fetchedPart({ responses: [each] }) })),
    }));
  }
  const deleted = [the.secret, the.unread].map((name) => ({ name, partitions: [{ partitionIndex: 0, offset: 0 }] }));
  await target.ask('two topics', 21, 2, { topics: deleted, timeoutMs });
}

/** Gives topics their names where an answer has ids. */
function namedIn(the) {
  const names = new Map([...the.ids].map(([name, topicId]) => [topicId, name]));
  const named = (topics) => topics.map((topic) => ({ ...topic, name: names.get(topic.topicId) ?? topic.name }));
  return ({ topics, groups, ...answer }) => ({
    ...answer,
    ...(topics === undefined ? {} : { topics: named(topics) }),
    ...(groups === undefined ? {} : { groups: groups.map((group) => ({ ...group, topics: named(group.topics) })) }),
  });
}

async function offsets(target, the) {
  const withNames = namedIn(the);
  const partitions = [{ partitionIndex: 0, committedOffset: 6, committedLeaderEpoch: -1, committedMetadata: null }];
  const named = (withIds, names) =>
    names.map((name) => (withIds ? { topicId: the.ids.get(name), partitions } : { name, partitions }));
  const known = [the.open, the.secret, the.unread];
  for (const version of range(2, 10)) {
    const withIds = version >= 10;
    for (const groupId of [the.group, the.hidden]) {
      const topics = named(withIds, withIds ? known : [...known, the.missing]);
      await target.ask(`of ${shortOf(target, groupId)}`, 8, version, { groupId, ...noGeneration, topics }, withNames);
    }
  }
  for (const version of range(1, 7)) {
    const topics = [...known, the.missing].map((name) => ({ name, partitionIndexes: [0] }));
    for (const groupId of [the.group, the.hidden]) {
      await target.ask(`of ${shortOf(target, groupId)}`, 9, version, { groupId, topics });
    }
    if (version >= 2) await target.ask('all', 9, version, { groupId: the.group, topics: null });
  }
  for (const version of range(8, 10)) {
    const topics = known.map((name) => ({
      ...(version >= 10 ? { topicId: the.ids.get(name) } : { name }),
      partitionIndexes: [0],
    }));
    const groups = [
      { groupId: the.hidden, topics },
      { groupId: the.group, topics },
      { groupId: the.group, topics: null },
    ].map((group) => ({ memberId: null, memberEpoch: -1, ...group }));
    for (const group of groups) {
      const label = `${group.topics === null ? 'all' : 'some'} of ${shortOf(target, group.groupId)}`;
      await target.ask(label, 9, version, { groups: [group], requireStable: false }, withNames);
    }
  }
  for (const version of range(0, 6)) {
    const withIds = version >= 6;
    const { producerId, producerEpoch } = the.producer;
    const common = { producerId, producerEpoch, memberId: '', generationIdOrMemberEpoch: -1, groupInstanceId: null };
    const topics = named(withIds, withIds ? [the.secret, the.unread] : [the.secret, the.unread, the.missing]);
    for (const [transactionalId, groupId] of [
      [the.id, the.group],
      [the.hiddenId, the.group],
      [the.id, the.hidden],
    ]) {
      const fields = { ...common, transactionalId, groupId, topics };
      await target.ask(
        `of ${shortOf(target, groupId)} in ${shortOf(target, transactionalId)}`,
        28,
        version,
        fields,
        withNames,
      );
    }
  }
  const deleted = [the.secret, the.unread, the.missing].map((name) => ({ name, partitions: [{ partitionIndex: 0 }] }));
  await target.ask('topics', 47, 0, { groupId: the.group, topics: deleted });
  await target.ask('of a hidden group', 47, 0, { groupId: the.hidden, topics: deleted });
}

async function groups(target, the) {
  for (const version of range(0, 6)) {
    for (const [keyType, key] of [
      [0, the.hidden],
      [0, the.group],
      [1, the.hiddenId],
      [1, the.id],
    ]) {
      const fields = version >= 4 ? { keyType, coordinatorKeys: [key] } : { keyType, key };
      if (keyType === 0 || version >= 1)
        await target.ask(`coordinator of ${shortOf(target, key)}`, 10, version, fields);
    }
  }
  const described = { groups: [the.hidden, the.group], includeAuthorizedOperations: true };
  await target.ask('groups', 15, 6, described);
  await target.ask('groups', 42, 2, { groupsNames: [the.hidden] });
  await target.ask('listed', 16, 5, { statesFilter: [], typesFilter: [] }, (answer) => ({
    ...answer,
    groups: answer.groups.filter(({ groupId }) => groupId.startsWith(target.topic(''))),
  }));
  await describeConsumers(target, 'a secret topic', the.members);
  await describeConsumers(target, 'a hidden group', the.hidden);
  await target.ask('a secret topic', 77, 1, { groupIds: [the.shares, the.hidden], includeAuthorizedOperations: true });
  await describeStreams(target, 'a secret topic', the.streams);
  for (const version of [0, 1]) {
    const joining = {
      groupId: target.topic('joined'),
      memberId: idOf(4),
      memberEpoch: 0,
      subscribedTopicNames: [the.open, the.secret],
    };
    await target.ask('a secret topic', 68, version, { ...joining, rebalanceTimeoutMs: timeoutMs, topicPartitions: [] });
  }
  const shareMember = { groupId: target.topic('joined'), memberId: idOf(5), memberEpoch: 0, rackId: null };
  await target.ask('a secret topic', 76, 1, { ...shareMember, subscribedTopicNames: [the.open, the.secret] });
  const shareTopics = [the.secret, the.unread];
  const named = shareTopics.map((topicName) => ({ topicName, partitions: [0] }));
  for (const version of [0, 1]) {
    await target.ask('named topics', 90, version, { groups: [{ groupId: the.shares, topics: named }] });
    await target.ask('a hidden group', 90, version, { groups: [{ groupId: the.hidden, topics: null }] });
  }
  const altered = shareTopics.map((topicName) => ({ topicName, partitions: [{ partitionIndex: 0, startOffset: 0 }] }));
  await target.ask('topics', 91, 0, { groupId: target.topic('altered'), topics: altered });
  await target.ask('topics', 92, 0, { groupId: the.shares, topics: shareTopics.map((topicName) => ({ topicName })) });
  await target.ask('a hidden group', 93, 0, { groupId: the.hidden });
}

async function transactions(target, the) {
  const { producerId, producerEpoch } = the.producer;
  await target.ask('hidden', 22, 4, { transactionalId: the.hiddenId, transactionTimeoutMs: timeoutMs });
  for (const version of range(0, 3)) {
    for (const [transactionalId, names] of [
      [the.hiddenId, [the.open]],
      [the.id, [the.open, the.secret, the.unread, the.missing, '__consumer_offsets']],
    ]) {
      await target.ask(`of ${shortOf(target, transactionalId)}`, 24, version, {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: names.map((name) => ({ name, partitions: [0] })),
      });
    }
    const added = { producerId, producerEpoch };
    await target.ask('hidden', 25, version, { ...added, transactionalId: the.hiddenId, groupId: the.group });
    await target.ask('a hidden group', 25, version, { ...added, transactionalId: the.id, groupId: the.hidden });
    await target.ask('hidden', 26, version, { ...added, transactionalId: the.hiddenId, committed: true });
  }
  await target.ask('described', 65, 0, { transactionalIds: [the.id, the.hiddenId] });
  await target.ask('listed', 66, 1, { stateFilters: [], producerIdFilters: [], durationFilter: -1 }, (answer) => ({
    ...answer,
    transactionStates: answer.transactionStates.filter(({ transactionalId }) =>
      transactionalId.startsWith(target.topic('')),
    ),
  }));
}

async function changes(target, the) {
  const [uncreated, undescribed] = ['uncreated', 'undescribed'].map((name) => target.topic(name));
  await target.rule([
    allow(Rule.TOPIC, uncreated, Operation.DESCRIBE),
    allow(Rule.TOPIC, undescribed, Operation.CREATE),
    // Whom the cluster lets make topics need not be let make each.
    ...[Operation.ALTER, Operation.CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS].map((operation) =>
      allow(Rule.CLUSTER, 'kafka-cluster', operation),
    ),
  ]);
  await settled();
  for (const version of [5, 7]) await create(target, 'uncreated', [newTopic(uncreated)], version);
  await create(target, 'undescribed', [newTopic(undescribed)]);
  for (const version of [8, 9, 10]) {
    await target.ask('made by asking', 3, version, {
      topics: byName(uncreated, the.open),
      allowAutoTopicCreation: true,
      includeClusterAuthorizedOperations: true,
      includeTopicAuthorizedOperations: true,
    });
  }
  await target.ask('operations', 60, 1, { includeClusterAuthorizedOperations: true, endpointType: 1 });
  await target.ask('listed', 16, 5, { statesFilter: [], typesFilter: [] }, (answer) => ({
    ...answer,
    groups: answer.groups.filter(({ groupId }) => groupId.startsWith(target.topic(''))),
  }));
  await target.ask('idempotent', 22, 4, { transactionalId: null, transactionTimeoutMs: timeoutMs });
  await target.ask('described', 50, 0, { users: null });
  await target.ask('partitions', 37, 3, {
    topics: [the.secret, the.unread].map((name) => ({ name, count: 2, assignments: null })),
    timeoutMs,
    validateOnly: false,
  });
  const resources = [
    [2, the.secret],
    [2, the.unread],
    [32, the.hidden],
  ].map(([resourceType, resourceName]) => ({ resourceType, resourceName, configurationKeys: ['retention.ms'] }));
  await target.ask('settings', 32, 4, { resources, includeSynonyms: false, includeDocumentation: false });
  const configs = [{ name: 'retention.ms', configOperation: 0, value: '1' }];
  await target.ask('settings', 44, 1, {
    resources: resources.map(({ configurationKeys: _all, ...resource }) => ({ ...resource, configs })),
    validateOnly: false,
  });
  await target.ask('by name', 20, 5, { topicNames: [the.secret, the.unread, the.missing], timeoutMs });
  const withIds = [the.secret, the.unread].map((name) => ({ name: null, topicId: the.ids.get(name) }));
  await target.ask('by id', 20, 6, { topics: withIds, timeoutMs }, ({ responses, ...answer }) => ({
    ...answer,
    responses: responses.map(({ name, errorCode }) => `${name} ${errorCode}`).toSorted(),
  }));
}

export async function authorizer(target) {
  await wakeCoordinators(target);
  const the = await things(target);
  await coordinated(target, the.group);
  await prepare(target, the);
  await target.rule([
    deny(Rule.TOPIC, the.secret),
    deny(Rule.GROUP, the.hidden),
    deny(Rule.TRANSACTIONAL_ID, the.hiddenId),
    allow(Rule.TOPIC, the.unread, Operation.DESCRIBE),
  ]);
  await settled();
  await topics(target, the);
  await records(target, the);
  await offsets(target, the);
  await groups(target, the);
  await transactions(target, the);
  await changes(target, the);
}

export const authorizerScenario = { name: 'Authorizer', run: authorizer };

/** What a Kafka whose clients are told of rules by CreateAcls is started with. */
export const authorizerSettings = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
};

/** Tells a Kafka of rules, for everybody. */
export async function createAcls(client, rules) {
  const creations = rules.map(({ resource, name, operation, isAllowed }) => ({
    ...{ resourceType: resource, resourceName: name, resourcePatternType: 3, principal: 'User:*', host: '*' },
    ...{ operation, permissionType: isAllowed ? 3 : 2 },
  }));
  const { results } = await client.ask(30, 3, { creations });
  const refused = results.find(({ errorCode }) => errorCode !== 0);
  if (refused !== undefined) throw new Error(`Kafka does not take a rule: ${refused.errorMessage}`);
}
