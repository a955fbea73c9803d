/**
 * DescribeProducers: who writes to a partition, and whose transaction is open there (KIP-664). I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDescribeProducersResponse,
  defaultDescribeProducersResponseTopicsPartitions,
  type DescribeProducersRequest,
  type DescribeProducersResponse,
  type DescribeProducersResponseTopicsPartitions,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler } from '../request-context.ts';

export const describeProducersHandler: ApiHandler<DescribeProducersRequest, DescribeProducersResponse> = {
  apiKey: 61,
  handle(request, context, broker) {
    const topics = request.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partition) =>
        allowsOnTopic(broker.authorizer, context, AclOperation.READ, name)
          ? describe(name, partition, broker)
          : forbidden(partition),
      ),
    }));
    return { ...defaultDescribeProducersResponse(), topics };
  },
};

function forbidden(partitionIndex: number): DescribeProducersResponseTopicsPartitions {
  const errorCode = ErrorCode.TOPIC_AUTHORIZATION_FAILED;
  return { ...defaultDescribeProducersResponseTopicsPartitions(), partitionIndex, errorCode };
}

function describe(name: string, partitionIndex: number, broker: Broker): DescribeProducersResponseTopicsPartitions {
  const description = { ...defaultDescribeProducersResponseTopicsPartitions(), partitionIndex };
  const found = broker.findPartition(broker.topics.topic(name), partitionIndex);
  if (found === null) return { ...description, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
  const activeProducers = found.log.activeProducers().map((producer) => ({
    producerId: producer.producerId,
    producerEpoch: producer.producerEpoch,
    lastSequence: producer.lastSequence,
    lastTimestamp: producer.lastTimestampMs,
    coordinatorEpoch: producer.coordinatorEpoch,
    currentTxnStartOffset: producer.currentTransactionFirstOffset,
  }));
  return { ...description, activeProducers };
}
