/**
 * Commits, reads and deletes the offsets of groups. I/O thread.
 * A commit is answered once its record is durable, and can be read from then on; one within a transaction once that is
 * committed (`completeTransaction`). Errors and their order are those of Kafka's coordinator. It does not look up topics (handlers/) nor expire offsets (offset-expiry.ts).
 */

import { present } from '../../base/assert.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { PlacedList, type Placed } from '../../base/placed-list.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { TransactionOutcome } from '../../records/transaction-marker.ts';
import type { Broker } from '../broker.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import type { StateLog } from '../state-log.ts';
import { offsetsPartitionOf } from '../transactions/transaction-partitions.ts';
import type { ClassicGroup } from './classic-group.ts';
import { coordinatorError } from './coordinator-error.ts';
import type { GroupCoordinator } from './group-coordinator.ts';
import { endedRecord, offsetKey, OffsetRecord, type CommittedOffset, type OffsetName } from './group-records.ts';
import type { OffsetSlot } from './offset-slots.ts';
import type { OffsetStore } from './offset-store.ts';

/** What the metadata of all offsets of all groups may have together, in characters: it is kept in memory. */
const maxMetadataLength = 64 * 1024 * 1024;
/** A group with no more than this, the most that an offset has by default, finds room as long as there is any. */
const littleLength = 4096;
/** For such groups alone: 4096 of them, each of which has all of that, or a hundred times as many with a word each. */
const keptLength = maxMetadataLength / 4;
/**
 * A group with more may have a sixteenth of what is free of the rest beside it and all others, and once it has more it may have
 * no more. So no few groups take all of it: n that grow side by side leave 16/(n + 16) of it, half beside sixteen, and n that take
 * what they can one behind the other (16/17)ⁿ, a third after eighteen. (Dynamic thresholds: Choudhury and Hahne, IEEE/ACM
 * Transactions on Networking 6(2), 1998.)
 */
const groupsShareOfFree = 1 / 16;
/** That there is no room is said so often at most. */
const warningEveryMs = 60_000;

/** A change of a group's offsets that is not durable yet. */
interface Change extends Placed {
  readonly written: Promise<ErrorCode>;
}

/** Who commits: a member of a generation, or with generation -1 somebody who only stores offsets. */
export interface Committer {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
  /** From version 9 on a group that is not there has an error of its own. */
  readonly knowsMissingGroups: boolean;
  /** How long the offsets are to be kept, in milliseconds; -1 where the broker decides, as from version 5 on. */
  readonly retentionMs: number;
  /** Whose transaction the commit belongs to; null where it counts at once. */
  readonly producerId: number | null;
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
  /** By group. */
  readonly #underWay = new Map<string, PlacedList<Change>>();
  /** By producer id: what is about to be pending in its transaction. */
  readonly #ofProducers = new Map<number, Set<Promise<ErrorCode>>>();
  #warnedMs = -Infinity;

  constructor(options: OffsetCommitsOptions) {
    this.#options = options;
  }

  /**
   * Commits `offsets` together; resolves with an error code for each, once they are durable. Nothing here is an async function:
   * all that one has at hand stays for as long as the disk takes, of hundreds at once, and outlives collections of garbage.
   */
  commit(groupId: string, committer: Committer, offsets: readonly OffsetToCommit[]): Promise<readonly ErrorCode[]> {
    const { coordinator } = this.#options;
    const isMember = committer.generation >= 0;
    const rebalance = isMember ? coordinator.find(groupId) : coordinator.findOrCreate(groupId);
    if (rebalance === null) return Promise.resolve(offsets.map(() => missingGroup(committer)));
    const refusal =
      rebalance.kind === 'classic'
        ? problemOfCommit(rebalance.group, committer)
        : rebalance.problemOfCommit(committer, offsets);
    if (refusal !== ErrorCode.NONE) return Promise.resolve(offsets.map(() => refusal));
    if (rebalance.kind === 'classic' && committer.producerId === null) {
      const member = rebalance.group.members.get(committer.memberId);
      // A commit says as well as a heartbeat that the member is alive; one of a producer says nothing of it.
      if (member !== undefined) rebalance.touch(member);
    }
    const { producerId, retentionMs } = committer;
    const fits = offsets.some(({ metadata }) => metadata.length > 0) ? this.#fits(groupId, producerId, offsets) : null;
    const fitting = fits === null ? offsets : offsets.filter((_, i) => fits[i]);
    const nameOf = ({ topicId, partition }: OffsetPlace): OffsetName => ({
      group: groupId,
      topicId,
      partition,
      producerId,
    });
    const writing = this.#write(groupId, fitting, producerId, (offset) => [
      new OffsetRecord(nameOf(offset), this.#committed(offset, retentionMs)),
    ]);
    for (const offset of fitting) {
      const { length } = offset.metadata;
      if (length > 0) this.#options.offsets.reserve(nameOf(offset), length);
    }
    if (producerId !== null) this.#follow(producerId, writing);
    const { length } = offsets;
    return writing.then((written) => {
      if (rebalance.kind === 'classic') coordinator.forgetIfUnused(rebalance.group);
      if (fits === null) return Array.from({ length }, () => written);
      return fits.map((isFitting) => (isFitting ? written : ErrorCode.OFFSET_METADATA_TOO_LARGE));
    });
  }

  /** Which of the offsets have no more metadata than one may have, and no more beyond what was there than the group has room for. */
  #fits(group: string, producerId: number | null, committing: readonly OffsetToCommit[]): boolean[] {
    const { broker, offsets } = this.#options;
    const longest = broker.config.number('offset.metadata.max.bytes');
    let ofGroup = offsets.metadataLengthOf(group);
    let free = maxMetadataLength - offsets.metadataLength;
    let lacksRoom = false;
    const fits = committing.map(({ topicId, partition, metadata: { length } }) => {
      if (length === 0) return true;
      if (length > longest) return false;
      const addedLength = offsets.addedLength({ group, topicId, partition, producerId }, length);
      if (addedLength > 0 && !isWithinRoom(ofGroup + addedLength, free - addedLength)) {
        lacksRoom = true;
        return false;
      }
      ofGroup += addedLength;
      free -= addedLength;
      return true;
    });
    if (lacksRoom) this.#warnOfRoom(group);
    return fits;
  }

  #warnOfRoom(group: string): void {
    const { broker, offsets } = this.#options;
    const nowMs = broker.clock.monotonicMs();
    if (nowMs - this.#warnedMs < warningEveryMs) return;
    this.#warnedMs = nowMs;
    const lengths = { groupLength: offsets.metadataLengthOf(group), length: offsets.metadataLength };
    broker.logger.warn(
      { group, ...lengths, maxLength: maxMetadataLength },
      'Offsets were refused: their group would have more of the room for metadata, in characters, than others leave it. Commit shorter metadata, or delete groups that nobody uses.',
    );
  }

  /** The group's offset in the partition, or null. */
  get(groupId: string, { topicId, partition }: OffsetPlace): CommittedOffset | null {
    return this.#options.offsets.get(groupId, topicId, partition);
  }

  /**
   * Why the group does not tell its offsets to who asks, or NONE: members of the newer protocols ask at their epoch, and
   * others without a member id (null).
   */
  problemOfFetch(groupId: string, memberId: string | null, memberEpoch: number): ErrorCode {
    const run = this.#options.coordinator.find(groupId);
    return run === null || run.kind === 'classic' ? ErrorCode.NONE : run.problemOfFetch(memberId, memberEpoch);
  }

  /** All offsets of the group, those of topics that were deleted included. */
  slots(groupId: string): Iterable<OffsetSlot> {
    return this.#options.offsets.slots(groupId);
  }

  /** Resolves once the changes that are now under way can be read; null where there are none. */
  settled(groupId: string): Promise<unknown> | null {
    const underWay = this.#underWay.get(groupId);
    return underWay === undefined ? null : Promise.all(Array.from(underWay, ({ written }) => written));
  }

  /** Deletes `offsets`; resolves with one error code where the group refuses all, else with one for each. */
  async delete(groupId: string, offsets: readonly OffsetToDelete[]): Promise<ErrorCode | readonly ErrorCode[]> {
    const rebalance = this.#options.coordinator.find(groupId);
    if (rebalance === null || rebalance.kind === 'share') return ErrorCode.GROUP_ID_NOT_FOUND;
    const { group } = rebalance;
    const isConsumers = rebalance.kind !== 'classic' || rebalance.group.usesConsumerProtocol;
    if (group.state !== 'Empty' && !isConsumers) return ErrorCode.NON_EMPTY_GROUP;
    const isInUse = offsets.map(({ topic }) => group.subscribes(topic));
    const removable = offsets.filter((place, i) => !isInUse[i] && this.#slot(groupId, place) !== null);
    const written = await this.remove(groupId, removable);
    if (written !== ErrorCode.NONE) return written;
    return isInUse.map((inUse) => (inUse ? ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC : ErrorCode.NONE));
  }

  /**
   * Takes offsets away, whoever uses them, those that are pending or on their way as well; resolves once that is durable.
   * A transaction that ends later has nothing there any more.
   */
  remove(groupId: string, places: readonly OffsetPlace[]): Promise<ErrorCode> {
    const slots = places.map((place) => this.#slot(groupId, place)).filter((slot) => slot !== null);
    return this.#write(groupId, slots, null, (slot) => removalRecords(groupId, slot));
  }

  /**
   * The records that take all offsets of the group away, those that are pending or on their way as well, which `write` sends
   * to the log at once, with others if it likes; resolves with what it resolves with.
   */
  async removeAll(groupId: string, write: (removals: KeyedRecord[]) => Promise<ErrorCode>): Promise<ErrorCode> {
    const slots = [...this.slots(groupId)];
    const written = write(slots.flatMap((slot) => removalRecords(groupId, slot)));
    if (slots.length === 0) return written;
    const change = this.#begin(groupId, written);
    const errorCode = await written;
    this.#end(groupId, change);
    return errorCode;
  }

  /** Whether a transaction of unknown outcome has committed an offset for the partition. */
  isPending(groupId: string, place: OffsetPlace): boolean {
    return (this.#slot(groupId, place)?.pending.size ?? 0) > 0;
  }

  /**
   * Makes what the producer's transaction committed valid, or drops it, for the groups whose names fall to one of
   * `partitions`; resolves once that is durable. An offset that was committed later, without a transaction or in another, stays;
   * what is later is where the records stand in the log, whatever is under way when this is called. What was let into the
   * transaction and is on its way, though its client may have given it up, belongs to it as well.
   */
  async completeTransaction(
    producerId: number,
    partitions: ReadonlySet<number>,
    outcome: TransactionOutcome,
  ): Promise<ErrorCode> {
    const { offsets, broker } = this.#options;
    await Promise.all(this.#ofProducers.get(producerId) ?? []);
    const partitionCount = broker.config.number('offsets.topic.num.partitions');
    const slots = new Map<string, OffsetSlot[]>();
    for (const { group, slot } of offsets.pendingOf(producerId)) {
      if (!partitions.has(offsetsPartitionOf(group, partitionCount))) continue;
      const ofGroup = slots.get(group);
      if (ofGroup === undefined) slots.set(group, [slot]);
      else ofGroup.push(slot);
    }
    const written = Array.from(slots, ([group, ofGroup]) =>
      this.#write(group, ofGroup, null, ({ topicId, partition }) => {
        const name = { group, topicId, partition, producerId };
        return [outcome === 'commit' ? endedRecord(name) : { key: offsetKey(name), value: null }];
      }),
    );
    const errorCodes = await Promise.all(written);
    return errorCodes.find((errorCode) => errorCode !== ErrorCode.NONE) ?? ErrorCode.NONE;
  }

  #follow(producerId: number, writing: Promise<ErrorCode>): void {
    let ofProducer = this.#ofProducers.get(producerId);
    if (ofProducer === undefined) this.#ofProducers.set(producerId, (ofProducer = new Set()));
    ofProducer.add(writing);
    const end = (): void => {
      ofProducer.delete(writing);
      if (ofProducer.size === 0 && this.#ofProducers.get(producerId) === ofProducer)
        this.#ofProducers.delete(producerId);
    };
    writing.then(end, end);
  }

  #write<Place extends OffsetPlace>(
    groupId: string,
    places: readonly Place[],
    producerId: number | null,
    recordsOf: (place: Place) => readonly KeyedRecord[],
  ): Promise<ErrorCode> {
    if (places.length === 0) return Promise.resolve(ErrorCode.NONE);
    const { offsets, log } = this.#options;
    const records = places.flatMap((place) => recordsOf(place));
    const nameOf = ({ topicId, partition }: Place): OffsetName => ({ group: groupId, topicId, partition, producerId });
    for (const place of places) offsets.changeBegins(nameOf(place));
    const written = log.appendInBatches(records);
    const change = this.#begin(groupId, written);
    return written.then((errorCode) => {
      for (const place of places) offsets.changeEnds(nameOf(place));
      this.#end(groupId, change);
      return coordinatorError(errorCode);
    });
  }

  #begin(groupId: string, written: Promise<ErrorCode>): Change {
    let underWay = this.#underWay.get(groupId);
    if (underWay === undefined) this.#underWay.set(groupId, (underWay = new PlacedList()));
    const change = { place: -1, written };
    underWay.add(change);
    return change;
  }

  #end(groupId: string, change: Change): void {
    const underWay = present(this.#underWay.get(groupId), 'the change began');
    underWay.delete(change);
    if (underWay.size === 0) this.#underWay.delete(groupId);
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

/** Whether a group may have `length` characters of metadata, where that leaves all groups `free` more. */
function isWithinRoom(length: number, free: number): boolean {
  return length <= littleLength ? free >= 0 : length <= (free - keptLength) * groupsShareOfFree;
}

function missingGroup({ generation, knowsMissingGroups }: Committer): ErrorCode {
  // Where the group could have been made, there are too many.
  if (generation < 0) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  return knowsMissingGroups ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION;
}

/** The records that take away all that a slot holds, and what is on its way there. */
function removalRecords(group: string, { topicId, partition, pending, underWay }: OffsetSlot): KeyedRecord[] {
  const producerIds = new Set([null, ...pending.keys(), ...(underWay?.keys() ?? [])]);
  return Array.from(producerIds, (producerId) => {
    return { key: offsetKey({ group, topicId, partition, producerId }), value: null };
  });
}

function problemOfCommit(group: ClassicGroup, { memberId, instanceId, generation, producerId }: Committer): ErrorCode {
  if (generation < 0 && group.state === 'Empty') return ErrorCode.NONE;
  if (generation >= 0 || memberId !== '' || instanceId !== null) {
    const errorCode = group.checkMember(memberId, instanceId);
    if (errorCode !== ErrorCode.NONE) return errorCode;
    if (generation !== group.generation) return ErrorCode.ILLEGAL_GENERATION;
    // A producer that knows no members may commit for any group, as before KIP-447.
  } else if (producerId === null) return ErrorCode.UNKNOWN_MEMBER_ID;
  if (producerId !== null) return ErrorCode.NONE;
  // The member may commit what it had before the rebalance, but not under an assignment that nobody knows yet.
  return group.state === 'CompletingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE;
}
