/** DeleteAcls: each filter is refused, as there is nothing to delete (29-describe-acls.ts). I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDeleteAclsResponse,
  type DeleteAclsRequest,
  type DeleteAclsResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const deleteAclsHandler: ApiHandler<DeleteAclsRequest, DeleteAclsResponse> = {
  apiKey: 31,
  handle({ filters }) {
    const refused = {
      errorCode: ErrorCode.SECURITY_DISABLED,
      errorMessage: 'No Authorizer is configured.',
      matchingAcls: [],
    };
    return { ...defaultDeleteAclsResponse(), filterResults: filters.map(() => refused) };
  },
};
