/**
 * The share partitions of all groups that are in use. I/O thread.
 *
 *   group's record of the partition ─► where nobody has read yet, `share.auto.offset.reset` ─► running
 *
 * A partition is one of a share group's once a member was to read it. One whose group, topic or offsets go is closed.
 */

import { EnvironmentError } from '../../base/environment-error.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { asOffset } from '../../base/numbers.ts';
import type { PartitionLog } from '../../storage/partition-log.ts';
import type { Broker } from '../broker.ts';
import type { GroupState } from '../groups/group-state.ts';
import { refusal, isRefusal, type Refusal } from '../groups/consumer/refusal.ts';
import { partitionRecord, placeName, type SharePlace } from '../groups/share/share-records.ts';
import { unknownEpoch, type StoredPartition } from '../groups/share/stored-partition.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import type { GivenUp } from './acknowledging.ts';
import { RunningSharePartition } from './running-share-partition.ts';
import { SharePartition } from './share-partition.ts';
import { resetDurationMs, ShareSettings } from './share-settings.ts';

export interface SharePartitionsOptions {
  readonly broker: Broker;
  readonly state: GroupState;
  /** Whether the group is there, and has the partition; why not else. */
  problemOf(groupId: string, place: SharePlace): Refusal | null;
  /** Syncs the records together; the errors are those that a client may see. */
  append(records: readonly KeyedRecord[]): Promise<ErrorCode>;
  giveUp(partition: RunningSharePartition, givenUp: readonly GivenUp[]): void;
}

type Opening = Promise<RunningSharePartition | Refusal>;

export class SharePartitions {
  readonly settings: ShareSettings;
  readonly #options: SharePartitionsOptions;
  /** By group, and then by place. */
  readonly #running = new Map<string, Map<string, RunningSharePartition | Opening>>();

  constructor(options: SharePartitionsOptions) {
    this.#options = options;
    this.settings = new ShareSettings(options.broker);
  }

  /** The partition where it is in use; null where it is not. */
  find(groupId: string, place: SharePlace): RunningSharePartition | null {
    const found = this.#running.get(groupId)?.get(placeName(place));
    return found instanceof RunningSharePartition ? found : null;
  }

  /** Those of the group that are in use. */
  *of(groupId: string): Generator<RunningSharePartition> {
    for (const found of this.#running.get(groupId)?.values() ?? []) {
      if (found instanceof RunningSharePartition) yield found;
    }
  }

  /** The partition, brought into use where it is not; or why it cannot be. */
  open(groupId: string, place: SharePlace): RunningSharePartition | Refusal | Opening {
    const name = placeName(place);
    const found = this.#running.get(groupId)?.get(name);
    if (found !== undefined) return found;
    const problem = this.#options.problemOf(groupId, place);
    if (problem !== null) return problem;
    const opening = this.#open(groupId, place).then((opened) => {
      // It may have been closed meanwhile.
      if (this.#running.get(groupId)?.get(name) === opening) {
        if (isRefusal(opened)) this.#remove(groupId, name);
        else this.#put(groupId, name, opened);
      } else if (!isRefusal(opened)) opened.close();
      if (!isRefusal(opened)) opened.resume();
      return opened;
    });
    this.#put(groupId, name, opening);
    return opening;
  }

  /** As it is stored; as nobody has read it where it is not. */
  stored(groupId: string, place: SharePlace): StoredPartition {
    return this.#options.state.shares.partition(groupId, placeName(place));
  }

  /** Takes back all that a member of the group has. */
  async releaseAll(groupId: string, memberId: string): Promise<void> {
    await Promise.all(Array.from(this.of(groupId), (partition) => partition.release(memberId)));
  }

  /** Nothing of the partition is written from here on; who asks for it finds it as it is stored then. */
  close(groupId: string, name: string): void {
    const found = this.#running.get(groupId)?.get(name);
    if (found instanceof RunningSharePartition) found.close();
    this.#remove(groupId, name);
  }

  closeGroup(groupId: string): void {
    for (const name of [...(this.#running.get(groupId)?.keys() ?? [])]) this.close(groupId, name);
  }

  closeAll(): void {
    for (const groupId of [...this.#running.keys()]) this.closeGroup(groupId);
  }

  async #open(groupId: string, place: SharePlace): Promise<RunningSharePartition | Refusal> {
    const { broker, append, giveUp } = this.#options;
    const { clock, topics, logger } = broker;
    const topic = topics.topicById(place.topicId);
    const found = broker.findPartition(topic, place.partition);
    if (found === null) return refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'The partition does not exist.');
    const stored = this.stored(groupId, place);
    const isNew = stored.startOffset < 0;
    let state: SharePartition;
    try {
      state = isNew
        ? new SharePartition(await this.#firstOffset(groupId, found.log))
        : SharePartition.restore(stored, endOfKnown(stored, found.log));
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error;
      logger.error(
        { group: groupId, topic: found.topic.name, partition: place.partition, error },
        'A share partition cannot begin.',
      );
      return refusal(ErrorCode.KAFKA_STORAGE_ERROR, 'Where the group begins cannot be looked for.');
    }
    const partition = new RunningSharePartition({
      groupId,
      place,
      ...found,
      state,
      settings: this.settings,
      clock,
      append,
      failed: () => this.#remove(groupId, placeName(place)),
      giveUp,
    });
    if (!isNew) return partition;
    if (this.#running.get(groupId)?.has(placeName(place)) !== true) {
      return refusal(ErrorCode.GROUP_ID_NOT_FOUND, 'The group was deleted meanwhile.');
    }
    // Where the group begins holds from now on, also if nothing is acknowledged before the next start.
    const leaderEpoch = found.log.epochAt(asOffset(Math.max(state.startOffset - 1, 0)));
    const errorCode = await append([partitionRecord(groupId, place, { ...state.takeWhole(), leaderEpoch })]);
    return errorCode === ErrorCode.NONE ? partition : refusal(errorCode, 'Where the group begins cannot be written.');
  }

  /** Where a group begins that has not read the partition yet. */
  async #firstOffset(groupId: string, log: PartitionLog): Promise<number> {
    const reset = this.settings.offsetReset(groupId);
    if (reset === 'earliest') return log.logStartOffset;
    const durationMs = resetDurationMs(reset);
    if (durationMs === null) return log.highWatermark;
    const found = await log.offsetForTimestamp(this.#options.broker.clock.nowMs() - durationMs);
    return found?.offset ?? log.highWatermark;
  }

  #put(groupId: string, name: string, partition: RunningSharePartition | Opening): void {
    const places = this.#running.get(groupId);
    if (places === undefined) this.#running.set(groupId, new Map([[name, partition]]));
    else places.set(name, partition);
  }

  #remove(groupId: string, name: string): void {
    const places = this.#running.get(groupId);
    places?.delete(name);
    if (places?.size === 0) this.#running.delete(groupId);
  }
}

/**
 * The offset from which on nothing that was stored holds: where the log ends, or where another epoch's records stand in the
 * place of what the group was given, which a crash took (KIP-320).
 */
export function endOfKnown({ leaderEpoch }: StoredPartition, log: PartitionLog): number {
  if (leaderEpoch === unknownEpoch) return log.endOffset;
  const { endOffset } = log.endOffsetForEpoch(leaderEpoch);
  return endOffset < 0 ? log.endOffset : endOffset;
}
