/**
 * What became of the records of one batch, or of one record that never came into one. I/O thread. One object a batch:
 * the streams that have records in it look here.
 */

import { ErrorCode } from '../base/error-code.ts';
import { noOffset, type Offset } from '../base/numbers.ts';

export class PublishOutcome {
  readonly topic: string;
  /** -1 where none was chosen yet. */
  readonly partition: number;
  settled = false;
  errorCode: ErrorCode = ErrorCode.NONE;
  /** A sentence where there is an error. */
  message: string | null = null;
  /** Whether it was stored before: a named producer's record that came again. */
  wasStored = false;
  /** Of the batch's first record; -1 after an error, and where a record was stored before and its offset is not known any more. */
  baseOffset: Offset = noOffset;
  /** -1 unless the topic stamps LogAppendTime. */
  logAppendTimeMs = -1;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  stored(baseOffset: Offset, logAppendTimeMs: number): void {
    this.settled = true;
    this.baseOffset = baseOffset;
    this.logAppendTimeMs = logAppendTimeMs;
  }

  storedBefore(offset: Offset): void {
    this.settled = true;
    this.wasStored = true;
    this.baseOffset = offset;
  }

  failed(errorCode: ErrorCode, message: string): void {
    this.settled = true;
    this.errorCode = errorCode;
    this.message = message;
  }
}
