/**
 * One connection to a broker: agrees on versions, sends requests one behind the other without waiting, and hands each
 * response to whoever asked. Any thread.
 *
 * A broker answers a connection's requests in their order, so a request that waits (a fetch, a join) holds up those
 * behind it: whoever sends such takes a connection of its own. A request whose time is up ends the connection, as
 * Kafka's own clients do, because nothing behind it can be trusted to come. It does not reconnect; `cluster.ts` does.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { ClientCodec } from '../protocol/api-codec.ts';
import { apiVersionsClientApi, defaultApiVersionsRequest } from '../protocol/generated/18-api-versions.ts';
import { decodeResponseHeader, encodeRequestHeader, isFlexible } from '../protocol/headers.ts';
import { MalformedFrame, Reader } from '../protocol/reader.ts';
import { Writer } from '../protocol/writer.ts';
import { FrameSplitter } from './frame-splitter.ts';
import { KafkaError } from './kafka-error.ts';
import type { Transport, TransportListener } from './transport.ts';

/** How a transport to a URL is begun. */
export type OpenTransport = (url: string, listener: TransportListener) => Transport;

export interface ConnectionOptions {
  readonly url: string;
  readonly open: OpenTransport;
  readonly clientId: string;
  /** For opening it and for requests that say nothing else, in milliseconds. */
  readonly timeoutMs: number;
  readonly maxFrameBytes: number;
}

export interface RequestOptions {
  /** The newest version that the caller speaks, where that is less than the codec. */
  readonly maxVersion?: number;
  /** From sending to the answer, in milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** The broker answers nothing (acks=0); resolves as soon as it is sent. */
  readonly unanswered?: boolean;
}

interface Pending {
  /** Resolves or rejects it; throws `MalformedFrame` where it cannot be read. */
  readonly decode: (reader: Reader, version: number) => void;
  readonly api: ClientCodec<never, unknown>;
  readonly version: number;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

const softwareName = 'millrace-client';
const softwareVersion = '0.1.0';
/** The ApiVersions versions tried, the newest first: a broker that knows none answers in version 0. */
const newestApiVersions = 4;

export class Connection {
  readonly url: string;
  readonly #options: ConnectionOptions;
  readonly #splitter: FrameSplitter;
  readonly #pending = new Map<number, Pending>();
  readonly #versions = new Map<number, { readonly min: number; readonly max: number }>();
  #transport: Transport | null = null;
  #correlationId = 0;
  #failure: KafkaError | null = null;
  /** Called once when it ends, for whatever reason. */
  onEnd: () => void = () => {};

  private constructor(options: ConnectionOptions) {
    this.url = options.url;
    this.#options = options;
    this.#splitter = new FrameSplitter(options.maxFrameBytes);
  }

  /** Opens a connection and learns what the broker speaks. Rejects with a `KafkaError`, most often NETWORK_EXCEPTION. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(options);
    try {
      await connection.#open();
      await connection.#negotiate();
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  /** Whether requests can still be sent. */
  get isOpen(): boolean {
    return this.#failure === null;
  }

  get inFlightCount(): number {
    return this.#pending.size;
  }

  /** The version that `api` is spoken in here. Throws a `KafkaError` (UNSUPPORTED_VERSION) where there is none. */
  versionOf(api: ClientCodec<never, unknown>, maxVersion: number = api.stableVersion): number {
    const range = this.#versions.get(api.apiKey);
    const version = Math.min(maxVersion, api.stableVersion, range?.max ?? -1);
    if (range === undefined || version < range.min || version < api.minVersion) {
      throw new KafkaError(
        ErrorCode.UNSUPPORTED_VERSION,
        `the broker at ${this.url} speaks ${range === undefined ? 'no' : `only ${range.min} to ${range.max} of`} ${api.name}`,
      );
    }
    return version;
  }

  /**
   * Sends a request and resolves with its response; views in it lie in memory of their own. Rejects with a `KafkaError`
   * (NETWORK_EXCEPTION, REQUEST_TIMED_OUT, UNSUPPORTED_VERSION) or with the signal's reason. Requests leave in the order
   * of the calls.
   */
  request<Request, Response>(
    api: ClientCodec<Request, Response>,
    body: Request,
    options: RequestOptions = {},
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const version = this.versionOf(api as ClientCodec<never, unknown>, options.maxVersion);
      this.#send(api, body, version, options, resolve, reject);
    });
  }

  /** Ends it; requests under way are rejected. */
  close(): void {
    this.#end('it was closed here');
  }

  #open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { url, timeoutMs, open } = this.#options;
      const timer = setTimeout(() => this.#end(`it did not open within ${timeoutMs} ms`), timeoutMs);
      const settled = (): void => {
        clearTimeout(timer);
        this.#ended = () => {};
      };
      this.#ended = (failure) => {
        settled();
        reject(failure);
      };
      try {
        this.#transport = open(url, {
          opened: () => {
            settled();
            resolve();
          },
          received: (bytes) => this.#receive(bytes),
          closed: (why) => this.#end(why),
        });
      } catch (error) {
        settled();
        reject(new KafkaError(ErrorCode.NETWORK_EXCEPTION, `${url} cannot be opened`, error));
      }
    });
  }

  #ended: (failure: KafkaError) => void = () => {};

  async #negotiate(): Promise<void> {
    const body = {
      ...defaultApiVersionsRequest(),
      clientSoftwareName: softwareName,
      clientSoftwareVersion: softwareVersion,
    };
    for (let version = newestApiVersions; ;) {
      const asked = version;
      const response = await new Promise<ReturnType<typeof apiVersionsClientApi.decodeResponse>>((resolve, reject) =>
        this.#send(apiVersionsClientApi, body, asked, {}, resolve, reject),
      );
      for (const { apiKey, minVersion, maxVersion } of response.apiKeys) {
        this.#versions.set(apiKey, { min: minVersion, max: maxVersion });
      }
      if (response.errorCode === ErrorCode.NONE) return;
      const newest = this.#versions.get(apiVersionsClientApi.apiKey)?.max ?? 0;
      if (response.errorCode !== ErrorCode.UNSUPPORTED_VERSION || newest >= version) {
        throw new KafkaError(response.errorCode, `the broker at ${this.url} does not tell what it speaks`);
      }
      version = newest;
    }
  }

  #send<Request, Response>(
    api: ClientCodec<Request, Response>,
    body: Request,
    version: number,
    { signal, unanswered = false, timeoutMs = this.#options.timeoutMs }: RequestOptions,
    resolve: (response: Response) => void,
    reject: (error: Error) => void,
  ): void {
    if (signal?.aborted === true) return reject(signal.reason as Error);
    if (this.#failure !== null) return reject(this.#failure);
    const correlationId = this.#correlationId;
    this.#correlationId = (correlationId + 1) & 0x7fff_ffff;
    const writer = new Writer(true);
    const header = { apiKey: api.apiKey, apiVersion: version, correlationId, clientId: this.#options.clientId };
    encodeRequestHeader(writer, header, isFlexible(api, version));
    api.encodeRequest(writer, body, version);
    if (!unanswered) {
      const aborted = (): void => reject(signal!.reason as Error);
      signal?.addEventListener('abort', aborted, { once: true });
      const release = (): void => signal?.removeEventListener('abort', aborted);
      const late = (): void =>
        this.#end(`${api.name} was not answered within ${timeoutMs} ms`, ErrorCode.REQUEST_TIMED_OUT);
      this.#pending.set(correlationId, {
        api: api as ClientCodec<never, unknown>,
        version,
        decode: (reader, spoken) => {
          release();
          let response: Response;
          try {
            response = api.decodeResponse(reader, spoken);
          } catch (error) {
            reject(new KafkaError(ErrorCode.CORRUPT_MESSAGE, `the answer to ${api.name} cannot be read`, error));
            throw error;
          }
          resolve(response);
        },
        reject: (error) => {
          release();
          reject(error);
        },
        timer: setTimeout(late, timeoutMs),
      });
    }
    for (const part of writer.finish()) this.#transport!.send(part);
    if (unanswered) resolve(undefined as Response);
  }

  #receive(bytes: Uint8Array): void {
    const whole = this.#splitter.push(bytes, (frame) => {
      if (this.#failure === null) this.#answer(frame);
    });
    if (!whole) this.#end('it sent a frame with an impossible size', ErrorCode.CORRUPT_MESSAGE);
  }

  #answer(frame: Uint8Array): void {
    try {
      const reader = new Reader(frame);
      const pending = this.#pending.get(new Reader(frame).int32());
      if (pending === undefined) return this.#end('it answered what nobody asked', ErrorCode.CORRUPT_MESSAGE);
      const version = isRefusedApiVersions(pending.api, frame) ? 0 : pending.version;
      this.#pending.delete(decodeResponseHeader(reader, pending.api, version));
      clearTimeout(pending.timer);
      pending.decode(reader, version);
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      this.#end('it sent what is no response', ErrorCode.CORRUPT_MESSAGE);
    }
  }

  #end(why: string, code: number = ErrorCode.NETWORK_EXCEPTION): void {
    if (this.#failure !== null) return;
    const failure = new KafkaError(code, `the connection to ${this.url} ended: ${why}`);
    this.#failure = failure;
    this.#transport?.close();
    this.#ended(failure);
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(failure);
    }
    this.#pending.clear();
    this.onEnd();
  }
}

/** A broker that does not know the version of ApiVersions asked for answers in version 0, with the error first. */
function isRefusedApiVersions(api: ClientCodec<never, unknown>, frame: Uint8Array): boolean {
  if (api.apiKey !== apiVersionsClientApi.apiKey) return false;
  const reader = new Reader(frame);
  reader.int32();
  return reader.int16() === ErrorCode.UNSUPPORTED_VERSION;
}
