/**
 * A member of a consumer group in a simulated run: joins, is assigned or assigns, resumes where the group committed,
 * reads, commits, heartbeats, sometimes leaves or vanishes. Single thread.
 *
 *   join ─► sync ─► fetch the commits ─► read, commit, heartbeat … ─► rebalance, fenced, cut off: join again
 *
 * What it was promised of commits is judged by commit-ledger.ts, what it reads by the checker.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import {
  defaultHeartbeatRequest,
  defaultJoinGroupRequest,
  defaultJoinGroupRequestProtocols,
  defaultLeaveGroupRequest,
  defaultOffsetCommitRequest,
  defaultOffsetCommitRequestTopicsPartitions,
  defaultOffsetFetchRequest,
  defaultSyncGroupRequest,
  heartbeatApi,
  joinGroupApi,
  type JoinGroupResponse,
  leaveGroupApi,
  offsetCommitApi,
  offsetFetchApi,
  syncGroupApi,
} from '../../src/protocol/generated/index.ts';
import { PartitionReader, earliest } from './partition-reader.ts';
import type { SimulatedClient } from './simulated-client.ts';
import { partitionsOf, type TopicPartition } from './topic-ledger.ts';
import type { World } from './world.ts';

const protocolName = 'range';
const sessionTimeoutMs = 1000;

export class GroupActor {
  readonly #world: World;
  readonly #group: string;
  readonly #name: string;
  #memberId = '';
  #generation = -1;

  constructor(world: World, group: string, name: string) {
    this.#world = world;
    this.#group = group;
    this.#name = name;
  }

  /** Is a member, again and again, until the world ends. */
  async run(): Promise<void> {
    const world = this.#world;
    let client: SimulatedClient | null = null;
    while (!world.isEnding) {
      if (client?.isOpen !== true) client = await world.connect(this.#name);
      const readers = await this.#join(client);
      if (readers === null) {
        await world.sleep(5 + world.scheduler.random.below(30), this.#name);
        continue;
      }
      world.count('joined a generation');
      await this.#consume(client, readers);
    }
    client?.cut();
  }

  /** The partitions that it was assigned, each at where the group's commit says; null where it has to try again. */
  async #join(client: SimulatedClient): Promise<PartitionReader[] | null> {
    const version = client.version(joinGroupApi);
    const protocol = { ...defaultJoinGroupRequestProtocols(), name: protocolName, metadata: this.#subscription() };
    const response = await client.request(
      joinGroupApi,
      {
        ...defaultJoinGroupRequest(),
        groupId: this.#group,
        sessionTimeoutMs,
        rebalanceTimeoutMs: sessionTimeoutMs,
        memberId: this.#memberId,
        groupInstanceId: null,
        protocolType: 'consumer',
        protocols: [protocol],
      },
      version,
    );
    if (response === null) return null;
    if (response.errorCode === ErrorCode.MEMBER_ID_REQUIRED) this.#memberId = response.memberId;
    if (response.errorCode !== ErrorCode.NONE) return this.#refused('join', response.errorCode as ErrorCode);
    this.#memberId = response.memberId;
    this.#generation = response.generationId;
    const isLeader = response.leader === response.memberId;
    const synced = await client.request(
      syncGroupApi,
      {
        ...defaultSyncGroupRequest(),
        groupId: this.#group,
        generationId: this.#generation,
        memberId: this.#memberId,
        groupInstanceId: null,
        protocolType: 'consumer',
        protocolName,
        assignments: isLeader ? this.#assign(response) : [],
      },
      client.version(syncGroupApi),
    );
    if (synced === null) return null;
    if (synced.errorCode !== ErrorCode.NONE) return this.#refused('sync', synced.errorCode as ErrorCode);
    const readers: PartitionReader[] = [];
    for (const target of this.#assigned(synced.assignment)) {
      const reader = new PartitionReader(this.#world, this.#name, target);
      if (!(await this.#resume(client, reader))) return null;
      readers.push(reader);
    }
    return readers;
  }

  async #consume(client: SimulatedClient, readers: readonly PartitionReader[]): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    let heartbeatAtMs = world.scheduler.nowMs;
    while (!world.isEnding && client.isOpen) {
      for (const reader of readers) {
        if (reader.target.topic.state !== 'there') continue;
        const count = await reader.fetch(client);
        if (count < 0 && client.isOpen && !(await reader.seekTo(client, earliest))) return;
        if (count > 0 && random.chance(0.5) && !(await this.#commit(client, reader))) return;
      }
      if (world.scheduler.nowMs >= heartbeatAtMs) {
        heartbeatAtMs = world.scheduler.nowMs + 200;
        if (!(await this.#heartbeat(client))) return;
      }
      if (random.chance(0.01)) return this.#leave(client);
      // A member that sleeps too long is thrown out, and must notice.
      await world.sleep(random.chance(0.02) ? sessionTimeoutMs * 2 : 5 + random.below(30), this.#name);
    }
  }

  async #resume(client: SimulatedClient, reader: PartitionReader): Promise<boolean> {
    const { topic, partition, log } = reader.target;
    const version = client.version(offsetFetchApi);
    const topics = [{ name: topic.name, topicId: topic.id, partitionIndexes: [partition] }];
    const response = await client.request(
      offsetFetchApi,
      {
        ...defaultOffsetFetchRequest(),
        groupId: this.#group,
        topics,
        groups: [{ groupId: this.#group, memberId: null, memberEpoch: -1, topics }],
      },
      version,
    );
    if (response === null) return false;
    const group = version >= 8 ? response.groups[0] : response;
    const result = group?.topics[0]?.partitions[0];
    if (group === undefined || group.errorCode !== ErrorCode.NONE || result?.errorCode !== ErrorCode.NONE) {
      this.#world.count('offset fetches refused');
      return false;
    }
    this.#world.scheduler.note(`${this.#name} resumes ${log} at ${result.committedOffset}`);
    if (topic.state === 'there') this.#world.commits.fetched(`${this.#group} ${log}`, result.committedOffset);
    this.#world.count('resumed');
    if (result.committedOffset < 0) return reader.seekTo(client, earliest);
    reader.seek(result.committedOffset);
    return true;
  }

  async #commit(client: SimulatedClient, reader: PartitionReader): Promise<boolean> {
    const { topic, partition, log } = reader.target;
    const ended = this.#world.commits.attempt(`${this.#group} ${log}`, reader.position, this.#generation);
    const partitions = [
      {
        ...defaultOffsetCommitRequestTopicsPartitions(),
        partitionIndex: partition,
        committedOffset: reader.position,
        committedMetadata: '',
      },
    ];
    const response = await client.request(
      offsetCommitApi,
      {
        ...defaultOffsetCommitRequest(),
        groupId: this.#group,
        generationIdOrMemberEpoch: this.#generation,
        memberId: this.#memberId,
        groupInstanceId: null,
        topics: [{ name: topic.name, topicId: topic.id, partitions }],
      },
      client.version(offsetCommitApi),
    );
    const errorCode = response?.topics[0]?.partitions[0]?.errorCode as ErrorCode | undefined;
    if (errorCode === undefined) {
      ended('unknown');
      return false;
    }
    if (errorCode === ErrorCode.NONE) {
      this.#world.scheduler.note(`${this.#name} committed ${log} ${reader.position}`);
      this.#world.count('committed');
      ended('answered');
      return true;
    }
    // A timeout or a disk that failed leaves open what became of it.
    ended(fences.has(errorCode) ? 'refused' : 'unknown');
    this.#refused('commit', errorCode);
    return !fences.has(errorCode);
  }

  async #heartbeat(client: SimulatedClient): Promise<boolean> {
    const request = {
      ...defaultHeartbeatRequest(),
      groupId: this.#group,
      generationId: this.#generation,
      memberId: this.#memberId,
      groupInstanceId: null,
    };
    const response = await client.request(heartbeatApi, request, client.version(heartbeatApi));
    if (response === null) return false;
    if (response.errorCode === ErrorCode.NONE) return true;
    this.#refused('heartbeat', response.errorCode as ErrorCode);
    return false;
  }

  async #leave(client: SimulatedClient): Promise<void> {
    this.#world.count('left');
    const { random } = this.#world.scheduler;
    if (random.chance(0.5)) {
      const members = [{ memberId: this.#memberId, groupInstanceId: null, reason: null }];
      const request = { ...defaultLeaveGroupRequest(), groupId: this.#group, memberId: this.#memberId, members };
      await client.request(leaveGroupApi, request, client.version(leaveGroupApi));
    } else client.cut();
    this.#memberId = '';
    await this.#world.sleep(random.below(500), this.#name);
  }

  #refused(what: string, errorCode: ErrorCode): null {
    this.#world.count(`${what}: ${errorName(errorCode)}`);
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.#memberId = '';
    return null;
  }

  /** Kafka's ConsumerProtocolSubscription, version 0: [i16 version][topics as strings][user data as bytes, null]. */
  #subscription(): Uint8Array {
    const names = this.#world.topics.all.filter(({ needsIds }) => !needsIds).map(({ name }) => name);
    const bytes = [0, 0, ...int32(names.length)];
    for (const name of names) bytes.push(name.length >> 8, name.length & 0xff, ...Buffer.from(name));
    return Uint8Array.from([...bytes, ...int32(-1)]);
  }

  /** Spreads all partitions over the members. What is assigned is for members alone to read. */
  #assign({ members }: JoinGroupResponse): { memberId: string; assignment: Uint8Array }[] {
    const logs = this.#targets().map(({ log }) => log);
    return members.map(({ memberId }, index) => {
      const own = logs.filter((_, place) => place % members.length === index);
      return { memberId, assignment: Buffer.from(JSON.stringify(own)) };
    });
  }

  #assigned(assignment: Uint8Array): TopicPartition[] {
    if (assignment.length === 0) return [];
    const logs = new Set(JSON.parse(Buffer.from(assignment).toString()) as string[]);
    return this.#targets().filter(({ log }) => logs.has(log));
  }

  /** Topics whose names are their own: old versions of the commit requests know no ids. */
  #targets(): TopicPartition[] {
    return this.#world.topics.all.filter((topic) => !topic.needsIds).flatMap((topic) => partitionsOf(topic));
  }
}

const fences = new Set<ErrorCode>([
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.FENCED_INSTANCE_ID,
]);

function int32(value: number): number[] {
  return [(value >> 24) & 0xff, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff];
}
