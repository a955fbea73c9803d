/** DeleteShareGroupState (KIP-932), by which Kafka's brokers speak among themselves: see share-state-refusal.ts. I/O thread. */

import {
  defaultDeleteShareGroupStateResponse,
  type DeleteShareGroupStateRequest,
  type DeleteShareGroupStateResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';
import { refusedTopics } from '../share-state-refusal.ts';

export const deleteShareGroupStateHandler: ApiHandler<DeleteShareGroupStateRequest, DeleteShareGroupStateResponse> = {
  apiKey: 86,
  handle(request, context, broker) {
    const results = refusedTopics(
      request,
      { context, broker, intent: 'delete share group state' },
      (refusal) => refusal,
    );
    return { ...defaultDeleteShareGroupStateResponse(), results };
  },
};
