/**
 * What went wrong with a request, as problem details (RFC 9457): the HTTP status, Kafka's name of the error, and a
 * sentence. Any thread.
 *
 *   {"title": "Not Found", "status": 404, "error": "UNKNOWN_TOPIC_OR_PARTITION", "detail": "There is no topic orders."}
 *
 * There is no `type`, which stands for `about:blank`: `error` says which kind it is.
 */

import { ErrorCode, errorName } from '../../base/error-code.ts';

export interface Problem {
  readonly status: number;
  /** Kafka's name of the error, such as UNKNOWN_TOPIC_OR_PARTITION. */
  readonly error: string;
  /** A sentence. */
  readonly detail: string;
  /** What became of each record, where more than one was sent. */
  readonly records?: readonly object[];
  /** The client is above its quota for so long, in milliseconds. */
  readonly retryAfterMs?: number;
  /** For clients of Confluent's REST Proxy, where there is a better number than the status. */
  readonly proxyCode?: number;
}

/** Numbers that Confluent's REST Proxy gives errors, beside statuses; the last in version 3 of its interface. */
export const proxyCode = { forbidden: 40_301, topic: 40_401, partition: 40_402, topicOrPartitionV3: 40_403 } as const;

const proxyCodes: ReadonlyMap<string, number> = new Map([
  [errorName(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), proxyCode.topic],
  [errorName(ErrorCode.TOPIC_AUTHORIZATION_FAILED), proxyCode.forbidden],
]);

export const problemType = 'application/problem+json';

const phrases: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  207: 'Multi-Status',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** The status line of `status`, such as `404 Not Found`. */
export function statusLine(status: number): string {
  return `${status} ${phrases[status] ?? ''}`;
}

const statuses: ReadonlyMap<ErrorCode, number> = new Map<ErrorCode, number>([
  [ErrorCode.OFFSET_OUT_OF_RANGE, 416],
  [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 404],
  [ErrorCode.UNKNOWN_TOPIC_ID, 404],
  [ErrorCode.INVALID_TOPIC_EXCEPTION, 400],
  [ErrorCode.INVALID_REQUEST, 400],
  [ErrorCode.INVALID_RECORD, 422],
  [ErrorCode.INVALID_TIMESTAMP, 422],
  [ErrorCode.MESSAGE_TOO_LARGE, 413],
  [ErrorCode.RECORD_LIST_TOO_LARGE, 413],
  [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, 409],
  [ErrorCode.INVALID_PRODUCER_EPOCH, 409],
  [ErrorCode.PRODUCER_FENCED, 409],
  [ErrorCode.DUPLICATE_SEQUENCE_NUMBER, 409],
  [ErrorCode.POLICY_VIOLATION, 403],
  [ErrorCode.TOPIC_AUTHORIZATION_FAILED, 403],
  [ErrorCode.GROUP_AUTHORIZATION_FAILED, 403],
  [ErrorCode.THROTTLING_QUOTA_EXCEEDED, 429],
  [ErrorCode.REQUEST_TIMED_OUT, 408],
  [ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, 415],
  [ErrorCode.NOT_LEADER_OR_FOLLOWER, 503],
  [ErrorCode.BROKER_NOT_AVAILABLE, 503],
  [ErrorCode.KAFKA_STORAGE_ERROR, 503],
]);

/** The status that goes with an error's code; 500 where none is better. */
export function statusOf(errorCode: ErrorCode): number {
  return statuses.get(errorCode) ?? 500;
}

/** A problem with the status that goes with `errorCode`, or with another. */
export function problemOf(errorCode: ErrorCode, detail: string, status = statusOf(errorCode)): Problem {
  return { status, error: errorName(errorCode), detail };
}

/** The request is not what the interface asks for. */
export function badRequest(detail: string): Problem {
  return problemOf(ErrorCode.INVALID_REQUEST, detail);
}

/** The body of the response. */
export function problemText({ status, error, detail, records }: Problem): string {
  return JSON.stringify({ title: phrases[status], status, error, detail, records });
}

/** The same with what clients of Confluent's REST Proxy look for: a number and a message. */
export function proxyProblemText({ status, error, detail, proxyCode: given }: Problem): string {
  const code = given ?? proxyCodes.get(error) ?? status;
  return JSON.stringify({ title: phrases[status], status, error, detail, error_code: code, message: detail });
}
