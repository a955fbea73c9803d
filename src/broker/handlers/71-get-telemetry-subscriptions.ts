/** GetTelemetrySubscriptions (KIP-714): which metrics a client is to push, and how often. I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultGetTelemetrySubscriptionsResponse,
  type GetTelemetrySubscriptionsRequest,
  type GetTelemetrySubscriptionsResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';
import { acceptedCompressions } from '../telemetry/client-telemetry.ts';

export const getTelemetrySubscriptionsHandler: ApiHandler<
  GetTelemetrySubscriptionsRequest,
  GetTelemetrySubscriptionsResponse
> = {
  apiKey: 71,
  async handle({ clientInstanceId }, context, broker) {
    await broker.telemetry.ready();
    const response = defaultGetTelemetrySubscriptionsResponse();
    const { errorCode, instanceId, subscription } = broker.telemetry.subscribe(clientInstanceId, context);
    if (errorCode !== ErrorCode.NONE) return { ...response, errorCode };
    return {
      ...response,
      clientInstanceId: instanceId,
      subscriptionId: subscription.id,
      acceptedCompressionTypes: [...acceptedCompressions],
      pushIntervalMs: subscription.pushIntervalMs,
      telemetryMaxBytes: broker.config.number('telemetry.max.bytes'),
      deltaTemporality: true,
      requestedMetrics: [...subscription.metrics],
    };
  },
};
