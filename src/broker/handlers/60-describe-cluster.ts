/**
 * DescribeCluster: this node at the address of the door that the client came through. I/O thread.
 * It describes brokers only: a controller of its own, to be reached at another address, there is not.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDescribeClusterResponse,
  type DescribeClusterRequest,
  type DescribeClusterResponse,
} from '../../protocol/generated/index.ts';
import { authorizedOperationsOnCluster, operationsNotAsked } from '../authorized-operations.ts';
import type { ApiHandler } from '../request-context.ts';

const EndpointType = { BROKER: 1, CONTROLLER: 2 } as const;

export const describeClusterHandler: ApiHandler<DescribeClusterRequest, DescribeClusterResponse> = {
  apiKey: 60,
  handle({ endpointType, includeClusterAuthorizedOperations }, context, broker) {
    if (endpointType !== EndpointType.BROKER) return refused(endpointType);
    const { advertisedHost: host, advertisedPort: port } = context.connection;
    return {
      ...defaultDescribeClusterResponse(),
      clusterId: broker.clusterId,
      controllerId: broker.nodeId,
      brokers: [{ brokerId: broker.nodeId, host, port, rack: broker.config.text('broker.rack'), isFenced: false }],
      clusterAuthorizedOperations: includeClusterAuthorizedOperations
        ? authorizedOperationsOnCluster(broker, context)
        : operationsNotAsked,
    };
  },
};

function refused(endpointType: number): DescribeClusterResponse {
  const isKnown = endpointType === EndpointType.CONTROLLER;
  return {
    ...defaultDescribeClusterResponse(),
    errorCode: isKnown ? ErrorCode.MISMATCHED_ENDPOINT_TYPE : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
    errorMessage: isKnown
      ? 'This is an endpoint of type BROKER, but the request asks for one of type CONTROLLER.'
      : `There is no endpoint type ${endpointType}: 1 is BROKER, 2 is CONTROLLER.`,
  };
}
