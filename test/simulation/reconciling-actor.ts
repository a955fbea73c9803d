/**
 * A member of a consumer group of KIP-848 in a simulated run (epoch-member.ts), which commits offsets. Single thread.
 */

import { errorName } from '../../src/base/error-code.ts';
import type { Uuid } from '../../src/base/uuid.ts';
import {
  consumerGroupHeartbeatApi,
  defaultConsumerGroupHeartbeatRequest,
  defaultOffsetCommitRequest,
  defaultOffsetCommitRequestTopicsPartitions,
  offsetCommitApi,
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
} from '../../src/protocol/generated/index.ts';
import { EpochMember } from './epoch-member.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

/** As the world's settings have it. */
export const consumerSessionTimeoutMs = 1000;
const firstVersionWithMemberEpochs = 9;

interface Place {
  readonly topicId: Uuid;
  readonly partition: number;
}

export class ReconcilingActor extends EpochMember<ConsumerGroupHeartbeatResponse> {
  #owned = new Map<string, Place>();

  constructor(world: World, group: string, name: string, isStatic: boolean) {
    super(world, { kind: 'consumer', group, name, isStatic, sessionTimeoutMs: consumerSessionTimeoutMs });
  }

  protected override send(client: SimulatedClient, isJoining: boolean): Promise<ConsumerGroupHeartbeatResponse | null> {
    // As Kafka's clients do, a member that was not answered says all of it again, so that it is told all.
    const fields: Partial<ConsumerGroupHeartbeatRequest> =
      isJoining || this.isUnheard
        ? {
            rebalanceTimeoutMs: consumerSessionTimeoutMs * 2,
            subscribedTopicNames: this.world.topics.all.map(({ name }) => name),
            topicPartitions: this.#fields(),
          }
        : { topicPartitions: this.mustTell ? this.#fields() : null };
    return this.#request(client, { memberEpoch: this.epoch, ...fields });
  }

  protected override sayGoodbye(client: SimulatedClient, memberEpoch: number): Promise<unknown> {
    return this.#request(client, { memberEpoch });
  }

  protected override take({ assignment }: ConsumerGroupHeartbeatResponse): void {
    if (assignment === null) return;
    const next = new Map<string, Place>();
    for (const { topicId, partitions } of assignment.topicPartitions) {
      for (const partition of partitions) {
        next.set(`${this.options.group} ${topicId}-${partition}`, { topicId, partition });
      }
    }
    for (const place of this.#owned.keys()) if (!next.has(place)) this.world.ownership.release(place, this.memberId);
    if (next.size > 0) this.world.count('assigned partitions');
    this.#owned = next;
    this.mustTell = true;
  }

  protected override places(): Iterable<string> {
    return this.#owned.keys();
  }

  protected override forget(): void {
    this.#owned = new Map();
  }

  /** Now and then commits. */
  protected override async work(client: SimulatedClient): Promise<void> {
    if (!this.world.scheduler.random.chance(0.3)) return;
    const [place] = this.#owned.values();
    const version = client.version(offsetCommitApi, firstVersionWithMemberEpochs);
    const topic = this.world.topics.all.find(({ id }) => id === place?.topicId);
    if (place === undefined || topic === undefined) return;
    const partition = { ...defaultOffsetCommitRequestTopicsPartitions(), partitionIndex: place.partition };
    const response = await client.request(
      offsetCommitApi,
      {
        ...defaultOffsetCommitRequest(),
        groupId: this.options.group,
        generationIdOrMemberEpoch: this.epoch,
        memberId: this.memberId,
        groupInstanceId: null,
        topics: [
          {
            name: topic.name,
            topicId: topic.id,
            partitions: [{ ...partition, committedOffset: 0, committedMetadata: '' }],
          },
        ],
      },
      version,
    );
    const errorCode = response?.topics[0]?.partitions[0]?.errorCode;
    if (errorCode !== undefined) this.world.count(`consumer commit: ${errorName(errorCode)}`);
  }

  #request(
    client: SimulatedClient,
    fields: Partial<ConsumerGroupHeartbeatRequest>,
  ): Promise<ConsumerGroupHeartbeatResponse | null> {
    const request = {
      ...defaultConsumerGroupHeartbeatRequest(),
      groupId: this.options.group,
      memberId: this.memberId,
      instanceId: this.instanceId,
      rackId: null,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: null,
      ...fields,
    };
    return client.request(consumerGroupHeartbeatApi, request, client.version(consumerGroupHeartbeatApi));
  }

  #fields(): { topicId: Uuid; partitions: number[] }[] {
    const byTopic = new Map<Uuid, number[]>();
    for (const { topicId, partition } of this.#owned.values()) {
      byTopic.set(topicId, [...(byTopic.get(topicId) ?? []), partition]);
    }
    return [...byTopic].map(([topicId, partitions]) => ({ topicId, partitions }));
  }
}
