/**
 * State that a coordinator keeps as keyed records in an internal log: the newest record of a key counts, null takes it
 * away. I/O thread.
 *
 *   … │ older records │ snapshot: every key once │ changes since │
 *     └ deleted       └ log start offset         └ a start reads from the log start
 *
 * A snapshot is nothing but records that were written again: once it is durable, what stands before it is deleted.
 * So a start reads one snapshot and the changes since, and a crash at any moment leaves a log that still reads right.
 * It does not know what the records mean.
 */

import { assert, present } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { ErrorCode, errorName } from '../base/error-code.ts';
import type { Logger } from '../base/logger.ts';
import type { Offset } from '../base/numbers.ts';
import { defaultLogConfig, type LogConfig } from '../storage/log-config.ts';
import type { AppendResult, LogStore, PartitionLog } from '../storage/partition-log.ts';
import { encodeKeyedBatch, keyedBatchBound, readKeyedBatches, type KeyedRecord } from './keyed-batch.ts';

/** The state behind a log. */
export interface KeyedState {
  /** Takes over a durable record; called in the log's order, also for those read at the start. */
  apply(record: KeyedRecord): void;
  /** The records that rebuild the state: what `apply` got, without what was overwritten. */
  snapshot(): Iterable<KeyedRecord>;
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
const snapshotBatchBytes = 256 * 1024;
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
  #changedBytes = 0;
  #snapshotBytes = 0;
  #inFlight = 0;
  /** Changes that wait until a snapshot's records are on their way; null while none is due. */
  #held: Waiting[] | null = null;
  #trimming: Promise<void> | null = null;

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
   * Appends `records` as one batch, all or none. Resolves with NONE once they are synced and applied, else with the
   * error of the append (KAFKA_STORAGE_ERROR for a disk that is full or failed, MESSAGE_TOO_LARGE).
   */
  append(records: readonly KeyedRecord[]): Promise<ErrorCode> {
    assert(records.length > 0, 'a change has records');
    return new Promise((done) => {
      const waiting = { records, done };
      if (this.#held === null) this.#send(waiting);
      else this.#held.push(waiting);
    });
  }

  /** Resolves once what a finished snapshot replaced is deleted; for those who close the log. */
  async settled(): Promise<void> {
    await this.#trimming;
  }

  #send({ records, done }: Waiting): void {
    const { store, clock } = this.#options;
    const boundBytes = keyedBatchBound(records);
    if (boundBytes > Math.min(store.maxRequestBytes, stateLogConfig.maxMessageBytes)) {
      done(ErrorCode.MESSAGE_TOO_LARGE);
      return;
    }
    this.#inFlight++;
    const batch = encodeKeyedBatch(records, clock.nowMs());
    this.#appendBatch(batch, (result) => {
      this.#inFlight--;
      if (result.errorCode === ErrorCode.NONE) {
        for (const record of records) this.#options.state.apply(record);
        this.#changedBytes += batch.length;
      } else {
        this.#options.logger.error(
          { topic: this.#options.log.topic, error: errorName(result.errorCode) },
          'A change of state could not be written.',
        );
      }
      done(result.errorCode);
      this.#considerSnapshot();
    });
  }

  #appendBatch(batch: Uint8Array, listener: (result: AppendResult) => void): void {
    const { store, log } = this.#options;
    store.whenRoom(batch.length, () => log.append(batch, { durability: 'synced', origin: 'coordinator' }, listener));
  }

  /** Writes a snapshot where one is due, at a moment at which no change is under way: the state then is the log's. */
  #considerSnapshot(): void {
    if (this.#held === null) {
      const due = Math.max(this.#snapshotAfterBytes, 2 * this.#snapshotBytes);
      if (this.#changedBytes < due || this.#trimming !== null) return;
      this.#held = [];
    }
    if (this.#inFlight > 0) return;
    const held = this.#held;
    this.#held = null;
    this.#changedBytes = 0;
    this.#trimming = this.#writeSnapshot().finally(() => {
      this.#trimming = null;
    });
    // They stand behind the snapshot: the store takes appends in the order of asking.
    for (const waiting of held) this.#send(waiting);
  }

  async #writeSnapshot(): Promise<void> {
    const { log, logger, clock } = this.#options;
    const nowMs = clock.nowMs();
    const writes: Promise<AppendResult>[] = [];
    let sizeBytes = 0;
    for (const records of this.#snapshotBatches()) {
      const batch = encodeKeyedBatch(records, nowMs);
      sizeBytes += batch.length;
      writes.push(new Promise((resolve) => this.#appendBatch(batch, resolve)));
    }
    this.#snapshotBytes = sizeBytes;
    if (writes.length === 0) return;
    const results = await Promise.all(writes);
    const failed = results.find(({ errorCode }) => errorCode !== ErrorCode.NONE);
    if (failed !== undefined) {
      // The old records still stand, so nothing is lost; the next change that is large enough tries again.
      logger.warn(
        { topic: log.topic, error: errorName(failed.errorCode) },
        'A snapshot of state could not be written.',
      );
      return;
    }
    const { errorCode } = await log.deleteRecordsBefore(results[0]!.baseOffset);
    if (errorCode !== ErrorCode.NONE) {
      logger.warn({ topic: log.topic, error: errorName(errorCode) }, 'What a snapshot replaced could not be deleted.');
      return;
    }
    await log.enforceRetention();
  }

  *#snapshotBatches(): Generator<KeyedRecord[]> {
    let records: KeyedRecord[] = [];
    let sizeBytes = 0;
    for (const record of this.#options.state.snapshot()) {
      records.push(record);
      sizeBytes += record.key.length + (record.value?.length ?? 0);
      if (sizeBytes < snapshotBatchBytes) continue;
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
