/**
 * Where it is decided whether a principal may do what its request asks. I/O thread.
 * Handlers ask wherever Kafka's do, and answer a no as Kafka does. Today everybody may do everything; an authorizer
 * that reads access control lists takes the place of `allowAll` in the broker's options, and nothing else changes.
 * It does not know who a connection's principal is (request-context.ts).
 */

import type { RequestContext } from './request-context.ts';

/** The numbers of operations in Kafka's access control lists. */
export const AclOperation = {
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  ALTER: 7,
  DESCRIBE: 8,
  CLUSTER_ACTION: 9,
  DESCRIBE_CONFIGS: 10,
  ALTER_CONFIGS: 11,
  IDEMPOTENT_WRITE: 12,
} as const;

export type AclOperation = (typeof AclOperation)[keyof typeof AclOperation];

/** The numbers of resource types in Kafka's access control lists. */
export const AclResource = { TOPIC: 2, GROUP: 3, CLUSTER: 4, TRANSACTIONAL_ID: 5 } as const;

export type AclResource = (typeof AclResource)[keyof typeof AclResource];

export interface Authorizer {
  /** Whether the request's principal may do so with the resource of that name. Called often: it has to be quick. */
  allows(context: RequestContext, operation: AclOperation, resource: AclResource, name: string): boolean;
  /** Whether there is any resource of that kind with which the request's principal may do so. */
  allowsOnAny(context: RequestContext, operation: AclOperation, resource: AclResource): boolean;
}

/** Kafka without an authorizer. */
export const allowAll: Authorizer = { allows: () => true, allowsOnAny: () => true };

/** Whether the request's principal may do so with the topic of that name. */
export function allowsOnTopic(
  authorizer: Authorizer,
  context: RequestContext,
  operation: AclOperation,
  name: string,
): boolean {
  return authorizer.allows(context, operation, AclResource.TOPIC, name);
}

/** What access control lists call the cluster. */
export const clusterName = 'kafka-cluster';

/** Whether the request's principal may do so with the cluster as a whole. */
export function allowsOnCluster(authorizer: Authorizer, context: RequestContext, operation: AclOperation): boolean {
  return authorizer.allows(context, operation, AclResource.CLUSTER, clusterName);
}
