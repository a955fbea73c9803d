/**
 * The oracle's requests about transactions: producers come and are fenced, transactions begin, are told of and end,
 * in both generations (KIP-98, KIP-890). What a broker does behind its answer is waited for: the end of a transaction is
 * complete only once its markers are written.
 */

import { range } from './oracle-requests.mjs';
import { Key, partitionsOf, place, Producer, timeoutOf } from './oracle-transactional-producer.mjs';

/** Kafka makes the topics of its coordinators when they are first looked for, and loads them some time later. */
export async function wakeCoordinators(target) {
  for (const keyType of [0, 1]) {
    await untilNone(
      target,
      10,
      4,
      { keyType, coordinatorKeys: [target.topic('wake')] },
      (answer) => answer.coordinators[0],
    );
  }
  const fields = { transactionalId: target.topic('wake'), transactionTimeoutMs: timeoutOf };
  await untilNone(target, Key.INIT, 5, fields, (answer) => answer);
  const groups = [{ groupId: target.topic('wake'), memberId: null, memberEpoch: -1, topics: null }];
  await untilNone(target, Key.OFFSET_FETCH, 8, { groups, requireStable: false }, (answer) => answer.groups[0]);
}

async function untilNone(target, apiKey, version, fields, part) {
  for (let i = 0; i < 200; i++) {
    if (part(await target.peek(apiKey, version, fields)).errorCode === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`request ${apiKey} is not served`);
}

export async function initTransactions(target) {
  for (const version of range(0, 5)) {
    const producer = new Producer(target, `init-${version}`);
    await producer.init('first', version);
    await producer.init('again', version);
    await producer.init('no timeout', version, { transactionTimeoutMs: 0 });
    await producer.init('negative timeout', version, { transactionTimeoutMs: -1 });
    await producer.init('long timeout', version, { transactionTimeoutMs: 900_001 });
    await producer.init('longest timeout', version, { transactionTimeoutMs: 900_000 });
    await producer.init('empty id', version, { transactionalId: '' });
    await producer.describe('after');
    if (version < 3) continue;
    const { producerId, producerEpoch } = producer;
    await producer.init('only an id', version, { producerId });
    await producer.init('only an epoch', version, { producerEpoch });
    await producer.init('goes on', version, { producerId, producerEpoch });
    await producer.init('goes on, retried', version, { producerId, producerEpoch });
    await producer.init('goes on, older', version, { producerId, producerEpoch: producerEpoch - 1 });
    await producer.init('goes on, future', version, { producerId, producerEpoch: producerEpoch + 9 });
    await producer.init('of another id', version, { producerId: producerId + 900_000, producerEpoch });
    await producer.init('anew', version);
    await producer.init('goes on after anew', version, { producerId, producerEpoch: producerEpoch + 1 });
    const fresh = new Producer(target, `init-fresh-${version}`);
    await fresh.init('first, with an identity', version, { producerId: 77, producerEpoch: 3 });
    await fresh.describe('fresh');
  }
}

export async function addPartitions(target) {
  const { name } = await place(target, 'add');
  for (const version of range(0, 5)) {
    const producer = new Producer(target, `add-${version}`);
    await producer.add('unknown id', version, partitionsOf(name, 0));
    await producer.init('producer');
    await producer.add('empty id', version, partitionsOf(name, 0), { transactionalId: '' });
    await producer.add('another producer', version, partitionsOf(name, 0), {
      producerId: producer.producerId + 900_000,
    });
    await producer.add('old epoch', version, partitionsOf(name, 0), { producerEpoch: producer.producerEpoch - 1 });
    await producer.add('future epoch', version, partitionsOf(name, 0), { producerEpoch: producer.producerEpoch + 1 });
    await producer.add('missing topic', version, partitionsOf(target.topic('none'), 0));
    await producer.add('missing partition', version, partitionsOf(name, 0, 2));
    await producer.add('negative partition', version, partitionsOf(name, -1));
    await producer.describe('before');
    await producer.add('nothing', version, []);
    await producer.describe('nothing');
    await producer.add('one', version, partitionsOf(name, 0));
    await producer.add('one again', version, partitionsOf(name, 0));
    await producer.add('two', version, partitionsOf(name, 1, 0));
    await producer.describe('two');
    if (version >= 4) {
      await producer.add('verified', version, partitionsOf(name, 0, 1), { verifyOnly: true });
      await producer.add('verified, old epoch', version, partitionsOf(name, 0), { verifyOnly: true, producerEpoch: 7 });
      await producer.add('verified, unknown id', version, partitionsOf(name, 0), {
        verifyOnly: true,
        transactionalId: target.topic('nobody'),
      });
    }
    await producer.end('over', 4, true);
    await producer.describe('over');
    if (version >= 4) await producer.add('verified, over', version, partitionsOf(name, 0), { verifyOnly: true });
    await producer.add('next', version, partitionsOf(name, 1));
    await producer.describe('next');
    await producer.end('next over', 4, false);
    await producer.describe('next over');
  }
}

export async function addOffsets(target) {
  for (const version of range(0, 4)) {
    const producer = new Producer(target, `offsets-${version}`);
    const group = target.topic(`group-${version}`);
    await producer.addOffsets('unknown id', version, group);
    await producer.init('producer');
    await producer.addOffsets('old epoch', version, group, { producerEpoch: producer.producerEpoch - 1 });
    await producer.addOffsets('another producer', version, group, { producerId: producer.producerId + 900_000 });
    await producer.addOffsets('empty id', version, group, { transactionalId: '' });
    await producer.addOffsets('empty group', version, '');
    await producer.addOffsets('group', version, group);
    await producer.describe('group');
    await producer.end('over', 4, false);
  }
}

export async function endTransactions(target) {
  const { name } = await place(target, 'end');
  for (const version of range(0, 5)) {
    const producer = new Producer(target, `end-${version}`);
    const addVersion = version >= 5 ? 5 : 3;
    await producer.end('unknown id', version, true).catch(() => {});
    await producer.init('producer');
    await producer.end('empty id', version, true, { transactionalId: '' });
    await producer.end('commit of nothing', version, true);
    await producer.describe('commit of nothing');
    await producer.end('abort of nothing', version, false);
    await producer.describe('abort of nothing');
    for (const committed of [true, false]) {
      const word = committed ? 'commit' : 'abort';
      await producer.add(`${word}, added`, addVersion, partitionsOf(name, 0, 1));
      await producer.end(`${word}, another producer`, version, committed, {
        producerId: producer.producerId + 900_000,
      });
      await producer.end(`${word}, old epoch`, version, committed, { producerEpoch: producer.producerEpoch - 1 });
      await producer.end(`${word}, future epoch`, version, committed, { producerEpoch: producer.producerEpoch + 1 });
      const before = producer.identity;
      await producer.end(word, version, committed);
      await producer.describe(word);
      await producer.end(`${word}, retried`, version, committed, before);
      await producer.end(`${word}, retried otherwise`, version, !committed, before);
      await producer.describe(`${word}, retried`);
      const { producerId, producerEpoch } = producer;
      await producer.end(`${word}, once more`, version, committed);
      await producer.describe(`${word}, once more`);
      await producer.end(`${word}, then otherwise`, version, !committed);
      await producer.describe(`${word}, then otherwise`);
      await producer.init(`${word}, goes on from before`, 5, { producerId, producerEpoch });
      await producer.reinit(`${word}, anew`);
    }
  }
}

export async function fencing(target) {
  const { name, id } = await place(target, 'fence');
  for (const [version, addVersion, endVersion] of [
    [0, 3, 1],
    [3, 3, 4],
    [5, 5, 5],
  ]) {
    const producer = new Producer(target, `fence-${version}`);
    await producer.init('producer', version);
    await producer.add('added', addVersion, partitionsOf(name, 0));
    const before = producer.identity;
    await producer.init('takes over', version);
    await producer.complete();
    await producer.describe('takes over');
    await producer.end('the old one aborts', endVersion, false, before);
    await producer.end('the old one commits', endVersion, true, before);
    await producer.add('the old one adds', addVersion, partitionsOf(name, 1), before);
    if (version >= 3) {
      const { producerId, producerEpoch } = before;
      await producer.init('the old one goes on', version, { producerId, producerEpoch });
    }
    await producer.describe('then');
    await producer.reinit('has taken over');
    await producer.describe('has taken over');
    await producer.end('the old one aborts again', endVersion, false, before);
    await producer.add('the old one adds again', addVersion, partitionsOf(name, 1), before);
    await producer.produce('the old one writes', 11, { name, id }, { epoch: before.producerEpoch });
    await producer.produce('the old one writes as V2', 12, { name, id }, { epoch: before.producerEpoch });
    if (version >= 3) {
      const { producerId, producerEpoch } = before;
      await producer.init('the old one goes on again', version, { producerId, producerEpoch });
      await producer.add('added once more', addVersion, partitionsOf(name, 0));
      const current = producer.identity;
      await producer.init('goes on while it is ongoing', version, {
        producerId: current.producerId,
        producerEpoch: current.producerEpoch,
      });
      await producer.complete();
      await producer.describe('goes on while it is ongoing');
      await producer.init('goes on while it is ongoing, again', version, {
        producerId: current.producerId,
        producerEpoch: current.producerEpoch,
      });
    }
  }
}

export async function listTransactions(target) {
  const { name } = await place(target, 'list');
  const open = new Producer(target, 'list-open');
  await open.init('open');
  await open.add('open, added', 3, partitionsOf(name, 0));
  const idle = new Producer(target, 'list-idle');
  await idle.init('idle');
  const { producerId } = idle;
  for (const version of range(0, 2)) {
    const ask = (label, fields) => target.ask(label, Key.LIST, version, fields);
    await ask('of one producer', { producerIdFilters: [producerId] });
    await ask('of both', { producerIdFilters: [producerId, open.producerId] });
    await ask('ongoing', { stateFilters: ['Ongoing'], producerIdFilters: [producerId, open.producerId] });
    await ask('unknown states', {
      stateFilters: ['Ongoing', 'ongoing', 'Nowhere', 'Dead'],
      producerIdFilters: [producerId],
    });
    if (version < 1) continue;
    await ask('for long', { durationFilter: 1_000_000, producerIdFilters: [producerId, open.producerId] });
    await ask('for no time', { durationFilter: 0, producerIdFilters: [producerId, open.producerId] });
    await ask('negative time', { durationFilter: -5, producerIdFilters: [producerId, open.producerId] });
    if (version < 2) continue;
    for (const transactionalIdPattern of [
      null,
      '',
      '.*list-(open|idle)',
      'list-open',
      '.*list-o.en',
      '(',
      '[a',
      'a{2,1}',
      '(a+)+$',
      '(?=a)',
      '\\1',
    ]) {
      await ask(`pattern ${transactionalIdPattern}`, {
        producerIdFilters: [producerId, open.producerId],
        transactionalIdPattern,
      });
    }
  }
  await target.ask('unknown', Key.DESCRIBE, 0, { transactionalIds: ['', target.topic('nobody')] });
  await open.end('over', 4, false);
}

export async function writeMarkers(target) {
  for (const version of range(1, 2)) {
    const where = await place(target, `markers-${version}`);
    const producer = new Producer(target, `markers-${version}`);
    await producer.init('producer');
    await producer.init('producer again');
    await producer.produce('open', 12, where);
    const ask = (label, partitionIndexes, more = {}) =>
      target.ask(label, Key.WRITE_MARKERS, version, {
        markers: [
          {
            producerId: producer.producerId,
            producerEpoch: producer.producerEpoch,
            transactionResult: false,
            topics: [{ name: where.name, partitionIndexes }],
            coordinatorEpoch: 1000,
            transactionVersion: 0,
            ...more,
          },
        ],
      });
    await ask('nothing', []);
    await ask('missing partition', [5]);
    await ask('missing topic', [], { topics: [{ name: target.topic('none'), partitionIndexes: [0] }] });
    await ask('old epoch', [0], { producerEpoch: producer.producerEpoch - 1 });
    if (version >= 2) await ask('same epoch of version 2', [0], { transactionVersion: 2 });
    await ask('abort', [0]);
    await ask('abort again', [0]);
    await ask('older coordinator', [0], { coordinatorEpoch: 999 });
    await target.ask('producers', Key.DESCRIBE_PRODUCERS, 0, { topics: [{ name: where.name, partitionIndexes: [0] }] });
  }
}
