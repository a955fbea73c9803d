/** InitializeShareGroupState (KIP-932), by which Kafka's brokers speak among themselves: see share-state-refusal.ts. I/O thread. */

import {
  defaultInitializeShareGroupStateResponse,
  type InitializeShareGroupStateRequest,
  type InitializeShareGroupStateResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';
import { refusedTopics } from '../share-state-refusal.ts';

export const initializeShareGroupStateHandler: ApiHandler<
  InitializeShareGroupStateRequest,
  InitializeShareGroupStateResponse
> = {
  apiKey: 83,
  handle(request, context, broker) {
    const results = refusedTopics(
      request,
      { context, broker, intent: 'initialize share group state' },
      (refusal) => refusal,
    );
    return { ...defaultInitializeShareGroupStateResponse(), results };
  },
};
