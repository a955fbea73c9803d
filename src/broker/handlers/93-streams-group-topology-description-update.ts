/**
 * StreamsGroupTopologyDescriptionUpdate (KIP-1331): a member tells what its topology looks like, for a plug-in to keep.
 * There is none here, which Kafka without one answers in the same way. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultStreamsGroupTopologyDescriptionUpdateResponse,
  type StreamsGroupTopologyDescriptionUpdateRequest,
  type StreamsGroupTopologyDescriptionUpdateResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const streamsGroupTopologyDescriptionUpdateHandler: ApiHandler<
  StreamsGroupTopologyDescriptionUpdateRequest,
  StreamsGroupTopologyDescriptionUpdateResponse
> = {
  apiKey: 93,
  handle(_request, _context, { groups }) {
    const response = defaultStreamsGroupTopologyDescriptionUpdateResponse();
    if (!groups.isActive) return { ...response, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
    const errorMessage = 'The broker has no streams group topology description plugin configured.';
    return { ...response, errorCode: ErrorCode.UNSUPPORTED_VERSION, errorMessage };
  },
};
