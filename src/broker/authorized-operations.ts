/**
 * What a client may do, as the bit fields that Metadata and its kin carry (KIP-430). Any thread.
 * There is no authorizer yet, so everybody may do everything that the resource knows.
 */

import { AclOperation } from './authorizer.ts';

function bitsOf(operations: readonly number[]): number {
  return operations.reduce((bits, operation) => bits | (1 << operation), 0);
}

/** Stands where the client did not ask. */
export const operationsNotAsked = -(2 ** 31);

export const topicOperations = bitsOf([
  AclOperation.READ,
  AclOperation.WRITE,
  AclOperation.CREATE,
  AclOperation.DELETE,
  AclOperation.ALTER,
  AclOperation.DESCRIBE,
  AclOperation.DESCRIBE_CONFIGS,
  AclOperation.ALTER_CONFIGS,
]);

export const clusterOperations = bitsOf([
  AclOperation.CREATE,
  AclOperation.ALTER,
  AclOperation.DESCRIBE,
  AclOperation.CLUSTER_ACTION,
  AclOperation.DESCRIBE_CONFIGS,
  AclOperation.ALTER_CONFIGS,
  AclOperation.IDEMPOTENT_WRITE,
]);

export const groupOperations = bitsOf([
  AclOperation.READ,
  AclOperation.DELETE,
  AclOperation.DESCRIBE,
  AclOperation.DESCRIBE_CONFIGS,
  AclOperation.ALTER_CONFIGS,
]);
