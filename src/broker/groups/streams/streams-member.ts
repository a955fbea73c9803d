/**
 * A member of a streams group (KIP-1071), as a value: what it said of itself, and how far it has come towards its target
 * assignment. A change makes a new one. Any thread; it does not know the group (streams-group.ts).
 * Its states are those of members of consumer groups (consumer/consumer-member.ts), with tasks for partitions.
 */

import type { ReconciliationState } from '../consumer/consumer-member.ts';
import { noAssignedTasks, sameAssignedTasks, type AssignedTasks } from './tasks.ts';

/** Where others can ask a member for its state. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What a member says of itself. */
export interface StreamsIdentity {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  /** Of the topology that it runs; -1 where it has not said so. */
  readonly topologyEpoch: number;
  /** Members with the same one share a state directory. */
  readonly processId: string;
  readonly endpoint: Endpoint | null;
  readonly clientTags: ReadonlyMap<string, string>;
}

/** How far a member has come. */
export interface StreamsProgress {
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly state: ReconciliationState;
  readonly assigned: AssignedTasks;
  readonly revoking: AssignedTasks;
}

export interface StreamsMember extends StreamsIdentity, StreamsProgress {
  readonly id: string;
}

/** What a member takes beside what it says. */
const memberOverheadBytes = 1024;

const noIdentity: StreamsIdentity = {
  instanceId: null,
  rackId: null,
  clientId: '',
  clientHost: '',
  rebalanceTimeoutMs: -1,
  topologyEpoch: -1,
  processId: '',
  endpoint: null,
  clientTags: new Map(),
};

const noProgress: StreamsProgress = {
  epoch: 0,
  previousEpoch: 0,
  state: 'stable',
  assigned: noAssignedTasks,
  revoking: noAssignedTasks,
};

/** A member of which nothing is known but its id. */
export function newStreamsMember(id: string): StreamsMember {
  return { id, ...noIdentity, ...noProgress };
}

export function sameStreamsIdentity(a: StreamsIdentity, b: StreamsIdentity): boolean {
  return (
    isSameForEpoch(a, b) &&
    a.instanceId === b.instanceId &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    sameEndpoint(a.endpoint, b.endpoint)
  );
}

/** Whether all is the same that makes a static member's change one of the group. */
export function isSameForEpoch(a: StreamsIdentity, b: StreamsIdentity): boolean {
  return (
    a.topologyEpoch === b.topologyEpoch &&
    a.rackId === b.rackId &&
    a.processId === b.processId &&
    sameTags(a.clientTags, b.clientTags)
  );
}

export function sameEndpoint(a: Endpoint | null, b: Endpoint | null): boolean {
  return a === b || (a !== null && b !== null && a.host === b.host && a.port === b.port);
}

export function sameStreamsProgress(a: StreamsProgress, b: StreamsProgress): boolean {
  return (
    a.epoch === b.epoch &&
    a.previousEpoch === b.previousEpoch &&
    a.state === b.state &&
    sameAssignedTasks(a.assigned, b.assigned) &&
    sameAssignedTasks(a.revoking, b.revoking)
  );
}

/** What a member takes in memory, in bytes, roughly. */
export function streamsMemberSizeBytes(member: StreamsMember): number {
  const { id, clientId, rackId, instanceId, processId, endpoint, clientTags } = member;
  let sizeBytes = memberOverheadBytes + id.length + clientId.length + processId.length;
  sizeBytes += (rackId?.length ?? 0) + (instanceId?.length ?? 0) + (endpoint?.host.length ?? 0);
  for (const [key, value] of clientTags) sizeBytes += key.length + value.length + tagOverheadBytes;
  return sizeBytes;
}

const tagOverheadBytes = 64;

function sameTags(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
