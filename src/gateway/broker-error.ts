/** What a call in process rejects with where Kafka's protocol has an error for it. Any thread. */

import { errorName, type ErrorCode } from '../base/error-code.ts';

/** The broker refused something; the message says what and why. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  /** Kafka's name of the error, such as `UNKNOWN_TOPIC_OR_PARTITION`. */
  readonly code: string;
  /** Kafka's number of it. */
  readonly errorCode: ErrorCode;
  /** Of several records: which it befell, counted from 0. Those that are not named were stored. */
  readonly records: readonly number[];

  constructor(errorCode: ErrorCode, message: string, records: readonly number[] = []) {
    super(message);
    this.errorCode = errorCode;
    this.code = errorName(errorCode);
    this.records = records;
  }
}
