/** UnregisterController: there is one controller, this node, and it does not unregister itself. I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultUnregisterControllerResponse,
  type UnregisterControllerRequest,
  type UnregisterControllerResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { ApiHandler } from '../request-context.ts';

export const unregisterControllerHandler: ApiHandler<UnregisterControllerRequest, UnregisterControllerResponse> = {
  apiKey: 94,
  handle({ controllerId }, context, broker) {
    const refuse = (errorCode: ErrorCode, errorMessage: string | null): UnregisterControllerResponse => ({
      ...defaultUnregisterControllerResponse(),
      errorCode,
      errorMessage,
    });
    if (!allowsOnCluster(broker.authorizer, context, AclOperation.ALTER)) {
      return refuse(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, null);
    }
    if (controllerId === broker.nodeId) {
      return refuse(ErrorCode.INVALID_REQUEST, 'Controller cannot unregister itself while it is active.');
    }
    return refuse(ErrorCode.CONTROLLER_ID_NOT_REGISTERED, `Controller ID ${controllerId} is not currently registered.`);
  },
};
