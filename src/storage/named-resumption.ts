/**
 * What a named producer is told of what it sent before: that a number is stored, and where it goes on. I/O thread.
 * Nothing is told before it is as durable as asked, because the producer forgets what it was told of.
 */

import { ErrorCode } from '../base/error-code.ts';
import { asOffset, noOffset, type Offset } from '../base/numbers.ts';
import { noRecordNumber } from '../records/named-records.ts';
import type { Refusal } from './batch-check.ts';
import type { LogFlusher } from './log-flusher.ts';
import type { LogState } from './log-state.ts';
import type { ConfirmResult, Durability, ResumeResult } from './partition-log.ts';

/** The largest epoch: a batch's header has 16 bits for it, one of them the sign. */
export const largestProducerEpoch = 2 ** 15 - 1;

/** As `PartitionLog.confirm`. */
export function confirmStored(
  log: LogState,
  flusher: LogFlusher,
  name: string,
  number: number,
  durability: Durability,
  listener: (result: ConfirmResult) => void,
): void {
  const stored = log.named.find(name, number);
  if (stored === null) {
    const message = `Nothing is known of a producer ${name} any more.`;
    return listener({ errorCode: ErrorCode.UNKNOWN_PRODUCER_ID, offset: noOffset, errorMessage: message });
  }
  const { offset, endOffset } = stored;
  whenDurable(log, flusher, endOffset, durability, (refusal) => {
    if (refusal === null) return listener({ errorCode: ErrorCode.NONE, offset, errorMessage: null });
    listener({ errorCode: refusal.errorCode, offset: noOffset, errorMessage: refusal.message });
  });
}

/** As `PartitionLog.resume`. */
export function resumeProducer(
  log: LogState,
  flusher: LogFlusher,
  name: string,
  epoch: number | 'takeover',
  durability: Durability,
  listener: (result: ResumeResult) => void,
): void {
  const refused = ({ errorCode, message }: Refusal): void =>
    listener({ errorCode, lastNumber: noRecordNumber, epoch: -1, errorMessage: message });
  // What is known of producers may be missing with what else is missing, and a run that only reads has not looked for it.
  const isUnknown = log.isDamaged || log.context.refusal !== null;
  if (isUnknown || flusher.state === 'closed') return refused(log.lossRefusal);
  const { named } = log;
  const holds = named.epochOf(name);
  const wanted = epoch === 'takeover' ? holds + 1 : epoch < 0 ? holds : epoch;
  if (wanted < holds) {
    const message = `Producer ${name} came with epoch ${wanted}, and another one took over with epoch ${holds}.`;
    return refused({ errorCode: ErrorCode.PRODUCER_FENCED, message, recordErrors: [] });
  }
  if (wanted > largestProducerEpoch) {
    const message = `Producer ${name} cannot take over: ${largestProducerEpoch} is the largest epoch. Use another name.`;
    return refused({ errorCode: ErrorCode.INVALID_PRODUCER_EPOCH, message, recordErrors: [] });
  }
  named.resume(name, wanted);
  const lastNumber = named.lastNumberOf(name);
  const endOffset = lastNumber === noRecordNumber ? asOffset(0) : named.find(name, lastNumber)!.endOffset;
  whenDurable(log, flusher, endOffset, durability, (refusal) => {
    if (refusal !== null) return refused(refusal);
    listener({ errorCode: ErrorCode.NONE, lastNumber, epoch: wanted, errorMessage: null });
  });
}

function whenDurable(
  log: LogState,
  flusher: LogFlusher,
  endOffset: Offset,
  durability: Durability,
  done: (refusal: Refusal | null) => void,
): void {
  if (durability === 'none') return done(null);
  const stage = log.stageOf(durability);
  const ended = flusher.state === 'failed' || flusher.state === 'closed';
  // Nothing comes of waiting for a disk that failed, nor for files that are closed.
  if (ended && log.progress[stage] < endOffset) return done(log.lossRefusal);
  log.progress.await(endOffset, stage, (reached) => done(reached ? null : log.lossRefusal));
  if (stage === 'synced' && log.progress.synced < endOffset) flusher.requestSync();
}
