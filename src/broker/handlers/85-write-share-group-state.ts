/** WriteShareGroupState (KIP-932), by which Kafka's brokers speak among themselves: see share-state-refusal.ts. I/O thread. */

import {
  defaultWriteShareGroupStateResponse,
  type WriteShareGroupStateRequest,
  type WriteShareGroupStateResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';
import { refusedTopics } from '../share-state-refusal.ts';

export const writeShareGroupStateHandler: ApiHandler<WriteShareGroupStateRequest, WriteShareGroupStateResponse> = {
  apiKey: 85,
  handle(request, context, broker) {
    const results = refusedTopics(
      request,
      { context, broker, intent: 'write share group state' },
      (refusal) => refusal,
    );
    return { ...defaultWriteShareGroupStateResponse(), results };
  },
};
