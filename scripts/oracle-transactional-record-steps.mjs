/**
 * The oracle's requests about records and offsets within transactions: written, read in either isolation, and committed.
 */

import { fetchedPart, range, timeoutMs, zeroUuid } from './oracle-requests.mjs';
import { Key, partitionsOf, place, Producer } from './oracle-transactional-producer.mjs';

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

/** A producer whose id another one has taken over, with offsets that were pending, comes back at every step of the other. */
export async function fencedOffsets(target) {
  const where = await place(target, 'fenced-offsets');
  for (const version of range(3, 6)) {
    const v2 = version >= 5;
    const producer = new Producer(target, `fenced-offsets-${version}`);
    const group = target.topic(`fenced-group-${version}`);
    const fetched = async (label) => {
      for (const requireStable of [false, true]) {
        const topics = [{ name: where.name, topicId: where.id, partitionIndexes: [0] }];
        const groups = [{ groupId: group, memberId: null, memberEpoch: -1, topics }];
        await target.ask(`${label}, stable ${requireStable}`, Key.OFFSET_FETCH, 8, { groups, requireStable });
      }
    };
    await producer.init('producer');
    if (!v2) await producer.addOffsets('added', 3, group);
    await producer.commitOffsets('pending', version, group, where);
    const before = producer.identity;
    const comesBack = async (when) => {
      await producer.addOffsets(`the old one adds, ${when}`, v2 ? 4 : 3, group, before);
      await producer.commitOffsets(`the old one commits, ${when}`, version, group, where, before);
      await fetched(when);
    };
    await producer.init('takes over');
    await producer.complete();
    await comesBack('taken over');
    await producer.reinit('has taken over');
    await comesBack('has taken over');
    if (!v2) await producer.addOffsets('the new one adds', 3, group);
    await producer.commitOffsets('the new one commits', version, group, where);
    await comesBack('the new one has committed');
    await producer.end('the old one ends', v2 ? 5 : 4, true, before);
    await producer.describe('the old one ends');
    await producer.end('the new one ends', v2 ? 5 : 4, true);
    await comesBack('the new one has ended');
  }
}

/** Offsets that are pending are deleted, by themselves and with their group, before their transaction is committed. */
export async function deletedOffsets(target) {
  const where = await place(target, 'deleted-offsets');
  for (const version of range(3, 6)) {
    const v2 = version >= 5;
    const producer = new Producer(target, `deleted-offsets-${version}`);
    const groupId = target.topic(`deleted-group-${version}`);
    const begin = async (label) => {
      if (!v2) await producer.addOffsets(`${label}, added`, 3, groupId);
      await producer.commitOffsets(label, version, groupId, where);
    };
    const end = async (label) => {
      await fetched(`${label}, deleted`);
      await producer.end(label, v2 ? 5 : 4, true);
      await fetched(`${label}, committed`);
    };
    const fetched = async (label) => {
      for (const requireStable of [false, true]) {
        const topics = [{ name: where.name, topicId: where.id, partitionIndexes: [0] }];
        const groups = [{ groupId, memberId: null, memberEpoch: -1, topics }];
        await target.ask(`${label}, stable ${requireStable}`, Key.OFFSET_FETCH, 8, { groups, requireStable });
      }
    };
    const deleteGroup = (label) => target.ask(label, Key.DELETE_GROUPS, 2, { groupsNames: [groupId] });
    await producer.init('producer');
    await begin('pending alone');
    const topics = [{ name: where.name, partitions: [{ partitionIndex: 0 }, { partitionIndex: 1 }] }];
    await target.ask('offsets of a pending group', Key.OFFSET_DELETE, 0, { groupId, topics });
    await end('pending alone');
    await begin('pending in a group');
    await deleteGroup('the group of what is pending');
    await deleteGroup('the same group again');
    await end('pending in a group');
    await begin('committed');
    await producer.end('committed', v2 ? 5 : 4, true);
    await begin('committed and pending');
    await deleteGroup('the group of what is committed and pending');
    await end('committed and pending');
    await deleteGroup('the group at the end');
  }
}
