/** DescribeAcls: there are no access control lists without an authorizer that reads them. I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDescribeAclsResponse,
  type DescribeAclsRequest,
  type DescribeAclsResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const describeAclsHandler: ApiHandler<DescribeAclsRequest, DescribeAclsResponse> = {
  apiKey: 29,
  handle() {
    return {
      ...defaultDescribeAclsResponse(),
      errorCode: ErrorCode.SECURITY_DISABLED,
      errorMessage: 'No Authorizer is configured on the broker',
    };
  },
};
