/** ReadShareGroupStateSummary (KIP-932), by which Kafka's brokers speak among themselves: see share-state-refusal.ts. I/O thread. */

import {
  defaultReadShareGroupStateSummaryResponse,
  type ReadShareGroupStateSummaryRequest,
  type ReadShareGroupStateSummaryResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';
import { refusedTopics } from '../share-state-refusal.ts';

export const readShareGroupStateSummaryHandler: ApiHandler<
  ReadShareGroupStateSummaryRequest,
  ReadShareGroupStateSummaryResponse
> = {
  apiKey: 87,
  handle(request, context, broker) {
    const results = refusedTopics(
      request,
      { context, broker, intent: 'read share group state summary' },
      (refusal) => ({
        ...refusal,
        stateEpoch: 0,
        leaderEpoch: 0,
        startOffset: 0,
        deliveryCompleteCount: -1,
      }),
    );
    return { ...defaultReadShareGroupStateSummaryResponse(), results };
  },
};
