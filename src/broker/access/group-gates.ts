/**
 * Gates for groups, transactional ids and what only brokers may ask of the cluster, as far as it takes more to say of
 * them than access-table.ts does. Any thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import * as api from '../../protocol/generated/index.ts';
import { AclOperation, type AclResource } from '../authorizer.ts';
import {
  after,
  DESCRIBE,
  each,
  GROUP,
  parted,
  READ,
  refusals,
  seen,
  TOPIC,
  TRANSACTIONAL_ID,
  WRITE,
  type Gate,
  type Need,
} from './gate.ts';

export const groupOf = ({ groupId }: { readonly groupId: string | null }): string | null => groupId;
const idOf = ({ transactionalId }: { readonly transactionalId: string | null }): string | null => transactionalId;
export const readsGroup: Need<{ readonly groupId: string | null }> = [READ, GROUP, groupOf];
export const writesId: Need<{ readonly transactionalId: string | null }> = [WRITE, TRANSACTIONAL_ID, idOf];

/** Descriptions of groups: those that may not be described have an error alone. */
export function described<
  Request extends { readonly groupIds: string[] },
  Answer extends { errorCode: number },
  Response extends { groups: Answer[] },
>(nothing: (groupId: string) => Answer): Gate<Request, Response> {
  return each<Request, Response, string, Answer>(DESCRIBE, GROUP, {
    of: ({ groupIds }) => groupIds,
    nameOf: (groupId) => groupId,
    only: (request, groupIds) => ({ ...request, groupIds }),
    refused: (groupId, errorCode) => ({ ...nothing(groupId), errorCode }),
    add: (response, answers) => ({ ...response, groups: [...response.groups, ...answers] }),
  });
}

export const offsetFetchGroups: Gate<api.OffsetFetchRequest, api.OffsetFetchResponse> = (request, access, handle) => {
  const firstVersionWithGroups = 8;
  if (access.apiVersion >= firstVersionWithGroups) return offsetFetchOfGroups(request, access, handle);
  if (access.allows(DESCRIBE, GROUP, request.groupId)) return handle(request);
  const errorCode = ErrorCode.GROUP_AUTHORIZATION_FAILED;
  const topics = (request.topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      ...{ partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '' },
      errorCode,
    })),
  }));
  // The first versions have no error of their own, and later ones carry it beside no topics.
  return { ...api.defaultOffsetFetchResponse(), topics: access.apiVersion < 2 ? topics : [], errorCode };
};

const offsetFetchOfGroups = each<
  api.OffsetFetchRequest,
  api.OffsetFetchResponse,
  api.OffsetFetchRequestGroups,
  api.OffsetFetchResponseGroups
>(DESCRIBE, GROUP, {
  of: ({ groups }) => groups,
  nameOf: ({ groupId }) => groupId,
  only: (request, groups) => ({ ...request, groups }),
  refused: ({ groupId }, errorCode) => ({ ...api.defaultOffsetFetchResponseGroups(), groupId, errorCode }),
  add: (response, answers) => ({ ...response, groups: [...response.groups, ...answers] }),
});

/** Lists tell of what may be described, and of everything who may describe the cluster. */
export const listGroups: Gate<api.ListGroupsRequest, api.ListGroupsResponse> = seen((response, access) => ({
  ...response,
  groups: access.allowsOnCluster(DESCRIBE)
    ? response.groups
    : response.groups.filter(({ groupId }) => access.allows(DESCRIBE, GROUP, groupId)),
}));

export const listTransactions: Gate<api.ListTransactionsRequest, api.ListTransactionsResponse> = seen(
  (response, access) => ({
    ...response,
    transactionStates: response.transactionStates.filter(({ transactionalId }) =>
      access.allows(DESCRIBE, TRANSACTIONAL_ID, transactionalId),
    ),
  }),
);

/** An idempotent producer needs no leave of its own where it may write to any topic (KIP-679). */
export const initProducerId: Gate<api.InitProducerIdRequest, api.InitProducerIdResponse> = (
  request,
  access,
  handle,
) => {
  const { transactionalId } = request;
  let errorCode: ErrorCode = ErrorCode.NONE;
  if (transactionalId !== null) {
    if (!access.allows(WRITE, TRANSACTIONAL_ID, transactionalId)) errorCode = refusals[TRANSACTIONAL_ID];
  } else if (!access.allowsOnCluster(AclOperation.IDEMPOTENT_WRITE) && !access.allowsOnAny(WRITE, TOPIC)) {
    errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED;
  }
  if (errorCode === ErrorCode.NONE) return handle(request);
  return { ...api.defaultInitProducerIdResponse(), errorCode, producerId: -1, producerEpoch: -1 };
};

const firstAddPartitionsOfBrokers = 4;

/** Newer versions are sent between brokers. Of topics the handler asks: one that is refused refuses them all. */
export const addPartitionsToTxn: Gate<api.AddPartitionsToTxnRequest, api.AddPartitionsToTxnResponse> = (
  request,
  access,
  handle,
) => {
  const response = api.defaultAddPartitionsToTxnResponse();
  if (access.apiVersion >= firstAddPartitionsOfBrokers) {
    if (access.allowsOnCluster(AclOperation.CLUSTER_ACTION)) return handle(request);
    return { ...response, errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED };
  }
  if (access.allows(WRITE, TRANSACTIONAL_ID, request.v3AndBelowTransactionalId)) return handle(request);
  const partitionErrorCode = refusals[TRANSACTIONAL_ID];
  const resultsByTopicV3AndBelow = request.v3AndBelowTopics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({ partitionIndex, partitionErrorCode })),
  }));
  return { ...response, resultsByTopicV3AndBelow };
};

export const writeTxnMarkers: Gate<api.WriteTxnMarkersRequest, api.WriteTxnMarkersResponse> = (
  request,
  access,
  handle,
) => {
  const { ALTER, CLUSTER_ACTION } = AclOperation;
  if (access.allowsOnCluster(ALTER) || access.allowsOnCluster(CLUSTER_ACTION)) return handle(request);
  const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED;
  const markers = request.markers.map(({ producerId, topics }) => ({
    producerId,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode })),
    })),
  }));
  return { ...api.defaultWriteTxnMarkersResponse(), markers };
};

const firstFindCoordinatorWithKeys = 4;

/** Each key by its type; what is neither a group nor a transactional id only other brokers look for. */
export const findCoordinator: Gate<api.FindCoordinatorRequest, api.FindCoordinatorResponse> = (
  request,
  access,
  handle,
) => {
  const { keyType } = request;
  const [resource, errorMessage] = coordinated.get(keyType) ?? [null, 'Cluster authorization failed.'];
  if (resource === null && keyType !== shareKeyType) return handle(request);
  const mayFind = (key: string): boolean =>
    resource === null ? access.allowsOnCluster(AclOperation.CLUSTER_ACTION) : access.allows(DESCRIBE, resource, key);
  const errorCode = resource === null ? ErrorCode.CLUSTER_AUTHORIZATION_FAILED : refusals[resource];
  const nowhere = { errorCode, nodeId: -1, host: '', port: -1 };
  if (access.apiVersion < firstFindCoordinatorWithKeys) {
    if (mayFind(request.key)) return handle(request);
    return { ...api.defaultFindCoordinatorResponse(), ...nowhere, errorMessage };
  }
  const { allowed, forbidden } = parted(request.coordinatorKeys, mayFind);
  if (forbidden.length === 0) return handle(request);
  const answers = forbidden.map((key) => ({ key, ...nowhere, errorMessage: resource === null ? errorMessage : '' }));
  return after(handle({ ...request, coordinatorKeys: allowed }), (response) => ({
    ...response,
    coordinators: [...response.coordinators, ...answers],
  }));
};

const shareKeyType = 2;
const coordinated: ReadonlyMap<number, readonly [AclResource, string]> = new Map([
  [0, [GROUP, 'Group authorization failed.']],
  [1, [TRANSACTIONAL_ID, 'Transactional Id authorization failed.']],
]);
