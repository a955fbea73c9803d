/** ReadShareGroupState (KIP-932), by which Kafka's brokers speak among themselves: see share-state-refusal.ts. I/O thread. */

import {
  defaultReadShareGroupStateResponse,
  type ReadShareGroupStateRequest,
  type ReadShareGroupStateResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';
import { refusedTopics } from '../share-state-refusal.ts';

export const readShareGroupStateHandler: ApiHandler<ReadShareGroupStateRequest, ReadShareGroupStateResponse> = {
  apiKey: 84,
  handle(request, context, broker) {
    const results = refusedTopics(request, { context, broker, intent: 'read share group state' }, (refusal) => ({
      ...refusal,
      stateEpoch: 0,
      startOffset: 0,
      stateBatches: [],
    }));
    return { ...defaultReadShareGroupStateResponse(), results };
  },
};
