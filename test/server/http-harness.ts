/**
 * The HTTP server with topics, over a broker in memory, and clients with real sockets: `fetch` for what is right, raw
 * bytes for what is not.
 */

import { connect, type Socket } from 'node:net';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { silentLogger, type Logger } from '../../src/base/logger.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { ConnectionQuota } from '../../src/server/connection-quota.ts';
import type { BodyLimits } from '../../src/server/http-ingest/body-sink.ts';
import { HttpServer } from '../../src/server/http-server.ts';
import { JsonWebSocket } from '../../src/server/json-websocket/json-websocket.ts';
import { RawWebSocket } from '../../src/server/raw-websocket.ts';
import { httpTopics } from '../../src/server/http-topics.ts';
import { BrokerHarness, type HarnessOptions } from '../broker/broker-harness.ts';

export interface HttpHarnessOptions extends HarnessOptions {
  /** Topics that are there, by name, with so many partitions each. */
  readonly topics?: Readonly<Record<string, number>>;
  readonly bodyLimits?: BodyLimits;
  readonly heartbeatMs?: number;
  readonly allowedOrigins?: readonly string[];
  readonly log?: Logger;
  readonly largestConnectionCount?: number;
  readonly largestCountPerAddress?: number;
  /** Of HTTP's operations, by the broker; the system's unless given. */
  readonly clockOf?: (broker: BrokerHarness) => Clock;
}

/** A record as it is stored, its bytes as texts. */
export interface StoredRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestampMs: number;
  readonly headers: readonly (readonly [name: string, value: string | null])[];
}

export class HttpHarness {
  readonly broker: BrokerHarness;
  readonly gateway: Gateway;
  readonly server: HttpServer;
  readonly #sockets: RawClient[] = [];

  private constructor(broker: BrokerHarness, gateway: Gateway, server: HttpServer) {
    this.broker = broker;
    this.gateway = gateway;
    this.server = server;
  }

  static async open(options: HttpHarnessOptions = {}): Promise<HttpHarness> {
    const broker = await BrokerHarness.open({ turns: 'real', ...options });
    for (const [name, partitionCount] of Object.entries(options.topics ?? {})) {
      await broker.createTopic(name, partitionCount);
    }
    const gateway = new Gateway(broker.broker);
    const logger = options.log ?? silentLogger;
    const server = await HttpServer.open(
      {
        host: '127.0.0.1',
        port: 0,
        logger,
        quota: new ConnectionQuota({
          largestCount: () => options.largestConnectionCount ?? 1000,
          largestCountPerAddress: () => options.largestCountPerAddress ?? 1000,
        }),
        idleMs: 600_000,
        allowedOrigins: options.allowedOrigins ?? [],
        ready: () => true,
        troubles: () => [],
        metrics: () => '',
      },
      [
        httpTopics({
          version: '1.2.3',
          gateway,
          clock: options.clockOf?.(broker) ?? systemClock,
          logger,
          bodyLimits: options.bodyLimits,
          heartbeatMs: options.heartbeatMs,
        }),
        (table) => new RawWebSocket({ gateway, largestMessageBytes: 1 << 20 }).register(table),
        (table) =>
          new JsonWebSocket({ gateway, largestMessageBytes: 1 << 20, logger, version: '1.2.3' }).register(table),
      ],
    );
    return new HttpHarness(broker, gateway, server);
  }

  /** `ws://HOST:PORT`. */
  get socketUrl(): string {
    return `ws://127.0.0.1:${this.server.address.port}`;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.server.address.port}`;
  }

  fetch(path: string, init: RequestInit & { readonly duplex?: 'half' } = {}): Promise<Response> {
    return fetch(`${this.origin}${path}`, init);
  }

  post(
    path: string,
    body: BodyInit,
    type = 'application/json',
    headers: Record<string, string> = {},
  ): Promise<Response> {
    return this.fetch(path, { method: 'POST', body, headers: { 'content-type': type, ...headers } });
  }

  /** A connection that sends `bytes` as they are. */
  raw(...bytes: readonly (string | Uint8Array)[]): RawClient {
    const client = new RawClient(connect(this.server.address.port, '127.0.0.1'));
    this.#sockets.push(client);
    for (const some of bytes) client.send(some);
    return client;
  }

  /** What is in a partition. */
  async stored(topic: string, partition = 0): Promise<StoredRecord[]> {
    const { topics } = this.broker.broker;
    const log = topics.partition(topics.topic(topic)!, partition)!;
    const options = { maxBytes: 1 << 28, minOneBatch: true, isolation: 'read_uncommitted' } as const;
    const records: StoredRecord[] = [];
    for (let offset = log.logStartOffset; offset < log.highWatermark;) {
      const found = await log.read({ ...options, offset });
      const bytes = Buffer.from(found.records);
      found.release();
      for (let at = 0; at < bytes.length;) {
        const end = at + 12 + bytes.readInt32BE(at + 8);
        const reader = new RecordReader(bytes, at, end);
        while (reader.next()) {
          records.push({
            key: reader.key === null ? null : Buffer.from(reader.key).toString(),
            value: reader.value === null ? null : Buffer.from(reader.value).toString(),
            timestampMs: reader.timestampMs,
            headers: reader
              .headers()
              .map(({ key, value }) => [key, value === null ? null : Buffer.from(value).toString()]),
          });
          offset = asOffset(reader.offset + 1);
        }
        at = end;
      }
    }
    return records;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.end();
    await this.server.close();
    this.gateway.close();
    await this.broker.broker.close();
  }
}

/** Raw bytes over a socket. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  closed = false;
  #changed: (() => void) | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1');
      this.#changed?.();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#changed?.();
    });
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  end(): void {
    this.socket.destroy();
  }

  /** What has come once `condition` holds or the connection has ended. */
  async until(condition: (received: string) => boolean): Promise<string> {
    while (!condition(this.received) && !this.closed) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.received;
  }

  async ended(): Promise<string> {
    return this.until(() => false);
  }
}

/** The objects of an NDJSON text. */
export function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
