/** RemoveRaftVoter (KIP-853): refused as AddRaftVoter is (80-add-raft-voter.ts). I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import { zeroUuid } from '../../base/uuid.ts';
import {
  defaultRemoveRaftVoterResponse,
  type RemoveRaftVoterRequest,
  type RemoveRaftVoterResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import { problemOfClusterId } from '../cluster-id.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler } from '../request-context.ts';
import type { ChangeResult } from '../topic-catalog.ts';

export const removeRaftVoterHandler: ApiHandler<RemoveRaftVoterRequest, RemoveRaftVoterResponse> = {
  apiKey: 81,
  handle(request, context, broker) {
    const { errorCode, message } = allowsOnCluster(broker.authorizer, context, AclOperation.ALTER)
      ? problemOf(request, broker)
      : { errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, message: null };
    return { ...defaultRemoveRaftVoterResponse(), errorCode, errorMessage: message };
  },
};

function problemOf({ clusterId, voterId, voterDirectoryId }: RemoveRaftVoterRequest, broker: Broker): ChangeResult {
  const problem = problemOfClusterId(clusterId, broker);
  if (problem !== null) return problem;
  if (voterId < 0 || voterDirectoryId === zeroUuid) {
    return { errorCode: ErrorCode.INVALID_REQUEST, message: "Remove voter request didn't include a valid voter" };
  }
  return {
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    message: "Cluster doesn't support removing voter because the kraft.version feature is 0",
  };
}
