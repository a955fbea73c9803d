/**
 * What has settings, as DescribeConfigs and the requests that alter them name it. Any thread.
 */

import { ErrorCode } from '../base/error-code.ts';
import { AclResource, allowsOnCluster, type AclOperation } from './authorizer.ts';
import type { Broker } from './broker.ts';
import type { RequestContext } from './request-context.ts';
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

/** What answers who may not see or change settings of the resource; null where it may. */
export function refusalOfConfigs(
  resourceType: number,
  name: string,
  operation: typeof AclOperation.DESCRIBE_CONFIGS | typeof AclOperation.ALTER_CONFIGS,
  context: RequestContext,
  { authorizer }: Broker,
): ChangeResult | null {
  const refuse = (errorCode: ErrorCode): ChangeResult => ({ errorCode, message: 'Authorization failed.' });
  switch (resourceType) {
    case ConfigResource.TOPIC:
      if (authorizer.allows(context, operation, AclResource.TOPIC, name)) return null;
      return refuse(ErrorCode.TOPIC_AUTHORIZATION_FAILED);
    case ConfigResource.GROUP:
      if (authorizer.allows(context, operation, AclResource.GROUP, name)) return null;
      return refuse(ErrorCode.GROUP_AUTHORIZATION_FAILED);
    default:
      if (allowsOnCluster(authorizer, context, operation)) return null;
      return refuse(ErrorCode.CLUSTER_AUTHORIZATION_FAILED);
  }
}

export function invalidRequest(message: string): ChangeResult {
  return { errorCode: ErrorCode.INVALID_REQUEST, message };
}
