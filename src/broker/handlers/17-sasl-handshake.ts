/**
 * SaslHandshake, on a door where nobody authenticates: it has no place there, and is refused as Kafka refuses it on its
 * PLAINTEXT listeners. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultSaslHandshakeResponse,
  type SaslHandshakeRequest,
  type SaslHandshakeResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const saslHandshakeHandler: ApiHandler<SaslHandshakeRequest, SaslHandshakeResponse> = {
  apiKey: 17,
  handle() {
    return { ...defaultSaslHandshakeResponse(), errorCode: ErrorCode.ILLEGAL_SASL_STATE };
  },
};
