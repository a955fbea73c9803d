/**
 * What requests need of groups, transactional ids, topics and the cluster beside their handlers, by API key: one table,
 * which the dispatcher and whoever calls handlers without it go through (`serveAllowed`). I/O thread.
 *
 * Handlers ask themselves where only they know what to ask for, or know it anyway: what they have looked up of a topic
 * (Produce, Fetch, ListOffsets, DeleteRecords, DescribeProducers, share groups), what they are about to make or to change
 * (topics, settings), a page of topics, the cluster as a whole. Operations, errors and what is left out of lists are
 * those of Kafka.
 */

import * as api from '../../protocol/generated/index.ts';
import { allowAll, allowsOnCluster } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { joinError } from '../groups/rebalance.ts';
import type { ApiHandler, Outcome, RequestContext } from '../request-context.ts';
import { both, DELETE, DESCRIBE, each, GROUP, TRANSACTIONAL_ID, whole, type Access, type Gate } from './gate.ts';
import {
  addPartitionsToTxn,
  described,
  findCoordinator,
  groupOf,
  initProducerId,
  listGroups,
  listTransactions,
  offsetFetchGroups,
  readsGroup,
  writesId,
  writeTxnMarkers,
} from './group-gates.ts';
import {
  consumerGroupTopics,
  describedTransactions,
  metadataTopics,
  offsetCommitTopics,
  offsetDeleteTopics,
  offsetFetchTopics,
  refusedPartitions,
  shareGroupTopics,
  shareOffsetTopics,
  streamsGroupTopics,
  subscribedTopics,
  txnOffsetCommitTopics,
} from './topic-gates.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- the table holds gates of different messages.
type AnyGate = Gate<any, any>;

const gates: ReadonlyMap<number, AnyGate> = new Map<number, AnyGate>([
  [3, metadataTopics],
  [
    8,
    both(
      whole<api.OffsetCommitRequest, api.OffsetCommitResponse>([readsGroup], (errorCode, { topics }) => ({
        ...api.defaultOffsetCommitResponse(),
        topics: topics.map((topic) => refusedPartitions(topic, errorCode)),
      })),
      offsetCommitTopics,
    ),
  ],
  [9, both(offsetFetchGroups, offsetFetchTopics)],
  [10, findCoordinator],
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
  [22, initProducerId],
  [24, addPartitionsToTxn],
  [
    25,
    whole<api.AddOffsetsToTxnRequest, api.AddOffsetsToTxnResponse>([writesId, readsGroup], (errorCode) => ({
      ...api.defaultAddOffsetsToTxnResponse(),
      errorCode,
    })),
  ],
  [26, whole([writesId], (errorCode) => ({ ...api.defaultEndTxnResponse(), errorCode }))],
  [27, writeTxnMarkers],
  [
    28,
    both(
      whole<api.TxnOffsetCommitRequest, api.TxnOffsetCommitResponse>(
        [writesId, readsGroup],
        (errorCode, { topics }) => ({
          ...api.defaultTxnOffsetCommitResponse(),
          topics: topics.map((topic) => refusedPartitions(topic, errorCode)),
        }),
      ),
      txnOffsetCommitTopics,
    ),
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
    both(
      whole<api.OffsetDeleteRequest, api.OffsetDeleteResponse>([[DELETE, GROUP, groupOf]], (errorCode) => ({
        ...api.defaultOffsetDeleteResponse(),
        errorCode,
      })),
      offsetDeleteTopics,
    ),
  ],
  [
    65,
    both(
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
      describedTransactions,
    ),
  ],
  [66, listTransactions],
  [
    68,
    both(
      whole<api.ConsumerGroupHeartbeatRequest, api.ConsumerGroupHeartbeatResponse>([readsGroup], (errorCode) => ({
        ...api.defaultConsumerGroupHeartbeatResponse(),
        errorCode,
      })),
      subscribedTopics,
    ),
  ],
  [
    69,
    both(
      described((groupId) => ({ ...api.defaultConsumerGroupDescribeResponseGroups(), groupId })),
      consumerGroupTopics,
    ),
  ],
  [76, whole([readsGroup], (errorCode) => ({ ...api.defaultShareGroupHeartbeatResponse(), errorCode }))],
  [
    77,
    both(
      described((groupId) => ({ ...api.defaultShareGroupDescribeResponseGroups(), groupId })),
      shareGroupTopics,
    ),
  ],
  [
    78,
    // It holds no records and no memory, which its handler would be told to release.
    whole([readsGroup], (errorCode) => ({ ...api.defaultShareFetchResponse(), errorCode, reads: [], grant: null })),
  ],
  [79, whole([readsGroup], (errorCode) => ({ ...api.defaultShareAcknowledgeResponse(), errorCode }))],
  [88, whole([readsGroup], (errorCode) => ({ ...api.defaultStreamsGroupHeartbeatResponse(), errorCode, status: [] }))],
  [
    89,
    both(
      described((groupId) => ({ ...api.defaultStreamsGroupDescribeResponseGroups(), groupId })),
      streamsGroupTopics,
    ),
  ],
  [
    90,
    both(
      each<
        api.DescribeShareGroupOffsetsRequest,
        api.DescribeShareGroupOffsetsResponse,
        api.DescribeShareGroupOffsetsRequestGroups,
        api.DescribeShareGroupOffsetsResponseGroups
      >(DESCRIBE, GROUP, {
        of: ({ groups }) => groups,
        nameOf: ({ groupId }) => groupId,
        only: (request, groups) => ({ ...request, groups }),
        refused: ({ groupId }, errorCode) => ({
          ...api.defaultDescribeShareGroupOffsetsResponseGroups(),
          ...{ groupId, errorCode },
        }),
        add: (response, answers) => ({ ...response, groups: [...response.groups, ...answers] }),
      }),
      shareOffsetTopics,
    ),
  ],
  [91, whole([readsGroup], (errorCode) => ({ ...api.defaultAlterShareGroupOffsetsResponse(), errorCode }))],
  [
    92,
    whole<api.DeleteShareGroupOffsetsRequest, api.DeleteShareGroupOffsetsResponse>(
      [[DELETE, GROUP, groupOf]],
      (errorCode) => ({ ...api.defaultDeleteShareGroupOffsetsResponse(), errorCode }),
    ),
  ],
  [
    93,
    whole([readsGroup], (errorCode) => ({
      ...api.defaultStreamsGroupTopologyDescriptionUpdateResponse(),
      errorCode,
    })),
  ],
]);

/** Has the handler serve what the request's principal may do of it; the rest is refused as Kafka does. */
export function serveAllowed<Request, Response>(
  handler: ApiHandler<Request, Response>,
  request: Request,
  context: RequestContext,
  broker: Broker,
): Outcome<Response> {
  const gate = gates.get(handler.apiKey) as Gate<Request, Response> | undefined;
  if (gate === undefined || broker.authorizer === allowAll) return handler.handle(request, context, broker);
  return gate(request, accessOf(context, broker), (allowed) => handler.handle(allowed, context, broker));
}

function accessOf(context: RequestContext, { authorizer, topics }: Broker): Access {
  return {
    apiVersion: context.apiVersion,
    allows: (operation, resource, name) => authorizer.allows(context, operation, resource, name),
    allowsOnCluster: (operation) => allowsOnCluster(authorizer, context, operation),
    allowsOnAny: (operation, resource) => authorizer.allowsOnAny(context, operation, resource),
    topicName: (topicId) => topics.topicById(topicId)?.name ?? null,
  };
}
