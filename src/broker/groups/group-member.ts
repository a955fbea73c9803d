/**
 * A member of a classic group: what it said of itself, its part of the assignment, and the responses it waits for.
 * I/O thread. It does not know the group's state (classic-group.ts).
 */

import type { JoinGroupResponse, SyncGroupResponse } from '../../protocol/generated/index.ts';
import type { Deadline } from './deadline.ts';
import { equalBytes } from './equal-bytes.ts';
import type { WaitingResponse } from './waiting-response.ts';

/** A way of assigning that the member can take part in, such as `range`, with what it says to the leader about itself. */
export interface MemberProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

/** What a member says of itself when it joins. */
export interface MemberDescription {
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  /** In the order of preference. */
  readonly protocols: readonly MemberProtocol[];
}

/** What a member takes beside what it says. */
const memberOverheadBytes = 1024;
/** What a protocol takes beside its name and metadata. */
const protocolOverheadBytes = 256;

/** What a member with this description takes in memory, in bytes, roughly. */
export function descriptionSizeBytes({ clientId, protocols }: MemberDescription): number {
  return memberOverheadBytes + clientId.length + protocolsSizeBytes(protocols);
}

/** What the protocols take in memory, in bytes, roughly. */
export function protocolsSizeBytes(protocols: readonly MemberProtocol[]): number {
  let sizeBytes = 0;
  for (const { name, metadata } of protocols) sizeBytes += protocolOverheadBytes + name.length + metadata.length;
  return sizeBytes;
}

export const noAssignment = new Uint8Array(0);

export class GroupMember {
  readonly id: string;
  /** The `group.instance.id` of a static member (KIP-345), null for a dynamic one. */
  readonly instanceId: string | null;
  description: MemberDescription;
  /** Of a member that is in a group set by that group alone, which counts what it takes. */
  assignment: Uint8Array = noAssignment;
  /** Ends the member's session where nothing is heard from it. */
  readonly session: Deadline;
  /** Its JoinGroup, from when it came until it is answered; it has joined even where its connection has ended since. */
  join: WaitingResponse<JoinGroupResponse> | null = null;
  sync: WaitingResponse<SyncGroupResponse> | null = null;
  /** Until the member's first generation begins, its session ends even while it waits. */
  isNew = false;

  constructor(id: string, instanceId: string | null, description: MemberDescription, session: Deadline) {
    this.id = id;
    this.instanceId = instanceId;
    this.description = description;
    this.session = session;
  }

  get hasJoined(): boolean {
    return this.join !== null;
  }

  /** Whether the member is alive without heartbeats: it waits for us, and cannot send any meanwhile. */
  get needsNoHeartbeat(): boolean {
    return !this.isNew && (this.join?.isWaiting === true || this.sync?.isWaiting === true);
  }

  /** What the member says under the protocol; nothing where it does not know it. */
  metadata(protocolName: string | null): Uint8Array {
    return this.description.protocols.find(({ name }) => name === protocolName)?.metadata ?? noAssignment;
  }

  /** Whether it has said exactly this before. */
  hasSameProtocols(protocols: readonly MemberProtocol[]): boolean {
    const mine = this.description.protocols;
    return (
      mine.length === protocols.length &&
      mine.every(({ name, metadata }, i) => {
        const other = protocols[i]!;
        return name === other.name && equalBytes(metadata, other.metadata);
      })
    );
  }
}
