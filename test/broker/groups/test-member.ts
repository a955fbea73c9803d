/**
 * A member of a group as a test drives it, request by request, in the newest versions. It remembers what it was told.
 */

import { ErrorCode } from '../../../src/base/error-code.ts';
import {
  heartbeatApi,
  joinGroupApi,
  leaveGroupApi,
  offsetCommitApi,
  syncGroupApi,
  type JoinGroupResponse,
  type SyncGroupResponse,
} from '../../../src/protocol/generated/index.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import type { BrokerHarness, FakeConnection, RequestWire } from '../broker-harness.ts';
import { subscription } from './conversations.ts';

export interface MemberOptions {
  readonly instanceId?: string;
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
  readonly topics?: readonly string[];
  readonly protocolNames?: readonly string[];
}

export class TestMember {
  readonly groupId: string;
  readonly options: MemberOptions;
  harness: RequestWire;
  connection: FakeConnection;
  id = '';
  generation = -1;
  /** Null until it has joined. */
  joined: JoinGroupResponse | null = null;

  constructor(harness: RequestWire, groupId = 'group', options: MemberOptions = {}) {
    this.harness = harness;
    this.groupId = groupId;
    this.options = options;
    this.connection = harness.connect();
  }

  get isLeader(): boolean {
    return this.joined !== null && this.joined.leader === this.id && this.joined.members.length > 0;
  }

  /** One JoinGroup as it is, or two where the first only gives the id. */
  async join(): Promise<JoinGroupResponse> {
    const first = await this.joinOnce();
    return first.errorCode === ErrorCode.MEMBER_ID_REQUIRED ? this.joinOnce() : first;
  }

  async joinOnce(version = joinGroupApi.stableVersion): Promise<JoinGroupResponse> {
    const { sessionTimeoutMs = 10_000, rebalanceTimeoutMs = 20_000, instanceId = null } = this.options;
    const metadata = subscription(...(this.options.topics ?? ['topic']));
    const response = await this.harness.request(
      joinGroupApi,
      version,
      {
        groupId: this.groupId,
        memberId: this.id,
        groupInstanceId: instanceId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        protocolType: 'consumer',
        protocols: (this.options.protocolNames ?? ['range']).map((name) => ({ name, metadata })),
        reason: null,
      },
      this.connection,
    );
    const { errorCode, memberId, generationId } = response;
    if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.MEMBER_ID_REQUIRED) this.id = memberId;
    if (errorCode === ErrorCode.NONE) {
      this.generation = generationId;
      this.joined = response;
    }
    return response;
  }

  /** As leader, assigns to each member its place in the list of members, as one byte; as follower, asks. */
  sync(): Promise<SyncGroupResponse> {
    const members = this.isLeader ? this.joined!.members : [];
    const assignments = members.map(({ memberId }, i) => ({ memberId, assignment: new Uint8Array([i]) }));
    return this.harness.request(
      syncGroupApi,
      syncGroupApi.stableVersion,
      {
        groupId: this.groupId,
        generationId: this.generation,
        memberId: this.id,
        groupInstanceId: this.options.instanceId ?? null,
        protocolType: 'consumer',
        protocolName: this.joined?.protocolName ?? 'range',
        assignments,
      },
      this.connection,
    );
  }

  async heartbeat(): Promise<number> {
    const fields = { groupId: this.groupId, memberId: this.id, generationId: this.generation };
    const groupInstanceId = this.options.instanceId ?? null;
    const response = await this.harness.request(
      heartbeatApi,
      heartbeatApi.stableVersion,
      { ...fields, groupInstanceId },
      this.connection,
    );
    return response.errorCode;
  }

  async leave(): Promise<number> {
    const member = { memberId: this.id, groupInstanceId: this.options.instanceId ?? null, reason: null };
    const fields = { groupId: this.groupId, members: [member] };
    const response = await this.harness.request(leaveGroupApi, leaveGroupApi.stableVersion, fields, this.connection);
    return response.errorCode === ErrorCode.NONE ? response.members[0]!.errorCode : response.errorCode;
  }

  async commit(topic: TopicImage, partition: number, offset: number, metadata = ''): Promise<number> {
    const committed = { committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: metadata };
    const response = await this.harness.request(
      offsetCommitApi,
      offsetCommitApi.stableVersion,
      {
        groupId: this.groupId,
        generationIdOrMemberEpoch: this.generation,
        memberId: this.id,
        groupInstanceId: this.options.instanceId ?? null,
        topics: [{ topicId: topic.id, name: '', partitions: [{ partitionIndex: partition, ...committed }] }],
      },
      this.connection,
    );
    return response.topics[0]!.partitions[0]!.errorCode;
  }
}

/** A first generation of members, all with their assignment; the first of them leads. */
export async function stableGroup(
  harness: BrokerHarness,
  count: number,
  options: MemberOptions = {},
  groupId = 'group',
): Promise<TestMember[]> {
  const members = Array.from({ length: count }, () => new TestMember(harness, groupId, options));
  const joins = members.map((member) => member.join());
  await settle();
  // The initial delay is prolonged while members come, up to the rebalance timeout.
  for (let i = 0; i < 3; i++) harness.clock.advance(3000);
  await Promise.all(joins);
  await Promise.all(members.map((member) => member.sync()));
  return members;
}

/** Lets everything that is not waiting for time or for another client finish. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Whether the promise still waits after all else has settled. */
export async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const finished = (): void => {
    done = true;
  };
  promise.then(finished, finished);
  await settle();
  return !done;
}
