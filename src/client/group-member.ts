/**
 * A consumer's membership in a group by Kafka's classic protocol: joins, agrees on who reads what, beats, commits, leaves.
 * Any thread; owned by a `Consumer`.
 *
 *   find the coordinator → JoinGroup (waits for all members) → the leader assigns → SyncGroup → Heartbeat … → again
 *
 * With assignors that are not cooperative everything is given up before a rebalance and what was agreed on begins
 * afterwards; with cooperative ones only what moves is. Joins wait at the broker, so the group has connections of its own.
 * Whatever passes is tried again for as long as the consumer lives. It does not read records.
 */

import { ErrorCode } from '../base/error-code.ts';
import {
  defaultJoinGroupRequest,
  type JoinGroupResponse,
  joinGroupClientApi,
} from '../protocol/generated/11-join-group.ts';
import { heartbeatClientApi } from '../protocol/generated/12-heartbeat.ts';
import { leaveGroupClientApi } from '../protocol/generated/13-leave-group.ts';
import { syncGroupClientApi } from '../protocol/generated/14-sync-group.ts';
import type { Assignor, GroupSubscription } from './assignors.ts';
import type { Cluster } from './cluster.ts';
import type { Connection } from './connection.ts';
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './consumer-protocol.ts';
import { KafkaError, mayPass, throwUnlessNone } from './kafka-error.ts';
import {
  type CommittedOffset,
  type Committer,
  commitOffsets,
  fetchCommitted,
  type Isolation,
  placeName,
  type TopicPartition,
} from './offsets.ts';
import { backoffMs, Bell, delay } from './waiting.ts';

export interface MembershipOptions {
  readonly group: string;
  readonly topics: readonly string[];
  readonly assignors: readonly Assignor[];
  readonly groupInstanceId: string | null;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}

export interface MembershipListener {
  /** These are to be given up; resolves when nothing of them is being processed and what was is committed. */
  revoke(partitions: readonly TopicPartition[]): Promise<void>;
  /** These are somebody else's already. */
  lose(partitions: readonly TopicPartition[]): void;
  /** These are to be read from now on. */
  assign(partitions: readonly TopicPartition[]): Promise<void>;
  failed(error: Error): void;
}

const protocolType = 'consumer';
/** A commit waits so long for a rebalance to end before it looks again. */
const agreementMs = 1000;
let memberCount = 0;

export class GroupMember {
  readonly #cluster: Cluster;
  readonly #options: MembershipOptions;
  readonly #listener: MembershipListener;
  readonly #lane = `group-${++memberCount}`;
  readonly #stopping = new AbortController();
  readonly #agreed = new Bell();
  #coordinatorId = -1;
  #memberId = '';
  #generationId = -1;
  #owned: TopicPartition[] = [];
  /** What the leader has assigned from, to see whether topics have grown. */
  #assignedFrom: ReadonlyMap<string, number> | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(cluster: Cluster, options: MembershipOptions, listener: MembershipListener) {
    this.#cluster = cluster;
    this.#options = options;
    this.#listener = listener;
  }

  get memberId(): string {
    return this.#memberId;
  }

  /** Who it is in the group's current generation. */
  get committer(): Committer {
    const { groupInstanceId } = this.#options;
    return { memberId: this.#memberId, generationId: this.#generationId, groupInstanceId };
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Leaves the group, so that others need not wait until it is missed; a static member only goes silent. */
  async leave(): Promise<void> {
    this.#stopping.abort(new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, 'the consumer was closed'));
    await this.#running;
    const { group, groupInstanceId } = this.#options;
    if (this.#memberId !== '' && groupInstanceId === null && this.#coordinatorId >= 0) {
      try {
        const connection = await this.#cluster.connection(this.#coordinatorId, this.#commitLane);
        const members = [{ memberId: this.#memberId, groupInstanceId, reason: 'the consumer was closed' }];
        await connection.request(leaveGroupClientApi, { groupId: group, memberId: this.#memberId, members });
      } catch (error) {
        // It is missed after the session timeout then.
        this.#cluster.settings.onRetry(error as Error);
      }
    }
    this.#cluster.closeLane(this.#lane);
    this.#cluster.closeLane(this.#commitLane);
  }

  /** Commits do not wait behind a join. */
  get #commitLane(): string {
    return `${this.#lane}-commits`;
  }

  /**
   * Commits, as this member. While the group rebalances it waits for that to end, and commits what is left of `offsets` to
   * this member; what went to others is left out. Rejects with a `KafkaError`.
   */
  async commit(offsets: readonly CommittedOffset[], signal?: AbortSignal): Promise<void> {
    await this.#cluster.retrying(
      async () => {
        const own = new Set(this.#owned.map(placeName));
        const left = offsets.filter((offset) => own.has(placeName(offset)));
        if (left.length === 0) return;
        try {
          await this.commitNow(left, signal);
        } catch (error) {
          if (!isMembershipError(error)) throw error;
          // A heartbeat finds out what it is; where it was over already, the next attempt does.
          this.#beatNow.ring();
          await Promise.race([this.#agreed.wait(signal), delay(agreementMs, signal)]);
          throw new KafkaError(ErrorCode.NOT_COORDINATOR, 'the group rebalanced during a commit', error);
        }
      },
      { signal },
    );
  }

  /** Commits once, as the member it is now. Rejects with a `KafkaError`, also where the group rebalances. */
  async commitNow(offsets: readonly CommittedOffset[], signal?: AbortSignal): Promise<void> {
    try {
      const connection = await this.#connection(signal, this.#commitLane);
      await commitOffsets(connection, this.#options.group, offsets, this.committer, signal);
    } catch (error) {
      throw this.#looked(error);
    }
  }

  /** What the group has committed of `partitions`. Retries. */
  committed(partitions: readonly TopicPartition[], isolation: Isolation): Promise<Map<string, CommittedOffset>> {
    const { signal } = this.#stopping;
    return this.#cluster.retrying(
      async () => {
        try {
          const connection = await this.#connection(signal, this.#commitLane);
          return await fetchCommitted(connection, this.#options.group, partitions, isolation, signal);
        } catch (error) {
          throw this.#looked(error);
        }
      },
      { signal, timeoutMs: Infinity },
    );
  }

  readonly #beatNow = new Bell();

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#rebalance();
        failures = 0;
        await this.#beatUntilRebalance();
      } catch (error) {
        if (signal.aborted) return;
        if (!this.#forgive(error)) return this.#listener.failed(error as Error);
        // A new member is told its id by a refusal.
        if (error instanceof KafkaError && error.code === ErrorCode.MEMBER_ID_REQUIRED) continue;
        this.#cluster.settings.onRetry(error as Error);
        failures++;
        await delay(backoffMs(this.#cluster.settings.backoff, failures), signal).catch(() => {});
      }
    }
  }

  /** Whether the membership can go on after `error`; as what it is now. */
  #forgive(error: unknown): boolean {
    if (!(error instanceof KafkaError)) return false;
    switch (error.code) {
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.ILLEGAL_GENERATION:
        this.#loseAll(error.code === ErrorCode.UNKNOWN_MEMBER_ID);
        return true;
      case ErrorCode.REBALANCE_IN_PROGRESS:
      case ErrorCode.MEMBER_ID_REQUIRED:
        return true;
      default:
        this.#looked(error);
        return error.retriable;
    }
  }

  #loseAll(forgetId: boolean): void {
    this.#generationId = -1;
    if (forgetId) this.#memberId = '';
    const lost = this.#owned;
    this.#owned = [];
    this.#listener.lose(lost);
  }

  /** Forgets the coordinator where `error` says that it is another, or cannot be reached. */
  #looked(error: unknown): unknown {
    if (mayPass(error)) this.#coordinatorId = -1;
    return error;
  }

  async #connection(signal: AbortSignal | undefined, lane = this.#lane): Promise<Connection> {
    if (this.#coordinatorId < 0) this.#coordinatorId = await this.#cluster.coordinatorId(this.#options.group, signal);
    return this.#cluster.connection(this.#coordinatorId, lane, signal);
  }

  get #isCooperative(): boolean {
    return this.#options.assignors.every(({ isCooperative }) => isCooperative);
  }

  async #rebalance(): Promise<void> {
    if (!this.#isCooperative && this.#owned.length > 0) {
      await this.#beatWhile(this.#listener.revoke(this.#owned));
      this.#owned = [];
    }
    const joined = await this.#join();
    this.#generationId = joined.generationId;
    const assignment = await this.#sync(joined);
    const assigned = new Set(assignment.map(placeName));
    const owned = new Set(this.#owned.map(placeName));
    const revoked = this.#owned.filter((partition) => !assigned.has(placeName(partition)));
    const added = assignment.filter((partition) => !owned.has(placeName(partition)));
    if (revoked.length > 0) await this.#beatWhile(this.#listener.revoke(revoked));
    this.#owned = assignment;
    this.#agreed.ring();
    await this.#beatWhile(this.#listener.assign(added));
    // What was let go of can be given to its next owner now.
    if (revoked.length > 0 && this.#isCooperative) {
      throw new KafkaError(ErrorCode.REBALANCE_IN_PROGRESS, 'partitions were given up');
    }
  }

  async #join(): Promise<JoinGroupResponse> {
    const { group, topics, assignors, groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const { signal } = this.#stopping;
    const connection = await this.#connection(signal);
    const subscription = { topics, owned: this.#isCooperative ? this.#owned : [], generationId: this.#generationId };
    const metadata = encodeSubscription(subscription);
    const response = await connection.request(
      joinGroupClientApi,
      {
        ...defaultJoinGroupRequest(),
        groupId: group,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        memberId: this.#memberId,
        groupInstanceId,
        protocolType,
        protocols: assignors.map(({ name }) => ({ name, metadata })),
      },
      { signal, timeoutMs: rebalanceTimeoutMs + this.#cluster.settings.requestTimeoutMs },
    );
    if (response.errorCode === ErrorCode.MEMBER_ID_REQUIRED) this.#memberId = response.memberId;
    throwUnlessNone(response.errorCode, `to join group ${group}`);
    this.#memberId = response.memberId;
    return response;
  }

  async #sync(joined: JoinGroupResponse): Promise<TopicPartition[]> {
    const { group, groupInstanceId, rebalanceTimeoutMs } = this.#options;
    const { signal } = this.#stopping;
    const { protocolName, generationId } = joined;
    this.#assignedFrom = null;
    const isLeader = joined.leader === joined.memberId && !joined.skipAssignment;
    const assignments = isLeader ? await this.#assign(joined) : [];
    const connection = await this.#connection(signal);
    const response = await connection.request(
      syncGroupClientApi,
      {
        groupId: group,
        generationId,
        memberId: this.#memberId,
        groupInstanceId,
        protocolType,
        protocolName,
        assignments,
      },
      { signal, timeoutMs: rebalanceTimeoutMs + this.#cluster.settings.requestTimeoutMs },
    );
    throwUnlessNone(response.errorCode, `the assignment of group ${group}`);
    return decodeAssignment(response.assignment);
  }

  /** The assignment, as the group's leader. */
  async #assign({ members, protocolName }: JoinGroupResponse): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const assignor = this.#options.assignors.find(({ name }) => name === protocolName);
    if (assignor === undefined) {
      throw new KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, `the group agreed on ${protocolName}, unknown here`);
    }
    const subscriptions: GroupSubscription[] = members.map(({ memberId, groupInstanceId, metadata }) => ({
      memberId,
      groupInstanceId,
      ...decodeSubscription(metadata),
    }));
    const counts = await this.#partitionCounts(subscriptions.flatMap(({ topics }) => topics));
    this.#assignedFrom = counts;
    return [...assignor.assign(subscriptions, counts)].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment(partitions),
    }));
  }

  /** How many partitions the topics have that exist. */
  async #partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    const response = await this.#cluster.refresh([...new Set(topics)]);
    for (const { name, errorCode, partitions } of response.topics) {
      if (errorCode === ErrorCode.NONE && name !== null) counts.set(name, partitions.length);
    }
    return counts;
  }

  async #heartbeat(): Promise<number> {
    const { group, groupInstanceId } = this.#options;
    const { signal } = this.#stopping;
    const connection = await this.#connection(signal);
    const request = { groupId: group, generationId: this.#generationId, memberId: this.#memberId, groupInstanceId };
    const { errorCode } = await connection.request(heartbeatClientApi, request, { signal });
    return errorCode;
  }

  /** Beats until `work` is done, so that the session lasts; a rebalance waits. */
  async #beatWhile(work: Promise<void>): Promise<void> {
    let isDone = false;
    const finished = work.finally(() => {
      isDone = true;
      this.#beatNow.ring();
    });
    finished.catch(() => {});
    for (;;) {
      await Promise.race([finished, this.#untilNextBeat()]);
      if (isDone) return finished;
      const code = this.#generationId < 0 ? ErrorCode.NONE : await this.#heartbeat();
      if (code !== ErrorCode.REBALANCE_IN_PROGRESS) throwUnlessNone(code, 'a heartbeat');
    }
  }

  /** Beats until the group rebalances; then throws what says so. */
  async #beatUntilRebalance(): Promise<never> {
    const { signal } = this.#stopping;
    let failures = 0;
    for (;;) {
      await this.#untilNextBeat();
      signal.throwIfAborted();
      try {
        throwUnlessNone(await this.#heartbeat(), 'a heartbeat');
        failures = 0;
      } catch (error) {
        // The membership outlives a connection, and a broker that starts again.
        if (!mayPass(error) || signal.aborted) throw error;
        this.#looked(error);
        this.#cluster.settings.onRetry(error as Error);
        await delay(backoffMs(this.#cluster.settings.backoff, ++failures), signal);
        this.#beatNow.ring();
      }
      await this.#lookForGrowth();
    }
  }

  /** As the leader: topics that appeared or grew are to be assigned as well. */
  async #lookForGrowth(): Promise<void> {
    const from = this.#assignedFrom;
    if (from === null) return;
    const { topics } = this.#options;
    if (topics.every((topic) => from.has(topic) && !this.#cluster.isStale(topic))) return;
    const counts = await this.#partitionCounts(topics);
    if (topics.every((topic) => counts.get(topic) === from.get(topic))) return;
    throw new KafkaError(ErrorCode.REBALANCE_IN_PROGRESS, 'topics of the group have changed');
  }

  async #untilNextBeat(): Promise<void> {
    const timer = setTimeout(() => this.#beatNow.ring(), this.#options.heartbeatIntervalMs);
    try {
      await this.#beatNow.wait(this.#stopping.signal);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Whether the broker does not take this member for one of the group's current generation. */
export function isMembershipError(error: unknown): boolean {
  return (
    error instanceof KafkaError &&
    (error.code === ErrorCode.ILLEGAL_GENERATION ||
      error.code === ErrorCode.UNKNOWN_MEMBER_ID ||
      error.code === ErrorCode.REBALANCE_IN_PROGRESS)
  );
}
