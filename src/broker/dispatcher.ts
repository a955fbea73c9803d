/**
 * From a frame to its response: header, handler, body, and back. I/O thread. One for all connections of all doors.
 *
 *   frame → [key][version][correlation id]… → handler of the key → response header + body → chunks
 *
 * A frame that is no request Millrace serves makes `serve` throw, whereupon the door closes the connection, as Kafka
 * does. It does not know sockets, nor the order of responses (server/request-pipeline.ts).
 */

import { assert } from '../base/assert.ts';
import { ErrorCode } from '../base/error-code.ts';
import { Later } from '../base/later.ts';
import type { ServerCodec } from '../protocol/api-codec.ts';
import { defaultApiVersionsResponse, serverApis } from '../protocol/generated/index.ts';
import { decodeRequestRest, decodeRequestStart, encodeResponseHeader, isFlexible } from '../protocol/headers.ts';
import { MalformedFrame, Reader } from '../protocol/reader.ts';
import { FrameTooLarge, Writer } from '../protocol/writer.ts';
import { serveAllowed } from './access/access-table.ts';
import type { Broker } from './broker.ts';
import { apiVersionsHandler, apiVersionsKey, produceKey } from './handlers/18-api-versions.ts';
import {
  ConnectionMustClose,
  type ApiHandler,
  type ConnectionContext,
  type RequestContext,
} from './request-context.ts';

/** A handler of any key. The codec of the key gives it its requests and takes its responses. */
// oxlint-disable-next-line typescript/no-explicit-any -- the table holds handlers of different messages.
export type AnyApiHandler = ApiHandler<any, any>;

/** A response's bytes with its size prefix, in order; null where none is sent. */
export type ResponseChunks = readonly Uint8Array[] | null;

/** Key, version and correlation id. */
const requestStartBytes = 8;
const sizePrefixBytes = 4;
const fetchKey = 1;
const offsetCommitKey = 8;
/**
 * As many elements as the arrays of one request may have together: a client that asks for every partition that a broker
 * may hold stays below, and decoding so many takes tens of milliseconds and of megabytes.
 */
const maxElements = 250_000;
/** A commit that is no larger goes beside others of its connection: consumers commit a handful of partitions at once. */
const smallCommitBytes = 4096;
/**
 * Keys whose requests change what later ones see: Metadata (it creates topics), CreateTopics, DeleteTopics,
 * DeleteRecords, InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, WriteTxnMarkers, TxnOffsetCommit,
 * AlterConfigs, CreatePartitions, DeleteGroups, IncrementalAlterConfigs, OffsetDelete, AlterClientQuotas,
 * AlterUserScramCredentials, UpdateFeatures. OffsetCommit is one only where it is large.
 */
const changingKeys: ReadonlySet<number> = new Set([
  3, 19, 20, 21, 22, 24, 25, 26, 27, 28, 33, 37, 42, 44, 47, 49, 51, 57,
]);
const responseCapacityBytes = 512;
/** As large as a response may be beside fetched records. Clients take 100 MB or so. */
const maxResponseBytes = 128 * 1024 * 1024;

interface Route {
  readonly api: ServerCodec;
  readonly handler: ApiHandler<unknown, unknown>;
}

export class Dispatcher {
  readonly #broker: Broker;
  readonly #routes = new Map<number, Route>();
  readonly #releases = new WeakMap<readonly Uint8Array[], () => void>();
  /** Set while a produce that waited for room is let in: the room is its own. */
  #roomGranted = false;

  /** `handlers` serve one key each; the one for ApiVersions comes from here. */
  constructor(broker: Broker, handlers: Iterable<AnyApiHandler>) {
    this.#broker = broker;
    for (const handler of [apiVersionsHandler(() => this.#advertised()), ...handlers]) {
      const api = serverApis.get(handler.apiKey);
      assert(api !== undefined && !this.#routes.has(handler.apiKey), 'one handler serves each key');
      this.#routes.set(handler.apiKey, { api, handler });
    }
  }

  /**
   * Serves one frame (without its size prefix), at once or later. Throws or rejects where the connection must be closed.
   * The frame is a view that ends with the call's return or first await.
   */
  serve(
    frame: Uint8Array,
    connection: ConnectionContext,
  ): ResponseChunks | Promise<ResponseChunks> | Later<ResponseChunks> {
    const reader = new Reader(frame, maxElements);
    if (reader.remaining < requestStartBytes) throw new ConnectionMustClose('a frame is shorter than a request');
    const start = decodeRequestStart(reader);
    const route = this.#routes.get(start.apiKey);
    if (route === undefined) throw new ConnectionMustClose(`API key ${start.apiKey} is not served`);
    const { api, handler } = route;
    const { apiKey, apiVersion, correlationId } = start;
    if (apiVersion < api.minVersion || apiVersion > api.stableVersion) {
      if (start.apiKey === apiVersionsKey) return unsupportedApiVersions(api, start.correlationId);
      throw new ConnectionMustClose(`${api.name} version ${apiVersion} is not served`);
    }
    const { clientId, request } = decode(reader, api, apiVersion);
    const { quotas } = this.#broker;
    let context: RequestContext = { apiKey, apiVersion, correlationId, clientId, connection, charge: null };
    if (quotas.isActive) context = { ...context, charge: quotas.charge(context, frame.length + sizePrefixBytes) };
    const { charge } = context;
    const startedMs = charge === null ? 0 : this.#broker.clock.monotonicMs();
    let outcome: unknown;
    try {
      outcome = serveAllowed(handler, request, context, this.#broker);
    } catch (error) {
      throw this.#failed(error, route, context);
    }
    charge?.handled(this.#broker.clock.monotonicMs() - startedMs);
    if (outcome instanceof Later) return this.#encodedLater(outcome, route, context);
    if (outcome instanceof Promise) return this.#later(outcome, route, context);
    return this.#encode(outcome, route, context);
  }

  /**
   * Whether the frame may be served now: a produce waits until the ingest ring can take it, a fetch of many partitions
   * for its turn. Where not, `proceed` is called once it may, and the frame is to be served before `proceed` returns.
   */
  admit(frame: Uint8Array, proceed: () => void): boolean {
    if (frame.length < 2 || frame[0] !== 0) return true;
    if (frame[1] === fetchKey) return this.#broker.fetchTurns.admit(frame.length, proceed);
    if (frame[1] !== produceKey) return true;
    if (this.#roomGranted) {
      this.#roomGranted = false;
      return true;
    }
    const { store } = this.#broker;
    // What can never fit is refused by the handler.
    if (frame.length > store.maxRequestBytes) return true;
    let asking = true;
    const atOnce = store.whenRoom(frame.length, () => {
      if (asking) return;
      this.#roomGranted = true;
      try {
        proceed();
      } finally {
        this.#roomGranted = false;
      }
    });
    asking = false;
    return atOnce;
  }

  /**
   * Whether what comes behind `frame` on its connection is served only once it is answered. Kafka serves each connection
   * strictly in turn; here only those requests wait for each other where one could see that they did not. Commits stand in
   * the groups' log in the order of their frames, and who asks for offsets waits for those under way; but what a large one
   * takes while it waits for the disk, a connection may have once.
   */
  comesFirst(frame: Uint8Array): boolean {
    if (frame.length < 2 || frame[0] !== 0) return false;
    return frame[1] === offsetCommitKey ? frame.length > smallCommitBytes : changingKeys.has(frame[1]!);
  }

  /** The response's bytes have left, or were given up: buffers that they lie in may be used again. */
  released(response: readonly Uint8Array[]): void {
    const release = this.#releases.get(response);
    if (release === undefined) return;
    this.#releases.delete(response);
    release();
  }

  #advertised(): ServerCodec[] {
    return [...this.#routes.values()].map(({ api }) => api).toSorted((a, b) => a.apiKey - b.apiKey);
  }

  #later(outcome: Promise<unknown>, route: Route, context: RequestContext): Promise<ResponseChunks> {
    return outcome.then(
      (response) => this.#encode(response, route, context),
      (error: unknown) => {
        throw this.#failed(error, route, context);
      },
    );
  }

  /** As `#later`, without promises. */
  #encodedLater(outcome: Later<unknown>, route: Route, context: RequestContext): Later<ResponseChunks> {
    const encoded = new Later<ResponseChunks>();
    outcome.listen({
      settled: (response) => {
        let chunks: ResponseChunks;
        try {
          chunks = this.#encode(response, route, context);
        } catch (error) {
          // Whoever settles it is in the midst of others' work.
          encoded.fail(error);
          return;
        }
        encoded.settle(chunks);
      },
      failed: (error) => encoded.fail(this.#failed(error, route, context)),
    });
    return encoded;
  }

  #encode(response: unknown, { api, handler }: Route, context: RequestContext): ResponseChunks {
    context.charge?.settle(response);
    if (response === null) return null;
    let chunks: Uint8Array[];
    try {
      chunks = encode(response, api, context);
    } catch (error) {
      handler.released?.(response);
      throw error;
    }
    if (handler.released !== undefined) this.#releases.set(chunks, () => handler.released?.(response));
    return chunks;
  }

  #failed(error: unknown, { api }: Route, { apiVersion, connection }: RequestContext): unknown {
    if (!(error instanceof ConnectionMustClose)) {
      this.#broker.logger.error(
        { api: api.name, apiVersion, connection: connection.id, error },
        'A request failed by a defect; its connection is closed.',
      );
    }
    return error;
  }
}

/** The response with its header. One that no client should be sent ends the connection. */
function encode(response: unknown, api: ServerCodec, { apiVersion, correlationId }: RequestContext): Uint8Array[] {
  const writer = new Writer(true, responseCapacityBytes, maxResponseBytes);
  try {
    encodeResponseHeader(writer, api, apiVersion, correlationId);
    api.encodeResponse(writer, response, apiVersion);
  } catch (error) {
    if (!(error instanceof FrameTooLarge)) throw error;
    throw new ConnectionMustClose(`the response to ${api.name} would have more than ${maxResponseBytes} bytes`);
  }
  return writer.finish();
}

/** Reads the rest of the header and the body. What is no such message ends the connection. */
function decode(reader: Reader, api: ServerCodec, version: number): { clientId: string | null; request: unknown } {
  try {
    const clientId = decodeRequestRest(reader, isFlexible(api, version));
    return { clientId, request: api.decodeRequest(reader, version) };
  } catch (error) {
    if (!(error instanceof MalformedFrame)) throw error;
    throw new ConnectionMustClose(`${api.name} version ${version} cannot be read: ${error.message}`);
  }
}

/** The answer to a version of ApiVersions that is not known: version 0, which every client reads, with the range. */
function unsupportedApiVersions(api: ServerCodec, correlationId: number): ResponseChunks {
  const writer = new Writer(true);
  encodeResponseHeader(writer, api, 0, correlationId);
  const range = { apiKey: api.apiKey, minVersion: api.minVersion, maxVersion: api.stableVersion };
  const response = { ...defaultApiVersionsResponse(), errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys: [range] };
  api.encodeResponse(writer, response, 0);
  return writer.finish();
}
