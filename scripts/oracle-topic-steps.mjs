/**
 * The oracle's requests that make, show and delete topics, and show the cluster. Each scenario makes the topics that it
 * needs.
 */

import { create, newTopic, range, settled, timeoutMs, zeroUuid } from './oracle-requests.mjs';

export async function createTopics(target) {
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

export async function deleteTopics(target) {
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

export async function createPartitions(target) {
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
    await settled();
    await target.ask(`afterwards ${version}`, 75, 0, { topics: [{ name: topic('a') }, { name: topic('b') }] });
  }
}

export async function describeCluster(target) {
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

export async function describeTopicPartitions(target) {
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

export async function metadata(target) {
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

export async function apiVersions(target) {
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
