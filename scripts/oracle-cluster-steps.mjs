/**
 * The oracle's requests about nodes, leaders, replicas, log directories, features and the quorum. Nothing that they ask
 * for can come about on a single node, so they leave nothing behind.
 */

import { create, hosted, newTopic, range, timeoutMs, zeroUuid } from './oracle-requests.mjs';

export async function describeLogDirs(target) {
  const topic = (name) => target.topic(`dirs-${name}`);
  await create(target, 'before', [newTopic(topic('a'), 2), newTopic(topic('b'), 1)]);
  await hosted(target, topic('a'), topic('b'));
  for (const version of range(1, 5)) {
    const ask = (label, topics) => target.ask(label, 35, version, { topics });
    const of = (name, ...partitions) => ({ topic: name, partitions });
    await ask('one', [of(topic('a'), 0)]);
    await ask('several', [of(topic('a'), 1, 0), of(topic('b'), 0)]);
    await ask('twice', [of(topic('a'), 0, 0), of(topic('a'), 0)]);
    await ask('missing', [of(topic('none'), 0), of(topic('a'), 2, -1)]);
    await ask('no partitions', [of(topic('a'))]);
    await ask('nothing', []);
  }
}

export async function alterReplicaLogDirs(target) {
  const topic = target.topic('move');
  await create(target, 'before', [newTopic(topic, 1)]);
  await hosted(target, topic);
  const described = await target.ask('where', 35, 1, { topics: [{ topic, partitions: [0] }] });
  const here = described.results[0].logDir;
  for (const version of range(1, 2)) {
    const ask = (label, dirs) => target.ask(label, 34, version, { dirs });
    const into = (path, name, ...partitions) => ({ path, topics: [{ name, partitions }] });
    await ask('where it is', [into(here, topic, 0)]);
    await ask('elsewhere', [into('/nowhere', topic, 0)]);
    await ask('relative', [into('nowhere', topic, 0)]);
    await ask('empty', [into('', topic, 0)]);
    await ask('missing partition', [into(here, topic, 1)]);
    await ask('missing topic', [into(here, target.topic('none'), 0)]);
    await ask('missing topic elsewhere', [into('/nowhere', target.topic('none'), 0)]);
    await ask('in two', [into(here, topic, 0), into('/nowhere', topic, 0)]);
    await ask('nothing', []);
  }
}

export async function electLeaders(target) {
  const topic = target.topic('elect');
  await create(target, 'before', [newTopic(topic, 2)]);
  await hosted(target, topic);
  const ofTopic = ({ replicaElectionResults, ...rest }) => ({
    ...rest,
    replicaElectionResults: replicaElectionResults.filter((result) => result.topic === topic),
  });
  for (const version of range(0, 2)) {
    const ask = (label, topicPartitions, electionType = 0) =>
      target.ask(label, 43, version, { electionType, topicPartitions, timeoutMs });
    const of = (name, ...partitions) => ({ topic: name, partitions });
    await ask('preferred', [of(topic, 0, 1)]);
    await ask('twice', [of(topic, 0, 0)]);
    await ask('missing', [of(topic, 2, -1), of(target.topic('none'), 0)]);
    await ask('bad name', [of('a b', 0), of('', 0)]);
    await ask('no partitions', [of(topic)]);
    await ask('nothing', []);
    await target.ask('all', 43, version, { electionType: 0, topicPartitions: null, timeoutMs }, ofTopic);
    if (version === 0) continue;
    await ask('unclean', [of(topic, 0)], 1);
    await target.ask('unclean, all', 43, version, { electionType: 1, topicPartitions: null, timeoutMs }, ofTopic);
    await ask('unclean, missing', [of(target.topic('none'), 0)], 1);
    await ask('unknown type', [of(topic, 0)], 2);
  }
}

export async function partitionReassignments(target) {
  const topic = target.topic('reassign');
  await create(target, 'before', [newTopic(topic, 2)]);
  await hosted(target, topic);
  const node = target.nodeId;
  const list = (label, topics) => target.ask(label, 46, 0, { timeoutMs, topics });
  for (const version of range(0, 1)) {
    const ask = (label, topics, more = {}) => target.ask(label, 45, version, { timeoutMs, topics, ...more });
    const of = (name, partitionIndex, replicas) => ({ name, partitions: [{ partitionIndex, replicas }] });
    await ask('to itself', [of(topic, 0, [node])]);
    await ask('to another', [of(topic, 0, [node + 1])]);
    await ask('to two', [of(topic, 0, [node, node + 1])]);
    await ask('to itself twice', [of(topic, 0, [node, node])]);
    await ask('to none', [of(topic, 0, [])]);
    await ask('to below zero', [of(topic, 0, [-1])]);
    await ask('cancelled', [of(topic, 0, null)]);
    await ask('missing partition', [of(topic, 2, [node])]);
    await ask('missing topic', [of(target.topic('none'), 0, [node])]);
    await ask('cancelled of missing', [of(target.topic('none'), 0, null), of(topic, 7, null)]);
    await ask('bad name', [of('a b', 0, [node])]);
    await ask('twice', [of(topic, 0, [node]), of(topic, 0, [node])]);
    await ask('two at once', [
      { name: topic, partitions: [0, 1].map((partitionIndex) => ({ partitionIndex, replicas: [node] })) },
    ]);
    await ask('nothing', []);
    if (version === 1) {
      await ask('as many', [of(topic, 0, [node])], { allowReplicationFactorChange: false });
      await ask('more', [of(topic, 0, [node, node + 1])], { allowReplicationFactorChange: false });
    }
  }
  await list('all', null);
  await list('one', [{ name: topic, partitionIndexes: [0] }]);
  await list('missing', [
    { name: topic, partitionIndexes: [9] },
    { name: target.topic('none'), partitionIndexes: [0] },
  ]);
  await list('nothing', []);
}

export async function describeQuorum(target) {
  await create(target, 'before', [newTopic(target.topic('known'), 1)]);
  for (const version of range(0, 2)) {
    const ask = (label, ...topics) => target.ask(label, 55, version, { topics });
    const of = (topicName, ...partitions) => ({
      topicName,
      partitions: partitions.map((partitionIndex) => ({ partitionIndex })),
    });
    await ask('metadata', of('__cluster_metadata', 0));
    await ask('another partition', of('__cluster_metadata', 1));
    await ask('two partitions', of('__cluster_metadata', 0, 1));
    await ask('another topic', of('other', 0));
    await ask('both', of('__cluster_metadata', 0), of('other', 0));
    await ask('no partitions', of('__cluster_metadata'));
    await ask('nothing');
  }
}

export async function updateFeatures(target) {
  for (const version of range(0, 2)) {
    const ask = (label, featureUpdates, more = {}) =>
      target.ask(label, 57, version, { timeoutMs, featureUpdates, ...more });
    const to = (feature, maxVersionLevel, upgradeType = 1) => ({
      feature,
      maxVersionLevel,
      upgradeType,
      allowDowngrade: upgradeType !== 1,
    });
    await ask('as it is', [to('metadata.version', 33)]);
    await ask('unknown', [to('no.such', 1)]);
    await ask('too high', [to('metadata.version', 99)]);
    await ask('too low', [to('metadata.version', 1, 2)]);
    await ask('below zero', [to('transaction.version', -1)]);
    await ask('zero', [to('metadata.version', 0, 2)]);
    await ask('down, not allowed', [to('transaction.version', 1)]);
    await ask('two, one unknown', [to('group.version', 1), to('no.such', 1)]);
    await ask('twice', [to('group.version', 1), to('group.version', 1)]);
    await ask('empty name', [to('', 1)]);
    await ask('nothing', []);
    if (version === 0) continue;
    const dry = { validateOnly: true };
    await ask('dry, as it is', [to('transaction.version', 2)], dry);
    await ask('dry, down', [to('transaction.version', 1, 2)], dry);
    await ask('dry, down unsafely', [to('transaction.version', 1, 3)], dry);
    await ask('dry, off', [to('group.version', 0, 2)], dry);
    await ask('dry, unknown kind', [to('transaction.version', 1, 9)], dry);
    await ask('dry, metadata down', [to('metadata.version', 25, 2)], dry);
    await ask('dry, metadata down unsafely', [to('metadata.version', 25, 3)], dry);
    await ask('dry, metadata down a step', [to('metadata.version', 32, 2)], dry);
    await ask('dry, quorum', [to('kraft.version', 1)], dry);
    await ask('dry, quorum too high', [to('kraft.version', 2)], dry);
    await ask('dry, up', [to('transaction.version', 3)], dry);
  }
}

export async function nodes(target) {
  const { nodeId } = target;
  await target.ask('unregister another', 64, 0, { brokerId: nodeId + 1 });
  await target.ask('unregister below zero', 64, 0, { brokerId: -1 });
  await target.ask('unregister another controller', 94, 0, { controllerId: nodeId + 1 });
  await target.ask('unregister this controller', 94, 0, { controllerId: nodeId });
  await target.ask('unregister no controller', 94, 0, { controllerId: -1 });
  const { clusterId } = await target.ask('cluster', 60, 0, {});
  const listeners = [{ name: 'CONTROLLER', host: 'localhost', port: 9093 }];
  const directory = 'BBBBBBBBBBBBBBBBBBBBBA';
  for (const version of range(0, 1)) {
    const add = (label, fields) =>
      target.ask(`add ${label}`, 80, version, {
        clusterId,
        timeoutMs: 1000,
        voterId: nodeId + 1,
        voterDirectoryId: directory,
        listeners,
        ...fields,
      });
    await add('another', {});
    await add('of no cluster', { clusterId: null });
    await add('of another cluster', { clusterId: 'other' });
    await add('itself', { voterId: nodeId });
    await add('below zero', { voterId: -1 });
    await add('without directory', { voterDirectoryId: zeroUuid });
    await add('without listeners', { listeners: [] });
  }
  const remove = (label, fields) =>
    target.ask(`remove ${label}`, 81, 0, { clusterId, voterId: nodeId + 1, voterDirectoryId: directory, ...fields });
  await remove('another', {});
  await remove('of another cluster', { clusterId: 'other' });
  await remove('below zero', { voterId: -1 });
  await remove('without directory', { voterDirectoryId: zeroUuid });
}
