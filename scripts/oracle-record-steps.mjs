/**
 * The oracle's requests about records: writing them, finding their offsets, deleting them. Each scenario makes the topics
 * that it needs.
 */

import { batchOf, create, newTopic, range, settled, timeoutMs, zeroUuid } from './oracle-requests.mjs';

export async function deleteRecords(target) {
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

export async function offsetForLeaderEpoch(target) {
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

export async function listOffsets(target) {
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

export async function produce(target) {
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

export async function initProducerId(target) {
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
