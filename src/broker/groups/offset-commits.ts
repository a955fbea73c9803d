/**
 * Commits, reads and deletes the offsets of groups. I/O thread.
 * A commit is answered once its record is durable, and can be read from then on. Errors and their order are those of
 * Kafka's coordinator. It does not look up topics (handlers/) nor expire offsets (offset-expiry.ts).
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { Broker } from '../broker.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import type { StateLog } from '../state-log.ts';
import type { ClassicGroup } from './classic-group.ts';
import { coordinatorError } from './coordinator-error.ts';
import type { GroupCoordinator } from './group-coordinator.ts';
import { offsetKey, offsetRecord, type CommittedOffset } from './group-records.ts';
import type { OffsetSlot, OffsetStore } from './offset-store.ts';

/** Who commits: a member of a generation, or with generation -1 somebody who only stores offsets. */
export interface Committer {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
  /** From version 9 on a group that is not there has an error of its own. */
  readonly knowsMissingGroups: boolean;
  /** How long the offsets are to be kept, in milliseconds; -1 where the broker decides, as from version 5 on. */
  readonly retentionMs: number;
}

/** A partition of a topic that exists. */
export interface OffsetPlace {
  readonly topicId: Uuid;
  readonly partition: number;
}

export interface OffsetToCommit extends OffsetPlace {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export interface OffsetToDelete extends OffsetPlace {
  readonly topic: string;
}

export interface OffsetCommitsOptions {
  readonly broker: Broker;
  readonly log: StateLog;
  readonly offsets: OffsetStore;
  readonly coordinator: GroupCoordinator;
}

export class OffsetCommits {
  readonly #options: OffsetCommitsOptions;
  /** By group: settles once all changes that are under way have settled. */
  readonly #lastChanges = new Map<string, Promise<unknown>>();

  constructor(options: OffsetCommitsOptions) {
    this.#options = options;
  }

  /** Commits `offsets` together; resolves with an error code for each, once they are durable. */
  async commit(
    groupId: string,
    committer: Committer,
    offsets: readonly OffsetToCommit[],
  ): Promise<readonly ErrorCode[]> {
    const { broker, coordinator } = this.#options;
    const isMember = committer.generation >= 0;
    const rebalance = isMember ? coordinator.find(groupId) : coordinator.findOrCreate(groupId);
    if (rebalance === null) return offsets.map(() => missingGroup(committer));
    const { group } = rebalance;
    const refusal = problemOfCommit(group, committer);
    if (refusal !== ErrorCode.NONE) return offsets.map(() => refusal);
    const member = group.members.get(committer.memberId);
    // A commit says as well as a heartbeat that the member is alive.
    if (member !== undefined) rebalance.touch(member);
    const longest = broker.config.number('offset.metadata.max.bytes');
    const fitting = offsets.filter(({ metadata }) => metadata.length <= longest);
    const written = await this.#write(groupId, fitting, (offset) => this.#committed(offset, committer.retentionMs));
    coordinator.forgetIfUnused(group);
    return offsets.map(({ metadata }) => (metadata.length <= longest ? written : ErrorCode.OFFSET_METADATA_TOO_LARGE));
  }

  /** The group's offset in the partition, or null. */
  get(groupId: string, { topicId, partition }: OffsetPlace): CommittedOffset | null {
    return this.#options.offsets.get(groupId, topicId, partition);
  }

  /** All offsets of the group, those of topics that were deleted included. */
  slots(groupId: string): Generator<OffsetSlot> {
    return this.#options.offsets.slots(groupId);
  }

  /** Resolves once the changes that are now under way can be read; null where there are none. */
  settled(groupId: string): Promise<unknown> | null {
    return this.#lastChanges.get(groupId) ?? null;
  }

  /** Deletes `offsets`; resolves with one error code where the group refuses all, else with one for each. */
  async delete(groupId: string, offsets: readonly OffsetToDelete[]): Promise<ErrorCode | readonly ErrorCode[]> {
    const rebalance = this.#options.coordinator.find(groupId);
    if (rebalance === null) return ErrorCode.GROUP_ID_NOT_FOUND;
    const { group } = rebalance;
    if (group.state !== 'Empty' && !group.usesConsumerProtocol) return ErrorCode.NON_EMPTY_GROUP;
    const isInUse = offsets.map(({ topic }) => group.subscribes(topic));
    const removable = offsets.filter((place, i) => !isInUse[i] && this.#slot(groupId, place) !== null);
    const written = await this.remove(groupId, removable);
    if (written !== ErrorCode.NONE) return written;
    return isInUse.map((inUse) => (inUse ? ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC : ErrorCode.NONE));
  }

  /** Takes offsets away, whoever uses them; resolves once that is durable. */
  remove(groupId: string, places: readonly OffsetPlace[]): Promise<ErrorCode> {
    return this.#write(groupId, places, () => null);
  }

  async #write<Place extends OffsetPlace>(
    groupId: string,
    places: readonly Place[],
    valueOf: (place: Place) => CommittedOffset | null,
  ): Promise<ErrorCode> {
    if (places.length === 0) return ErrorCode.NONE;
    const { offsets, log } = this.#options;
    const records = places.map((place): KeyedRecord => {
      const key = offsetKey(groupId, place.topicId, place.partition);
      const committed = valueOf(place);
      return committed === null ? { key, value: null } : offsetRecord(key, committed);
    });
    for (const { topicId, partition } of places) offsets.changeBegins(groupId, topicId, partition);
    const append = log.append(records);
    const before = this.#lastChanges.get(groupId);
    const settled = before === undefined ? append : before.then(() => append);
    this.#lastChanges.set(groupId, settled);
    const errorCode = await append;
    for (const { topicId, partition } of places) offsets.changeEnds(groupId, topicId, partition);
    if (this.#lastChanges.get(groupId) === settled) this.#lastChanges.delete(groupId);
    return coordinatorError(errorCode);
  }

  #slot(groupId: string, { topicId, partition }: OffsetPlace): OffsetSlot | null {
    return this.#options.offsets.slot(groupId, topicId, partition);
  }

  #committed({ offset, leaderEpoch, metadata }: OffsetToCommit, retentionMs: number): CommittedOffset {
    const committedMs = this.#options.broker.clock.nowMs();
    const expiresMs =
      retentionMs === -1 ? -1 : Math.min(Math.max(committedMs + retentionMs, 0), Number.MAX_SAFE_INTEGER);
    return { offset, leaderEpoch, metadata, committedMs, expiresMs };
  }
}

function missingGroup({ generation, knowsMissingGroups }: Committer): ErrorCode {
  // Where the group could have been made, there are too many.
  if (generation < 0) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  return knowsMissingGroups ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION;
}

function problemOfCommit(group: ClassicGroup, { memberId, instanceId, generation }: Committer): ErrorCode {
  if (generation < 0 && group.state === 'Empty') return ErrorCode.NONE;
  if (generation >= 0 || memberId !== '' || instanceId !== null) {
    const errorCode = group.checkMember(memberId, instanceId);
    if (errorCode !== ErrorCode.NONE) return errorCode;
    if (generation !== group.generation) return ErrorCode.ILLEGAL_GENERATION;
  } else return ErrorCode.UNKNOWN_MEMBER_ID;
  // The member may commit what it had before the rebalance, but not under an assignment that nobody knows yet.
  return group.state === 'CompletingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
}
