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
    const transactionStates = transactionalIds.map((id) => describe(id, transactions));
    return { ...defaultDescribeTransactionsResponse(), transactionStates };
  },
};

function describe(
  transactionalId: string,
  transactions: TransactionCoordinator,
): DescribeTransactionsResponseTransactionStates {
  const description = { ...defaultDescribeTransactionsResponseTransactionStates(), transactionalId };
  if (!transactions.isActive) return { ...description, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
  if (transactionalId === '') return { ...description, errorCode: ErrorCode.INVALID_REQUEST };
  const transaction = transactions.find(transactionalId);
  if (transaction === null) return { ...description, errorCode: ErrorCode.TRANSACTIONAL_ID_NOT_FOUND };
  const { image } = transaction;
  return {
    ...description,
    transactionState: image.state,
    transactionTimeoutMs: image.timeoutMs,
    transactionStartTimeMs: image.startedMs,
    producerId: image.producerId,
    producerEpoch: image.producerEpoch,
    topics: [...image.partitions.topics()].map(({ topic, partitions }) => ({ topic, partitions: [...partitions] })),
  };
}
