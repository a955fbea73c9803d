/**
 * A member of a consumer group as a test drives it, heartbeat by heartbeat. It remembers its epoch and what it has, and
 * gives up at once what it is told to, unless the test says otherwise.
 */

import { ErrorCode } from '../../../../src/base/error-code.ts';
import type { Uuid } from '../../../../src/base/uuid.ts';
import {
  consumerGroupDescribeApi,
  consumerGroupHeartbeatApi,
  offsetCommitApi,
  type ConsumerGroupDescribeResponseGroups,
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../../../src/protocol/generated/index.ts';
import type { TopicImage } from '../../../../src/broker/metadata-image.ts';
import type { BrokerHarness, FakeConnection, RequestWire } from '../../broker-harness.ts';

export interface TestConsumerOptions {
  readonly groupId?: string;
  readonly instanceId?: string;
  readonly topics?: readonly string[];
  readonly regex?: string;
  readonly assignor?: string;
  readonly rebalanceTimeoutMs?: number;
}

/** Targets are made at most once in so long, unless a setting says otherwise. */
export const assignmentIntervalMs = 1000;

export class TestConsumer {
  readonly id: string;
  readonly options: TestConsumerOptions;
  harness: RequestWire;
  connection: FakeConnection;
  epoch = 0;
  owned: { topicId: Uuid; partitions: number[] }[] = [];
  /** What it last said that it has. */
  #said: ConsumerGroupHeartbeatRequest['topicPartitions'] = null;

  constructor(harness: RequestWire, id: string, options: TestConsumerOptions = {}) {
    this.harness = harness;
    this.id = id;
    this.options = options;
    this.connection = harness.connect();
  }

  get groupId(): string {
    return this.options.groupId ?? 'group';
  }

  /** What it has, as `partition` or, of several topics, in their order. */
  get partitions(): number[] {
    return this.owned.flatMap(({ partitions }) => partitions);
  }

  async join(more: Partial<ConsumerGroupHeartbeatRequest> = {}): Promise<ConsumerGroupHeartbeatResponse> {
    const { topics = ['topic'], regex = null, assignor = null, rebalanceTimeoutMs = 20_000 } = this.options;
    this.epoch = 0;
    this.owned = [];
    return this.send({
      rebalanceTimeoutMs,
      subscribedTopicNames: [...topics],
      subscribedTopicRegex: regex,
      serverAssignor: assignor,
      topicPartitions: [],
      ...more,
    });
  }

  /** A heartbeat with nothing new, and one more with what it has where it has not said that yet. */
  async beat(): Promise<number> {
    const { errorCode } = await this.send();
    if (errorCode !== ErrorCode.NONE || this.#said === this.owned) return errorCode;
    return (await this.send({ topicPartitions: this.owned })).errorCode;
  }

  async send(fields: Partial<ConsumerGroupHeartbeatRequest> = {}): Promise<ConsumerGroupHeartbeatResponse> {
    const response = await this.harness.request(
      consumerGroupHeartbeatApi,
      1,
      {
        groupId: this.groupId,
        memberId: this.id,
        memberEpoch: this.epoch,
        instanceId: this.options.instanceId ?? null,
        subscribedTopicNames: null,
        topicPartitions: null,
        ...fields,
      },
      this.connection,
    );
    if (response.errorCode !== ErrorCode.NONE) return response;
    if (fields.topicPartitions !== undefined) this.#said = fields.topicPartitions;
    this.epoch = response.memberEpoch;
    if (response.assignment !== null) this.owned = response.assignment.topicPartitions;
    return response;
  }

  leave(memberEpoch = -1): Promise<ConsumerGroupHeartbeatResponse> {
    return this.send({ memberEpoch });
  }

  async commit(topic: TopicImage, partitionIndex: number, epoch = this.epoch): Promise<number> {
    const partition = { partitionIndex, committedOffset: 1, committedLeaderEpoch: -1, committedMetadata: '' };
    const response = await this.harness.request(
      offsetCommitApi,
      10,
      {
        groupId: this.groupId,
        memberId: this.id,
        generationIdOrMemberEpoch: epoch,
        topics: [{ topicId: topic.id, name: '', partitions: [partition] }],
      },
      this.connection,
    );
    return response.topics[0]!.partitions[0]!.errorCode;
  }
}

export async function describeGroup(
  harness: RequestWire,
  groupId = 'group',
): Promise<ConsumerGroupDescribeResponseGroups> {
  const { groups } = await harness.request(consumerGroupDescribeApi, 1, { groupIds: [groupId] });
  return groups[0]!;
}

/** Members take turns until all have come to the group's epoch. Fails where they do not within a few rounds. */
export async function reconcileAll(harness: BrokerHarness, members: readonly TestConsumer[]): Promise<void> {
  harness.clock.advance(assignmentIntervalMs);
  const groupId = members[0]!.groupId;
  for (let round = 0; round < 6; round++) {
    for (const member of members) {
      const errorCode = await member.beat();
      if (errorCode !== ErrorCode.NONE) throw new Error(`member ${member.id} hears the error ${errorCode}`);
    }
    if ((await describeGroup(harness, groupId)).groupState === 'Stable') return;
  }
  throw new Error('the group does not become stable');
}

/** A stable group of `count` members of one topic. */
export async function stableConsumers(
  harness: BrokerHarness,
  count: number,
  options: TestConsumerOptions = {},
): Promise<TestConsumer[]> {
  const members = Array.from({ length: count }, (_, i) => new TestConsumer(harness, `m${i}`, options));
  for (const member of members) await member.join();
  await reconcileAll(harness, members);
  return members;
}
