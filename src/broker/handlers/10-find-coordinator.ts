/**
 * FindCoordinator: this node coordinates every group and every transaction. I/O thread.
 * The address is the one of the door that the client came through.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultFindCoordinatorResponse,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
  type FindCoordinatorResponseCoordinators,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler, ConnectionContext } from '../request-context.ts';

const KeyType = { GROUP: 0, TRANSACTION: 1 } as const;
const firstVersionWithKeys = 4;

export const findCoordinatorHandler: ApiHandler<FindCoordinatorRequest, FindCoordinatorResponse> = {
  apiKey: 10,
  handle({ keyType, coordinatorKeys }, { apiVersion, connection }, broker) {
    if (apiVersion >= firstVersionWithKeys) {
      const coordinators = coordinatorKeys.map((each) => ({ key: each, ...find(keyType, connection, broker) }));
      return { ...defaultFindCoordinatorResponse(), coordinators };
    }
    const found = find(keyType, connection, broker);
    // Kafka's own name for "no error"; there are clients that look at it.
    const errorMessage = found.errorCode === ErrorCode.NONE ? 'NONE' : found.errorMessage;
    return { ...defaultFindCoordinatorResponse(), ...found, errorMessage };
  },
};

function find(
  keyType: number,
  { advertisedHost, advertisedPort }: ConnectionContext,
  broker: Broker,
): Omit<FindCoordinatorResponseCoordinators, 'key'> {
  if (keyType !== KeyType.GROUP && keyType !== KeyType.TRANSACTION) {
    const errorMessage = `Key type ${keyType} has no coordinator here: 0 is for groups and 1 for transactions.`;
    return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage, nodeId: -1, host: '', port: -1 };
  }
  const errorCode = ErrorCode.NONE;
  return { errorCode, errorMessage: '', nodeId: broker.nodeId, host: advertisedHost, port: advertisedPort };
}
