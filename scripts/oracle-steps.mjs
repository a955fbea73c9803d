/**
 * The requests that scripts/oracle.mjs sends to both brokers, in order. Every scenario makes the topics that it needs,
 * in names from `target.topic`, and takes back what it changed of the broker's settings.
 */

import { BatchBuilder } from '../dist/records/batch-builder.js';
import { crc32c } from '../dist/records/crc32c.js';

const Resource = { TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8, CLIENT_METRICS: 16, GROUP: 32 };
const Operation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 };
const timeoutMs = 30_000;
const zeroUuid = 'A'.repeat(22);

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Kafka takes changed settings over some time after it has answered, and nothing says when. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 100));

const newTopic = (name, numPartitions = 1, configs = {}, more = {}) => ({
  name,
  numPartitions,
  replicationFactor: 1,
  assignments: [],
  configs: Object.entries(configs).map(([config, value]) => ({ name: config, value })),
  ...more,
});

const create = (target, label, topics, version = 7, validateOnly = false) =>
  target.ask(label, 19, version, { topics, timeoutMs, validateOnly });

async function createTopics(target) {
  for (const version of range(2, 7)) {
    const topic = (name) => target.topic(`create-${version}-${name}`);
    await create(target, 'plain', [newTopic(topic('plain'), 3, { 'retention.ms': ' 1000 ' })], version);
    await create(target, 'validate', [newTopic(topic('validated'), 3, { 'cleanup.policy': 'compact' })], version, true);
    await create(target, 'again', [newTopic(topic('plain'))], version);
    await create(target, 'again to validate', [newTopic(topic('plain'))], version, true);
    await create(
      target,
      'collides',
      [newTopic(topic('plain').replace('-plain', '.plain')), newTopic(topic('plain').replace('-plain', '_plain'))],
      version,
    );
    await create(
      target,
      'twice',
      [newTopic(topic('twice')), newTopic(topic('twice')), newTopic(topic('once'))],
      version,
    );
    const bad = ['', '.', '..', 'a b', 'é', 'x'.repeat(250), '__cluster_metadata', '__consumer_offsets_no'];
    for (const name of bad) await create(target, `named ${name}`, [newTopic(name)], version, true);
    for (const count of [0, -2, 10_001])
      await create(target, `${count} partitions`, [newTopic(topic('count'), count)], version);
    for (const factor of [0, -2, 2, 32_767]) {
      await create(
        target,
        `factor ${factor}`,
        [newTopic(topic('factor'), 1, {}, { replicationFactor: factor })],
        version,
      );
    }
    if (version >= 4) {
      await create(target, 'defaults', [newTopic(topic('defaults'), -1, {}, { replicationFactor: -1 })], version);
    }
    const configs = [
      { 'no.such': '1' },
      { 'retention.ms': 'x' },
      { 'retention.ms': '-2' },
      { 'retention.ms': null },
      { 'cleanup.policy': 'compact,delete' },
      { 'cleanup.policy': 'compact,compact' },
      { 'cleanup.policy': '' },
      { 'cleanup.policy': 'burn' },
      { 'min.compaction.lag.ms': '10', 'max.compaction.lag.ms': '5' },
      { 'segment.bytes': '1' },
      { 'unclean.leader.election.enable': 'yes' },
      { 'min.cleanable.dirty.ratio': '0.25' },
      { 'min.cleanable.dirty.ratio': '2' },
      { 'max.message.bytes': '2147483648' },
      { 'remote.storage.enable': 'true' },
      { 'leader.replication.throttled.replicas': '0:1,1:1' },
      { 'message.timestamp.type': 'logappendtime' },
      { 'compression.type': 'gzip', 'compression.gzip.level': '7' },
      { 'min.insync.replicas': '2' },
      { 'retention.bytes': '-5' },
      { preallocate: 'TRUE' },
    ];
    for (const [i, config] of configs.entries()) {
      await create(target, `with ${JSON.stringify(config)}`, [newTopic(topic(`config-${i}`), 1, config)], version);
    }
    const assigned = (brokerLists, more = {}) => ({
      numPartitions: -1,
      replicationFactor: -1,
      assignments: brokerLists.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
      ...more,
    });
    const here = target.nodeId;
    const assignments = [
      [
        'whole',
        assigned([
          [1, [here]],
          [0, [here]],
        ]),
      ],
      [
        'gap',
        assigned([
          [0, [here]],
          [2, [here]],
        ]),
      ],
      ['from 1', assigned([[1, [here]]])],
      [
        'doubled',
        assigned([
          [0, [here]],
          [0, [here]],
        ]),
      ],
      ['other broker', assigned([[0, [here + 1]]])],
      ['same broker twice', assigned([[0, [here, here]]])],
      ['no broker', assigned([[0, []]])],
      ['with factor', assigned([[0, [here]]], { replicationFactor: 1 })],
      ['with count', assigned([[0, [here]]], { numPartitions: 1 })],
    ];
    for (const [label, more] of assignments) {
      await create(
        target,
        `assigned ${label}`,
        [newTopic(topic(`assigned ${label}`.replaceAll(' ', '-')), 1, {}, more)],
        version,
      );
    }
    const same = [
      { name: 'retention.ms', value: '1' },
      { name: 'retention.ms', value: '2' },
    ];
    await create(target, 'same config twice', [newTopic(topic('doubled'), 1, {}, { configs: same })], version);
    await create(target, 'nothing', [], version);
  }
}

async function deleteTopics(target) {
  for (const version of range(1, 6)) {
    const topic = (name) => target.topic(`delete-${version}-${name}`);
    await create(
      target,
      `before ${version}`,
      ['a', 'b', 'c', 'd'].map((name) => newTopic(topic(name))),
    );
    const ask = (label, names) => {
      const topics = names.map((named) => (typeof named === 'string' ? { name: named, topicId: zeroUuid } : named));
      return target.ask(label, 20, version, version < 6 ? { topicNames: names, timeoutMs } : { topics, timeoutMs });
    };
    await ask('one', [topic('a')]);
    await ask('gone', [topic('a')]);
    await ask('one and missing', [topic('b'), topic('none')]);
    await ask('twice', [topic('c'), topic('c')]);
    await ask('bad name', ['a b', '']);
    await ask('nothing', []);
    if (version < 6) continue;
    const { topics } = await target.ask('names', 3, 12, { topics: [{ name: topic('d'), topicId: zeroUuid }] });
    const { topicId } = topics[0];
    await ask('name and id', [{ name: topic('d'), topicId }]);
    await ask('neither', [{ name: null, topicId: zeroUuid }]);
    await ask('id twice', [
      { name: null, topicId },
      { name: null, topicId },
    ]);
    await ask('name, and its id', [
      { name: topic('d'), topicId: zeroUuid },
      { name: null, topicId },
    ]);
    await ask('unknown id', [{ name: null, topicId: 'BBBBBBBBBBBBBBBBBBBBBA' }]);
    await ask('id', [{ name: null, topicId }]);
  }
}

async function createPartitions(target) {
  for (const version of range(0, 3)) {
    const topic = (name) => target.topic(`partitions-${version}-${name}`);
    await create(target, `before ${version}`, [newTopic(topic('a'), 2), newTopic(topic('b'), 2)]);
    const grow = (label, topics, validateOnly = false) =>
      target.ask(label, 37, version, { topics, timeoutMs, validateOnly });
    const to = (name, count, assignments = null) => ({ name, count, assignments });
    const on = (...brokerLists) => brokerLists.map((brokerIds) => ({ brokerIds }));
    const here = target.nodeId;
    await grow('validate', [to(topic('a'), 4)], true);
    await grow('more', [to(topic('a'), 4)]);
    await grow('as many', [to(topic('a'), 4)]);
    await grow('fewer', [to(topic('a'), 3)]);
    await grow('none', [to(topic('a'), 0)]);
    await grow('negative', [to(topic('a'), -1)]);
    await grow('excessive', [to(topic('a'), 20_000)]);
    await grow('missing', [to(topic('none'), 4)]);
    await grow('bad name', [to('a b', 4)]);
    await grow('twice', [to(topic('b'), 3), to(topic('b'), 4), to(topic('a'), 5)]);
    await grow('assigned', [to(topic('b'), 4, on([here], [here]))]);
    await grow('assigned too few', [to(topic('b'), 6, on([here]))]);
    await grow('assigned too many', [to(topic('b'), 5, on([here], [here]))]);
    await grow('assigned elsewhere', [to(topic('b'), 5, on([here + 1]))]);
    await grow('assigned to none', [to(topic('b'), 5, on([]))]);
    await grow('assigned twice', [to(topic('b'), 5, on([here, here]))]);
    await grow('assigned nothing', [to(topic('b'), 5, [])]);
    await grow('nothing', []);
    await target.ask(`afterwards ${version}`, 75, 0, { topics: [{ name: topic('a') }, { name: topic('b') }] });
  }
}

async function deleteRecords(target) {
  for (const version of range(0, 2)) {
    const name = target.topic(`records-${version}`);
    await create(target, `before ${version}`, [newTopic(name)]);
    await settled();
    const ask = (label, topics) => target.ask(label, 21, version, { topics, timeoutMs });
    const at = (partitionIndex, offset, topic = name) => ({ name: topic, partitions: [{ partitionIndex, offset }] });
    await ask('from the start', [at(0, 0)]);
    await ask('to the end', [at(0, -1)]);
    await ask('beyond the end', [at(0, 5)]);
    await ask('negative', [at(0, -2)]);
    await ask('missing partition', [at(1, 0)]);
    await ask('negative partition', [at(-1, 0)]);
    await ask('missing topic', [at(0, 0, target.topic('none'))]);
    await ask('bad name', [at(0, 0, 'a b')]);
    await ask('nothing', []);
    const twice = {
      name,
      partitions: [
        { partitionIndex: 0, offset: 0 },
        { partitionIndex: 0, offset: 9 },
      ],
    };
    await ask('the same twice', [twice]);
    for (const policy of ['compact', 'compact,delete', '']) {
      const kept = target.topic(`records-${version}-${policy.replace(',', '-')}`);
      await create(target, `before ${policy}`, [newTopic(kept, 1, { 'cleanup.policy': policy })]);
      await settled();
      await ask(`of policy ${policy}`, [at(0, 0, kept)]);
    }
  }
}

async function offsetForLeaderEpoch(target) {
  for (const version of range(2, 4)) {
    const name = target.topic(`epochs-${version}`);
    await create(target, `before ${version}`, [newTopic(name)]);
    await settled();
    const ask = (label, partition, currentLeaderEpoch, leaderEpoch, topic = name) => {
      const partitions = [{ partition, currentLeaderEpoch, leaderEpoch }];
      return target.ask(label, 23, version, { replicaId: -1, topics: [{ topic, partitions }] });
    };
    await ask('no epoch', 0, -1, -1);
    await ask('far epoch', 0, -1, 1_000_000);
    await ask('current far ahead', 0, 1_000_000, 0);
    await ask('missing partition', 1, -1, 0);
    await ask('missing topic', 0, -1, 0, target.topic('none'));
    await ask('bad name', 0, -1, 0, 'a b');
  }
}

async function describeCluster(target) {
  for (const version of range(0, 2)) {
    for (const includeClusterAuthorizedOperations of [false, true]) {
      const label = includeClusterAuthorizedOperations ? 'with operations' : 'plain';
      await target.ask(label, 60, version, { includeClusterAuthorizedOperations, endpointType: 1 });
    }
    if (version === 0) continue;
    await target.ask('controllers', 60, version, { endpointType: 2 });
    await target.ask('unknown endpoints', 60, version, { endpointType: 3 });
    if (version === 2) await target.ask('fenced too', 60, version, { includeFencedBrokers: true });
  }
}

async function describeTopicPartitions(target) {
  const topic = (name) => target.topic(`describe-${name}`);
  await create(target, 'before', [newTopic(topic('a'), 3), newTopic(topic('b'), 3), newTopic(topic('c'), 1)]);
  await settled();
  const ask = (label, names, more = {}) =>
    target.ask(label, 75, 0, { topics: names.map((name) => ({ name })), ...more });
  const all = [topic('c'), topic('a'), topic('b')];
  await ask('all three', all);
  for (const responsePartitionLimit of [0, -1, 1, 2, 3, 4, 6, 7, 8]) {
    await ask(`limit ${responsePartitionLimit}`, all, { responsePartitionLimit });
  }
  const from = (topicName, partitionIndex) => ({ cursor: { topicName, partitionIndex } });
  await ask('from b', all, from(topic('b'), 0));
  await ask('from b 2', all, from(topic('b'), 2));
  await ask('from b 3', all, from(topic('b'), 3));
  await ask('from b -1', all, from(topic('b'), -1));
  await ask('from between', all, from(`${topic('a')}0`, 1));
  await ask('from missing in order', [...all, topic('bb')], from(topic('bb'), 0));
  await ask('from missing in order 1', [...all, topic('bb')], from(topic('bb'), 1));
  await ask('from b 1, limit 2', all, { ...from(topic('b'), 1), responsePartitionLimit: 2 });
  await ask('past all', all, from('zzz', 0));
  await ask('missing', [topic('none'), topic('a')]);
  await ask('bad name', ['a b', topic('a')]);
  await ask('empty name', ['', topic('a')]);
  await ask('twice', [topic('c'), topic('c')]);
}

async function metadata(target) {
  const topic = (name) => target.topic(`metadata-${name}`);
  await create(target, 'before', [newTopic(topic('a'), 2), newTopic(topic('b'), 1)]);
  await settled();
  for (const version of range(0, 13)) {
    const named = (...names) => names.map((name) => ({ name, topicId: zeroUuid }));
    const ask = (label, topics, more = {}) =>
      target.ask(label, 3, version, { topics, allowAutoTopicCreation: false, ...more });
    await ask('two', named(topic('a'), topic('b')));
    await ask('twice', named(topic('a'), topic('a')));
    if (version >= 4) await ask('missing', named(topic('none')));
    if (version >= 4) await ask('bad names', named('a b', ''));
    if (version >= 4) await ask('bad name, created', named('a b'), { allowAutoTopicCreation: true });
    if (version >= 1) await ask('none', []);
    await ask('internal', named('__cluster_metadata'));
    if (version >= 8) {
      const more = { includeTopicAuthorizedOperations: true, includeClusterAuthorizedOperations: true };
      await ask('operations', named(topic('a'), topic('none')), more);
    }
    if (version < 10) continue;
    const { topics } = await ask('names for ids', named(topic('a')));
    const { topicId } = topics[0];
    await ask('name and id', [{ name: topic('a'), topicId }]);
    if (version < 12) continue;
    await ask('id', [{ name: null, topicId }]);
    await ask('id twice', [
      { name: null, topicId },
      { name: null, topicId },
    ]);
    await ask('id and name', [
      { name: null, topicId },
      { name: topic('a'), topicId: zeroUuid },
    ]);
    await ask('unknown id', [{ name: null, topicId: 'BBBBBBBBBBBBBBBBBBBBBA' }]);
    await ask('neither', [{ name: null, topicId: zeroUuid }]);
    await ask('id and unknown name', [
      { name: null, topicId },
      { name: topic('none'), topicId: zeroUuid },
    ]);
  }
}

async function listOffsets(target) {
  const name = target.topic('offsets');
  await create(target, 'before', [newTopic(name)]);
  await settled();
  for (const version of range(1, 11)) {
    const ask = (label, partition, more = {}, topic = name) => {
      const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1, ...partition }];
      return target.ask(label, 2, version, {
        replicaId: -1,
        isolationLevel: 0,
        topics: [{ name: topic, partitions }],
        timeoutMs,
        ...more,
      });
    };
    for (const timestamp of [-1, -2, -3, -4, -5, -6, -7, 0, 1]) await ask(`at ${timestamp}`, { timestamp });
    await ask('committed', {}, { isolationLevel: 1 });
    await ask('isolation 2', {}, { isolationLevel: 2 });
    await ask('missing partition', { partitionIndex: 1 });
    await ask('missing topic', {}, {}, target.topic('none'));
    await ask('bad name', {}, {}, 'a b');
    if (version >= 4) await ask('epoch far ahead', { currentLeaderEpoch: 1_000_000 });
    const twice = range(0, 1).map(() => ({ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }));
    await target.ask('twice', 2, version, { replicaId: -1, topics: [{ name, partitions: twice }], timeoutMs });
    await target.ask('nothing', 2, version, { replicaId: -1, topics: [], timeoutMs });
  }
}

/** A batch as a producer sends it; `change` may then damage it. */
function batchOf(texts, change = () => {}, options = {}) {
  const builder = new BatchBuilder(crc32c, options);
  for (const text of texts) builder.append({ key: null, value: Buffer.from(text), timestampMs: 1_700_000_000_000 });
  const batch = builder.seal();
  change(batch);
  return batch;
}

async function produce(target) {
  for (const version of range(3, 13)) {
    const name = target.topic(`produce-${version}`);
    const { topics } = await create(target, `before ${version}`, [newTopic(name, 2)]);
    await settled();
    const named = version < 13 ? { name, topicId: zeroUuid } : { name: '', topicId: topics[0].topicId };
    const ask = (label, partitionData, more = {}, topic = named) =>
      target.ask(label, 0, version, { acks: -1, timeoutMs, topicData: [{ ...topic, partitionData }], ...more });
    const to = (index, records) => [{ index, records }];
    for (const acks of [-1, 1]) await ask(`acks ${acks}`, to(0, batchOf(['a', 'b'])), { acks });
    for (const acks of [2, -2]) await ask(`acks ${acks}`, to(0, batchOf(['a'])), { acks });
    await ask('missing partition', [...to(7, batchOf(['a'])), ...to(1, batchOf(['b']))]);
    await ask('negative partition', to(-1, batchOf(['a'])));
    const missing = { name: target.topic('none'), topicId: 'BBBBBBBBBBBBBBBBBBBBBA' };
    await ask('missing topic', to(0, batchOf(['a'])), {}, version < 13 ? missing : { ...missing, name: '' });
    await ask('no topics', [], { topicData: [] });
    await ask('no partitions', []);
    const cases = [
      ['null', null],
      ['empty', new Uint8Array()],
      ['16 zeroes', new Uint8Array(16)],
      ['17 zeroes', new Uint8Array(17)],
      ['80 zeroes', new Uint8Array(80)],
      ['magic 1', batchOf(['a'], (batch) => (batch[16] = 1))],
      ['magic 0', batchOf(['a'], (batch) => (batch[16] = 0))],
      ['magic 3', batchOf(['a'], (batch) => (batch[16] = 3))],
      ['cut', batchOf(['a']).subarray(0, 66)],
      ['length -1', batchOf(['a'], (batch) => batch.fill(0xff, 8, 12))],
      ['length 9', batchOf(['a'], (batch) => (batch[11] = 9))],
      ['two batches', new Uint8Array(Buffer.concat([batchOf(['a']), batchOf(['b'])]))],
      ['more bytes', new Uint8Array(Buffer.concat([batchOf(['a']), Buffer.from('x')]))],
      ['bad checksum', batchOf(['a'], (batch) => (batch[17] ^= 1))],
      ['control', batchOf(['a'], () => {}, { control: true, producerId: 9, producerEpoch: 0 })],
      ['out of order', batchOf(['a'], () => {}, { producerId: 900_000, producerEpoch: 0, baseSequence: 5 })],
      ['in order', batchOf(['a'], () => {}, { producerId: 900_001, producerEpoch: 0, baseSequence: 0 })],
      ['again', batchOf(['a'], () => {}, { producerId: 900_001, producerEpoch: 0, baseSequence: 0 })],
      ['a gap', batchOf(['a'], () => {}, { producerId: 900_001, producerEpoch: 0, baseSequence: 7 })],
      ['a newer epoch', batchOf(['a'], () => {}, { producerId: 900_001, producerEpoch: 1, baseSequence: 0 })],
      ['an older epoch', batchOf(['a'], () => {}, { producerId: 900_001, producerEpoch: 0, baseSequence: 1 })],
    ];
    for (const [label, records] of cases) await ask(label, to(0, records));
    await ask('two of one partition', [...to(0, batchOf(['a'])), ...to(0, batchOf(['b']))]);
    await target.ask(`offsets ${version}`, 2, 4, {
      replicaId: -1,
      topics: [{ name, partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }] }],
    });
  }
}

async function initProducerId(target) {
  for (const version of range(0, 5)) {
    await target.ask('none', 22, version, { transactionalId: null, transactionTimeoutMs: 1 });
    await target.ask('timeout 0', 22, version, { transactionalId: null, transactionTimeoutMs: 0 });
    await target.ask('empty', 22, version, { transactionalId: '', transactionTimeoutMs: 1000 });
    if (version < 3) continue;
    const pairs = [
      [5, -1],
      [-1, 5],
      [5, 5],
      [-2, -2],
      [5, -2],
      [-2, 5],
    ];
    for (const [producerId, producerEpoch] of pairs) {
      await target.ask(`of ${producerId} ${producerEpoch}`, 22, version, {
        transactionalId: null,
        transactionTimeoutMs: 1,
        producerId,
        producerEpoch,
      });
    }
  }
}

async function apiVersions(target) {
  for (const version of range(0, 4)) {
    const ask = (label, fields) => target.ask(label, 18, version, fields);
    await ask('named', { clientSoftwareName: 'oracle', clientSoftwareVersion: '1.0' });
    if (version < 3) continue;
    for (const name of ['', '-a', 'a-', 'a b', 'a_b', 'a.b-c', 'é']) {
      await ask(`named ${name}`, { clientSoftwareName: name, clientSoftwareVersion: '1' });
      await ask(`of version ${name}`, { clientSoftwareName: 'oracle', clientSoftwareVersion: name });
    }
  }
}

const describe = (target, label, version, resources, more = {}) =>
  target.ask(label, 32, version, {
    resources: resources.map(([resourceType, resourceName, configurationKeys = null]) => ({
      resourceType,
      resourceName,
      configurationKeys,
    })),
    ...more,
  });

async function describeConfigs(target) {
  const name = target.topic('configs');
  const node = String(target.nodeId);
  await create(target, 'before', [newTopic(name, 1, { 'retention.ms': '1000', 'cleanup.policy': 'compact' })]);
  for (const version of range(1, 4)) {
    const ask = (label, resources, more) => describe(target, label, version, resources, more);
    const documented = { includeSynonyms: true, includeDocumentation: version >= 3 };
    await ask('topic', [[Resource.TOPIC, name]]);
    await ask('topic with all', [[Resource.TOPIC, name]], documented);
    await ask('topic, some keys', [[Resource.TOPIC, name, ['retention.ms', 'no.such', 'retention.ms']]]);
    await ask('topic, no keys', [[Resource.TOPIC, name, []]]);
    await ask('missing topic', [[Resource.TOPIC, target.topic('none')]]);
    await ask('bad topic', [[Resource.TOPIC, 'a b']]);
    await ask('empty topic', [[Resource.TOPIC, '']]);
    await ask('broker', [[Resource.BROKER, node]]);
    await ask('broker with all', [[Resource.BROKER, node]], documented);
    await ask('broker, some keys', [[Resource.BROKER, node, ['log.retention.ms', 'num.io.threads']]], documented);
    await ask('all brokers', [[Resource.BROKER, '']], documented);
    await ask('other broker', [[Resource.BROKER, String(target.nodeId + 1)]]);
    await ask('no broker', [[Resource.BROKER, 'x']]);
    await ask('loggers of none', [[Resource.BROKER_LOGGER, '']]);
    await ask('loggers of another', [[Resource.BROKER_LOGGER, String(target.nodeId + 1)]]);
    await ask('loggers', [[Resource.BROKER_LOGGER, node]], documented);
    await ask('metrics', [[Resource.CLIENT_METRICS, 'none']], documented);
    await ask('metrics of none', [[Resource.CLIENT_METRICS, '']]);
    await ask('group', [[Resource.GROUP, 'none']], documented);
    await ask('group, a key', [[Resource.GROUP, 'none', ['consumer.session.timeout.ms']]], documented);
    await ask('group of none', [[Resource.GROUP, '']]);
    for (const type of [0, 1, 3, 99, -1]) await ask(`type ${type}`, [[type, name]]);
    await ask('twice', [
      [Resource.TOPIC, name, ['retention.ms']],
      [Resource.TOPIC, name, ['retention.ms']],
    ]);
    await ask('nothing', []);
  }
}

async function alterConfigs(target) {
  const node = String(target.nodeId);
  for (const version of range(0, 2)) {
    const name = target.topic(`alter-${version}`);
    await create(target, `before ${version}`, [newTopic(name, 1, { 'retention.ms': '1000' })]);
    const alter = async (label, resources, validateOnly = false) => {
      await target.ask(label, 33, version, {
        resources: resources.map(([resourceType, resourceName, configs]) => ({
          resourceType,
          resourceName,
          configs: configs.map(([config, value]) => ({ name: config, value })),
        })),
        validateOnly,
      });
      await settled();
      const type = resources[0]?.[0];
      if (type === Resource.TOPIC && resources[0][1] === name)
        await describe(target, `after ${label} ${version}`, 4, [[Resource.TOPIC, name]]);
    };
    await alter('validate', [[Resource.TOPIC, name, [['segment.bytes', '1048576']]]], true);
    await alter('replace', [[Resource.TOPIC, name, [['segment.bytes', '1048576']]]]);
    await alter('bad value', [[Resource.TOPIC, name, [['segment.bytes', 'x']]]]);
    await alter('unknown', [[Resource.TOPIC, name, [['no.such', '1']]]]);
    await alter('null', [[Resource.TOPIC, name, [['segment.bytes', null]]]]);
    await alter('same twice', [
      [
        Resource.TOPIC,
        name,
        [
          ['segment.bytes', '1048577'],
          ['segment.bytes', '1048578'],
        ],
      ],
    ]);
    await alter('all away', [[Resource.TOPIC, name, []]]);
    await alter('resource twice', [
      [Resource.TOPIC, name, []],
      [Resource.TOPIC, name, []],
    ]);
    await alter('missing', [[Resource.TOPIC, target.topic('none'), [['segment.bytes', '1048576']]]]);
    await alter('bad topic', [[Resource.TOPIC, 'a b', [['segment.bytes', '1048576']]]]);
    await alter('empty topic', [[Resource.TOPIC, '', [['segment.bytes', '1048576']]]]);
    await alter('nothing', []);
    for (const type of [0, 1, 3, 99]) await alter(`type ${type}`, [[type, name, [['a', 'b']]]]);
    await alter('loggers', [[Resource.BROKER_LOGGER, node, [['root', 'INFO']]]]);
    await alter('broker', [[Resource.BROKER, node, [['log.retention.ms', '7200000']]]]);
    await describe(target, `after broker ${version}`, 4, [[Resource.BROKER, node, ['log.retention.ms']]], {
      includeSynonyms: true,
    });
    await alter('broker, read-only', [[Resource.BROKER, node, [['num.partitions', '3']]]]);
    await alter('broker, bad value', [[Resource.BROKER, node, [['log.retention.ms', 'x']]]]);
    await alter('broker, unknown', [[Resource.BROKER, node, [['no.such', 'x']]]]);
    await alter('broker, null', [[Resource.BROKER, node, [['log.retention.ms', null]]]]);
    await alter('broker, away', [[Resource.BROKER, node, []]]);
    await alter('other broker', [[Resource.BROKER, String(target.nodeId + 1), [['log.retention.ms', '1']]]]);
    await alter('all brokers', [[Resource.BROKER, '', [['log.retention.ms', '7200000']]]]);
    await describe(target, `after all brokers ${version}`, 4, [[Resource.BROKER, node, ['log.retention.ms']]], {
      includeSynonyms: true,
    });
    await alter('all brokers, away', [[Resource.BROKER, '', []]]);
  }
}

async function incrementalAlterConfigs(target) {
  const node = String(target.nodeId);
  for (const version of range(0, 1)) {
    const name = target.topic(`incremental-${version}`);
    await create(target, `before ${version}`, [newTopic(name, 1, { 'retention.ms': '1000' })]);
    const alter = (label, resources, validateOnly = false) =>
      target.ask(label, 44, version, {
        resources: resources.map(([resourceType, resourceName, configs]) => ({
          resourceType,
          resourceName,
          configs: configs.map(([config, configOperation, value]) => ({ name: config, configOperation, value })),
        })),
        validateOnly,
      });
    const topic = async (label, ...configs) => {
      await alter(label, [[Resource.TOPIC, name, configs]]);
      await settled();
      await describe(target, `after ${label} ${version}`, 4, [[Resource.TOPIC, name]], { includeSynonyms: true });
    };
    await alter('validate', [[Resource.TOPIC, name, [['segment.bytes', Operation.SET, '1048576']]]], true);
    await alter('validate bad', [[Resource.TOPIC, name, [['segment.bytes', Operation.SET, 'x']]]], true);
    await topic('set', ['segment.bytes', Operation.SET, '1048576'], ['retention.ms', Operation.SET, '5']);
    await topic('delete', ['retention.ms', Operation.DELETE, null]);
    await topic('delete with value', ['retention.ms', Operation.DELETE, '7']);
    await topic('delete unknown', ['no.such', Operation.DELETE, null]);
    await topic('set unknown', ['no.such', Operation.SET, '1']);
    await topic('append', ['cleanup.policy', Operation.APPEND, 'compact']);
    await topic('append again', ['cleanup.policy', Operation.APPEND, 'compact']);
    await topic('append two', ['cleanup.policy', Operation.APPEND, 'compact,delete']);
    await topic('append bad', ['cleanup.policy', Operation.APPEND, 'burn']);
    await topic('subtract', ['cleanup.policy', Operation.SUBTRACT, 'delete']);
    await topic('subtract missing', ['cleanup.policy', Operation.SUBTRACT, 'delete']);
    await topic('subtract last', ['cleanup.policy', Operation.SUBTRACT, 'compact']);
    await topic('set policy empty', ['cleanup.policy', Operation.SET, '']);
    await topic('delete policy', ['cleanup.policy', Operation.DELETE, '']);
    await topic('append number', ['segment.bytes', Operation.APPEND, '1']);
    await topic('subtract number', ['segment.bytes', Operation.SUBTRACT, '1']);
    await topic('append unknown', ['no.such', Operation.APPEND, '1']);
    await topic('append null', ['cleanup.policy', Operation.APPEND, null]);
    await topic('set null', ['segment.bytes', Operation.SET, null]);
    await topic('operation 4', ['segment.bytes', 4, '1']);
    await topic('operation -1', ['segment.bytes', -1, '1']);
    await topic('set twice', ['segment.bytes', Operation.SET, '1048577'], ['segment.bytes', Operation.SET, '1048578']);
    await topic('one bad of two', ['segment.bytes', Operation.SET, '1048577'], ['retention.ms', Operation.SET, 'x']);
    await topic(
      'spaces',
      ['retention.ms', Operation.SET, ' 77 '],
      ['cleanup.policy', Operation.SET, ' compact , delete '],
    );
    await topic('lags', ['min.compaction.lag.ms', Operation.SET, '10'], ['max.compaction.lag.ms', Operation.SET, '5']);
    await topic('nothing');
    const set = [['segment.bytes', Operation.SET, '1048576']];
    await alter('twice', [
      [Resource.TOPIC, name, set],
      [Resource.TOPIC, name, set],
    ]);
    await alter('missing', [[Resource.TOPIC, target.topic('none'), set]]);
    await alter('bad topic', [[Resource.TOPIC, 'a b', set]]);
    await alter('empty topic', [[Resource.TOPIC, '', set]]);
    for (const type of [0, 1, 3, 99]) await alter(`type ${type}`, [[type, name, set]]);
    await alter('good and bad', [
      [Resource.TOPIC, name, set],
      [Resource.TOPIC, target.topic('none'), set],
    ]);
    await alter('no resources', []);
    const broker = async (label, brokerName, ...configs) => {
      await alter(label, [[Resource.BROKER, brokerName, configs]]);
      await settled();
      const keys = ['log.retention.ms', 'log.cleanup.policy', 'message.max.bytes', 'min.insync.replicas'];
      await describe(target, `after ${label} ${version}`, 4, [[Resource.BROKER, node, keys]], {
        includeSynonyms: true,
      });
    };
    await broker('broker', node, ['log.retention.ms', Operation.SET, '7200000']);
    await describe(target, `topic after broker ${version}`, 4, [[Resource.TOPIC, name, ['retention.ms']]], {
      includeSynonyms: true,
    });
    await broker('all brokers', '', ['log.retention.ms', Operation.SET, '7300000']);
    await describe(target, `topic after all brokers ${version}`, 4, [[Resource.TOPIC, name, ['retention.ms']]], {
      includeSynonyms: true,
    });
    await describe(target, `dynamic defaults ${version}`, 4, [[Resource.BROKER, '']], { includeSynonyms: true });
    await broker('broker, delete', node, ['log.retention.ms', Operation.DELETE, null]);
    await broker('all brokers, delete', '', ['log.retention.ms', Operation.DELETE, null]);
    await broker('broker, append', node, ['log.cleanup.policy', Operation.APPEND, 'compact']);
    await broker('broker, subtract', node, ['log.cleanup.policy', Operation.SUBTRACT, 'delete']);
    await broker('broker, delete policy', node, ['log.cleanup.policy', Operation.DELETE, null]);
    await broker('broker, read-only', node, ['num.partitions', Operation.SET, '3']);
    await broker('broker, delete read-only', node, ['num.partitions', Operation.DELETE, null]);
    await broker('all brokers, read-only', '', ['num.partitions', Operation.SET, '3']);
    await broker('broker, bad value', node, ['message.max.bytes', Operation.SET, 'x']);
    await broker('broker, out of bounds', node, ['message.max.bytes', Operation.SET, '-1']);
    await broker('all brokers, bad value', '', ['message.max.bytes', Operation.SET, 'x']);
    await broker('broker, unknown', node, ['no.such', Operation.SET, '3']);
    await broker('broker, delete unknown', node, ['no.such', Operation.DELETE, null]);
    await broker('broker, append number', node, ['message.max.bytes', Operation.APPEND, '3']);
    await broker('broker, append unknown', node, ['no.such', Operation.APPEND, '3']);
    await broker('broker, null', node, ['message.max.bytes', Operation.SET, null]);
    await broker('broker, operation 9', node, ['message.max.bytes', 9, '1']);
    await broker('other broker', String(target.nodeId + 1), ['log.retention.ms', Operation.SET, '7200000']);
    await broker('no broker', 'x', ['log.retention.ms', Operation.SET, '7200000']);
    await broker('min isr of broker', node, ['min.insync.replicas', Operation.SET, '1']);
    await broker('min isr of all', '', ['min.insync.replicas', Operation.SET, '1']);
    await broker('min isr of broker, delete', node, ['min.insync.replicas', Operation.DELETE, null]);
    await broker('min isr of all, delete', '', ['min.insync.replicas', Operation.DELETE, null]);
    await alter('broker, validate', [[Resource.BROKER, node, [['log.retention.ms', Operation.SET, '5']]]], true);
    await alter('loggers, validate', [[Resource.BROKER_LOGGER, node, [['root', Operation.SET, 'INFO']]]], true);
    await alter('loggers, bad level', [[Resource.BROKER_LOGGER, node, [['root', Operation.SET, 'LOUD']]]], true);
    await alter('loggers, unknown', [[Resource.BROKER_LOGGER, node, [['no.such', Operation.SET, 'INFO']]]], true);
    await alter('loggers, append', [[Resource.BROKER_LOGGER, node, [['root', Operation.APPEND, 'INFO']]]], true);
    await alter('loggers, delete root', [[Resource.BROKER_LOGGER, node, [['root', Operation.DELETE, null]]]], true);
    await alter(
      'loggers of another',
      [[Resource.BROKER_LOGGER, String(target.nodeId + 1), [['root', Operation.SET, 'INFO']]]],
      true,
    );
    await alter('loggers of none', [[Resource.BROKER_LOGGER, '', [['root', Operation.SET, 'INFO']]]], true);
    await alter('loggers of x', [[Resource.BROKER_LOGGER, 'x', [['root', Operation.SET, 'INFO']]]], true);
    await alter('group', [[Resource.GROUP, 'g', [['consumer.session.timeout.ms', Operation.SET, '50000']]]], true);
    await alter('group, unknown', [[Resource.GROUP, 'g', [['no.such', Operation.SET, '5']]]], true);
    await alter(
      'group, empty',
      [[Resource.GROUP, '', [['consumer.session.timeout.ms', Operation.SET, '50000']]]],
      true,
    );
    await alter('metrics', [[Resource.CLIENT_METRICS, 'm', [['interval.ms', Operation.SET, '1000']]]], true);
    await alter('metrics, empty', [[Resource.CLIENT_METRICS, '', [['interval.ms', Operation.SET, '1000']]]], true);
  }
}

export const scenarios = [
  { name: 'ApiVersions', run: apiVersions },
  { name: 'DescribeCluster', run: describeCluster },
  { name: 'CreateTopics', run: createTopics },
  { name: 'DeleteTopics', run: deleteTopics },
  { name: 'CreatePartitions', run: createPartitions },
  { name: 'Metadata', run: metadata },
  { name: 'ListOffsets', run: listOffsets },
  { name: 'Produce', run: produce },
  { name: 'InitProducerId', run: initProducerId },
  { name: 'DeleteRecords', run: deleteRecords },
  { name: 'OffsetForLeaderEpoch', run: offsetForLeaderEpoch },
  { name: 'DescribeTopicPartitions', run: describeTopicPartitions },
  { name: 'DescribeConfigs', run: describeConfigs },
  { name: 'AlterConfigs', run: alterConfigs },
  { name: 'IncrementalAlterConfigs', run: incrementalAlterConfigs },
];
