/**
 * FindCoordinator: this node coordinates every group, every transaction and every partition of a share group. I/O thread.
 * The address is the one of the door that the client came through.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { parseUuid } from '../../base/uuid.ts';
import {
  defaultFindCoordinatorResponse,
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
  type FindCoordinatorResponseCoordinators,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler, ConnectionContext } from '../request-context.ts';

const KeyType = { GROUP: 0, TRANSACTION: 1, SHARE: 2 } as const;
const firstVersionWithKeys = 4;
const firstVersionWithShares = 6;

export const findCoordinatorHandler: ApiHandler<FindCoordinatorRequest, FindCoordinatorResponse> = {
  apiKey: 10,
  handle({ keyType, key, coordinatorKeys }, { apiVersion, connection }, broker) {
    if (keyType === KeyType.SHARE && apiVersion < firstVersionWithShares) {
      const refused = invalid(`Version ${apiVersion} does not know share partitions.`);
      const coordinators = coordinatorKeys.map((each) => ({ key: each, ...refused }));
      return { ...defaultFindCoordinatorResponse(), ...(coordinators.length > 0 ? { coordinators } : refused) };
    }
    if (apiVersion >= firstVersionWithKeys) {
      const coordinators = coordinatorKeys.map((each) => ({ key: each, ...find(keyType, each, connection, broker) }));
      return { ...defaultFindCoordinatorResponse(), coordinators };
    }
    const found = find(keyType, key, connection, broker);
    // Kafka's own name for "no error"; there are clients that look at it.
    const errorMessage = found.errorCode === ErrorCode.NONE ? 'NONE' : found.errorMessage;
    return { ...defaultFindCoordinatorResponse(), ...found, errorMessage };
  },
};

function find(
  keyType: number,
  key: string,
  { advertisedHost, advertisedPort }: ConnectionContext,
  broker: Broker,
): Omit<FindCoordinatorResponseCoordinators, 'key'> {
  if (keyType !== KeyType.GROUP && keyType !== KeyType.TRANSACTION && keyType !== KeyType.SHARE) {
    return invalid(
      `Key type ${keyType} has no coordinator: 0 is for groups, 1 for transactions, 2 for share partitions.`,
    );
  }
  if (keyType === KeyType.SHARE && !isSharePartition(key)) return invalid('The key is not `group:topic id:partition`.');
  const errorCode = ErrorCode.NONE;
  return { errorCode, errorMessage: '', nodeId: broker.nodeId, host: advertisedHost, port: advertisedPort };
}

function invalid(errorMessage: string): Omit<FindCoordinatorResponseCoordinators, 'key'> {
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage, nodeId: -1, host: '', port: -1 };
}

function isSharePartition(key: string): boolean {
  const [group = '', topicId = '', partition = '', ...more] = key.split(':');
  return group.trim() !== '' && parseUuid(topicId) !== null && /^[+-]?\d+$/.test(partition) && more.length === 0;
}
