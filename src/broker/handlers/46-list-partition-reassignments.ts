/** ListPartitionReassignments: none is ever under way on a single node (45-alter-partition-reassignments.ts). I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultListPartitionReassignmentsResponse,
  type ListPartitionReassignmentsRequest,
  type ListPartitionReassignmentsResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { ApiHandler } from '../request-context.ts';

export const listPartitionReassignmentsHandler: ApiHandler<
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse
> = {
  apiKey: 46,
  handle(_request, context, broker) {
    const allowed = allowsOnCluster(broker.authorizer, context, AclOperation.DESCRIBE);
    const errorCode = allowed ? ErrorCode.NONE : ErrorCode.CLUSTER_AUTHORIZATION_FAILED;
    return { ...defaultListPartitionReassignmentsResponse(), errorCode, errorMessage: null };
  },
};
