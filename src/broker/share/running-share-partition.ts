/**
 * A share partition as it runs: its state, the end of its locks, and the writes of what becomes of its records. I/O thread.
 *
 *   acknowledge, release, lock ends ─► state changes at once ─► stored, one write at a time ─► answered
 *
 * What changes while a write is under way goes with the next. A write holds the whole state where that is small, or enough
 * changes were written one by one since it was, else what has changed. Where the log does not take one, the partition is read from
 * the log again: what was acknowledged since the last write is out of nobody's hands, and is given out again.
 */

import type { Clock } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { Listeners } from '../../base/listeners.ts';
import { Deadline } from '../groups/deadline.ts';
import { refusal, type Refusal } from '../groups/consumer/refusal.ts';
import { partitionChangeRecord, partitionRecord, type SharePlace } from '../groups/share/share-records.ts';
import { asOffset } from '../../base/numbers.ts';
import type { PartitionLog } from '../../storage/partition-log.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import type { TopicImage } from '../metadata-image.ts';
import { AcknowledgeType, type AcknowledgementBatch, type DeliveryRules, type GivenUp } from './acknowledging.ts';
import type { AcquiredRange, Acquiring, LogBatch } from './acquiring.ts';
import type { SharePartition } from './share-partition.ts';
import type { ShareSettings } from './share-settings.ts';

export interface RunningSharePartitionOptions {
  readonly groupId: string;
  readonly place: SharePlace;
  readonly topic: TopicImage;
  readonly log: PartitionLog;
  readonly state: SharePartition;
  readonly settings: ShareSettings;
  readonly clock: Clock;
  /** Syncs the records together. */
  append(records: readonly KeyedRecord[]): Promise<ErrorCode>;
  /** The log did not take a change: the partition is not used any more. */
  failed(partition: RunningSharePartition): void;
  /** Sets records aside; `setAside` is called once that is done, or cannot be. */
  giveUp(partition: RunningSharePartition, givenUp: readonly GivenUp[]): void;
}

/** What a fetch acquires with, beside what the group's settings say. */
export type ShareAsking = Pick<Acquiring, 'memberId' | 'mode' | 'batchSize' | 'maxRecords' | 'fetchOffset' | 'batches'>;

/** A state of so few ranges is written as a whole each time. */
const smallRangeCount = 16;
/** The whole state is written at least once in so many writes (as in Kafka), or once changes came to so many bytes. */
const maxChanges = 500;
const maxChangesBytes = 32 * 1024;

/** What a record is taken for before any was read, in bytes. */
const firstBytesPerRecord = 1024;

const notWritten = refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, 'What became of the records could not be written.');

export class RunningSharePartition {
  readonly groupId: string;
  readonly place: SharePlace;
  readonly topic: TopicImage;
  readonly log: PartitionLog;
  readonly state: SharePartition;
  /** Whether a fetch is reading what it will acquire: one does so at a time. */
  isReading = false;
  /** How much of the log a record took, by what was read last. */
  bytesPerRecord = firstBytesPerRecord;
  readonly #options: RunningSharePartitionOptions;
  readonly #lockEnd: Deadline;
  readonly #listeners = new Listeners();
  /** How much was written since the whole state was; a start knows nothing of it. */
  #changeCount = maxChanges;
  #changesBytes = 0;
  #writing: Promise<ErrorCode> | null = null;
  #next: Promise<ErrorCode> | null = null;
  #closed = false;

  constructor(options: RunningSharePartitionOptions) {
    const { groupId, place, topic, log, state, clock } = options;
    this.groupId = groupId;
    this.place = place;
    this.topic = topic;
    this.log = log;
    this.state = state;
    this.#options = options;
    this.#lockEnd = new Deadline(clock, (heardUntilMs) => this.#expire(heardUntilMs));
  }

  /** False once it is not used any more; who asks for it again gets another. */
  get isOpen(): boolean {
    return !this.#closed;
  }

  /** Calls `listener` whenever there may be more to acquire than before; returns how to stop it. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Whether a fetch could acquire something if it read now. */
  canAcquire(): boolean {
    this.#followLog();
    return !this.#closed && !this.isReading && this.state.hasRoom(this.#options.settings.maxLocks(this.groupId));
  }

  acquire(asking: ShareAsking): AcquiredRange[] {
    if (this.#closed) return [];
    const { settings } = this.#options;
    const acquired = this.state.acquire({
      ...asking,
      maxLocks: settings.maxLocks(this.groupId),
      deliveryLimit: settings.deliveryLimit(this.groupId),
      lockedUntilMs: this.#lockedUntilMs(),
    });
    if (acquired.length > 0) this.#awaitLockEnd();
    return acquired;
  }

  /** `batches` of `sizeBytes` were read, for the records from `fetchOffset` on: how many of these may be acquired. */
  hasRead(fetchOffset: number, batches: readonly LogBatch[], sizeBytes: number): number {
    const endOffset = batches.at(-1)!.lastOffset + 1;
    this.bytesPerRecord = sizeBytes / (endOffset - batches[0]!.baseOffset);
    return this.state.acquirableCount(Math.max(fetchOffset, batches[0]!.baseOffset), endOffset);
  }

  /** Ends a read that `isReading` stands for. */
  readDone(): void {
    this.isReading = false;
    this.#tellChange();
  }

  /** Takes over what a member says of its records; null once that is durable. */
  async acknowledge(memberId: string, batches: readonly AcknowledgementBatch[]): Promise<Refusal | null> {
    this.#followLog();
    const rules = {
      ...this.#rules(),
      mayRenew: this.#options.settings.mayRenew(this.groupId),
      lockedUntilMs: this.#lockedUntilMs(),
    };
    const outcome = this.state.acknowledge(memberId, batches, rules);
    if ('kind' in outcome) {
      const errorCode = outcome.kind === 'request' ? ErrorCode.INVALID_REQUEST : ErrorCode.INVALID_RECORD_STATE;
      return refusal(errorCode, outcome.message);
    }
    const isRenewal = batches.every(({ acknowledgeTypes }) =>
      acknowledgeTypes.every((type) => type === AcknowledgeType.RENEW),
    );
    return this.#changed(outcome, !isRenewal);
  }

  /** Takes back what the member has. */
  release(memberId: string): Promise<unknown> {
    const givenUp = this.#closed ? null : this.state.release(memberId, this.#rules());
    return givenUp === null ? Promise.resolve() : this.#changed(givenUp, true);
  }

  /** Records between the offsets were acquired, but nobody is to see them. */
  hide(firstOffset: number, lastOffset: number): void {
    this.state.archive(firstOffset, lastOffset);
  }

  /** What was given up between the offsets is in the topic for such, or cannot get there. */
  setAside(firstOffset: number, lastOffset: number): Promise<unknown> {
    if (this.#closed) return Promise.resolve();
    this.state.setAside(firstOffset, lastOffset);
    return this.#changed([], true);
  }

  /** What a start finds that was to be set aside is. */
  resume(): void {
    const givenUp = this.state.archiving(this.#options.settings.deliveryLimit(this.groupId));
    if (givenUp.length > 0) this.#options.giveUp(this, givenUp);
  }

  /** Stores the state as it is; resolves once that is durable, or with why it is not. */
  store(): Promise<ErrorCode> {
    if (this.#writing === null) return this.#write();
    this.#next ??= this.#writing.then(() => {
      this.#next = null;
      return this.#write();
    });
    return this.#next;
  }

  /** Resolves once no write is under way. */
  async settled(): Promise<void> {
    await (this.#next ?? this.#writing);
  }

  /** It is not used any more, and nothing of it is written from here on. Who waits for it is told. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#lockEnd.clear();
    this.#tellChange();
    this.#listeners.takeAll();
  }

  #write(): Promise<ErrorCode> {
    if (this.#closed) return Promise.resolve(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    const writing = this.#options.append([this.#takeRecord()]).then((errorCode) => {
      if (this.#writing === writing) this.#writing = null;
      if (errorCode !== ErrorCode.NONE && !this.#closed) {
        this.close();
        this.#options.failed(this);
      }
      return errorCode;
    });
    this.#writing = writing;
    return writing;
  }

  /** The record that brings what is stored to where the state is. */
  #takeRecord(): KeyedRecord {
    const { groupId, place, state, log } = this;
    const leaderEpoch = log.epochAt(asOffset(Math.max(state.endOffset - 1, 0)));
    const isWhole =
      state.ranges.length <= smallRangeCount ||
      this.#changeCount >= maxChanges ||
      this.#changesBytes >= maxChangesBytes;
    if (isWhole) {
      this.#changeCount = 0;
      this.#changesBytes = 0;
      return partitionRecord(groupId, place, { ...state.takeWhole(), leaderEpoch });
    }
    const record = partitionChangeRecord(groupId, place, { ...state.takeChanges(), leaderEpoch });
    this.#changeCount++;
    this.#changesBytes += record.value?.length ?? 0;
    return record;
  }

  /** The state has changed: whoever waits hears of it, and it is stored. */
  async #changed(givenUp: readonly GivenUp[], isStored: boolean): Promise<Refusal | null> {
    this.#awaitLockEnd();
    this.#tellChange();
    if (!isStored) return null;
    if ((await this.store()) !== ErrorCode.NONE) return notWritten;
    if (givenUp.length > 0 && !this.#closed) this.#options.giveUp(this, givenUp);
    return null;
  }

  #expire(heardUntilMs: number): void {
    if (this.#closed) return;
    this.#followLog();
    const givenUp = this.state.expire(heardUntilMs, this.#rules());
    if (givenUp === null) this.#awaitLockEnd();
    else void this.#changed(givenUp, true);
  }

  /** What the log has no more is done. It is stored with the next change. */
  #followLog(): void {
    this.state.advanceTo(this.log.logStartOffset);
  }

  #rules(): DeliveryRules {
    const { settings } = this.#options;
    return {
      deliveryLimit: settings.deliveryLimit(this.groupId),
      setsAside: settings.deadLetterTopic(this.groupId) !== null,
    };
  }

  #lockedUntilMs(): number {
    const { settings, clock } = this.#options;
    return clock.heardMs() + settings.lockDurationMs(this.groupId);
  }

  #awaitLockEnd(): void {
    const endMs = this.state.nextLockEndMs;
    if (endMs === Infinity || this.#closed) this.#lockEnd.clear();
    else this.#lockEnd.setAt(endMs);
  }

  #tellChange(): void {
    this.#listeners.tell();
  }
}
