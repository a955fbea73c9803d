/**
 * How many connections there may be: of all doors together (`max.connections`), from each client's address
 * (`max.connections.per.ip`), where a connection over which only HTTP is spoken counts while it has a request under way,
 * and in a second: from an address over all doors, and over TCP together (KIP-612). I/O thread. All bounds may change while
 * the broker runs; connections that are there stay.
 * It does not know sockets: a door asks before it takes a connection, and says when that has ended.
 */

import { assert } from '../base/assert.ts';
import type { DescriptorShares } from './descriptor-shares.ts';

export interface ConnectionBounds {
  /** `max.connections`, as it is now. */
  readonly largestCount: () => number;
  /** `max.connections.per.ip`, or the override of the address, as it is now. */
  readonly largestCountPerAddress: (clientHost: string) => number;
  /** Whether that bounds any address. Default: whether it does the loopback. */
  readonly limitsAddresses?: () => boolean;
  /** Counts a connection; for how long one that comes too early is to be held up, in milliseconds, else 0. Default: none is. */
  readonly throttleMs?: (clientHost: string) => number;
  /** Counts a connection; for how long it waits before it comes in, in milliseconds. Default: none waits. */
  readonly waitMs?: () => number;
  /** How the system's bound on open files is shared. Default: as if there were none. */
  readonly descriptors?: Pick<DescriptorShares, 'largestConnectionCount' | 'connectionsAre' | 'look'>;
}

/** What `max.connections.per.ip` is where it limits nothing. */
const unlimited = 2 ** 31 - 1;
/** So few connections are let in whatever the system's bound; with more it is looked at again, as it may have changed. */
const fewConnections = 32;

export type ConnectionBound = 'max.connections' | 'max.connections.per.ip' | 'open files (ulimit -n)';

export class ConnectionQuota {
  readonly #bounds: ConnectionBounds;
  readonly #countByAddress = new Map<string, number>();
  #count = 0;
  #hasLooked = false;

  constructor(bounds: ConnectionBounds) {
    this.#bounds = bounds;
  }

  /** Connections of all doors. */
  get count(): number {
    return this.#count;
  }

  /** What forbids one more connection from `clientHost`, or null where it may come in. */
  refusal(clientHost: string): ConnectionBound | null {
    const ofAll = this.refusalOfAll(this.#count);
    if (ofAll !== null) return ofAll;
    const ofAddress = this.#countByAddress.get(clientHost) ?? 0;
    return ofAddress >= this.#bounds.largestCountPerAddress(clientHost) ? 'max.connections.per.ip' : null;
  }

  /**
   * Counts a connection from `clientHost` that `refusal` has nothing against. For how long it is to be held up before it
   * is closed, in milliseconds; 0 where it may come in.
   */
  throttleMs(clientHost: string): number {
    return this.#bounds.throttleMs?.(clientHost) ?? 0;
  }

  /** Counts a connection; for how long it, and those behind it, wait before it comes in, in milliseconds. */
  waitMs(): number {
    return this.#bounds.waitMs?.() ?? 0;
  }

  /** What forbids one more where there are `count` already, whoever they are from; or null. */
  refusalOfAll(count: number): ConnectionBound | null {
    if (count >= this.#bounds.largestCount()) return 'max.connections';
    const { descriptors } = this.#bounds;
    if (count < fewConnections || descriptors === undefined) return null;
    if (!this.#hasLooked) descriptors.look();
    this.#hasLooked = true;
    return count >= descriptors.largestConnectionCount ? 'open files (ulimit -n)' : null;
  }

  /** A connection came in or has ended (`by` 1 or -1) of which nobody will say whose it was: no address has it. */
  countOnly(by: 1 | -1): void {
    this.#count += by;
    assert(this.#count >= 0, 'a connection is removed once');
    this.#bounds.descriptors?.connectionsAre(this.#count);
  }

  /** A connection from `clientHost` came in. */
  add(clientHost: string): void {
    this.countOnly(1);
    this.#countByAddress.set(clientHost, (this.#countByAddress.get(clientHost) ?? 0) + 1);
  }

  /** A connection that was added has ended. */
  remove(clientHost: string): void {
    this.endRequest(clientHost);
    this.countOnly(-1);
  }

  /** Whether anything depends on from where clients come. */
  get limitsAddresses(): boolean {
    const { limitsAddresses, largestCountPerAddress } = this.#bounds;
    return limitsAddresses?.() ?? largestCountPerAddress('127.0.0.1') < unlimited;
  }

  /**
   * A request from `clientHost` begins, over a connection that `countOnly` counted; false where its address has as many
   * connections as it may already.
   */
  beginRequest(clientHost: string): boolean {
    const ofAddress = this.#countByAddress.get(clientHost) ?? 0;
    if (ofAddress >= this.#bounds.largestCountPerAddress(clientHost)) return false;
    this.#countByAddress.set(clientHost, ofAddress + 1);
    return true;
  }

  /** A request that `beginRequest` let in has ended. */
  endRequest(clientHost: string): void {
    const ofAddress = this.#countByAddress.get(clientHost) ?? 0;
    assert(ofAddress > 0, 'a connection is removed once');
    if (ofAddress === 1) this.#countByAddress.delete(clientHost);
    else this.#countByAddress.set(clientHost, ofAddress - 1);
  }
}
