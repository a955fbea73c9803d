/**
 * AddPartitionsToTxn: partitions that a transaction is about to write to. I/O thread.
 *
 *   versions 0-3   from clients: one transaction   …   4-5   from brokers: several, some only to be verified
 *
 * Where one partition does not exist, or may not be written to, none is added. Clients of transactions V2 (KIP-890) do not send it: their writes add partitions themselves.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultAddPartitionsToTxnResponse,
  type AddPartitionsToTxnRequest,
  type AddPartitionsToTxnRequestTransactions,
  type AddPartitionsToTxnResponse,
  type AddPartitionsToTxnResponseResultsByTransaction,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';
import { isInternalTopic } from '../topic-name.ts';
import { fencedErrorFor } from '../transactions/transaction-error.ts';
import type { PartitionName } from '../transactions/transaction-partitions.ts';

const firstVersionWithBatches = 4;
const firstVersionThatKnowsFencing = 2;

export const addPartitionsToTxnHandler: ApiHandler<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse> = {
  apiKey: 24,
  async handle(request, context, broker) {
    if (context.apiVersion >= firstVersionWithBatches) {
      // One at a time: several of one id come in the order in which they stand.
      const resultsByTransaction: AddPartitionsToTxnResponseResultsByTransaction[] = [];
      for (const transaction of request.transactions) {
        resultsByTransaction.push(await serve(transaction, context, broker));
      }
      return { ...defaultAddPartitionsToTxnResponse(), resultsByTransaction };
    }
    const transaction = {
      transactionalId: request.v3AndBelowTransactionalId,
      producerId: request.v3AndBelowProducerId,
      producerEpoch: request.v3AndBelowProducerEpoch,
      verifyOnly: false,
      topics: request.v3AndBelowTopics,
    };
    const { topicResults } = await serve(transaction, context, broker);
    return { ...defaultAddPartitionsToTxnResponse(), resultsByTopicV3AndBelow: topicResults };
  },
};

async function serve(
  transaction: AddPartitionsToTxnRequestTransactions,
  context: RequestContext,
  broker: Broker,
): Promise<AddPartitionsToTxnResponseResultsByTransaction> {
  const { apiVersion } = context;
  const { transactionalId, producerId, producerEpoch, verifyOnly } = transaction;
  const found = transaction.topics.map(({ name, partitions }) => ({
    name,
    partitions: [...new Set(partitions)].map((partition) => ({ partition, place: find(name, partition, broker) })),
    isForbidden: apiVersion < firstVersionWithBatches && !mayWrite(name, context, broker),
  }));
  const places = found.flatMap(({ partitions }) => partitions.map(({ place }) => place));
  const known = places.filter((place) => place !== null);
  const answer = (
    codeOf: (place: PartitionName | null, isForbidden: boolean) => ErrorCode,
  ): AddPartitionsToTxnResponseResultsByTransaction => ({
    transactionalId,
    topicResults: found.map(({ name, partitions, isForbidden }) => ({
      name,
      resultsByPartition: partitions.map(({ partition, place }) => ({
        partitionIndex: partition,
        partitionErrorCode: codeOf(place, isForbidden),
      })),
    })),
  });
  if (known.length < places.length || found.some(({ isForbidden }) => isForbidden)) {
    return answer((place, isForbidden) => {
      if (isForbidden) return ErrorCode.TOPIC_AUTHORIZATION_FAILED;
      return place === null ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.OPERATION_NOT_ATTEMPTED;
    });
  }
  const request = { transactionalId, producerId, producerEpoch, partitions: known };
  if (verifyOnly) {
    const verified = broker.transactions.verifyPartitions(request);
    if (typeof verified === 'number') return answer(() => verified);
    const codes = new Map<PartitionName | null, ErrorCode>(known.map((place, i) => [place, verified[i]!]));
    return answer((place) => codes.get(place)!);
  }
  const errorCode = await broker.transactions.addPartitions(request, apiVersion >= firstVersionWithBatches ? 2 : 0);
  return answer(() => fencedErrorFor(apiVersion, firstVersionThatKnowsFencing, errorCode));
}

/** A client's transaction may write to topics that the client may write to, and never to the coordinators'. */
function mayWrite(name: string, context: RequestContext, { authorizer }: Broker): boolean {
  return !isInternalTopic(name) && allowsOnTopic(authorizer, context, AclOperation.WRITE, name);
}

function find(name: string, partition: number, { topics }: Broker): PartitionName | null {
  const topic = topics.topic(name);
  const exists = topic !== null && partition >= 0 && partition < topic.partitionCount;
  return exists ? { topicId: topic.id, topic: name, partition } : null;
}
