/**
 * A member of a consumer group in the broker's own process, on behalf of a consumer behind another door. I/O thread.
 * Kafka's clients in the group do not see a difference: any of them may be the leader, or this one.
 *
 *   join ─► (leader: assign) ─► sync ─► assigned ─► heartbeats, until a rebalance ─► revoked, and what it waits for ─► join
 *     ▲                                                 └─ thrown out: lost ─► join as a new member
 *     └────────────── a moment later, where the coordinator is not there
 *
 * As with Kafka's eager protocol everything is revoked before it joins again. It reads no records (record-reader.ts).
 */

import { ErrorCode, errorName } from '../base/error-code.ts';
import type { Broker } from '../broker/broker.ts';
import type { JoinGroupResponse } from '../protocol/generated/index.ts';
import {
  assignors,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  type TopicPartition,
} from './group-assignment.ts';
import { GroupRequests, type CommitOutcome, type Membership, type OffsetOf } from './group-requests.ts';

/** Hears what the member is to read. Nothing is called from within `subscribe` or `leave`. */
export interface MemberListener {
  /** Read these from here on, each from the group's position; -1 where it has none yet. */
  assigned(partitions: readonly OffsetOf[]): void;
  /**
   * Others read these from here on, once the promise is resolved: tell no more of them and commit what was processed. The
   * group waits as long as the rebalance timeout.
   */
  revoked(partitions: readonly TopicPartition[]): void | Promise<void>;
  /** Others read these already, since the group took the member for gone: commits are of no use. */
  lost(partitions: readonly TopicPartition[]): void;
  /** The member cannot be in the group, and is not any more. */
  failed(errorCode: ErrorCode, message: string): void;
}

export interface MemberOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  /** As DescribeGroups shows them. */
  readonly clientId: string;
  readonly clientHost: string;
  /** The name of a static member (KIP-345). */
  readonly instanceId?: string | null;
  /** Default 10,000: in process nobody is silent for long. */
  readonly sessionTimeoutMs?: number;
  /** Default 60,000. */
  readonly rebalanceTimeoutMs?: number;
  /** How soon it hears of a rebalance; default 500. */
  readonly heartbeatIntervalMs?: number;
}

type Generation = Pick<JoinGroupResponse, 'memberId' | 'generationId'>;

const retryMs = 100;
const passing: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.KAFKA_STORAGE_ERROR,
]);
const thrownOut: ReadonlySet<ErrorCode> = new Set([ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION]);

export class GroupMember {
  readonly #broker: Broker;
  readonly #listener: MemberListener;
  readonly #options: MemberOptions;
  readonly #requests: GroupRequests;
  readonly #closed: () => void;
  #topics: readonly string[];
  #memberId = '';
  #generation: Generation | null = null;
  #owned: readonly TopicPartition[] = [];
  #isLeader = false;
  #leaving = false;
  /** Wants a rebalance: what it subscribes to has changed, or the partitions of that, if it is the leader. */
  #wantsRebalance = false;
  /** Ends the pause between heartbeats, or before the next try. */
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;
  readonly #stops: (() => void)[] = [];

  /** `closed` is called once it has left or failed. */
  constructor(broker: Broker, listener: MemberListener, options: MemberOptions, closed: () => void = () => {}) {
    const { groupId, instanceId = null, clientId, clientHost } = options;
    const { sessionTimeoutMs = 10_000, rebalanceTimeoutMs = 60_000 } = options;
    const membership: Membership = { groupId, instanceId, clientId, sessionTimeoutMs, rebalanceTimeoutMs };
    this.#broker = broker;
    this.#listener = listener;
    this.#options = options;
    this.#topics = options.topics;
    this.#closed = closed;
    this.#requests = new GroupRequests(broker, membership, clientHost);
  }

  /** What it reads at the moment. */
  get owned(): readonly TopicPartition[] {
    return this.#owned;
  }

  /** Its id in the group; empty before it has one. */
  get memberId(): string {
    return this.#memberId;
  }

  /** Joins the group; from here on the listener hears. */
  start(): void {
    if (this.#running !== null) return;
    const changed = ({ name }: { readonly name: string }): void => {
      if (this.#isLeader && this.#topics.includes(name)) this.#rebalance();
    };
    this.#stops.push(this.#broker.topics.onGrown(changed), this.#broker.topics.onDeleted(changed));
    this.#running = this.#run().catch((error: unknown) => {
      this.#broker.logger.error({ group: this.#options.groupId, error }, 'A member of a group ended by a defect.');
      this.#end();
      this.#listener.failed(ErrorCode.UNKNOWN_SERVER_ERROR, 'The member ended by a defect; see the broker’s log.');
    });
  }

  /** Reads other topics from here on; the group is rebalanced. */
  subscribe(topics: readonly string[]): void {
    if (topics.length === this.#topics.length && topics.every((topic) => this.#topics.includes(topic))) return;
    this.#topics = topics;
    this.#rebalance();
  }

  /** Commits offsets of the group, durably, as this member; says of each what became of it. */
  commit(offsets: readonly OffsetOf[]): Promise<CommitOutcome[]> {
    const generationId = this.#generation?.generationId ?? -1;
    return this.#requests.commit(this.#memberId, generationId, offsets);
  }

  /** The group's position in each partition, in order; -1 where there is none. */
  committed(partitions: readonly TopicPartition[]): Promise<readonly number[]> {
    return this.#requests.committed(partitions);
  }

  /**
   * Leaves the group, so that others take over at once; the listener hears of what is revoked, and nothing after that. A
   * static member only goes, and keeps its place for the session.
   */
  async leave(): Promise<void> {
    if (this.#leaving) return this.#running ?? undefined;
    this.#leaving = true;
    this.#wake?.();
    // One that waits in the group for others leaves as well.
    if (this.#generation === null) await this.#goAway();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#leaving) {
      const errorCode = await this.#joinAndRead();
      if (this.#leaving || errorCode === ErrorCode.NONE) continue;
      if (errorCode === ErrorCode.MEMBER_ID_REQUIRED) continue;
      if (thrownOut.has(errorCode)) this.#memberId = errorCode === ErrorCode.UNKNOWN_MEMBER_ID ? '' : this.#memberId;
      else if (passing.has(errorCode)) await this.#pause(retryMs);
      else return this.#fail(errorCode);
    }
    if (this.#generation !== null) await this.#revoke();
    await this.#goAway();
  }

  /** One generation, from joining it to its end; NONE where it ends in a rebalance. */
  async #joinAndRead(): Promise<ErrorCode> {
    this.#wantsRebalance = false;
    const joined = await this.#requests.join(this.#memberId, this.#topics);
    if (joined === null) return ErrorCode.NONE;
    if (joined.memberId !== '') this.#memberId = joined.memberId;
    if (joined.errorCode !== ErrorCode.NONE || this.#leaving) return joined.errorCode as ErrorCode;
    this.#isLeader = joined.leader === joined.memberId;
    const synced = await this.#requests.sync(
      joined,
      this.#isLeader && !joined.skipAssignment ? this.#assign(joined) : [],
    );
    if (synced === null) return ErrorCode.NONE;
    if (synced.errorCode !== ErrorCode.NONE) {
      return synced.errorCode === ErrorCode.REBALANCE_IN_PROGRESS ? ErrorCode.NONE : (synced.errorCode as ErrorCode);
    }
    this.#generation = joined;
    const partitions = (decodeAssignment(synced.assignment) ?? []).filter(({ topic }) => this.#topics.includes(topic));
    const offsets = await this.#requests.committed(partitions);
    this.#owned = partitions;
    if (!this.#leaving) this.#listener.assigned(partitions.map((each, i) => ({ ...each, offset: offsets[i]! })));
    const errorCode = await this.#beat(joined);
    if (this.#leaving) return ErrorCode.NONE;
    if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS || errorCode === ErrorCode.NONE) {
      await this.#revoke();
      return ErrorCode.NONE;
    }
    this.#generation = null;
    this.#isLeader = false;
    const lost = this.#owned;
    this.#owned = [];
    this.#listener.lost(lost);
    return errorCode;
  }

  /** Heartbeats until the generation ends; NONE where this member wants that. */
  async #beat({ memberId, generationId }: Generation): Promise<ErrorCode> {
    const intervalMs = this.#options.heartbeatIntervalMs ?? 500;
    for (;;) {
      if (!this.#leaving && !this.#wantsRebalance) await this.#pause(intervalMs);
      if (this.#leaving || this.#wantsRebalance) return ErrorCode.NONE;
      const errorCode = await this.#requests.heartbeat(memberId, generationId);
      if (errorCode !== ErrorCode.NONE) return errorCode;
    }
  }

  async #revoke(): Promise<void> {
    const revoked = this.#owned;
    this.#owned = [];
    // The session must not end while the consumer finishes what it has begun.
    const generation = this.#generation;
    let isDone = false;
    const alive = async (): Promise<void> => {
      while (!isDone && generation !== null) {
        await this.#pause(this.#options.heartbeatIntervalMs ?? 500);
        if (!isDone) await this.#requests.heartbeat(generation.memberId, generation.generationId);
      }
    };
    const beating = alive();
    try {
      await this.#listener.revoked(revoked);
    } finally {
      isDone = true;
      this.#wake?.();
      await beating;
      this.#generation = null;
      this.#isLeader = false;
    }
  }

  #assign({ members, protocolName }: JoinGroupResponse): { memberId: string; assignment: Uint8Array }[] {
    const assign = assignors.get(protocolName ?? '');
    if (assign === undefined) return [];
    const subscribed = members.map(({ memberId, metadata }) => ({ memberId, topics: decodeSubscription(metadata) }));
    const counts = new Map<string, number>();
    for (const name of new Set(subscribed.flatMap(({ topics }) => topics))) {
      const topic = this.#broker.topics.topic(name);
      if (topic !== null) counts.set(name, topic.partitionCount);
    }
    return [...assign(subscribed, counts)].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment(partitions),
    }));
  }

  async #goAway(): Promise<void> {
    const isStatic = (this.#options.instanceId ?? null) !== null;
    const memberId = this.#memberId;
    this.#memberId = '';
    if (memberId !== '' && !isStatic) await this.#requests.leave(memberId, 'the consumer was closed');
    this.#end();
  }

  #fail(errorCode: ErrorCode): void {
    this.#end();
    const { groupId } = this.#options;
    this.#listener.failed(errorCode, `The consumer cannot be in the group ${groupId}: ${errorName(errorCode)}.`);
  }

  #end(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#requests.close();
    this.#closed();
  }

  #rebalance(): void {
    this.#wantsRebalance = true;
    if (this.#generation !== null) this.#wake?.();
  }

  async #pause(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#broker.clock.setTimer(delayMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wake = null;
  }
}
