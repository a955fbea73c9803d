/**
 * One client connection as those see it who serve its requests, and as the doors see the connection. I/O thread.
 * The first has the shape of the broker's `ConnectionContext`. It does not know sockets.
 */

import { isIPv6 } from 'node:net';
import { Listeners } from '../base/listeners.ts';
import { anonymous, type ConnectionContext, type Principal } from '../broker/request-context.ts';

/** What the broker sees of a connection. */
export type Connection = ConnectionContext;

export interface DoorConnectionOptions {
  readonly id: number;
  readonly listener: string;
  readonly advertisedHost: string;
  readonly advertisedPort: number;
  readonly clientHost: string;
  readonly principal?: Principal;
}

export class DoorConnection implements Connection {
  readonly id: number;
  readonly listener: string;
  readonly advertisedHost: string;
  readonly advertisedPort: number;
  readonly clientHost: string;
  readonly principal: Principal;
  clientSoftwareName = '';
  clientSoftwareVersion = '';
  #open = true;
  #onDrop: ((reason: string) => void) | null = null;
  #onMuted: (() => void) | null = null;
  #mutes = 0;
  readonly #listeners = new Listeners();

  constructor(options: DoorConnectionOptions) {
    this.id = options.id;
    this.listener = options.listener;
    this.advertisedHost = options.advertisedHost;
    this.advertisedPort = options.advertisedPort;
    this.clientHost = options.clientHost;
    this.principal = options.principal ?? anonymous;
  }

  get open(): boolean {
    return this.#open;
  }

  onClose(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Whether nothing more of what comes may be served. */
  get isMuted(): boolean {
    return this.#mutes > 0;
  }

  mute(): () => void {
    this.#mutes++;
    if (this.#mutes === 1) this.#onMuted?.();
    let done = false;
    return () => {
      if (done) return;
      done = true;
      this.#mutes--;
      if (this.#mutes === 0) this.#onMuted?.();
    };
  }

  drop(reason: string): void {
    if (this.#open) this.#onDrop?.(reason);
  }

  /** The pipeline's: how the connection is ended from within. */
  onDrop(listener: (reason: string) => void): void {
    this.#onDrop = listener;
  }

  /** The pipeline's: calls `listener` when `isMuted` has changed. */
  onMuted(listener: () => void): void {
    this.#onMuted = listener;
  }

  /** The door's: the connection has ended. A listener that throws does not keep the others from being called. */
  end(failed: (error: unknown) => void): void {
    if (!this.#open) return;
    this.#open = false;
    for (const listener of this.#listeners.takeAll()) {
      try {
        listener();
      } catch (error) {
        failed(error);
      }
    }
  }
}

let connectionCount = 0;

/** The next connection's id; all doors of the process share the sequence. */
export function nextConnectionId(): number {
  return ++connectionCount;
}

/** `::ffff:192.0.2.1` as `192.0.2.1`: what a client on an IPv4 network can use. Other addresses as they are. */
export function unwrapMappedAddress(address: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
}

/** Whose an address is, as far as it tells: itself, or of IPv6 the network of 64 bits, which is the least that one customer has. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail = ''] = address.split('::');
  const [first, last] = [head, tail].map((half) => (half === '' ? [] : half.split(':')));
  const zeros = Array.from({ length: 8 - first!.length - last!.length }, () => '0');
  const groups = [...first!, ...zeros, ...last!].slice(0, 4);
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}
