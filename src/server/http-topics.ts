/**
 * Topics over HTTP: everything that this part of the server offers, with the document that describes it. I/O thread.
 */

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { Callers, clientParameter } from './http-api/callers.ts';
import { openApiOperation } from './http-api/open-api.ts';
import { operationsPart } from './http-api/operations-part.ts';
import { ingestOperations } from './http-ingest/ingest-operations.ts';
import type { BodyLimits } from './http-ingest/body-sink.ts';
import { BodyReaders } from './http-ingest/request-body.ts';
import { producerOperations } from './http-ingest/producer-operations.ts';
import { proxyClusterOperations } from './http-read/proxy-clusters.ts';
import { readOperations } from './http-read/read-operations.ts';
import type { HttpPart } from './http-route.ts';

export interface HttpTopicsOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The release, for the document. */
  readonly version: string;
  readonly bodyLimits?: BodyLimits | undefined;
  readonly heartbeatMs?: number | undefined;
}

export function httpTopics({ gateway, clock, logger, version, bodyLimits, heartbeatMs }: HttpTopicsOptions): HttpPart {
  const bodies = new BodyReaders(clock, bodyLimits);
  const { broker, publisher, feeds } = gateway;
  const served = [
    ...ingestOperations({ broker, publisher, bodies }),
    ...producerOperations(gateway),
    ...readOperations({ broker, feeds, clock, heartbeatMs }),
    ...proxyClusterOperations(broker),
  ];
  const operations = served.map((each) => ({ ...each, parameters: [...each.parameters, clientParameter] }));
  const callers = new Callers(broker);
  return operationsPart([...operations, openApiOperation(operations, version)], { callers, clock, logger });
}
