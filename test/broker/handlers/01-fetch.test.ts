import { describe, expect, it } from 'vitest';
import { EnvironmentError, EnvironmentErrorCode } from '../../../src/base/environment-error.ts';
import { ErrorCode } from '../../../src/base/error-code.ts';
import type { Uuid } from '../../../src/base/uuid.ts';
import { asOffset } from '../../../src/base/numbers.ts';
import { fetchApi } from '../../../src/protocol/generated/index.ts';
import { baseOffsetAt } from '../../../src/records/record-batch.ts';
import { versionsOf } from '../broker-harness.ts';
import type { PartitionLog } from '../../../src/storage/partition-log.ts';
import { answersOf, FetchClient, firstVersionWithIds, newest, readLater, sizesOf } from '../fetch-client.ts';

const refused = { highWatermark: -1, lastStableOffset: -1, logStartOffset: -1, records: new Uint8Array() };
const unknownId = 'AAAAAAAAAAAAAAAAAAAAgg' as Uuid;

describe.each(versionsOf(fetchApi))('Fetch version %i', (version) => {
  it('gives whole batches from the offset on', async () => {
    const client = await FetchClient.open();
    const first = client.append(0, ['a', 'b', 'c']);
    const second = client.append(0, ['d']);
    const all = await client.fetchOne(version);
    expect(all).toMatchObject({ errorCode: ErrorCode.NONE, highWatermark: 4, lastStableOffset: 4 });
    expect(all.logStartOffset).toBe(version >= 5 ? 0 : -1);
    expect(all.abortedTransactions).toBeNull();
    expect(all.records).toHaveLength(first + second);
    const amid = await client.fetchOne(version, { fetchOffset: 2 });
    expect(amid.records).toHaveLength(first + second);
    const last = await client.fetchOne(version, { fetchOffset: 3 });
    expect(last.records).toHaveLength(second);
    expect(baseOffsetAt(last.records!, 0)).toBe(3);
    expect((await client.fetchOne(version, { fetchOffset: 4 })).records).toHaveLength(0);
  });

  it('answers each partition for itself', async () => {
    const client = await FetchClient.open(2);
    const size = client.append(1, ['a']);
    const response = await client.fetch(version, [
      { partition: 5 },
      { partition: 0, fetchOffset: 9 },
      { partition: 1 },
    ]);
    expect(response.errorCode).toBe(ErrorCode.NONE);
    const [unknown, outOfRange, found] = answersOf(response);
    expect(unknown).toMatchObject({ ...refused, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, partitionIndex: 5 });
    expect(outOfRange).toMatchObject({ ...refused, errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, partitionIndex: 0 });
    expect(found).toMatchObject({ errorCode: ErrorCode.NONE, partitionIndex: 1 });
    expect(found!.records).toHaveLength(size);
  });

  it('says which topic it does not know', async () => {
    const client = await FetchClient.open();
    const topic = { ...client.topic, name: 'nothing', id: unknownId };
    const answer = await client.fetchOne(version, { topic });
    const { UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode;
    const errorCode = version >= firstVersionWithIds ? UNKNOWN_TOPIC_ID : UNKNOWN_TOPIC_OR_PARTITION;
    expect(answer).toMatchObject({ ...refused, errorCode });
  });

  it('refuses an isolation level that there is not', async () => {
    const client = await FetchClient.open();
    const response = await client.fetch(version, [{}], { isolationLevel: 7 });
    expect(response.errorCode).toBe(version >= 7 ? ErrorCode.UNKNOWN_SERVER_ERROR : ErrorCode.NONE);
    const codes = answersOf(response).map(({ errorCode }) => errorCode);
    expect(codes).toEqual(version >= firstVersionWithIds ? [] : [ErrorCode.UNKNOWN_SERVER_ERROR]);
  });

  it('takes whoever claims to be a replica for one that it does not know', async () => {
    const client = await FetchClient.open();
    const replica = version >= 15 ? { replicaState: { replicaId: 5, replicaEpoch: 1 } } : { replicaId: 5 };
    const answer = await client.fetchOne(version, {}, replica);
    expect(answer).toMatchObject({ ...refused, errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER });
  });
});

describe('what a fetch finds', () => {
  it('refuses offsets outside of the log', async () => {
    const client = await FetchClient.open();
    client.append(0, ['a', 'b', 'c']);
    await client.log().deleteRecordsBefore(asOffset(1));
    for (const fetchOffset of [-1, 0, 4, 2 ** 62, -(2 ** 62)]) {
      const answer = await client.fetchOne(newest, { fetchOffset });
      expect(answer, `${fetchOffset}`).toMatchObject({ ...refused, errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
    }
    expect(await client.fetchOne(newest, { fetchOffset: 3 })).toMatchObject({ errorCode: ErrorCode.NONE });
  });

  it('shows what was appended only below the high watermark', async () => {
    const client = await FetchClient.open();
    const size = client.append(0, ['a']);
    client.harness.store.held = [];
    client.append(0, ['b']);
    const answer = await client.fetchOne(newest);
    expect(answer.highWatermark).toBe(1);
    expect(answer.records).toHaveLength(size);
    expect(await client.fetchOne(newest, { fetchOffset: 2 })).toMatchObject({
      errorCode: 0,
      records: new Uint8Array(),
    });
    client.harness.store.finishHeld();
    expect((await client.fetchOne(newest)).highWatermark).toBe(2);
  });

  it('lists aborted transactions for read_committed only', async () => {
    const client = await FetchClient.open();
    client.append(0, ['a']);
    expect((await client.fetchOne(newest, {}, { isolationLevel: 1 })).abortedTransactions).toEqual([]);
    const log = client.log();
    const read = log.read.bind(log);
    log.read = (options) => {
      expect(options.isolation).toBe('read_committed');
      return { ...read(options), abortedTransactions: [{ producerId: 7, firstOffset: asOffset(0) }] };
    };
    const { abortedTransactions } = await client.fetchOne(newest, {}, { isolationLevel: 1 });
    expect(abortedTransactions).toEqual([{ producerId: 7, firstOffset: 0 }]);
  });

  it('fences readers with another leader epoch, and says who leads', async () => {
    const client = await FetchClient.open();
    const leaderEpoch = client.harness.store.leaderEpoch;
    const old = await client.fetch(newest, [{ currentLeaderEpoch: leaderEpoch - 1 }]);
    expect(answersOf(old)[0]).toMatchObject({
      ...refused,
      errorCode: ErrorCode.FENCED_LEADER_EPOCH,
      currentLeader: { leaderId: 1, leaderEpoch },
    });
    expect(old.nodeEndpoints).toEqual([{ nodeId: 1, host: 'broker.test', port: 9092, rack: null }]);
    const ahead = await client.fetch(newest, [{ currentLeaderEpoch: leaderEpoch + 1 }]);
    expect(answersOf(ahead)[0]).toMatchObject({ errorCode: ErrorCode.UNKNOWN_LEADER_EPOCH });
    expect(ahead.nodeEndpoints).toEqual([]);
    expect(await client.fetchOne(newest, { currentLeaderEpoch: leaderEpoch })).toMatchObject({ errorCode: 0 });
    expect(await client.fetchOne(9, { currentLeaderEpoch: leaderEpoch - 1 })).toMatchObject({
      errorCode: ErrorCode.FENCED_LEADER_EPOCH,
    });
  });

  it('says where a reader and the log part', async () => {
    const client = await FetchClient.open();
    client.append(0, ['a', 'b']);
    const { leaderEpoch } = client.harness.store;
    const beyond = await client.fetchOne(newest, { lastFetchedEpoch: leaderEpoch, fetchOffset: 9 });
    expect(beyond).toMatchObject({ errorCode: 0, highWatermark: 2, records: new Uint8Array() });
    expect(beyond.divergingEpoch).toEqual({ epoch: leaderEpoch, endOffset: 2 });
    client.log().endOffsetForEpoch = () => ({ leaderEpoch: 1, endOffset: asOffset(1) });
    const fromOldEpoch = await client.fetchOne(newest, { lastFetchedEpoch: 2, fetchOffset: 1 });
    expect(fromOldEpoch.divergingEpoch).toEqual({ epoch: 1, endOffset: 1 });
    client.log().endOffsetForEpoch = () => ({ leaderEpoch: -1, endOffset: asOffset(-1) });
    const unknown = await client.fetchOne(newest, { lastFetchedEpoch: 2 });
    expect(unknown).toMatchObject({ ...refused, errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
  });

  it('refuses a replica with the leader epoch as Kafka does', async () => {
    const client = await FetchClient.open();
    const currentLeaderEpoch = client.harness.store.leaderEpoch;
    const answer = await client.fetchOne(12, { currentLeaderEpoch }, { replicaId: 2 });
    expect(answer).toMatchObject({ ...refused, errorCode: ErrorCode.UNKNOWN_LEADER_EPOCH });
  });

  it('keeps zstd from clients that do not know it', async () => {
    const client = await FetchClient.open();
    const topic = await client.harness.createTopic('packed', 1, { 'compression.type': 'zstd' });
    const errorCode = ErrorCode.UNSUPPORTED_COMPRESSION_TYPE;
    expect(await client.fetchOne(9, { topic })).toMatchObject({ ...refused, errorCode });
    expect(await client.fetchOne(10, { topic })).toMatchObject({ errorCode: ErrorCode.NONE });
  });

  it('answers a partition that is named twice once, as named last', async () => {
    const client = await FetchClient.open();
    client.append(0, ['a']);
    const response = await client.fetch(newest, [{ fetchOffset: 0 }, { fetchOffset: 1 }]);
    expect(sizesOf(response)).toEqual([[0, 0]]);
  });
});

describe('a log that cannot be read', () => {
  it.each([
    [new EnvironmentError(EnvironmentErrorCode.IO_FAILED, 'The disk is gone.'), ErrorCode.KAFKA_STORAGE_ERROR],
    [new Error('a defect'), ErrorCode.UNKNOWN_SERVER_ERROR],
  ])('harms its partition only: %s', async (error, errorCode) => {
    const client = await FetchClient.open(3);
    const sizes = [0, 1, 2].map((partition) => client.append(partition, ['a']));
    client.log(0).read = () => {
      throw error;
    };
    const later: PartitionLog = client.log(1);
    later.read = () => Promise.reject(error);
    const response = await client.fetch(newest, [{ partition: 0 }, { partition: 1 }, { partition: 2 }]);
    expect(answersOf(response)).toMatchObject([{ ...refused, errorCode }, { ...refused, errorCode }, { errorCode: 0 }]);
    expect(sizesOf(response)[2]).toEqual([2, sizes[2]]);
  });

  it('is told to old clients as another leader, so that they try again', async () => {
    const client = await FetchClient.open();
    client.append(0, ['a']);
    const log = client.log();
    const read = log.read.bind(log);
    log.read = (options) => ({ ...read(options), errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    expect(await client.fetchOne(5)).toMatchObject({ ...refused, errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER });
    expect(await client.fetchOne(6)).toMatchObject({ ...refused, errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
    expect(log.releases).toBe(2);
  });
});

describe('bounds', () => {
  it('returns the first batch though it is larger, and only the first', async () => {
    const client = await FetchClient.open(4);
    const [first, second] = [client.append(1, ['a', 'b']), client.append(1, ['c'])];
    client.append(2, ['d']);
    const asked = [0, 1, 2].map((partition) => ({ partition }));
    expect(sizesOf(await client.fetch(newest, asked, { maxBytes: 0 }))).toEqual([
      [0, 0],
      [1, first],
      [2, 0],
    ]);
    const small = asked.map((one) => ({ ...one, partitionMaxBytes: 1 }));
    expect(sizesOf(await client.fetch(newest, small))).toEqual([
      [0, 0],
      [1, first],
      [2, 0],
    ]);
    const negative = await client.fetch(newest, asked, { maxBytes: -1 });
    expect(sizesOf(negative)).toEqual([
      [0, 0],
      [1, first],
      [2, 0],
    ]);
    const both = await client.fetch(newest, asked, { maxBytes: first + second });
    expect(sizesOf(both)).toEqual([
      [0, 0],
      [1, first + second],
      [2, 0],
    ]);
  });

  it('holds every partition to its own bound, and all to the bound of the fetch', async () => {
    const client = await FetchClient.open(3);
    const size = client.append(0, ['a']);
    for (const partition of [0, 1, 1, 2, 2]) client.append(partition, ['a']);
    const asked = [0, 1, 2].map((partition) => ({ partition, partitionMaxBytes: size + 1 }));
    expect(sizesOf(await client.fetch(newest, asked))).toEqual([
      [0, size],
      [1, size],
      [2, size],
    ]);
    const response = await client.fetch(newest, asked, { maxBytes: 2 * size });
    expect(sizesOf(response)).toEqual([
      [0, size],
      [1, size],
      [2, 0],
    ]);
  });

  it('is held to fetch.max.bytes of the broker', async () => {
    const client = await FetchClient.open(2, { config: { 'fetch.max.bytes': '1024' } });
    const size = client.append(0, ['x'.repeat(700)]);
    client.append(0, ['x'.repeat(700)]);
    const other = client.append(1, ['y']);
    expect(sizesOf(await client.fetch(newest, [{ partition: 0 }, { partition: 1 }]))).toEqual([
      [0, size],
      [1, other],
    ]);
  });

  it('keeps to the bounds as well where logs answer later', async () => {
    const client = await FetchClient.open(4);
    let size = 0;
    for (const partition of [0, 1, 2, 3]) {
      size = client.append(partition, ['a']);
      readLater(client.log(partition));
    }
    const asked = [0, 1, 2, 3].map((partition) => ({ partition }));
    expect(sizesOf(await client.fetch(newest, asked, { maxBytes: 2 * size }))).toEqual([
      [0, size],
      [1, size],
      [2, 0],
      [3, 0],
    ]);
  });
});
