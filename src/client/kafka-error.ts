/**
 * The one error of this client: Kafka's code and name, and a sentence. Any thread.
 * What the broker refused carries the broker's code; what happened on the way has the code that Kafka's own clients
 * use for it: NETWORK_EXCEPTION for a connection that broke, REQUEST_TIMED_OUT for an answer that did not come,
 * UNSUPPORTED_VERSION, CORRUPT_MESSAGE. An `AbortSignal` that fired rejects with its own reason, as everywhere.
 */

import { ErrorCode, errorName, isRetriable } from '../base/error-code.ts';

export class KafkaError extends Error {
  override readonly name = 'KafkaError';
  /** Kafka's int16 error code; see `ErrorCode`. */
  readonly code: number;
  /** The code's name in Kafka's table, such as `TOPIC_AUTHORIZATION_FAILED`. */
  readonly codeName: string;
  /** Whether Kafka holds the code to be one that passes: the client has tried again until its time was up. */
  readonly retriable: boolean;

  constructor(code: number, sentence: string, cause?: unknown) {
    super(`${errorName(code)}: ${sentence}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.codeName = errorName(code);
    this.retriable = isRetriable(code);
  }
}

/** Throws a `KafkaError` unless `code` is NONE. `what` is what was asked for, `detail` what the broker said of it. */
export function throwUnlessNone(code: number, what: string, detail: string | null = null): void {
  if (code !== ErrorCode.NONE) throw new KafkaError(code, detail === null ? `the broker refused ${what}` : detail);
}

/** Whether trying again may help. */
export function mayPass(error: unknown): boolean {
  return error instanceof KafkaError && error.retriable;
}
