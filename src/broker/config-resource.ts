/**
 * What has settings, as DescribeConfigs and the requests that alter them name it. Any thread.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { ChangeResult } from './topic-catalog.ts';

/** The wire's numbers. */
export const ConfigResource = { TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8, CLIENT_METRICS: 16, GROUP: 32 } as const;

/** What is wrong with the name of a broker (its node id, or empty for all where that is allowed), or null. */
export function problemOfBrokerName(name: string, nodeId: number, emptyAllowed: boolean): ChangeResult | null {
  if (name === '' && emptyAllowed) return null;
  if (!/^[+-]?\d{1,10}$/.test(name)) {
    return invalidRequest(`The name of a broker is its node id, an integer, but it is: '${name}'`);
  }
  if (Number(name) === nodeId) return null;
  return invalidRequest(`This is broker ${nodeId}, but the request names ${name}; ask that broker itself.`);
}

export function invalidRequest(message: string): ChangeResult {
  return { errorCode: ErrorCode.INVALID_REQUEST, message };
}
