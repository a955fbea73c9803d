import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import {
  offsetForLeaderEpochApi,
  type OffsetForLeaderEpochResponseTopicsPartitions,
} from '../../../src/protocol/generated/index.ts';
import { batchOf, BrokerHarness, versionsOf } from '../broker-harness.ts';

const epoch = 3;

describe.each(versionsOf(offsetForLeaderEpochApi))('OffsetForLeaderEpoch version %i', (version) => {
  const ask = async (
    leaderEpoch: number,
    more: { partition?: number; currentLeaderEpoch?: number; topic?: string } = {},
  ): Promise<OffsetForLeaderEpochResponseTopicsPartitions | undefined> => {
    const { partition = 0, currentLeaderEpoch = -1, topic = 'orders' } = more;
    const harness = await BrokerHarness.open();
    const { log } = harness.broker.findPartition(await harness.createTopic('orders'), 0)!;
    log.append(batchOf(['a', 'b']), { durability: 'written', origin: 'client' }, () => {});
    const topics = [{ topic, partitions: [{ partition, currentLeaderEpoch, leaderEpoch }] }];
    const response = await harness.request(offsetForLeaderEpochApi, version, { replicaId: -1, topics });
    expect(response.topics).toMatchObject([{ topic, partitions: [{ partition }] }]);
    return response.topics[0]?.partitions[0];
  };
  const unknown = { leaderEpoch: -1, endOffset: -1 };

  it('says where the epoch of this run ends', async () => {
    const end = { errorCode: ErrorCode.NONE, leaderEpoch: epoch, endOffset: 2 };
    expect(await ask(epoch)).toMatchObject(end);
    expect(await ask(epoch, { currentLeaderEpoch: epoch })).toMatchObject(end);
  });

  it('knows no end of an epoch that it has not seen', async () => {
    expect(await ask(epoch - 1)).toMatchObject({ errorCode: ErrorCode.NONE, ...unknown });
    expect(await ask(epoch + 1)).toMatchObject({ errorCode: ErrorCode.NONE, ...unknown });
    expect(await ask(-1)).toMatchObject({ errorCode: ErrorCode.NONE, ...unknown });
  });

  it('refuses a client whose leader is another', async () => {
    const older = await ask(epoch, { currentLeaderEpoch: epoch - 1 });
    expect(older).toMatchObject({ errorCode: ErrorCode.FENCED_LEADER_EPOCH, ...unknown });
    const newer = await ask(epoch, { currentLeaderEpoch: epoch + 1 });
    expect(newer).toMatchObject({ errorCode: ErrorCode.UNKNOWN_LEADER_EPOCH, ...unknown });
  });

  it('refuses what is not there', async () => {
    const missing = { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ...unknown };
    expect(await ask(epoch, { partition: 1 })).toMatchObject(missing);
    expect(await ask(epoch, { topic: 'none' })).toMatchObject(missing);
    expect(await ask(epoch, { topic: '__cluster_metadata' })).toMatchObject(missing);
  });
});
