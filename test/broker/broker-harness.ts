/**
 * A broker over a log store in memory, with a dispatcher before it, for tests of handlers: a test gives the fields of a
 * request and gets those of the response, and between them lies what a door would carry.
 *
 *   fields → encoded frame → Dispatcher → handler → chunks → decoded fields
 *
 * Time stands still unless the test moves `clock`, and all randomness comes from one seed.
 */

import { expect } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { silentLogger, type LevelledLog, type Logger } from '../../src/base/logger.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { Broker } from '../../src/broker/broker.ts';
import type { Authorizer } from '../../src/broker/authorizer.ts';
import { BrokerConfig } from '../../src/broker/broker-config.ts';
import { Dispatcher, type AnyApiHandler, type ResponseChunks } from '../../src/broker/dispatcher.ts';
import { handlers as allHandlers } from '../../src/broker/handlers/index.ts';
import type { TopicImage } from '../../src/broker/metadata-image.ts';
import { anonymous, type ConnectionContext } from '../../src/broker/request-context.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import * as generated from '../../src/protocol/generated/index.ts';
import { decodeResponseHeader, encodeRequestHeader, isFlexible } from '../../src/protocol/headers.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { Writer } from '../../src/protocol/writer.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { ManualClock, type Turns } from './manual-clock.ts';
import { MemoryLogStore } from './memory-log-store.ts';

export const testClusterId = 'AAAAAAAAAAAAAAAAAAAtest';

const sizePrefixBytes = 4;

/** A client's connection without a socket. */
export class FakeConnection implements ConnectionContext {
  readonly id: number;
  readonly listener = 'kafka';
  readonly advertisedHost = 'broker.test';
  readonly advertisedPort = 9092;
  readonly clientHost = '192.0.2.1';
  readonly principal = anonymous;
  clientSoftwareName = 'unknown';
  clientSoftwareVersion = 'unknown';
  open = true;
  readonly #listeners = new Set<() => void>();

  constructor(id: number) {
    this.id = id;
  }

  onClose(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** How often the broker had this connection wait and not go on again. */
  muted = 0;

  mute(): () => void {
    this.muted++;
    return () => void this.muted--;
  }

  drop(): void {
    this.close();
  }

  close(): void {
    this.open = false;
    for (const listener of [...this.#listeners]) listener();
  }
}

export interface HarnessOptions {
  /** What the dispatcher serves beside ApiVersions; all handlers unless given. */
  readonly handlers?: Iterable<AnyApiHandler>;
  /** Broker settings as given at the start. */
  readonly config?: Readonly<Record<string, string>>;
  /** A store that another broker has written, for what happens after a restart. */
  readonly store?: MemoryLogStore;
  readonly logger?: Logger;
  readonly levelledLog?: LevelledLog;
  /** Where ids come from: a broker that starts again needs another than the first, as no id may come twice. */
  readonly seed?: number;
  /** As in the broker's options. */
  readonly fetchMemoryBytes?: number;
  readonly authorizer?: Authorizer;
  /** Each call is one, unless given. */
  readonly turns?: Turns;
}

/** What members and producers of tests send their requests with: a harness, or connections to a real program. */
export type RequestWire = Pick<BrokerHarness, 'connect' | 'request'>;

export class BrokerHarness {
  readonly broker: Broker;
  readonly store: MemoryLogStore;
  readonly clock: ManualClock;
  readonly dispatcher: Dispatcher;
  /** The connection that requests come over unless another is given. */
  readonly connection: FakeConnection;
  #connectionCount = 0;
  #correlationId = 0;

  private constructor(broker: Broker, store: MemoryLogStore, clock: ManualClock, handlers: Iterable<AnyApiHandler>) {
    this.broker = broker;
    this.store = store;
    this.clock = clock;
    this.dispatcher = new Dispatcher(broker, handlers);
    this.connection = this.connect();
  }

  static async open(options: HarnessOptions = {}): Promise<BrokerHarness> {
    const store = options.store ?? new MemoryLogStore();
    const clock = new ManualClock(options.turns ?? 'each call');
    const broker = await Broker.open({
      store,
      config: new BrokerConfig([['node.id', '1'], ...Object.entries(options.config ?? {})]),
      clusterId: testClusterId,
      clock,
      random: new SeededRandom(options.seed ?? 1),
      logger: options.logger ?? silentLogger,
      ...(options.levelledLog === undefined ? {} : { levelledLog: options.levelledLog }),
      ...(options.fetchMemoryBytes === undefined ? {} : { fetchMemoryBytes: options.fetchMemoryBytes }),
      ...(options.authorizer === undefined ? {} : { authorizer: options.authorizer }),
    });
    return new BrokerHarness(broker, store, clock, options.handlers ?? allHandlers);
  }

  connect(): FakeConnection {
    return new FakeConnection(++this.#connectionCount);
  }

  /**
   * Sends one request and gives the fields of its response. Fields that are left out have their defaults. Fails where
   * there is no response (`send`), where it belongs to another request, and where bytes are left after it. Rejects
   * where a door would close the connection.
   */
  async request<Request, Response>(
    api: ApiCodec<Request, Response>,
    version: number,
    fields: Partial<Request> = {},
    connection: ConnectionContext = this.connection,
  ): Promise<Response> {
    const correlationId = ++this.#correlationId;
    const frame = encodeRequest(api, version, fields, correlationId);
    const chunks = await this.dispatcher.serve(frame, connection);
    expect(chunks, 'the request has a response').not.toBeNull();
    return this.#decode(api, version, correlationId, chunks!);
  }

  /** Sends one request that has no response, as a Produce with acks=0. Rejects where a door would close the connection. */
  async send<Request>(api: ApiCodec<Request>, version: number, fields: Partial<Request>): Promise<void> {
    const frame = encodeRequest(api, version, fields, ++this.#correlationId);
    expect(await this.dispatcher.serve(frame, this.connection)).toBeNull();
  }

  /** Creates a topic that is expected not to be there yet. */
  async createTopic(name: string, partitionCount = 1, configs: Record<string, string> = {}): Promise<TopicImage> {
    const spec = { name, partitionCount, replicationFactor: 1, configs: Object.entries(configs) };
    const { errorCode, topic } = await this.broker.topics.create(spec);
    expect(errorCode).toBe(ErrorCode.NONE);
    return topic!;
  }

  #decode<Response>(
    api: ApiCodec<unknown, Response>,
    version: number,
    correlationId: number,
    chunks: NonNullable<ResponseChunks>,
  ): Response {
    const bytes = Buffer.concat(chunks);
    expect(bytes.readInt32BE(0)).toBe(bytes.length - sizePrefixBytes);
    const reader = new Reader(bytes.subarray(sizePrefixBytes));
    expect(decodeResponseHeader(reader, api, version)).toBe(correlationId);
    const response = api.decodeResponse(reader, version);
    reader.expectEnd();
    this.dispatcher.released(chunks);
    return response;
  }
}

/** The frame of a request, without its size prefix. Fields that are left out have their defaults. */
export function encodeRequest<Request>(
  api: ApiCodec<Request>,
  version: number,
  fields: Partial<Request>,
  correlationId = 1,
): Uint8Array {
  const writer = new Writer(false);
  const { apiKey } = api;
  const header = { apiKey, apiVersion: version, correlationId, clientId: 'test' };
  encodeRequestHeader(writer, header, isFlexible(api, version));
  api.encodeRequest(writer, { ...defaultRequest(api), ...fields }, version);
  return new Uint8Array(Buffer.concat(writer.finish()));
}

/** One batch with a record of each text, as a producer sends it. */
export function batchOf(texts: readonly string[], timestampMs = Date.UTC(2026, 0, 1)): Uint8Array {
  const builder = new BatchBuilder(crc32c);
  for (const text of texts) builder.append({ key: null, value: Buffer.from(text), timestampMs });
  return builder.seal();
}

/** All versions of an API that are served, in order. */
export function versionsOf({ minVersion, stableVersion }: Pick<ApiCodec, 'minVersion' | 'stableVersion'>): number[] {
  return Array.from({ length: stableVersion - minVersion + 1 }, (_, i) => minVersion + i);
}

/** The request with all fields as they are by default. */
export function defaultRequest<Request>(api: ApiCodec<Request>): Request {
  const make = (generated as unknown as Record<string, (() => Request) | undefined>)[`default${api.name}Request`];
  expect(make, api.name).toBeDefined();
  return make!();
}
