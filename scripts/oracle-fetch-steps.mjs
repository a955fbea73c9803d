/** The oracle's requests that fetch records: where they begin, how much they bring, and sessions of fetches (KIP-227). */

import { batchOf, create, fetchedPart, hosted, newTopic, range, timeoutMs, zeroUuid } from './oracle-requests.mjs';

const Key = { PRODUCE: 0, FETCH: 1 };
const oneMebibyte = 1024 * 1024;
/** What consumers say that they know of it: nothing. */
const unknownHighWatermark = 2 ** 63;

async function filled(target, topic, batchCount) {
  // The records are old, and a fetch ends with its segment.
  const configs = { 'segment.ms': '9000000000000', 'retention.ms': '-1' };
  const { topics } = await create(target, `before ${topic}`, [newTopic(target.topic(topic), 2, configs)]);
  const place = { name: target.topic(topic), id: topics[0].topicId };
  await hosted(target, place.name);
  for (let i = 0; i < batchCount; i++) {
    const partitionData = [{ index: 0, records: batchOf(['one', 'two', 'three']) }];
    const topicData = [{ topicId: zeroUuid, name: place.name, partitionData }];
    await target.ask('produced', Key.PRODUCE, 9, { transactionalId: null, acks: -1, timeoutMs, topicData });
  }
  return place;
}

/** A Fetch of `partitions`, which may be left out but for their numbers and offsets. */
function fetching(target, version, place) {
  return (label, partitions, more = {}, topic = place) => {
    const all = partitions.map((partition) => ({
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      logStartOffset: -1,
      partitionMaxBytes: oneMebibyte,
      replicaDirectoryId: zeroUuid,
      highWatermark: unknownHighWatermark,
      ...partition,
    }));
    const named = version >= 13 ? { topicId: topic.id } : { topic: topic.name };
    const fields = {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: oneMebibyte,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: partitions.length === 0 ? [] : [{ ...named, partitions: all }],
      forgottenTopicsData: [],
      rackId: '',
      ...more,
    };
    return target.ask(label, Key.FETCH, version, fields, withoutBytes);
  };
}

function withoutBytes(answer) {
  const { errorCode, sessionId, responses } = answer;
  const topics = responses.map((response) => ({ ...response, partitions: fetchedPart({ responses: [response] }) }));
  return { errorCode, sessionId: sessionId > 0 ? '<session>' : sessionId, responses: topics };
}

export async function fetches(target) {
  const place = await filled(target, 'fetched', 4);
  const missing = { name: target.topic('none'), id: 'BBBBBBBBBBBBBBBBBBBBBA' };
  for (const version of range(4, 18)) {
    const fetch = fetching(target, version, place);
    const from = (fetchOffset, more = {}) => [{ partition: 0, fetchOffset, ...more }];
    for (const offset of [0, 1, 3, 11, 12, 13, -1, -2]) await fetch(`from ${offset}`, from(offset));
    await fetch('an empty partition', [{ partition: 1, fetchOffset: 0 }]);
    await fetch('both partitions', [
      { partition: 1, fetchOffset: 0 },
      { partition: 0, fetchOffset: 6 },
    ]);
    await fetch('the same twice', [...from(0), ...from(6)]);
    await fetch('a missing partition', [{ partition: 7, fetchOffset: 0 }]);
    await fetch('a negative partition', [{ partition: -1, fetchOffset: 0 }]);
    await fetch('a missing topic', from(0), {}, missing);
    await fetch('nothing', []);
    await fetch('one byte of the partition', from(4, { partitionMaxBytes: 1 }));
    await fetch('one byte', from(4), { maxBytes: 1 });
    await fetch('no bytes', from(4), { maxBytes: 0 });
    await fetch('room for one batch and a half', from(0, { partitionMaxBytes: 150 }));
    await fetch('committed', from(3), { isolationLevel: 1 });
    await fetch('more than there is', from(12), { minBytes: 1, maxWaitMs: 10 });
    await fetch('less than there is', from(9), { minBytes: 1, maxWaitMs: 10_000 });
    if (version >= 9) {
      await fetch('of a future leader', from(0, { currentLeaderEpoch: 9999 }));
      await fetch('of an old leader', from(0, { currentLeaderEpoch: -2 }));
    }
    if (version >= 12) {
      await fetch('read from a future leader', from(3, { lastFetchedEpoch: 9999 }));
      await fetch('of another cluster', from(0), { clusterId: 'other' });
    }
    if (version >= 11) await fetch('from a rack', from(0), { rackId: 'rack' });
  }
}

export async function fetchSessions(target) {
  const place = await filled(target, 'sessions', 2);
  for (const version of range(7, 18)) {
    const fetch = fetching(target, version, place);
    const from = (partition, fetchOffset) => [{ partition, fetchOffset }];
    const both = [...from(0, 0), ...from(1, 0)];
    const { sessionId } = await fetch('opens', both, { sessionEpoch: 0 });
    const within = (sessionEpoch, more = {}) => ({ sessionId, sessionEpoch, ...more });
    await fetch('goes on', [], within(1));
    await fetch('wrong epoch', [], within(7));
    await fetch('goes on at the end', from(0, 6), within(2));
    await fetch('nothing is new', [], within(3));
    await fetch('back to the beginning', from(0, 0), within(4));
    const named = version >= 13 ? { topicId: place.id } : { topic: place.name };
    await fetch('forgets', [], within(5, { forgottenTopicsData: [{ ...named, partitions: [0] }] }));
    await fetch('has forgotten', [], within(6));
    await fetch('a missing partition comes in', from(7, 0), within(7));
    await fetch('a missing partition is told again', [], within(8));
    await fetch('closes', [], within(-1));
    await fetch('is closed', [], within(9));
    await fetch('unknown session', both, { sessionId: 77, sessionEpoch: 1 });
    await fetch('opens with an id', both, { sessionId: 77, sessionEpoch: 0 });
    await fetch('opens with nothing', [], { sessionEpoch: 0 });
    await fetch('negative epoch', both, { sessionEpoch: -2 });
  }
}
