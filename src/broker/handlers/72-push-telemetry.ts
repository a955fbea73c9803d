/** PushTelemetry (KIP-714): what a client tells of itself, for /metrics. I/O thread. */

import {
  defaultPushTelemetryResponse,
  type PushTelemetryRequest,
  type PushTelemetryResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const pushTelemetryHandler: ApiHandler<PushTelemetryRequest, PushTelemetryResponse> = {
  apiKey: 72,
  async handle(request, context, broker) {
    await broker.telemetry.ready();
    return { ...defaultPushTelemetryResponse(), errorCode: broker.telemetry.push(request, context) };
  },
};
