/**
 * The oracle's requests about transactions: producers come and are fenced, transactions begin, are written to and end,
 * in both generations (KIP-98, KIP-890). What a broker does behind its answer is waited for: the end of a transaction is
 * complete only once its markers are written.
 */

import { batchOf, create, fetchedPart, hosted, newTopic, range, timeoutMs, zeroUuid } from './oracle-requests.mjs';

const Key = {
  PRODUCE: 0,
  FETCH: 1,
  LIST_OFFSETS: 2,
  OFFSET_FETCH: 9,
  INIT: 22,
  ADD_PARTITIONS: 24,
  ADD_OFFSETS: 25,
  END: 26,
  WRITE_MARKERS: 27,
  TXN_OFFSET_COMMIT: 28,
  DESCRIBE_PRODUCERS: 61,
  DESCRIBE: 65,
  LIST: 66,
};

const timeoutOf = 60_000;

/** One producer of a transactional id, and the requests that it sends. */
class Producer {
  constructor(target, id) {
    this.target = target;
    this.transactionalId = target.topic(id);
    this.producerId = -1;
    this.producerEpoch = -1;
  }

  get identity() {
    const { transactionalId, producerId, producerEpoch } = this;
    return { transactionalId, producerId, producerEpoch };
  }

  async init(label, version = 5, more = {}) {
    const fields = { transactionalId: this.transactionalId, transactionTimeoutMs: timeoutOf, ...more };
    const answer = await this.target.ask(label, Key.INIT, version, fields);
    if (answer.errorCode === 0)
      Object.assign(this, { producerId: answer.producerId, producerEpoch: answer.producerEpoch });
    return answer;
  }

  /** Whatever is under way has ended when this returns. */
  async complete() {
    for (let i = 0; i < 200; i++) {
      const answer = await this.target.peek(Key.DESCRIBE, 0, { transactionalIds: [this.transactionalId] });
      if (!answer.transactionStates[0].transactionState.startsWith('Prepare')) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`the transaction of ${this.transactionalId} does not end`);
  }

  async reinit(label) {
    await this.complete();
    return this.init(label);
  }

  describe(label) {
    return this.target.ask(`${label}, described`, Key.DESCRIBE, 0, { transactionalIds: [this.transactionalId] });
  }

  add(label, version, topics, more = {}) {
    const { transactionalId, producerId, producerEpoch } = { ...this.identity, ...more };
    const fields =
      version < 4
        ? {
            v3AndBelowTransactionalId: transactionalId,
            v3AndBelowProducerId: producerId,
            v3AndBelowProducerEpoch: producerEpoch,
            v3AndBelowTopics: topics,
          }
        : {
            transactions: [
              { transactionalId, producerId, producerEpoch, verifyOnly: more.verifyOnly ?? false, topics },
            ],
          };
    return this.target.ask(label, Key.ADD_PARTITIONS, version, fields);
  }

  addOffsets(label, version, groupId, more = {}) {
    return this.target.ask(label, Key.ADD_OFFSETS, version, { ...this.identity, groupId, ...more });
  }

  async end(label, version, committed, more = {}) {
    const answer = await this.target.ask(label, Key.END, version, { ...this.identity, committed, ...more });
    if (version >= 5 && answer.errorCode === 0) {
      Object.assign(this, { producerId: answer.producerId, producerEpoch: answer.producerEpoch });
    }
    await this.complete();
    return answer;
  }

  produce(
    label,
    version,
    place,
    { sequence = 0, epoch = this.producerEpoch, transactionalId = this.transactionalId } = {},
  ) {
    const records = batchOf(['a record'], () => {}, {
      producerId: this.producerId,
      producerEpoch: epoch,
      baseSequence: sequence,
      transactional: true,
    });
    const topic = version >= 13 ? { topicId: place.id } : { name: place.name };
    const topicData = [{ topicId: zeroUuid, name: '', ...topic, partitionData: [{ index: 0, records }] }];
    return this.target.ask(label, Key.PRODUCE, version, { transactionalId, acks: -1, timeoutMs, topicData });
  }

  commitOffsets(label, version, groupId, place, more = {}) {
    const topic = version >= 6 ? { topicId: place.id, name: '' } : { topicId: zeroUuid, name: place.name };
    const partition = { partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: -1, committedMetadata: 'mark' };
    return this.target.ask(label, Key.TXN_OFFSET_COMMIT, version, {
      ...this.identity,
      groupId,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      topics: [{ ...topic, partitions: [partition] }],
      ...more,
    });
  }
}

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

async function place(target, topic, partitionCount = 2, configs = {}) {
  const name = target.topic(topic);
  const { topics } = await create(target, `before ${topic}`, [newTopic(name, partitionCount, configs)]);
  await hosted(target, name);
  return { name, id: topics[0].topicId };
}

const partitionsOf = (name, ...partitions) => [{ name, partitions }];

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

export async function transactionalProduce(target) {
  for (const version of range(3, 13)) {
    const where = await place(target, `produce-${version}`);
    const producer = new Producer(target, `produce-${version}`);
    const other = target.topic('none');
    const offsets = async (label) => {
      for (const isolationLevel of [0, 1]) {
        const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }];
        const topics = [{ name: where.name, partitions }];
        await target.ask(`${label}, isolation ${isolationLevel}`, Key.LIST_OFFSETS, 7, {
          replicaId: -1,
          isolationLevel,
          topics,
          timeoutMs,
        });
      }
    };
    const v2 = version >= 12;
    await producer.init('producer');
    await producer.produce('unknown id', version, where, { transactionalId: other });
    await producer.produce('no id', version, where, { transactionalId: null });
    if (!v2) await producer.produce('not added', version, where);
    if (!v2) await producer.add('added', 3, partitionsOf(where.name, 0));
    await producer.produce('old epoch', version, where, { epoch: producer.producerEpoch - 1 });
    await producer.produce('future epoch', version, where, { epoch: producer.producerEpoch + 1 });
    await producer.produce('first', version, where);
    await producer.produce('second', version, where, { sequence: 1 });
    await producer.produce('second again', version, where, { sequence: 1 });
    await producer.produce('gap', version, where, { sequence: 5 });
    await producer.describe('second');
    await offsets('open');
    await target.ask('producers, open', Key.DESCRIBE_PRODUCERS, 0, {
      topics: [{ name: where.name, partitionIndexes: [0, 1, 2] }],
    });
    const before = producer.identity;
    await producer.end('commit', v2 ? 5 : 4, true);
    await offsets('committed');
    await target.ask('producers, committed', Key.DESCRIBE_PRODUCERS, 0, {
      topics: [{ name: where.name, partitionIndexes: [0] }],
    });
    await producer.produce('late', version, where, { sequence: v2 ? 0 : 2, epoch: before.producerEpoch });
    await producer.produce('next, wrong sequence', version, where, { sequence: 9 });
    await producer.describe('next, wrong sequence');
    if (!v2) await producer.add('added again', 3, partitionsOf(where.name, 0));
    await producer.produce('next', version, where, { sequence: v2 ? 0 : 2 });
    await producer.end('abort', v2 ? 5 : 4, false);
    await offsets('aborted');
  }
}

/** What readers of committed records and others get, while transactions overlap, end either way, and stay open. */
export async function transactionalFetch(target) {
  for (const version of [4, 7, 11, 12, 13, 16]) {
    // The markers are much younger than the records, and a fetch ends with its segment.
    const where = await place(target, `fetch-${version}`, 1, { 'segment.ms': '9000000000000', 'retention.ms': '-1' });
    const [one, two, three] = [1, 2, 3].map((n) => new Producer(target, `fetch-${version}-${n}`));
    for (const producer of [one, two, three]) await producer.init('producer');
    const fetch = (label, fetchOffset, isolationLevel, partitionMaxBytes) => {
      const unknown = { currentLeaderEpoch: -1, lastFetchedEpoch: -1, logStartOffset: -1 };
      const partition = { partition: 0, ...unknown, replicaDirectoryId: zeroUuid };
      const partitions = [{ ...partition, fetchOffset, partitionMaxBytes }];
      const topics = [version >= 13 ? { topicId: where.id, partitions } : { topic: where.name, partitions }];
      const fields = { replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 1_000_000, isolationLevel, topics };
      const question = { ...fields, sessionId: 0, sessionEpoch: -1, forgottenTopicsData: [], rackId: '' };
      return target.ask(
        `${label} from ${fetchOffset}, isolation ${isolationLevel}`,
        Key.FETCH,
        version,
        question,
        fetchedPart,
      );
    };
    const fetchAll = async (label, end) => {
      for (let offset = 0; offset <= end; offset++) {
        for (const isolationLevel of [0, 1]) await fetch(label, offset, isolationLevel, 1_000_000);
      }
    };
    const write = async (producer, sequence, isFirst) => {
      if (isFirst) await producer.add('added', 3, partitionsOf(where.name, 0));
      await producer.produce('written', 9, where, { sequence });
    };
    await fetchAll('empty', 1);
    await write(one, 0, true);
    await write(two, 0, true);
    await fetchAll('two open', 3);
    await one.end('aborts', 3, false);
    await fetchAll('one aborted', 4);
    await write(two, 1, false);
    await two.end('commits', 3, true);
    await fetchAll('one aborted, one committed', 6);
    await write(one, 1, true);
    await write(one, 2, false);
    await one.end('aborts again', 3, false);
    await write(three, 0, true);
    await fetchAll('two aborted, one open', 10);
    await three.end('aborts', 3, false);
    await fetchAll('all ended', 11);
    await fetch('two batches', 5, 1, 150);
  }
}

export async function transactionalOffsets(target) {
  const where = await place(target, 'txn-offsets');
  for (const version of range(0, 6)) {
    const producer = new Producer(target, `txn-offsets-${version}`);
    const group = target.topic(`txn-group-${version}`);
    const v2 = version >= 5;
    const fetched = async (label) => {
      for (const requireStable of [false, true]) {
        const topics = [{ name: where.name, topicId: where.id, partitionIndexes: [0, 1] }];
        const groups = [{ groupId: group, memberId: null, memberEpoch: -1, topics }];
        await target.ask(`${label}, stable ${requireStable}`, Key.OFFSET_FETCH, 8, { groups, requireStable });
        const all = [{ ...groups[0], topics: null }];
        await target.ask(`${label}, all, stable ${requireStable}`, Key.OFFSET_FETCH, 8, { groups: all, requireStable });
      }
    };
    await producer.commitOffsets('unknown id', version, group, where);
    await producer.init('producer');
    if (!v2) await producer.commitOffsets('not added', version, group, where);
    await producer.commitOffsets('empty id', version, group, where, { transactionalId: '' });
    await producer.commitOffsets('empty group', version, '', where);
    await producer.commitOffsets('old epoch', version, group, where, { producerEpoch: producer.producerEpoch - 1 });
    await producer.commitOffsets('future epoch', version, group, where, { producerEpoch: producer.producerEpoch + 1 });
    await producer.commitOffsets('another producer', version, group, where, {
      producerId: producer.producerId + 900_000,
    });
    await producer.commitOffsets('missing topic', version, group, {
      name: target.topic('none'),
      id: 'BBBBBBBBQABBBBBBBBBBBA',
    });
    if (!v2) await producer.addOffsets('added', 3, group);
    if (version >= 3) {
      await producer.commitOffsets('a generation', version, group, where, {
        generationIdOrMemberEpoch: 3,
        memberId: 'me',
      });
      await producer.commitOffsets('a member', version, group, where, { memberId: 'me' });
    }
    await producer.describe('before');
    await producer.commitOffsets('mark', version, group, where);
    await producer.describe('mark');
    await fetched('pending');
    await producer.end('abort', v2 ? 5 : 4, false);
    await fetched('aborted');
    if (!v2) await producer.addOffsets('added again', 3, group);
    await producer.commitOffsets('mark again', version, group, where);
    await producer.end('commit', v2 ? 5 : 4, true);
    await fetched('committed');
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
