/**
 * WriteTxnMarkers: ends transactions in single partitions, whatever the coordinator says. I/O thread.
 *
 *   version 1   …   2   with the transaction's version (KIP-1228)
 *
 * Between brokers it carries out what a coordinator decided; here only `kafka-transactions abort` sends it, for a
 * transaction that hangs. Each partition is answered once its marker is synced.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultWriteTxnMarkersResponse,
  type WriteTxnMarkersRequest,
  type WriteTxnMarkersRequestMarkers,
  type WriteTxnMarkersResponse,
  type WriteTxnMarkersResponseMarkersTopicsPartitions,
} from '../../protocol/generated/index.ts';
import { markerRoomBytes, type TransactionMarker } from '../../storage/partition-log.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler } from '../request-context.ts';
import { offsetsTopic } from '../transactions/transaction-partitions.ts';

export const writeTxnMarkersHandler: ApiHandler<WriteTxnMarkersRequest, WriteTxnMarkersResponse> = {
  apiKey: 27,
  async handle(request, _context, broker) {
    const named = request.markers.filter(({ topics }) =>
      topics.some(({ partitionIndexes }) => partitionIndexes.length > 0),
    );
    const markers = named.map(async (requested) => {
      const topics = requested.topics.map(async ({ name, partitionIndexes }) => ({
        name,
        partitions: await Promise.all(partitionIndexes.map((partition) => end(requested, name, partition, broker))),
      }));
      return { producerId: requested.producerId, topics: await Promise.all(topics) };
    });
    return { ...defaultWriteTxnMarkersResponse(), markers: await Promise.all(markers) };
  },
};

async function end(
  requested: WriteTxnMarkersRequestMarkers,
  topicName: string,
  partitionIndex: number,
  broker: Broker,
): Promise<WriteTxnMarkersResponseMarkersTopicsPartitions> {
  const { producerId, producerEpoch, coordinatorEpoch, transactionResult, transactionVersion } = requested;
  const outcome = transactionResult ? 'commit' : 'abort';
  if (topicName === offsetsTopic) {
    const errorCode = await broker.groups.commits.completeTransaction(producerId, new Set([partitionIndex]), outcome);
    return { partitionIndex, errorCode };
  }
  const found = broker.findPartition(broker.topics.topic(topicName), partitionIndex);
  if (found === null) return { partitionIndex, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
  const marker: TransactionMarker = { producerId, producerEpoch, coordinatorEpoch, outcome, transactionVersion };
  return new Promise((resolve) => {
    broker.store.whenRoom(markerRoomBytes, () => {
      found.log.appendMarker(marker, ({ errorCode }) => resolve({ partitionIndex, errorCode }));
    });
  });
}
