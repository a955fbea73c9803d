/** RenewDelegationToken: refused as the creation of tokens is (38-create-delegation-token.ts). I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultRenewDelegationTokenResponse,
  type RenewDelegationTokenRequest,
  type RenewDelegationTokenResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const renewDelegationTokenHandler: ApiHandler<RenewDelegationTokenRequest, RenewDelegationTokenResponse> = {
  apiKey: 39,
  handle() {
    const errorCode = ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    return { ...defaultRenewDelegationTokenResponse(), errorCode, expiryTimestampMs: -1 };
  },
};
