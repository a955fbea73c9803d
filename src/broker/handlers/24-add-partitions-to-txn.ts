/**
 * AddPartitionsToTxn: partitions that a transaction is about to write to. I/O thread.
 *
 *   versions 0-3   from clients: one transaction   …   4-5   from brokers: several, some only to be verified
 *
 * Versions 4 and up are answered to anyone, as by a Kafka without an authorizer. Where one partition does not exist none
 * is added. Clients of transactions V2 (KIP-890) do not send it: their writes add partitions themselves.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultAddPartitionsToTxnResponse,
  type AddPartitionsToTxnRequest,
  type AddPartitionsToTxnRequestTransactions,
  type AddPartitionsToTxnResponse,
  type AddPartitionsToTxnResponseResultsByTransaction,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler } from '../request-context.ts';
import { fencedErrorFor } from '../transactions/transaction-error.ts';
import type { PartitionName } from '../transactions/transaction-partitions.ts';

const firstVersionWithBatches = 4;
const firstVersionThatKnowsFencing = 2;

export const addPartitionsToTxnHandler: ApiHandler<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse> = {
  apiKey: 24,
  async handle(request, { apiVersion }, broker) {
    if (apiVersion >= firstVersionWithBatches) {
      // One at a time: several of one id come in the order in which they stand.
      const resultsByTransaction: AddPartitionsToTxnResponseResultsByTransaction[] = [];
      for (const transaction of request.transactions) {
        resultsByTransaction.push(await serve(transaction, apiVersion, broker));
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
    const { topicResults } = await serve(transaction, apiVersion, broker);
    return { ...defaultAddPartitionsToTxnResponse(), resultsByTopicV3AndBelow: topicResults };
  },
};

async function serve(
  transaction: AddPartitionsToTxnRequestTransactions,
  apiVersion: number,
  broker: Broker,
): Promise<AddPartitionsToTxnResponseResultsByTransaction> {
  const { transactionalId, producerId, producerEpoch, verifyOnly } = transaction;
  const found = transaction.topics.map(({ name, partitions }) => ({
    name,
    partitions: [...new Set(partitions)].map((partition) => ({ partition, place: find(name, partition, broker) })),
  }));
  const places = found.flatMap(({ partitions }) => partitions.map(({ place }) => place));
  const known = places.filter((place) => place !== null);
  const answer = (
    codeOf: (place: PartitionName | null) => ErrorCode,
  ): AddPartitionsToTxnResponseResultsByTransaction => ({
    transactionalId,
    topicResults: found.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map(({ partition, place }) => ({
        partitionIndex: partition,
        partitionErrorCode: codeOf(place),
      })),
    })),
  });
  if (known.length < places.length) {
    return answer((place) =>
      place === null ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.OPERATION_NOT_ATTEMPTED,
    );
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

function find(name: string, partition: number, { topics }: Broker): PartitionName | null {
  const topic = topics.topic(name);
  const exists = topic !== null && partition >= 0 && partition < topic.partitionCount;
  return exists ? { topicId: topic.id, topic: name, partition } : null;
}
