/**
 * The requests of one member of a group, made of the broker's own handlers: what they check and answer holds for members
 * in process as for Kafka's clients. I/O thread. It remembers nothing; `group-member.ts` does.
 */

import { ErrorCode } from '../base/error-code.ts';
import { asOffset, noOffset, type Offset } from '../base/numbers.ts';
import { serveAllowed } from '../broker/access/access-table.ts';
import type { Broker } from '../broker/broker.ts';
import { consumerProtocolType } from '../broker/groups/consumer-protocol.ts';
import { offsetCommitHandler } from '../broker/handlers/08-offset-commit.ts';
import { offsetFetchHandler } from '../broker/handlers/09-offset-fetch.ts';
import { joinGroupHandler } from '../broker/handlers/11-join-group.ts';
import { heartbeatHandler } from '../broker/handlers/12-heartbeat.ts';
import { leaveGroupHandler } from '../broker/handlers/13-leave-group.ts';
import { syncGroupHandler } from '../broker/handlers/14-sync-group.ts';
import {
  defaultJoinGroupRequest,
  defaultOffsetCommitRequest,
  defaultOffsetCommitRequestTopics,
  defaultOffsetFetchRequest,
  defaultOffsetFetchRequestGroups,
  defaultOffsetFetchRequestGroupsTopics,
  defaultSyncGroupRequest,
  type JoinGroupResponse,
  type SyncGroupResponse,
} from '../protocol/generated/index.ts';
import { assignors, encodeSubscription, type TopicPartition } from './group-assignment.ts';
import { LocalConnection } from './local-connection.ts';

/** Who asks. */
export interface Membership {
  readonly groupId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
}

/** Up to where a partition was processed. */
export interface OffsetOf extends TopicPartition {
  /** Of the record to read next; -1 where none is known. */
  readonly offset: number;
  readonly metadata?: string;
}

export interface CommitOutcome extends TopicPartition {
  readonly errorCode: ErrorCode;
}

const versions = { join: 9, sync: 5, heartbeat: 4, leave: 5, commit: 9, fetch: 8 } as const;
/** Of commits by those who are in no generation. */
const noGeneration = -1;

export class GroupRequests {
  readonly #broker: Broker;
  readonly #membership: Membership;
  readonly #connection: LocalConnection;

  constructor(broker: Broker, membership: Membership, clientHost: string) {
    this.#broker = broker;
    this.#membership = membership;
    this.#connection = new LocalConnection(clientHost);
  }

  /** Resolves once the next generation begins; null once the connection was closed. */
  async join(memberId: string, topics: readonly string[]): Promise<JoinGroupResponse | null> {
    const { groupId, instanceId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#membership;
    const metadata = encodeSubscription(topics);
    const request = {
      ...defaultJoinGroupRequest(),
      groupId,
      groupInstanceId: instanceId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId,
      protocolType: consumerProtocolType,
      protocols: [...assignors.keys()].map((name) => ({ name, metadata })),
    };
    return serveAllowed(joinGroupHandler, request, this.#context(11, versions.join), this.#broker);
  }

  /** Resolves once the leader's assignment is durable; null once the connection was closed. */
  async sync(
    { memberId, generationId, protocolName }: JoinGroupResponse,
    assignments: { memberId: string; assignment: Uint8Array }[],
  ): Promise<SyncGroupResponse | null> {
    const { groupId, instanceId } = this.#membership;
    const request = {
      ...defaultSyncGroupRequest(),
      groupId,
      groupInstanceId: instanceId,
      memberId,
      generationId,
      protocolType: consumerProtocolType,
      protocolName,
      assignments,
    };
    return serveAllowed(syncGroupHandler, request, this.#context(14, versions.sync), this.#broker);
  }

  async heartbeat(memberId: string, generationId: number): Promise<ErrorCode> {
    const { groupId, instanceId } = this.#membership;
    const request = { groupId, memberId, generationId, groupInstanceId: instanceId };
    const response = await serveAllowed(heartbeatHandler, request, this.#context(12, versions.heartbeat), this.#broker);
    return (response?.errorCode ?? ErrorCode.NONE) as ErrorCode;
  }

  async leave(memberId: string, reason: string): Promise<void> {
    const { groupId, instanceId } = this.#membership;
    const members = [{ memberId, groupInstanceId: instanceId, reason }];
    await serveAllowed(
      leaveGroupHandler,
      { groupId, memberId, members },
      this.#context(13, versions.leave),
      this.#broker,
    );
  }

  /** Commits `offsets`, durably; says of each what became of it. Without a member id as one who is in no generation. */
  async commit(memberId: string, generationId: number, offsets: readonly OffsetOf[]): Promise<CommitOutcome[]> {
    const { groupId, instanceId } = this.#membership;
    const topics = offsets.map(({ topic, partition, offset, metadata = '' }) => ({
      ...defaultOffsetCommitRequestTopics(),
      name: topic,
      partitions: [
        { partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: metadata },
      ],
    }));
    const request = {
      ...defaultOffsetCommitRequest(),
      groupId,
      groupInstanceId: memberId === '' ? null : instanceId,
      memberId,
      generationIdOrMemberEpoch: memberId === '' ? noGeneration : generationId,
      topics,
    };
    const response = await serveAllowed(offsetCommitHandler, request, this.#context(8, versions.commit), this.#broker);
    return (response?.topics ?? []).flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, errorCode }) => ({
        topic: name,
        partition: partitionIndex,
        errorCode: errorCode as ErrorCode,
      })),
    );
  }

  /** The committed offset of each partition, in order; -1 where there is none. */
  async committed(partitions: readonly TopicPartition[]): Promise<Offset[]> {
    const group = {
      ...defaultOffsetFetchRequestGroups(),
      groupId: this.#membership.groupId,
      topics: partitions.map(({ topic, partition }) => ({
        ...defaultOffsetFetchRequestGroupsTopics(),
        name: topic,
        partitionIndexes: [partition],
      })),
    };
    const request = { ...defaultOffsetFetchRequest(), groups: [group] };
    const response = await serveAllowed(offsetFetchHandler, request, this.#context(9, versions.fetch), this.#broker);
    const committed = new Map<string, Offset>();
    for (const { name, partitions: answered } of response?.groups[0]?.topics ?? []) {
      for (const { partitionIndex, errorCode, committedOffset } of answered) {
        if (errorCode === ErrorCode.NONE) committed.set(`${name}/${partitionIndex}`, asOffset(committedOffset));
      }
    }
    return partitions.map(({ topic, partition }) => committed.get(`${topic}/${partition}`) ?? noOffset);
  }

  /** Whoever waits is given up. */
  close(): void {
    this.#connection.close();
  }

  #context(apiKey: number, apiVersion: number) {
    return this.#connection.contextOf(apiKey, apiVersion, this.#membership.clientId);
  }
}
