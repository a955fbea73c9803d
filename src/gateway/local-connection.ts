/**
 * A connection without a socket: for requests that code in the broker's process makes of its handlers. I/O thread. Its
 * numbers are below zero, where no door's are.
 */

import { Listeners } from '../base/listeners.ts';
import { anonymous, type ConnectionContext, type RequestContext } from '../broker/request-context.ts';

let nextId = -1;

export class LocalConnection implements ConnectionContext {
  readonly id = nextId--;
  readonly listener = 'gateway';
  readonly advertisedHost = '';
  readonly advertisedPort = 0;
  readonly clientHost: string;
  readonly principal = anonymous;
  clientSoftwareName = 'unknown';
  clientSoftwareVersion = 'unknown';
  #open = true;
  readonly #listeners = new Listeners();

  /** `clientHost` is where the one is on whose behalf the requests are made. */
  constructor(clientHost: string) {
    this.clientHost = clientHost;
  }

  get open(): boolean {
    return this.#open;
  }

  onClose(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Code in the broker's process is not subject to quotas. */
  mute(): () => void {
    return () => {};
  }

  drop(): void {
    this.close();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#listeners.tell();
  }

  /** What a handler is told of a request of version `apiVersion` over this connection. */
  contextOf(apiKey: number, apiVersion: number, clientId: string): RequestContext {
    return { apiKey, apiVersion, correlationId: 0, clientId, connection: this, charge: null };
  }
}
