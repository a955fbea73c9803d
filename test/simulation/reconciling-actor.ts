/**
 * A member of a consumer group of KIP-848 in a simulated run: joins, hears what it has, gives up what it is told to,
 * commits, sometimes leaves for good or for a while, sleeps too long or vanishes. Single thread.
 *
 *   join ─► heartbeat, commit … ─► fenced, unknown, cut off: give up all, join again
 *
 * Who owns what is judged by ownership-ledger.ts.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import type { Uuid } from '../../src/base/uuid.ts';
import {
  consumerGroupHeartbeatApi,
  defaultConsumerGroupHeartbeatRequest,
  defaultOffsetCommitRequest,
  defaultOffsetCommitRequestTopicsPartitions,
  offsetCommitApi,
  type ConsumerGroupHeartbeatRequest,
} from '../../src/protocol/generated/index.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

/** As the world's settings have it. */
export const consumerSessionTimeoutMs = 1000;
const heartbeatIntervalMs = 100;
const firstVersionWithMemberEpochs = 9;

interface Place {
  readonly topicId: Uuid;
  readonly partition: number;
}

export class ReconcilingActor {
  readonly #world: World;
  readonly #group: string;
  readonly #name: string;
  readonly #isStatic: boolean;
  #incarnation = 0;
  #epoch = 0;
  #owned = new Map<string, Place>();
  /** Whether the broker has not heard yet what the member has. */
  #mustTell = false;

  constructor(world: World, group: string, name: string, isStatic: boolean) {
    this.#world = world;
    this.#group = group;
    this.#name = name;
    this.#isStatic = isStatic;
  }

  /** Is a member, again and again, until the world ends. */
  async run(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    let client: SimulatedClient | null = null;
    while (!world.isEnding) {
      if (client?.isOpen !== true) client = await world.connect(this.#name);
      const isHeard = await this.#beat(client);
      if (isHeard && random.chance(0.3)) await this.#commit(client);
      if (isHeard && random.chance(0.02)) await this.#leave(client);
      else if (random.chance(0.01)) this.#vanish(client);
      await world.sleep(random.chance(0.02) ? consumerSessionTimeoutMs * 2 : this.#pauseMs(), this.#name);
    }
    client?.cut();
  }

  get #memberId(): string {
    return `${this.#name}-${this.#incarnation}`;
  }

  #pauseMs(): number {
    return heartbeatIntervalMs / 2 + this.#world.scheduler.random.below(heartbeatIntervalMs);
  }

  async #beat(client: SimulatedClient): Promise<boolean> {
    const world = this.#world;
    const sentMs = world.scheduler.nowMs;
    const isJoining = this.#epoch === 0;
    const names = world.topics.all.map(({ name }) => name);
    const fields: Partial<ConsumerGroupHeartbeatRequest> = isJoining
      ? {
          rebalanceTimeoutMs: consumerSessionTimeoutMs * 2,
          subscribedTopicNames: names,
          topicPartitions: [],
        }
      : { topicPartitions: this.#mustTell ? this.#fields() : null };
    const response = await client.request(
      consumerGroupHeartbeatApi,
      this.#request({ memberEpoch: this.#epoch, ...fields }),
      client.version(consumerGroupHeartbeatApi),
    );
    if (response === null) return false;
    if (response.errorCode !== ErrorCode.NONE) {
      world.count(`consumer heartbeat: ${errorName(response.errorCode)}`);
      this.#refused(response.errorCode);
      return false;
    }
    if (isJoining) world.count('joined a consumer group');
    if (response.memberEpoch < this.#epoch) world.breakPromise(`${this.#memberId} went back to an earlier epoch`);
    this.#epoch = response.memberEpoch;
    this.#mustTell = false;
    if (response.assignment !== null) this.#take(response.assignment.topicPartitions);
    for (const place of this.#owned.keys()) {
      const untilMs = sentMs + consumerSessionTimeoutMs;
      const problem = world.ownership.claim(place, this.#memberId, untilMs, world.scheduler.nowMs);
      if (problem !== null) world.breakPromise(problem);
    }
    return true;
  }

  #request(fields: Partial<ConsumerGroupHeartbeatRequest>): ConsumerGroupHeartbeatRequest {
    return {
      ...defaultConsumerGroupHeartbeatRequest(),
      groupId: this.#group,
      memberId: this.#memberId,
      instanceId: this.#isStatic ? this.#name : null,
      rackId: null,
      subscribedTopicNames: null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: null,
      ...fields,
    };
  }

  /** What is not in the assignment any more is given up before the broker hears of it. */
  #take(assigned: readonly { topicId: Uuid; partitions: number[] }[]): void {
    const next = new Map<string, Place>();
    for (const { topicId, partitions } of assigned) {
      for (const partition of partitions) next.set(`${this.#group} ${topicId}-${partition}`, { topicId, partition });
    }
    for (const place of this.#owned.keys()) if (!next.has(place)) this.#world.ownership.release(place, this.#memberId);
    if (next.size > 0) this.#world.count('assigned partitions');
    this.#owned = next;
    this.#mustTell = true;
  }

  #fields(): { topicId: Uuid; partitions: number[] }[] {
    const byTopic = new Map<Uuid, number[]>();
    for (const { topicId, partition } of this.#owned.values()) {
      byTopic.set(topicId, [...(byTopic.get(topicId) ?? []), partition]);
    }
    return [...byTopic].map(([topicId, partitions]) => ({ topicId, partitions }));
  }

  #refused(errorCode: number): void {
    if (!fences.has(errorCode)) return;
    this.#giveUp();
    if (errorCode === ErrorCode.FENCED_INSTANCE_ID || errorCode === ErrorCode.UNRELEASED_INSTANCE_ID)
      this.#incarnation++;
  }

  #giveUp(): void {
    for (const place of this.#owned.keys()) this.#world.ownership.release(place, this.#memberId);
    this.#owned = new Map();
    this.#epoch = 0;
    this.#mustTell = false;
  }

  async #commit(client: SimulatedClient): Promise<void> {
    const [place] = this.#owned.values();
    const version = client.version(offsetCommitApi, firstVersionWithMemberEpochs);
    const topic = this.#world.topics.all.find(({ id }) => id === place?.topicId);
    if (place === undefined || topic === undefined) return;
    const partition = { ...defaultOffsetCommitRequestTopicsPartitions(), partitionIndex: place.partition };
    const response = await client.request(
      offsetCommitApi,
      {
        ...defaultOffsetCommitRequest(),
        groupId: this.#group,
        generationIdOrMemberEpoch: this.#epoch,
        memberId: this.#memberId,
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
    if (errorCode !== undefined) this.#world.count(`consumer commit: ${errorName(errorCode)}`);
  }

  async #leave(client: SimulatedClient): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    const memberEpoch = this.#isStatic && random.chance(0.7) ? -2 : -1;
    const memberId = this.#memberId;
    this.#giveUp();
    const request = { ...this.#request({ memberEpoch }), memberId };
    await client.request(consumerGroupHeartbeatApi, request, client.version(consumerGroupHeartbeatApi));
    this.#incarnation++;
    world.count(memberEpoch === -2 ? 'paused in a consumer group' : 'left a consumer group');
    await world.sleep(random.below(500), this.#name);
  }

  /** It is gone without a word; another takes its place. */
  #vanish(client: SimulatedClient): void {
    this.#giveUp();
    client.cut();
    this.#incarnation++;
    this.#world.count('vanished from a consumer group');
  }
}

const fences = new Set<number>([
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.FENCED_MEMBER_EPOCH,
  ErrorCode.FENCED_INSTANCE_ID,
  ErrorCode.UNRELEASED_INSTANCE_ID,
]);
