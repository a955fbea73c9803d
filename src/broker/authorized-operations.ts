/**
 * What a client may do, as the bit fields that Metadata and its kin carry (KIP-430). I/O thread.
 */

import { AclOperation, AclResource, allowAll, allowsOnCluster, clusterName } from './authorizer.ts';
import type { Broker } from './broker.ts';
import type { RequestContext } from './request-context.ts';

/** Stands where the client did not ask. */
export const operationsNotAsked = -(2 ** 31);

const { READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS } = AclOperation;

type Described = Exclude<AclResource, typeof AclResource.TRANSACTIONAL_ID>;

/** What can be done with each kind of resource that clients ask about. */
const operationsOf: Readonly<Record<Described, readonly AclOperation[]>> = {
  [AclResource.TOPIC]: [READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS],
  [AclResource.CLUSTER]: [
    ...[CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS],
    AclOperation.IDEMPOTENT_WRITE,
  ],
  [AclResource.GROUP]: [READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS],
};

function bitsOf(operations: readonly AclOperation[]): number {
  return operations.reduce((bits, operation) => bits | (1 << operation), 0);
}

const allBits: Readonly<Record<Described, number>> = {
  [AclResource.TOPIC]: bitsOf(operationsOf[AclResource.TOPIC]),
  [AclResource.CLUSTER]: bitsOf(operationsOf[AclResource.CLUSTER]),
  [AclResource.GROUP]: bitsOf(operationsOf[AclResource.GROUP]),
};

/** What the request's principal may do with the topic or group, one bit for each operation. */
export function authorizedOperations(
  { authorizer }: Broker,
  context: RequestContext,
  resource: Described,
  name: string,
): number {
  if (authorizer === allowAll) return allBits[resource];
  return bitsOf(operationsOf[resource].filter((operation) => authorizer.allows(context, operation, resource, name)));
}

/** What the request's principal may do with the cluster; nothing where it may not even be described. */
export function authorizedOperationsOnCluster(broker: Broker, context: RequestContext): number {
  if (!allowsOnCluster(broker.authorizer, context, DESCRIBE)) return 0;
  return authorizedOperations(broker, context, AclResource.CLUSTER, clusterName);
}

/** What the request's principal may do with each group that is asked for. */
export function groupOperations(broker: Broker, context: RequestContext): (groupId: string) => number {
  return (groupId) => authorizedOperations(broker, context, AclResource.GROUP, groupId);
}
