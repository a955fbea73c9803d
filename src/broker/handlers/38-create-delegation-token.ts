/**
 * CreateDelegationToken: refused, as Kafka refuses it to those who did not authenticate. I/O thread.
 * So are the requests that renew, expire and describe tokens (39 to 41).
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultCreateDelegationTokenResponse,
  type CreateDelegationTokenRequest,
  type CreateDelegationTokenResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

const noTime = -1;

export const createDelegationTokenHandler: ApiHandler<CreateDelegationTokenRequest, CreateDelegationTokenResponse> = {
  apiKey: 38,
  handle({ ownerPrincipalType, ownerPrincipalName }, { connection }) {
    const { type, name } = connection.principal;
    const isForOther = ownerPrincipalName !== null && ownerPrincipalName !== '';
    return {
      ...defaultCreateDelegationTokenResponse(),
      errorCode: ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
      principalType: isForOther ? (ownerPrincipalType ?? type) : type,
      principalName: isForOther ? ownerPrincipalName : name,
      tokenRequesterPrincipalType: type,
      tokenRequesterPrincipalName: name,
      issueTimestampMs: noTime,
      expiryTimestampMs: noTime,
      maxTimestampMs: noTime,
    };
  },
};
