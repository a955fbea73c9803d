/**
 * DescribeTransactions: the state of transactional ids and the partitions of their transactions (KIP-664). I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDescribeTransactionsResponse,
  defaultDescribeTransactionsResponseTransactionStates,
  type DescribeTransactionsRequest,
  type DescribeTransactionsResponse,
  type DescribeTransactionsResponseTransactionStates,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';
import type { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';

export const describeTransactionsHandler: ApiHandler<DescribeTransactionsRequest, DescribeTransactionsResponse> = {
  apiKey: 65,
  handle({ transactionalIds }, _context, { transactions }) {
    let partitionCount = 0;
    const transactionStates = transactionalIds.map((id) => {
      if (partitionCount > maxPartitions) return refused(id, ErrorCode.INVALID_REQUEST);
      partitionCount += transactions.find(id)?.image.partitions.count ?? 0;
      return describe(id, transactions);
    });
    return { ...defaultDescribeTransactionsResponse(), transactionStates };
  },
};

/** From so many partitions on nothing further is described: few bytes could ask for the same again and again. */
const maxPartitions = 200_000;

function refused(transactionalId: string, errorCode: ErrorCode): DescribeTransactionsResponseTransactionStates {
  return { ...defaultDescribeTransactionsResponseTransactionStates(), transactionalId, errorCode };
}

function describe(
  transactionalId: string,
  transactions: TransactionCoordinator,
): DescribeTransactionsResponseTransactionStates {
  if (!transactions.isActive) return refused(transactionalId, ErrorCode.COORDINATOR_NOT_AVAILABLE);
  if (transactionalId === '') return refused(transactionalId, ErrorCode.INVALID_REQUEST);
  const transaction = transactions.find(transactionalId);
  if (transaction === null) return refused(transactionalId, ErrorCode.TRANSACTIONAL_ID_NOT_FOUND);
  const { image } = transaction;
  return {
    ...refused(transactionalId, ErrorCode.NONE),
    transactionState: image.state,
    transactionTimeoutMs: image.timeoutMs,
    transactionStartTimeMs: image.startedMs,
    producerId: image.producerId,
    producerEpoch: image.producerEpoch,
    topics: [...image.partitions.topics()].map(({ topic, partitions }) => ({ topic, partitions: [...partitions] })),
  };
}
