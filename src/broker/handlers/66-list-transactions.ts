/**
 * ListTransactions: transactional ids by state, producer id and the time since their transaction began (KIP-664,
 * KIP-994). I/O thread.
 * Of the patterns of version 2 (KIP-1152) only plain names are served: others need an engine that takes linear time.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultListTransactionsResponse,
  type ListTransactionsRequest,
  type ListTransactionsResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';
import { isTransactionState } from '../transactions/transaction-state.ts';

/** A pattern that matches only itself. */
const plainName = /^[^\\.[\](){}*+?^$|]*$/;

export const listTransactionsHandler: ApiHandler<ListTransactionsRequest, ListTransactionsResponse> = {
  apiKey: 66,
  handle(
    { stateFilters, producerIdFilters, durationFilter, transactionalIdPattern },
    _context,
    { transactions, clock },
  ) {
    const response = defaultListTransactionsResponse();
    if (!transactions.isActive) return { ...response, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
    const pattern = transactionalIdPattern ?? '';
    if (!plainName.test(pattern)) return { ...response, errorCode: ErrorCode.INVALID_REGULAR_EXPRESSION };
    const states = new Set<string>(stateFilters);
    const producerIds = new Set(producerIdFilters);
    const nowMs = clock.nowMs();
    for (const { id, image } of transactions.all()) {
      if (pattern !== '' && id !== pattern) continue;
      if (states.size > 0 && !states.has(image.state)) continue;
      if (producerIds.size > 0 && !producerIds.has(image.producerId)) continue;
      if (durationFilter >= 0 && nowMs - image.startedMs <= durationFilter) continue;
      response.transactionStates.push({
        transactionalId: id,
        producerId: image.producerId,
        transactionState: image.state,
      });
    }
    return { ...response, unknownStateFilters: [...states].filter((state) => !isTransactionState(state)) };
  },
};
