/** CreateAcls: each is refused, as nobody would read it (29-describe-acls.ts). I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultCreateAclsResponse,
  type CreateAclsRequest,
  type CreateAclsResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const createAclsHandler: ApiHandler<CreateAclsRequest, CreateAclsResponse> = {
  apiKey: 30,
  handle({ creations }) {
    const refused = { errorCode: ErrorCode.SECURITY_DISABLED, errorMessage: 'No Authorizer is configured.' };
    return { ...defaultCreateAclsResponse(), results: creations.map(() => refused) };
  },
};
