/**
 * Share sessions (KIP-932): which partitions a member of a share group fetches from, so that its requests name only what
 * changes. I/O thread.
 *
 *   epoch 0: a new session in the place of the member's    1, 2, …: the next request    -1: the last
 *
 * A session belongs to the connection that began it: with it goes what the member has. It does not read logs.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { refusal, type Refusal } from '../groups/consumer/refusal.ts';
import { placeName, type SharePlace } from '../groups/share/share-records.ts';
import type { ConnectionContext } from '../request-context.ts';

export const initialShareEpoch = 0;
export const finalShareEpoch = -1;
const firstEpoch = 1;
const largestInt32 = 0x7fff_ffff;
/** As many partitions as all sessions together name. */
const maxPartitions = 1_000_000;

/** A partition of a session. */
export interface SessionPlace extends SharePlace {
  /** Whether the member is to hear of it though there is nothing to tell. */
  isNew: boolean;
}

export class ShareSession {
  readonly groupId: string;
  readonly memberId: string;
  /** By name, in the order in which the next fetch reads them. */
  readonly places = new Map<string, SessionPlace>();
  /** The epoch of the next request. */
  epoch = firstEpoch;
  readonly stopListening: () => void;

  constructor(groupId: string, memberId: string, stopListening: () => void) {
    this.groupId = groupId;
    this.memberId = memberId;
    this.stopListening = stopListening;
  }
}

export interface ShareSessionsOptions {
  /** How many sessions there may be. */
  maxSessions(): number;
  /** The session is over: what the member has is to be given back. */
  ended(session: ShareSession): void;
}

const notFound = refusal(ErrorCode.SHARE_SESSION_NOT_FOUND, 'The share session is not there.');
const wrongEpoch = refusal(ErrorCode.INVALID_SHARE_SESSION_EPOCH, 'The share session is at another epoch.');
const limitReached = refusal(ErrorCode.SHARE_SESSION_LIMIT_REACHED, 'There are too many share sessions.');

export class ShareSessions {
  readonly #options: ShareSessionsOptions;
  readonly #sessions = new Map<string, ShareSession>();
  #placeCount = 0;

  constructor(options: ShareSessionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sessions.size;
  }

  find(groupId: string, memberId: string): ShareSession | null {
    return this.#sessions.get(keyOf(groupId, memberId)) ?? null;
  }

  /** Begins a session, in the place of the one that the member had, which keeps what it has. */
  begin(
    groupId: string,
    memberId: string,
    places: readonly SharePlace[],
    connection: ConnectionContext,
  ): ShareSession | Refusal {
    const before = this.find(groupId, memberId);
    if (before !== null) this.#forget(before);
    if (this.#sessions.size >= this.#options.maxSessions()) return limitReached;
    if (this.#placeCount + places.length > maxPartitions) return limitReached;
    const session: ShareSession = new ShareSession(
      groupId,
      memberId,
      connection.onClose(() => this.end(session)),
    );
    this.#sessions.set(keyOf(groupId, memberId), session);
    this.#add(session, places, false);
    return session;
  }

  /** The session of a request that is not its first. `epoch` -1 is taken at any time, and moves nothing. */
  next(groupId: string, memberId: string, epoch: number): ShareSession | Refusal {
    const session = this.find(groupId, memberId);
    if (session === null) return notFound;
    if (epoch === finalShareEpoch) return session;
    if (epoch !== session.epoch) return wrongEpoch;
    session.epoch = session.epoch === largestInt32 ? firstEpoch : session.epoch + 1;
    return session;
  }

  /** Adds what a request names and takes away what it forgets. */
  update(session: ShareSession, added: readonly SharePlace[], forgotten: readonly SharePlace[]): Refusal | null {
    if (this.#placeCount + added.length > maxPartitions) return limitReached;
    this.#add(session, added, true);
    for (const place of forgotten) if (session.places.delete(placeName(place))) this.#placeCount--;
    return null;
  }

  /** Has the place read after all others next time. */
  moveToEnd(session: ShareSession, name: string): void {
    const place = session.places.get(name);
    if (place === undefined) return;
    session.places.delete(name);
    session.places.set(name, place);
  }

  /** Ends a session, also one that is over already. */
  end(session: ShareSession): void {
    if (this.find(session.groupId, session.memberId) !== session) return;
    this.#forget(session);
    this.#options.ended(session);
  }

  #add(session: ShareSession, places: readonly SharePlace[], isNew: boolean): void {
    for (const { topicId, partition } of places) {
      const name = placeName({ topicId, partition });
      if (session.places.has(name)) continue;
      session.places.set(name, { topicId, partition, isNew });
      this.#placeCount++;
    }
  }

  #forget(session: ShareSession): void {
    this.#sessions.delete(keyOf(session.groupId, session.memberId));
    this.#placeCount -= session.places.size;
    session.stopListening();
  }
}

function keyOf(groupId: string, memberId: string): string {
  return `${memberId}/${groupId}`;
}
