/**
 * The errors of the group coordinator that do not come from a group's state. Any thread.
 */

import { ErrorCode } from '../../base/error-code.ts';

/** What a client hears where the log could not take a record, as from Kafka's coordinator. */
export function coordinatorError(errorCode: ErrorCode): ErrorCode {
  switch (errorCode) {
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode.NOT_ENOUGH_REPLICAS:
    case ErrorCode.REQUEST_TIMED_OUT:
      return ErrorCode.COORDINATOR_NOT_AVAILABLE;
    case ErrorCode.NOT_LEADER_OR_FOLLOWER:
    case ErrorCode.KAFKA_STORAGE_ERROR:
      return ErrorCode.NOT_COORDINATOR;
    case ErrorCode.MESSAGE_TOO_LARGE:
    case ErrorCode.RECORD_LIST_TOO_LARGE:
    case ErrorCode.INVALID_FETCH_SIZE:
      return ErrorCode.UNKNOWN_SERVER_ERROR;
    default:
      return errorCode;
  }
}

/**
 * Whether a request can be served at all: `isActive` says whether the coordinator is still there. Requests that only
 * store or look at offsets may name the empty group, as Kafka allows for old clients.
 */
export function problemOfRequest(groupId: string, isActive: boolean): ErrorCode {
  if (!isActive) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  return groupId === '' ? ErrorCode.INVALID_GROUP_ID : ErrorCode.NONE;
}
