/**
 * What crosses the threads between the log and its flush worker: submissions (what to do to a partition's files, in order) and
 * completions, as fields and as they lie in their slots of the arena (`flush-queue.ts`). Both threads.
 *
 *   submission slot, 96 bytes     completion slot, 64 bytes     little-endian, places below
 *
 * It does not know what is done about a submission (`flush/`), nor what follows from a completion (`storage/log-flusher.ts`).
 */

export const submissionSizeBytes = 96;
export const completionSizeBytes = 64;

/** Why a write or a sync failed, as it crosses the threads. */
export const FlushFailure = { NONE: 0, NO_SPACE: 1, IO: 2, OTHER: 3 } as const;
export type FlushFailure = (typeof FlushFailure)[keyof typeof FlushFailure];

/** What a submission asks for. All of one partition are dealt with in the order in which they were pushed. */
export const SubmissionKind = {
  /**
   * Binds `slot` to the directory whose UTF-8 path lies in the ring, a line break and the topic's id behind it; its
   * active segment and sizes are given.
   */
  OPEN: 1,
  /** Appends ring bytes to the active segment, with index entries where flags say so. */
  WRITE: 2,
  /** Ends the active segment and begins one at `baseOffset`. */
  ROLL: 3,
  /** Makes everything written before it durable. */
  SYNC: 4,
  /** As SYNC, and the index files too. */
  CHECKPOINT: 5,
  /** Forgets `slot`: syncs unless the flag says discard, and closes its files. */
  CLOSE: 6,
  /** After a failure: cuts the active segment and its indexes to their sizes and takes writes of `generation` again. */
  RESUME: 7,
  /** The last submission of all: the worker finishes what came before it and ends. `slot` has no meaning. */
  STOP: 8,
  /** Of no partition: at most `sizeBytes` files may be open. `slot` is the one that LIMITED answers to. */
  LIMIT: 9,
} as const;
export type SubmissionKind = (typeof SubmissionKind)[keyof typeof SubmissionKind];

export const SubmissionFlag = {
  /** The writer waits for a sync (acks=all). */
  SYNC: 1,
  OFFSET_INDEX_ENTRY: 2,
  TIME_INDEX_ENTRY: 4,
  /** With CLOSE: the partition goes away, nothing needs to reach the disk. */
  DISCARD: 8,
  /** With OPEN: the directory or the segment is not there yet and is created at the first write. */
  CREATE: 16,
  /** With WRITE: the bytes are in the file already. */
  WRITTEN: 32,
  /** With WRITE: an entry for the transaction index stands in the ring behind the batch (`transaction-index.ts`). */
  TRANSACTION_INDEX_ENTRY: 64,
  /** With OPEN: the index files may hold more than what counts, and may have held more on the disk. */
  INDEXES_UNSURE: 128,
  /** With WRITTEN: the I/O thread has synced the file since. */
  SYNCED: 256,
  /** With WRITTEN: its sync failed, and `failure` says why; that is as final as where one of the worker's fails. */
  SYNC_FAILED: 512,
} as const;

/** What a completion reports. */
export const CompletionKind = {
  /** Everything of the partition below `endOffset` is in the file (survives kill -9). */
  WRITTEN: 1,
  /** Everything of the partition below `endOffset` is on disk (survives a power cut). */
  SYNCED: 2,
  /** A write failed: below `endOffset` is in the file, later submissions of this generation are dropped. */
  WRITE_FAILED: 3,
  /**
   * A sync failed: below `endOffset` is in the file, later submissions are dropped, and nothing more is promised of this
   * partition until the broker has been restarted.
   */
  SYNC_FAILED: 4,
  CHECKPOINTED: 5,
  /** With a failure: the log or the indexes are not whole on disk, the stop is not a clean one. */
  CLOSED: 6,
  RESUMED: 7,
  /**
   * Of no partition (`slot` is `noSlot`): submissions were dealt with that have no completion of their own. Without
   * it nobody would notice that the ring and the queue have room again.
   */
  PROGRESS: 8,
  /** No more files are open than the LIMIT of this slot allows. */
  LIMITED: 9,
} as const;
export type CompletionKind = (typeof CompletionKind)[keyof typeof CompletionKind];

/** The slot of completions that belong to no partition. */
export const noSlot = 0xffff_ffff;
/** What a completion tells where no descriptor may be written to. */
export const noLog = -1;

/** Byte places in a submission slot. */
const submission = {
  kind: 0, // u32
  slot: 4, // u32
  generation: 8, // u32
  flags: 12, // u32
  ringPosition: 16, // f64: of the bytes (WRITE), of path and id (OPEN)
  sizeBytes: 24, // u32; LIMIT: how many files
  indexRelativeOffset: 28, // i32: of the offset index entry
  baseOffset: 32, // f64: first offset (WRITE), base of the segment (OPEN, ROLL)
  endOffset: 40, // f64: exclusive
  filePosition: 48, // f64: where in the segment
  timeIndexTimestamp: 56, // f64
  timeIndexRelativeOffset: 64, // i32
  indexSizeBytes: 68, // u32: OPEN, RESUME: bytes of the offset index that count
  timeIndexSizeBytes: 72, // u32: OPEN, RESUME: bytes of the time index that count
  transactionIndexSizeBytes: 76, // u32: OPEN, RESUME: bytes of the transaction index that count
  ringEndPosition: 80, // f64: the ring is free up to here once this is dealt with
  failure: 88, // u32: FlushFailure, with SYNC_FAILED
} as const;

/** Byte places in a completion slot. */
const completion = {
  kind: 0, // u32
  slot: 4, // u32
  generation: 8, // u32
  failure: 12, // u32: FlushFailure
  endOffset: 16, // f64
  filePosition: 24, // f64: bytes of the active segment that count (WRITTEN, WRITE_FAILED, SYNC_FAILED)
  segmentBaseOffset: 32, // f64: of the active segment
  log: 40, // i32: the descriptor of the active segment, or noLog; SYNCED: noLog unless it is all that is to be synced
  logsLeft: 44, // u32: `FileTurns.logsLeft` as of then
  roomEndPosition: 48, // f64: SYNCED: up to where writes change no size; 0 where that is not known
  durationMs: 56, // f64: SYNCED: how long the sync took, NaN where that is told of another partition, or none was
} as const;

/** A submission as fields; `FlushQueue.push` copies them out, so one object can serve all. */
export interface Submission {
  kind: SubmissionKind;
  slot: number;
  generation: number;
  flags: number;
  ringPosition: number;
  sizeBytes: number;
  indexRelativeOffset: number;
  baseOffset: number;
  endOffset: number;
  filePosition: number;
  timeIndexTimestamp: number;
  timeIndexRelativeOffset: number;
  indexSizeBytes: number;
  timeIndexSizeBytes: number;
  transactionIndexSizeBytes: number;
  ringEndPosition: number;
  failure: FlushFailure;
}

/** A completion as fields; `FlushQueue` fills one object again and again. */
export interface Completion {
  kind: CompletionKind;
  slot: number;
  generation: number;
  failure: FlushFailure;
  endOffset: number;
  filePosition: number;
  segmentBaseOffset: number;
  log: number;
  logsLeft: number;
  roomEndPosition: number;
  durationMs: number;
}

export function blankSubmission(): Submission {
  return {
    kind: SubmissionKind.WRITE,
    slot: 0,
    generation: 0,
    flags: 0,
    ringPosition: 0,
    sizeBytes: 0,
    indexRelativeOffset: 0,
    baseOffset: 0,
    endOffset: 0,
    filePosition: 0,
    timeIndexTimestamp: 0,
    timeIndexRelativeOffset: 0,
    indexSizeBytes: 0,
    timeIndexSizeBytes: 0,
    transactionIndexSizeBytes: 0,
    ringEndPosition: 0,
    failure: FlushFailure.NONE,
  };
}

export function blankCompletion(): Completion {
  return {
    kind: CompletionKind.WRITTEN,
    slot: 0,
    generation: 0,
    failure: FlushFailure.NONE,
    endOffset: 0,
    filePosition: 0,
    segmentBaseOffset: 0,
    log: noLog,
    logsLeft: 0,
    roomEndPosition: 0,
    durationMs: 0,
  };
}

/** Fills the submission slot at `at` of `view`. */
export function writeSubmission(view: DataView, at: number, fields: Submission): void {
  view.setUint32(at + submission.kind, fields.kind, true);
  view.setUint32(at + submission.slot, fields.slot, true);
  view.setUint32(at + submission.generation, fields.generation, true);
  view.setUint32(at + submission.flags, fields.flags, true);
  view.setFloat64(at + submission.ringPosition, fields.ringPosition, true);
  view.setUint32(at + submission.sizeBytes, fields.sizeBytes, true);
  view.setInt32(at + submission.indexRelativeOffset, fields.indexRelativeOffset, true);
  view.setFloat64(at + submission.baseOffset, fields.baseOffset, true);
  view.setFloat64(at + submission.endOffset, fields.endOffset, true);
  view.setFloat64(at + submission.filePosition, fields.filePosition, true);
  view.setFloat64(at + submission.timeIndexTimestamp, fields.timeIndexTimestamp, true);
  view.setInt32(at + submission.timeIndexRelativeOffset, fields.timeIndexRelativeOffset, true);
  view.setUint32(at + submission.indexSizeBytes, fields.indexSizeBytes, true);
  view.setUint32(at + submission.timeIndexSizeBytes, fields.timeIndexSizeBytes, true);
  view.setUint32(at + submission.transactionIndexSizeBytes, fields.transactionIndexSizeBytes, true);
  view.setFloat64(at + submission.ringEndPosition, fields.ringEndPosition, true);
  view.setUint32(at + submission.failure, fields.failure, true);
}

/** Reads the submission slot at `at` of `view` into `into`. */
export function readSubmission(view: DataView, at: number, into: Submission): void {
  into.kind = view.getUint32(at + submission.kind, true) as SubmissionKind;
  into.slot = view.getUint32(at + submission.slot, true);
  into.generation = view.getUint32(at + submission.generation, true);
  into.flags = view.getUint32(at + submission.flags, true);
  into.ringPosition = view.getFloat64(at + submission.ringPosition, true);
  into.sizeBytes = view.getUint32(at + submission.sizeBytes, true);
  into.indexRelativeOffset = view.getInt32(at + submission.indexRelativeOffset, true);
  into.baseOffset = view.getFloat64(at + submission.baseOffset, true);
  into.endOffset = view.getFloat64(at + submission.endOffset, true);
  into.filePosition = view.getFloat64(at + submission.filePosition, true);
  into.timeIndexTimestamp = view.getFloat64(at + submission.timeIndexTimestamp, true);
  into.timeIndexRelativeOffset = view.getInt32(at + submission.timeIndexRelativeOffset, true);
  into.indexSizeBytes = view.getUint32(at + submission.indexSizeBytes, true);
  into.timeIndexSizeBytes = view.getUint32(at + submission.timeIndexSizeBytes, true);
  into.transactionIndexSizeBytes = view.getUint32(at + submission.transactionIndexSizeBytes, true);
  into.ringEndPosition = view.getFloat64(at + submission.ringEndPosition, true);
  into.failure = view.getUint32(at + submission.failure, true) as FlushFailure;
}

/** Says in the slot at `at` of a WRITE that its bytes are in the file already, and with `sync` how a sync behind it went. */
export function markWritten(view: DataView, at: number, sync: FlushFailure | null): void {
  let flags = view.getUint32(at + submission.flags, true) | SubmissionFlag.WRITTEN;
  if (sync !== null) {
    flags |= sync === FlushFailure.NONE ? SubmissionFlag.SYNCED : SubmissionFlag.SYNC_FAILED;
    view.setUint32(at + submission.failure, sync, true);
  }
  view.setUint32(at + submission.flags, flags, true);
}

/** Fills the completion slot at `at` of `view`. */
export function writeCompletion(view: DataView, at: number, fields: Completion): void {
  view.setUint32(at + completion.kind, fields.kind, true);
  view.setUint32(at + completion.slot, fields.slot, true);
  view.setUint32(at + completion.generation, fields.generation, true);
  view.setUint32(at + completion.failure, fields.failure, true);
  view.setFloat64(at + completion.endOffset, fields.endOffset, true);
  view.setFloat64(at + completion.filePosition, fields.filePosition, true);
  view.setFloat64(at + completion.segmentBaseOffset, fields.segmentBaseOffset, true);
  view.setInt32(at + completion.log, fields.log, true);
  view.setUint32(at + completion.logsLeft, fields.logsLeft, true);
  view.setFloat64(at + completion.roomEndPosition, fields.roomEndPosition, true);
  view.setFloat64(at + completion.durationMs, fields.durationMs, true);
}

/** Reads the completion slot at `at` of `view` into `into`. */
export function readCompletion(view: DataView, at: number, into: Completion): void {
  into.kind = view.getUint32(at + completion.kind, true) as CompletionKind;
  into.slot = view.getUint32(at + completion.slot, true);
  into.generation = view.getUint32(at + completion.generation, true);
  into.failure = view.getUint32(at + completion.failure, true) as FlushFailure;
  into.endOffset = view.getFloat64(at + completion.endOffset, true);
  into.filePosition = view.getFloat64(at + completion.filePosition, true);
  into.segmentBaseOffset = view.getFloat64(at + completion.segmentBaseOffset, true);
  into.log = view.getInt32(at + completion.log, true);
  into.logsLeft = view.getUint32(at + completion.logsLeft, true);
  into.roomEndPosition = view.getFloat64(at + completion.roomEndPosition, true);
  into.durationMs = view.getFloat64(at + completion.durationMs, true);
}
