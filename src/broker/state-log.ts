/**
 * State that a coordinator keeps as keyed records in an internal log: the newest record of a key counts, null takes it
 * away. I/O thread.
 *
 *   … │ older records │ slice │ changes │ slice │ changes │ … │ last slice │ changes since │
 *     └ deleted       └ log start offset: a start reads from here
 *
 * A snapshot is nothing but records that were written again, in slices, between which the event loop turns and changes
 * go on: once all of it is durable, what stands before it is deleted. A slice is taken while no change is under way, so
 * it says what holds where it stands in the log. Whatever changes behind the slice that had its key, or before the one
 * that will, stands in the log after the first slice itself. So a start reads one snapshot and the changes since, and a
 * crash at any moment leaves a log that still reads right.
 *
 * Changes of one turn of the event loop go as one batch, and so do those that come while a batch is on its way: by
 * themselves they would be synced no sooner, unless others keep the disk busy too. So a thousand commits at once are one
 * write, and there are as many batches as the disk takes. It does not know what the records mean.
 */

import { assert, present } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { ErrorCode, errorName } from '../base/error-code.ts';
import type { Logger } from '../base/logger.ts';
import type { Offset } from '../base/numbers.ts';
import { defaultLogConfig, type LogConfig } from '../storage/log-config.ts';
import type { AppendResult, LogStore, PartitionLog } from '../storage/partition-log.ts';
import {
  encodeKeyedBatch,
  inKeyedBatches,
  keyedBatchBound,
  readKeyedBatches,
  type KeyedRecord,
} from './keyed-batch.ts';

/** The state behind a log. */
export interface KeyedState {
  /** Takes over a durable record; called in the log's order, also for those read at the start. */
  apply(record: KeyedRecord): void;
  /**
   * The records that rebuild the state: what `apply` got, without what was overwritten. `apply` goes on between them: what
   * is there from beginning to end comes at least once, as it is when it comes. Records whose order among each other says
   * something come as one list, between which no change stands in the log.
   */
  snapshot(): Iterable<KeyedRecord | readonly KeyedRecord[]>;
}

export interface StateLogOptions {
  readonly log: PartitionLog;
  readonly store: Pick<LogStore, 'whenRoom' | 'maxRequestBytes'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: KeyedState;
  /** A snapshot is written once so many bytes of changes stand behind the last; default 4 MiB. */
  readonly snapshotAfterBytes?: number;
}

interface Waiting {
  readonly records: readonly KeyedRecord[];
  readonly done: (errorCode: ErrorCode) => void;
}

const readAtMostBytes = 1024 * 1024;
/** Changes are written at once when so much of them is there. */
const gatherAtMostBytes = 256 * 1024;
/** What is too much for one batch is cut so: far below what a batch may have, and one record may take it beyond. */
const batchBytes = 1024 * 1024;
/** Made and sent in one go. */
const sliceBytes = 64 * 1024;
const defaultSnapshotAfterBytes = 4 * 1024 * 1024;

/** How internal logs are kept: nothing is deleted by time or size, only what a snapshot replaced. */
export const stateLogConfig: LogConfig = {
  ...defaultLogConfig,
  segmentBytes: 16 * 1024 * 1024,
  retentionMs: -1,
  retentionBytes: -1,
  maxMessageBytes: 8 * 1024 * 1024,
};

export class StateLog {
  readonly #options: StateLogOptions;
  readonly #snapshotAfterBytes: number;
  /** Changes that are not on their way yet: of this turn, or that came while a batch was. */
  #gathered: Waiting[] = [];
  #gatheredBytes = 0;
  #changedBytes = 0;
  #snapshotBytes = 0;
  /** Batches of changes. */
  #inFlight = 0;
  /** Changes that wait until a snapshot's next slice is on its way, by batch; null while none is due. */
  #held: Waiting[][] | null = null;
  /** Called once no change is under way. */
  #quiet: (() => void) | null = null;
  #snapshot: Promise<void> | null = null;
  #stopped = false;

  private constructor(options: StateLogOptions) {
    this.#options = options;
    this.#snapshotAfterBytes = options.snapshotAfterBytes ?? defaultSnapshotAfterBytes;
  }

  /**
   * Reads the log into `options.state`. Rejects with `EnvironmentError` DATA_CORRUPT where it cannot be read as a whole: a
   * part of it would be taken for the state, and topics that it does not name any more would be deleted with their files.
   */
  static async load(options: StateLogOptions): Promise<StateLog> {
    const { isDamaged, refusal } = options.log;
    if (isDamaged) {
      throw new EnvironmentError(EnvironmentErrorCode.DATA_CORRUPT, present(refusal, 'a damaged log says why'));
    }
    const stateLog = new StateLog(options);
    await stateLog.#read();
    return stateLog;
  }

  get log(): PartitionLog {
    return this.#options.log;
  }

  /**
   * Appends `records` together, all or none, behind what was appended before. Resolves with NONE once they are synced and
   * applied, else with the error of the append (KAFKA_STORAGE_ERROR for a disk that is full or failed, MESSAGE_TOO_LARGE).
   */
  append(records: readonly KeyedRecord[]): Promise<ErrorCode> {
    assert(records.length > 0, 'a change has records');
    return new Promise((done) => this.#gather({ records, done }));
  }

  /**
   * Appends any number of records behind what was appended before, in as many batches as they need, each all or none. All are
   * sent at once, so that nothing that comes later stands between them. Resolves with NONE once all are synced and applied,
   * else with the first error, as of `append`.
   */
  appendInBatches(records: readonly KeyedRecord[]): Promise<ErrorCode> {
    const batches = inKeyedBatches(records, batchBytes);
    // Nearly all are one.
    if (batches.length === 1) return this.append(batches[0]!);
    return Promise.all(batches.map((batch) => this.append(batch))).then(
      (errorCodes) => errorCodes.find((errorCode) => errorCode !== ErrorCode.NONE) ?? ErrorCode.NONE,
    );
  }

  /**
   * Begins no more slices, and resolves once nothing of a snapshot and no change is under way, those of this turn
   * included; for those who close the log.
   */
  async settled(): Promise<void> {
    this.#stopped = true;
    await this.#snapshot;
    this.#sendGathered();
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#quiet = resolve));
  }

  #gather(change: Waiting): void {
    const { store } = this.#options;
    const boundBytes = keyedBatchBound(change.records);
    if (boundBytes > Math.min(store.maxRequestBytes, stateLogConfig.maxMessageBytes)) {
      change.done(ErrorCode.MESSAGE_TOO_LARGE);
      return;
    }
    if (this.#gatheredBytes + boundBytes > gatherAtMostBytes) this.#sendGathered();
    this.#gathered.push(change);
    this.#gatheredBytes += boundBytes;
    if (this.#gathered.length === 1) this.#options.clock.afterTurn(() => this.#endTurn());
  }

  #endTurn(): void {
    if (this.#inFlight === 0) this.#sendGathered();
  }

  /** Nothing happens where they are on their way already. */
  #sendGathered(): void {
    const changes = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    if (changes.length === 0) return;
    if (this.#held === null) this.#send(changes);
    else this.#held.push(changes);
  }

  /** Appends the changes as one batch, which is small enough. */
  #send(changes: readonly Waiting[]): void {
    this.#inFlight++;
    const records = changes.length === 1 ? changes[0]!.records : changes.flatMap((change) => change.records);
    const batch = encodeKeyedBatch(records, this.#options.clock.nowMs());
    this.#appendBatch(batch, ({ errorCode }) => {
      this.#inFlight--;
      if (errorCode === ErrorCode.NONE) {
        for (const record of records) this.#options.state.apply(record);
        this.#changedBytes += batch.length;
      } else {
        this.#options.logger.error(
          { topic: this.#options.log.topic, error: errorName(errorCode), changes: changes.length },
          'Changes of state could not be written.',
        );
      }
      for (const { done } of changes) done(errorCode);
      this.#endTurn();
      if (this.#inFlight === 0) this.#quiet?.();
      this.#considerSnapshot();
    });
  }

  #appendBatch(batch: Uint8Array, listener: (result: AppendResult) => void): void {
    const { store, log } = this.#options;
    store.whenRoom(batch.length, () => log.append(batch, { durability: 'synced', origin: 'coordinator' }, listener));
  }

  /** Begins a snapshot where one is due. */
  #considerSnapshot(): void {
    const due = Math.max(this.#snapshotAfterBytes, 2 * this.#snapshotBytes);
    if (this.#changedBytes < due || this.#snapshot !== null || this.#stopped) return;
    this.#changedBytes = 0;
    this.#snapshot = this.#writeSnapshot().finally(() => {
      this.#snapshot = null;
    });
  }

  async #writeSnapshot(): Promise<void> {
    const { log, logger } = this.#options;
    const slices = this.#slices();
    let start: Offset | null = null;
    let sizeBytes = 0;
    for (;;) {
      const slice = await this.#writeSlice(slices);
      if (slice === null) break;
      const { errorCode, baseOffset } = slice.result;
      if (errorCode !== ErrorCode.NONE) {
        // The old records still stand, so nothing is lost; the next change that is large enough tries again.
        logger.warn({ topic: log.topic, error: errorName(errorCode) }, 'A snapshot of state could not be written.');
        return;
      }
      start ??= baseOffset;
      sizeBytes += slice.sizeBytes;
      // The next start does without it.
      if (this.#stopped) return;
    }
    this.#snapshotBytes = sizeBytes;
    if (start === null) return;
    const { errorCode } = await log.deleteRecordsBefore(start);
    if (errorCode !== ErrorCode.NONE) {
      logger.warn({ topic: log.topic, error: errorName(errorCode) }, 'What a snapshot replaced could not be deleted.');
      return;
    }
    await log.enforceRetention();
  }

  /** Appends the next slice; null where there is none. Changes that come before it is on its way stand behind it. */
  async #writeSlice(
    slices: Iterator<KeyedRecord[]>,
  ): Promise<{ readonly result: AppendResult; readonly sizeBytes: number } | null> {
    this.#held = [];
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#quiet = resolve));
    this.#quiet = null;
    const next = slices.next();
    let written: Promise<AppendResult> | null = null;
    let sizeBytes = 0;
    if (next.done !== true) {
      const batch = encodeKeyedBatch(next.value, this.#options.clock.nowMs());
      sizeBytes = batch.length;
      written = new Promise((resolve) => this.#appendBatch(batch, resolve));
    }
    const held = this.#held;
    this.#held = null;
    // The store takes appends in the order of asking.
    for (const changes of held) this.#send(changes);
    return written === null ? null : { result: await written, sizeBytes };
  }

  /** The state as it is when each is asked for. */
  *#slices(): Generator<KeyedRecord[]> {
    let records: KeyedRecord[] = [];
    let sizeBytes = 0;
    for (const next of this.#options.state.snapshot()) {
      for (const record of 'key' in next ? [next] : next) {
        records.push(record);
        sizeBytes += record.key.length + (record.value?.length ?? 0);
      }
      if (sizeBytes < sliceBytes) continue;
      yield records;
      records = [];
      sizeBytes = 0;
    }
    if (records.length > 0) yield records;
  }

  async #read(): Promise<void> {
    const { log, state } = this.#options;
    let offset = log.logStartOffset;
    const end = log.endOffset;
    while (offset < end) {
      const result = await log.read({
        offset,
        maxBytes: readAtMostBytes,
        minOneBatch: true,
        isolation: 'read_uncommitted',
      });
      try {
        if (result.errorCode !== ErrorCode.NONE) throw unreadable(log, offset, errorName(result.errorCode));
        const next = readKeyedBatches(result.records, offset, (record) => state.apply(record));
        if (next === null || next <= offset) throw unreadable(log, offset, 'no whole batch is there');
        this.#changedBytes += result.records.length;
        offset = next;
      } finally {
        result.release();
      }
    }
  }
}

function unreadable(log: PartitionLog, offset: Offset, reason: string): EnvironmentError {
  const message = `The internal log ${log.topic} cannot be read at offset ${offset}: ${reason}. Run millrace verify.`;
  return new EnvironmentError(EnvironmentErrorCode.DATA_CORRUPT, message);
}
