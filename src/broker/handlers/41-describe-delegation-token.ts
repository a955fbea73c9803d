/** DescribeDelegationToken: refused as the creation of tokens is (38-create-delegation-token.ts). I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDescribeDelegationTokenResponse,
  type DescribeDelegationTokenRequest,
  type DescribeDelegationTokenResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const describeDelegationTokenHandler: ApiHandler<
  DescribeDelegationTokenRequest,
  DescribeDelegationTokenResponse
> = {
  apiKey: 41,
  handle() {
    return {
      ...defaultDescribeDelegationTokenResponse(),
      errorCode: ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
    };
  },
};
