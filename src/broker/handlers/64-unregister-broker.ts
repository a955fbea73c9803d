/**
 * UnregisterBroker: has the cluster forget a broker that is gone. I/O thread.
 * There is only this one, which runs; unlike Kafka, which then shuts down, it does not unregister itself.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultUnregisterBrokerResponse,
  type UnregisterBrokerRequest,
  type UnregisterBrokerResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { ApiHandler } from '../request-context.ts';

export const unregisterBrokerHandler: ApiHandler<UnregisterBrokerRequest, UnregisterBrokerResponse> = {
  apiKey: 64,
  handle({ brokerId }, context, broker) {
    const refuse = (errorCode: ErrorCode, errorMessage: string | null): UnregisterBrokerResponse => ({
      ...defaultUnregisterBrokerResponse(),
      errorCode,
      errorMessage,
    });
    if (!allowsOnCluster(broker.authorizer, context, AclOperation.ALTER)) {
      return refuse(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, null);
    }
    if (brokerId !== broker.nodeId) {
      return refuse(ErrorCode.BROKER_ID_NOT_REGISTERED, `Broker ID ${brokerId} is not currently registered`);
    }
    const message = `Broker ${brokerId} is the only one and runs: stop it and remove its data directory instead.`;
    return refuse(ErrorCode.INVALID_REQUEST, message);
  },
};
