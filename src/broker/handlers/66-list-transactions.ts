/**
 * ListTransactions: transactional ids by state, producer id and the time since their transaction began (KIP-664,
 * KIP-994), and by a pattern that they match as a whole (KIP-1152). I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultListTransactionsResponse,
  type ListTransactionsRequest,
  type ListTransactionsResponse,
} from '../../protocol/generated/index.ts';
import type { LinearPatterns } from '../linear-patterns.ts';
import type { ApiHandler } from '../request-context.ts';
import { isTransactionState } from '../transactions/transaction-state.ts';

export const listTransactionsHandler: ApiHandler<ListTransactionsRequest, ListTransactionsResponse> = {
  apiKey: 66,
  async handle(
    { stateFilters, producerIdFilters, durationFilter, transactionalIdPattern },
    _context,
    { transactions, clock, patterns },
  ) {
    const response = defaultListTransactionsResponse();
    if (!transactions.isActive) return { ...response, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
    const pattern = transactionalIdPattern ?? '';
    if (pattern !== '') {
      if (!(await patterns.ready())) return { ...response, errorCode: ErrorCode.UNKNOWN_SERVER_ERROR };
      if (patterns.problemOf(pattern) !== null) {
        return { ...response, errorCode: ErrorCode.INVALID_REGULAR_EXPRESSION };
      }
    }
    const states = new Set<string>(stateFilters);
    const producerIds = new Set(producerIdFilters);
    const nowMs = clock.nowMs();
    const transactionStates: ListTransactionsResponse['transactionStates'] = [];
    for (const { id, image } of transactions.all()) {
      if (states.size > 0 && !states.has(image.state)) continue;
      if (producerIds.size > 0 && !producerIds.has(image.producerId)) continue;
      if (durationFilter >= 0 && nowMs - image.startedMs <= durationFilter) continue;
      transactionStates.push({ transactionalId: id, producerId: image.producerId, transactionState: image.state });
    }
    return {
      ...response,
      unknownStateFilters: [...states].filter((state) => !isTransactionState(state)),
      transactionStates: pattern === '' ? transactionStates : await matching(pattern, transactionStates, patterns),
    };
  },
};

async function matching<T extends { readonly transactionalId: string }>(
  pattern: string,
  states: readonly T[],
  patterns: LinearPatterns,
): Promise<T[]> {
  const ids = states.map(({ transactionalId }) => transactionalId);
  const matched = (await patterns.match([pattern], ids)).get(pattern);
  return states.filter(({ transactionalId }) => matched?.has(transactionalId) === true);
}
