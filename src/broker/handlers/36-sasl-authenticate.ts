/** SaslAuthenticate, on a door where nobody authenticates: refused as the handshake is (17-sasl-handshake.ts). I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultSaslAuthenticateResponse,
  type SaslAuthenticateRequest,
  type SaslAuthenticateResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const saslAuthenticateHandler: ApiHandler<SaslAuthenticateRequest, SaslAuthenticateResponse> = {
  apiKey: 36,
  handle() {
    return {
      ...defaultSaslAuthenticateResponse(),
      errorCode: ErrorCode.ILLEGAL_SASL_STATE,
      errorMessage: 'SaslAuthenticate request received after successful authentication',
    };
  },
};
