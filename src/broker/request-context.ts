/**
 * What a handler knows of the request it serves, and how handlers are declared. I/O thread.
 * It does not know sockets: a door (server/) builds the context, a simulation builds one as well.
 */

import type { Later } from '../base/later.ts';
import type { Broker } from './broker.ts';
import type { RequestCharge } from './quotas/request-charge.ts';

/** Who asks. Until authentication comes every request is from the anonymous user. */
export interface Principal {
  readonly type: string;
  readonly name: string;
}

export const anonymous: Principal = { type: 'User', name: 'ANONYMOUS' };

/** One client connection, whatever door it came through. */
export interface ConnectionContext {
  /** Unique within this run of the broker. */
  readonly id: number;
  /** The door: `kafka` (TCP), `kafka-ws`, or the simulation's. */
  readonly listener: string;
  /** The address that Metadata and FindCoordinator give to this client: the one it reached us at, or the configured. */
  readonly advertisedHost: string;
  readonly advertisedPort: number;
  readonly clientHost: string;
  readonly principal: Principal;
  /** From ApiVersions (KIP-511). */
  clientSoftwareName: string;
  clientSoftwareVersion: string;
  /** False once the connection has ended: what waits for it can be given up. */
  readonly open: boolean;
  /** Calls `listener` when the connection ends; returns how to stop that. */
  onClose(listener: () => void): () => void;
  /**
   * Serves nothing more of what comes over the connection, and reads nothing more, until the function that it returns is
   * called. Each call stands for itself.
   */
  mute(): () => void;
  /** Ends the connection; `reason` goes into the log. */
  drop(reason: string): void;
}

export interface RequestContext {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  readonly connection: ConnectionContext;
  /** The request's account while client quotas are set. */
  readonly charge: RequestCharge | null;
}

/** Thrown by a handler where Kafka answers by closing the connection, as for a failed Produce with acks=0. */
export class ConnectionMustClose extends Error {
  override readonly name = 'ConnectionMustClose';
}

/** A response's fields, at once or later; null where none is sent. */
export type Outcome<Response> = Response | null | Promise<Response | null> | Later<Response | null>;

/**
 * Serves one API key, all versions that the schema table has. Returns the response's fields, later or at once, or
 * null where none is sent (Produce with acks=0). Byte fields of a request are views that end with the handler's first
 * await: what must outlive it is copied.
 * A handler that throws is a defect: the error is logged and the connection is closed. `ConnectionMustClose` is not: with
 * it a handler says that the protocol leaves no other answer.
 */
export interface ApiHandler<Request, Response> {
  readonly apiKey: number;
  handle(request: Request, context: RequestContext, broker: Broker): Outcome<Response>;
  /** Called once the response has left the process or was given up: releases buffers that it points into. */
  released?(response: Response): void;
}
