/**
 * What requests need of groups, transactional ids and the cluster before their handlers see them, by API key: one table,
 * which the dispatcher and whoever calls handlers without it go through (`serveAllowed`). I/O thread.
 *
 *   the request as a whole   refused, and the handler is not called
 *   each group or id of it   the handler is given those that are allowed, and the others are added to what it answers
 *
 * What requests need of topics handlers ask themselves, since they look topics up; so do those that answer for the
 * cluster. Operations, errors and what is left out of lists are those of Kafka.
 */

import { ErrorCode } from '../base/error-code.ts';
import * as api from '../protocol/generated/index.ts';
import { AclOperation, AclResource, allowsOnCluster } from './authorizer.ts';
import type { Broker } from './broker.ts';
import { joinError } from './groups/rebalance.ts';
import type { ApiHandler, RequestContext } from './request-context.ts';

type Allows = (operation: AclOperation, resource: AclResource, name: string) => boolean;

/** Serves what is allowed of a request with `handle`, and refuses the rest. */
type Gate<Request, Response> = (
  request: Request,
  allows: Allows,
  handle: (allowed: Request) => Response | null | Promise<Response | null>,
  apiVersion: number,
) => Response | null | Promise<Response | null>;

/** One thing that a request needs as a whole; without a name it does not. */
type Need<Request> = readonly [AclOperation, AclResource, nameOf: (request: Request) => string | null];

const refusals = new Map<AclResource, ErrorCode>([
  [AclResource.GROUP, ErrorCode.GROUP_AUTHORIZATION_FAILED],
  [AclResource.TRANSACTIONAL_ID, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED],
]);

const { READ, WRITE, DELETE, DESCRIBE } = AclOperation;
const { GROUP, TRANSACTIONAL_ID } = AclResource;

function whole<Request, Response>(
  needs: readonly Need<Request>[],
  refused: (errorCode: ErrorCode, request: Request) => Response,
): Gate<Request, Response> {
  return (request, allows, handle) => {
    for (const [operation, resource, nameOf] of needs) {
      const name = nameOf(request);
      if (name !== null && !allows(operation, resource, name)) return refused(refusals.get(resource)!, request);
    }
    return handle(request);
  };
}

interface Items<Request, Response, Item, Answer> {
  readonly of: (request: Request) => readonly Item[];
  readonly nameOf: (item: Item) => string;
  readonly only: (request: Request, items: Item[]) => Request;
  readonly refused: (name: string, errorCode: ErrorCode) => Answer;
  readonly add: (response: Response, answers: Answer[]) => Response;
}

function each<Request, Response, Item, Answer>(
  operation: AclOperation,
  resource: AclResource,
  { of, nameOf, only, refused, add }: Items<Request, Response, Item, Answer>,
): Gate<Request, Response> {
  return (request, allows, handle) => {
    const allowed: Item[] = [];
    const forbidden: Item[] = [];
    for (const item of of(request)) (allows(operation, resource, nameOf(item)) ? allowed : forbidden).push(item);
    if (forbidden.length === 0) return handle(request);
    const errorCode = refusals.get(resource)!;
    const answers = forbidden.map((item) => refused(nameOf(item), errorCode));
    const finish = (response: Response | null): Response | null => (response === null ? null : add(response, answers));
    const outcome = handle(only(request, allowed));
    return outcome instanceof Promise ? outcome.then(finish) : finish(outcome);
  };
}

const groupOf = ({ groupId }: { readonly groupId: string | null }): string | null => groupId;
const idOf = ({ transactionalId }: { readonly transactionalId: string | null }): string | null => transactionalId;
const readsGroup: Need<{ readonly groupId: string | null }> = [READ, GROUP, groupOf];
const writesId: Need<{ readonly transactionalId: string | null }> = [WRITE, TRANSACTIONAL_ID, idOf];

/** The same error for each partition that a request names. */
function forEachPartition<Topic extends { readonly partitions: readonly { readonly partitionIndex: number }[] }>(
  topics: readonly Topic[],
  errorCode: ErrorCode,
): (Omit<Topic, 'partitions'> & { partitions: { partitionIndex: number; errorCode: number }[] })[] {
  return topics.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  }));
}

/** Descriptions of groups: those that may not be described have an error alone. */
function described<
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

const offsetFetch: Gate<api.OffsetFetchRequest, api.OffsetFetchResponse> = (request, allows, handle, apiVersion) => {
  const firstVersionWithGroups = 8;
  if (apiVersion >= firstVersionWithGroups) return offsetFetchOfGroups(request, allows, handle, apiVersion);
  if (allows(DESCRIBE, GROUP, request.groupId)) return handle(request);
  const errorCode = ErrorCode.GROUP_AUTHORIZATION_FAILED;
  const topics = (request.topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      ...{ partitionIndex, committedOffset: -1, committedLeaderEpoch: -1, metadata: '' },
      errorCode,
    })),
  }));
  // The first versions have no error of their own, and later ones carry it beside no topics.
  return { ...api.defaultOffsetFetchResponse(), topics: apiVersion < 2 ? topics : [], errorCode };
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
  refused: (groupId, errorCode) => ({ ...api.defaultOffsetFetchResponseGroups(), groupId, errorCode }),
  add: (response, answers) => ({ ...response, groups: [...response.groups, ...answers] }),
});

/** Lists tell of what may be described, and of everything who may describe the cluster. */
const listGroups: Gate<api.ListGroupsRequest, api.ListGroupsResponse> = (request, allows, handle) => {
  const finish = (response: api.ListGroupsResponse | null): api.ListGroupsResponse | null => {
    if (response === null) return null;
    return { ...response, groups: response.groups.filter(({ groupId }) => allows(DESCRIBE, GROUP, groupId)) };
  };
  const outcome = handle(request);
  return outcome instanceof Promise ? outcome.then(finish) : finish(outcome);
};

const listTransactions: Gate<api.ListTransactionsRequest, api.ListTransactionsResponse> = async (
  request,
  allows,
  handle,
) => {
  const response = await handle(request);
  if (response === null) return null;
  const mayDescribe = ({ transactionalId }: { transactionalId: string }): boolean =>
    allows(DESCRIBE, TRANSACTIONAL_ID, transactionalId);
  return { ...response, transactionStates: response.transactionStates.filter(mayDescribe) };
};

// oxlint-disable-next-line typescript/no-explicit-any -- the table holds gates of different messages.
type AnyGate = Gate<any, any>;

const gates: ReadonlyMap<number, AnyGate> = new Map<number, AnyGate>([
  [
    8,
    whole<api.OffsetCommitRequest, api.OffsetCommitResponse>([readsGroup], (errorCode, { topics }) => ({
      ...api.defaultOffsetCommitResponse(),
      topics: forEachPartition(topics, errorCode),
    })),
  ],
  [9, offsetFetch],
  [
    11,
    whole<api.JoinGroupRequest, api.JoinGroupResponse>([readsGroup], (errorCode, { memberId }) => ({
      ...joinError(errorCode, memberId),
      protocolName: '',
    })),
  ],
  [12, whole([readsGroup], (errorCode) => ({ ...api.defaultHeartbeatResponse(), errorCode }))],
  [13, whole([readsGroup], (errorCode) => ({ ...api.defaultLeaveGroupResponse(), errorCode }))],
  [14, whole([readsGroup], (errorCode) => ({ ...api.defaultSyncGroupResponse(), errorCode }))],
  [
    15,
    each<api.DescribeGroupsRequest, api.DescribeGroupsResponse, string, api.DescribeGroupsResponseGroups>(
      DESCRIBE,
      GROUP,
      {
        of: ({ groups }) => groups,
        nameOf: (groupId) => groupId,
        only: (request, groups) => ({ ...request, groups }),
        refused: (groupId, errorCode) => ({ ...api.defaultDescribeGroupsResponseGroups(), groupId, errorCode }),
        add: (response, answers) => ({ ...response, groups: [...response.groups, ...answers] }),
      },
    ),
  ],
  [16, listGroups],
  [
    22,
    whole([writesId], (errorCode) => ({
      ...api.defaultInitProducerIdResponse(),
      ...{ errorCode, producerId: -1, producerEpoch: -1 },
    })),
  ],
  [
    25,
    whole<api.AddOffsetsToTxnRequest, api.AddOffsetsToTxnResponse>([writesId, readsGroup], (errorCode) => ({
      ...api.defaultAddOffsetsToTxnResponse(),
      errorCode,
    })),
  ],
  [26, whole([writesId], (errorCode) => ({ ...api.defaultEndTxnResponse(), errorCode }))],
  [
    28,
    whole<api.TxnOffsetCommitRequest, api.TxnOffsetCommitResponse>([writesId, readsGroup], (errorCode, { topics }) => ({
      ...api.defaultTxnOffsetCommitResponse(),
      topics: forEachPartition(topics, errorCode),
    })),
  ],
  [
    42,
    each<api.DeleteGroupsRequest, api.DeleteGroupsResponse, string, api.DeleteGroupsResponseResults>(DELETE, GROUP, {
      of: ({ groupsNames }) => groupsNames,
      nameOf: (groupId) => groupId,
      only: (request, groupsNames) => ({ ...request, groupsNames }),
      refused: (groupId, errorCode) => ({ ...api.defaultDeleteGroupsResponseResults(), groupId, errorCode }),
      add: (response, answers) => ({ ...response, results: [...response.results, ...answers] }),
    }),
  ],
  [
    47,
    whole<api.OffsetDeleteRequest, api.OffsetDeleteResponse>([[DELETE, GROUP, groupOf]], (errorCode) => ({
      ...api.defaultOffsetDeleteResponse(),
      errorCode,
    })),
  ],
  [
    65,
    each<
      api.DescribeTransactionsRequest,
      api.DescribeTransactionsResponse,
      string,
      api.DescribeTransactionsResponseTransactionStates
    >(DESCRIBE, TRANSACTIONAL_ID, {
      of: ({ transactionalIds }) => transactionalIds,
      nameOf: (transactionalId) => transactionalId,
      only: (request, transactionalIds) => ({ ...request, transactionalIds }),
      refused: (transactionalId, errorCode) => ({
        ...api.defaultDescribeTransactionsResponseTransactionStates(),
        ...{ transactionalId, errorCode },
      }),
      add: (response, answers) => ({
        ...response,
        transactionStates: [...response.transactionStates, ...answers],
      }),
    }),
  ],
  [66, listTransactions],
  [68, whole([readsGroup], (errorCode) => ({ ...api.defaultConsumerGroupHeartbeatResponse(), errorCode }))],
  [69, described((groupId) => ({ ...api.defaultConsumerGroupDescribeResponseGroups(), groupId }))],
  [76, whole([readsGroup], (errorCode) => ({ ...api.defaultShareGroupHeartbeatResponse(), errorCode }))],
  [77, described((groupId) => ({ ...api.defaultShareGroupDescribeResponseGroups(), groupId }))],
  [
    78,
    // It holds no records and no memory, which its handler would be told to release.
    whole([readsGroup], (errorCode) => ({ ...api.defaultShareFetchResponse(), errorCode, reads: [], grant: null })),
  ],
  [79, whole([readsGroup], (errorCode) => ({ ...api.defaultShareAcknowledgeResponse(), errorCode }))],
  [88, whole([readsGroup], (errorCode) => ({ ...api.defaultStreamsGroupHeartbeatResponse(), errorCode, status: [] }))],
  [89, described((groupId) => ({ ...api.defaultStreamsGroupDescribeResponseGroups(), groupId }))],
  [
    90,
    each<
      api.DescribeShareGroupOffsetsRequest,
      api.DescribeShareGroupOffsetsResponse,
      api.DescribeShareGroupOffsetsRequestGroups,
      api.DescribeShareGroupOffsetsResponseGroups
    >(DESCRIBE, GROUP, {
      of: ({ groups }) => groups,
      nameOf: ({ groupId }) => groupId,
      only: (request, groups) => ({ ...request, groups }),
      refused: (groupId, errorCode) => ({
        ...api.defaultDescribeShareGroupOffsetsResponseGroups(),
        ...{ groupId, errorCode },
      }),
      add: (response, answers) => ({ ...response, groups: [...response.groups, ...answers] }),
    }),
  ],
  [91, whole([readsGroup], (errorCode) => ({ ...api.defaultAlterShareGroupOffsetsResponse(), errorCode }))],
  [
    92,
    whole<api.DeleteShareGroupOffsetsRequest, api.DeleteShareGroupOffsetsResponse>(
      [[DELETE, GROUP, groupOf]],
      (errorCode) => ({ ...api.defaultDeleteShareGroupOffsetsResponse(), errorCode }),
    ),
  ],
]);

/** Has the handler serve what the request's principal may do of it; the rest is refused as Kafka does. */
export function serveAllowed<Request, Response>(
  handler: ApiHandler<Request, Response>,
  request: Request,
  context: RequestContext,
  broker: Broker,
): Response | null | Promise<Response | null> {
  const gate = gates.get(handler.apiKey) as Gate<Request, Response> | undefined;
  if (gate === undefined || isOpenTo(handler.apiKey, context, broker)) return handler.handle(request, context, broker);
  const allows: Allows = (operation, resource, name) => broker.authorizer.allows(context, operation, resource, name);
  return gate(request, allows, (allowed) => handler.handle(allowed, context, broker), context.apiVersion);
}

const listGroupsKey = 16;

/** Who may describe the cluster may list all of its groups. */
function isOpenTo(apiKey: number, context: RequestContext, { authorizer }: Broker): boolean {
  return apiKey === listGroupsKey && allowsOnCluster(authorizer, context, DESCRIBE);
}
