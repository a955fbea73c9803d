/**
 * A client's end of one connection: encodes requests, takes responses in order, gives up after a while. Single thread.
 * Each connection draws the version it uses of each API among all that are served, so that runs go through all of them.
 * It does not retry; actors do.
 */

import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import { decodeResponseHeader, encodeRequestHeader, isFlexible } from '../../src/protocol/headers.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { Writer } from '../../src/protocol/writer.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedConnection } from './simulated-connection.ts';

interface Outstanding {
  readonly correlationId: number;
  readonly take: (frame: Uint8Array | null) => void;
}

const defaultTimeoutMs = 20_000;

export class SimulatedClient {
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #connection: SimulatedConnection;
  readonly #broken: (message: string) => void;
  readonly #versions = new Map<number, number>();
  readonly #outstanding: Outstanding[] = [];
  #correlationId = 0;

  /** `broken` hears where the broker broke the protocol. */
  constructor(name: string, scheduler: Scheduler, connection: SimulatedConnection, broken: (message: string) => void) {
    this.name = name;
    this.#scheduler = scheduler;
    this.#connection = connection;
    this.#broken = broken;
    connection.onFrame = (frame) => this.#take(frame);
    connection.onEnd = () => {
      for (const { take } of this.#outstanding.splice(0)) take(null);
    };
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** The version of `api` that this connection uses, at least `minVersion`. */
  version(api: ApiCodec, minVersion = 0): number {
    const drawn = this.#versions.get(api.apiKey);
    if (drawn !== undefined && drawn >= minVersion) return drawn;
    const from = Math.max(api.minVersion, minVersion);
    const version = from + this.#scheduler.random.below(api.stableVersion - from + 1);
    this.#versions.set(api.apiKey, version);
    return version;
  }

  /** Sends a request. Null where the connection ended before the answer, or none came in time. */
  request<Request, Response>(
    api: ApiCodec<Request, Response>,
    message: Request,
    version: number,
    timeoutMs = defaultTimeoutMs,
  ): Promise<Response | null> {
    if (!this.isOpen) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = this.#scheduler.schedule(`${this.name} waits no longer for ${api.name}`, timeoutMs, () =>
        this.cut(),
      );
      const correlationId = this.#send(api, message, version);
      const take = (frame: Uint8Array | null): void => {
        timer.cancel();
        resolve(frame === null ? null : this.#decode(api, version, correlationId, frame));
      };
      this.#outstanding.push({ correlationId, take });
    });
  }

  /** Sends a request that has no response. */
  tell<Request>(api: ApiCodec<Request, unknown>, message: Request, version: number): void {
    this.#send(api, message, version);
  }

  cut(): void {
    if (this.isOpen) this.#connection.cut();
  }

  #send<Request>(api: ApiCodec<Request, unknown>, message: Request, version: number): number {
    const writer = new Writer(true);
    const correlationId = ++this.#correlationId;
    const header = { apiKey: api.apiKey, apiVersion: version, correlationId, clientId: this.name };
    encodeRequestHeader(writer, header, isFlexible(api, version));
    api.encodeRequest(writer, message, version);
    this.#connection.send(new Uint8Array(Buffer.concat(writer.finish())));
    return correlationId;
  }

  #take(frame: Uint8Array): void {
    const oldest = this.#outstanding.shift();
    if (oldest === undefined) this.#broken(`${this.name} got a response that it did not ask for`);
    else oldest.take(frame);
  }

  #decode<Response>(
    api: ApiCodec<unknown, Response>,
    version: number,
    correlationId: number,
    frame: Uint8Array,
  ): Response | null {
    const reader = new Reader(frame);
    const given = decodeResponseHeader(reader, api, version);
    if (given !== correlationId) {
      this.#broken(`${this.name} got response ${given} to ${api.name} where ${correlationId} was the next`);
      this.cut();
      return null;
    }
    return api.decodeResponse(reader, version);
  }
}
