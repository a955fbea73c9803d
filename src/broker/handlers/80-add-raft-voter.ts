/**
 * AddRaftVoter (KIP-853): refused, as a Kafka does whose quorum is fixed (`kraft.version` 0). I/O thread.
 * What is wrong with the request itself comes first.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid } from '../../base/uuid.ts';
import {
  defaultAddRaftVoterResponse,
  type AddRaftVoterRequest,
  type AddRaftVoterResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import { problemOfClusterId } from '../cluster-id.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler } from '../request-context.ts';
import type { ChangeResult } from '../topic-catalog.ts';

const controllerListener = 'CONTROLLER';

export const addRaftVoterHandler: ApiHandler<AddRaftVoterRequest, AddRaftVoterResponse> = {
  apiKey: 80,
  handle(request, context, broker) {
    const { errorCode, message } = allowsOnCluster(broker.authorizer, context, AclOperation.ALTER)
      ? problemOf(request, broker)
      : { errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, message: null };
    return { ...defaultAddRaftVoterResponse(), errorCode, errorMessage: message };
  },
};

function problemOf(request: AddRaftVoterRequest, broker: Broker): ChangeResult {
  const invalid = (message: string): ChangeResult => ({ errorCode: ErrorCode.INVALID_REQUEST, message });
  const problem = problemOfClusterId(request.clusterId, broker);
  if (problem !== null) return problem;
  if (request.voterId < 0 || request.voterDirectoryId === zeroUuid) {
    return invalid("Add voter request didn't include a valid voter");
  }
  if (!request.listeners.some(({ name }) => name === controllerListener)) {
    return invalid(`Add voter request didn't include the endpoint for the default listener ${controllerListener}`);
  }
  return {
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    message: "Cluster doesn't support adding voter because the kraft.version feature is 0",
  };
}
