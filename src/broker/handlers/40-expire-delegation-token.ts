/** ExpireDelegationToken: refused as the creation of tokens is (38-create-delegation-token.ts). I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultExpireDelegationTokenResponse,
  type ExpireDelegationTokenRequest,
  type ExpireDelegationTokenResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const expireDelegationTokenHandler: ApiHandler<ExpireDelegationTokenRequest, ExpireDelegationTokenResponse> = {
  apiKey: 40,
  handle() {
    const errorCode = ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    return { ...defaultExpireDelegationTokenResponse(), errorCode, expiryTimestampMs: -1 };
  },
};
