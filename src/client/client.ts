/**
 * A client of one cluster: its settings, its connections and what it knows of topics. Any thread; one object an
 * application. Producers, consumers and the admin functions are made from it, so that a bundle holds what is used.
 */

import { ErrorCode } from '../base/error-code.ts';
import { Cluster } from './cluster.ts';
import type { CompressionCodec } from './compression.ts';
import { gzip } from './gzip.ts';
import { KafkaError } from './kafka-error.ts';
import type { OpenTransport } from './connection.ts';
import type { WebSocketConstructor } from './transport.ts';
import type { Backoff } from './waiting.ts';

/** A broker as the cluster's metadata names it. */
export interface NodeAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export interface ClientOptions {
  /** Where the cluster is found, such as `ws://127.0.0.1:8080/kafka`; several for when one is away. */
  readonly url: string | readonly string[];
  /** The name in the brokers' logs and metrics. Default: `millrace`. */
  readonly clientId?: string;
  /** The WebSocket to use. Default: the platform's, or that of the package `ws`. */
  readonly webSocket?: WebSocketConstructor;
  /** Another transport altogether, instead of WebSockets. */
  readonly transport?: OpenTransport;
  /**
   * The URL of a broker that the cluster names. Default: scheme and path of the first `url`, with the host and port
   * named; the `url` itself where those are its own.
   */
  readonly nodeUrl?: (node: NodeAddress) => string;
  /** For opening a connection and for each request, in milliseconds. Default: 30,000. */
  readonly requestTimeoutMs?: number;
  /** For everything that is tried again until it works, in milliseconds. Default: 60,000. */
  readonly retryTimeoutMs?: number;
  /** Between attempts. Default: 50 to 1,000 ms. */
  readonly backoff?: Backoff;
  /** Metadata older than this is fetched anew, in milliseconds. Default: 300,000. */
  readonly metadataMaxAgeMs?: number;
  /** A response may be so large, in bytes. Default: 128 MiB. */
  readonly maxFrameBytes?: number;
  /** What consumers can inflate beside gzip: `snappy`, `lz4`, `zstd`. */
  readonly codecs?: readonly CompressionCodec[];
  /** Hears of what failed and is tried again. Default: nobody does. */
  readonly onRetry?: (error: Error) => void;
}

/** The options with their defaults. */
export interface ClientSettings {
  readonly urls: readonly string[];
  readonly clientId: string;
  readonly requestTimeoutMs: number;
  readonly retryTimeoutMs: number;
  readonly backoff: Backoff;
  readonly metadataMaxAgeMs: number;
  readonly maxFrameBytes: number;
  readonly codecs: ReadonlyMap<number, CompressionCodec>;
  readonly webSocket: WebSocketConstructor | null;
  readonly transport: OpenTransport | null;
  readonly nodeUrl: (node: NodeAddress) => string;
  readonly onRetry: (error: Error) => void;
}

export class Client implements AsyncDisposable {
  readonly settings: ClientSettings;
  /** For producers, consumers and admin functions. */
  readonly cluster: Cluster;

  /** Connects to nothing yet. Throws a `KafkaError` (INVALID_REQUEST) for a URL that is none of a WebSocket. */
  constructor(options: ClientOptions) {
    const urls = typeof options.url === 'string' ? [options.url] : options.url;
    if (options.transport === undefined) urls.forEach(checkUrl);
    if (urls.length === 0) throw new KafkaError(ErrorCode.INVALID_REQUEST, 'a client needs at least one url');
    this.settings = {
      urls,
      clientId: options.clientId ?? 'millrace',
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      retryTimeoutMs: options.retryTimeoutMs ?? 60_000,
      backoff: options.backoff ?? { firstMs: 50, longestMs: 1000 },
      metadataMaxAgeMs: options.metadataMaxAgeMs ?? 300_000,
      maxFrameBytes: options.maxFrameBytes ?? 128 * 1024 * 1024,
      codecs: new Map([gzip, ...(options.codecs ?? [])].map((codec) => [codec.id, codec])),
      webSocket: options.webSocket ?? null,
      transport: options.transport ?? null,
      nodeUrl: options.nodeUrl ?? ((node) => nodeUrl(urls, node)),
      onRetry: options.onRetry ?? (() => {}),
    };
    this.cluster = new Cluster(this.settings);
  }

  /** Ends all connections. Close producers and consumers first. */
  close(): Promise<void> {
    this.cluster.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function checkUrl(url: string): void {
  if (URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol)) return;
  throw new KafkaError(
    ErrorCode.INVALID_REQUEST,
    `${JSON.stringify(url)} is no URL of a WebSocket: give one such as ws://127.0.0.1:8080/kafka`,
  );
}

/** As `ClientOptions.nodeUrl` says. A broker that is reached without a port in the URL names port 80, also behind TLS. */
function nodeUrl(urls: readonly string[], { host, port }: NodeAddress): string {
  const hostname = host.includes(':') ? `[${host}]` : host;
  for (const url of urls) {
    const known = new URL(url);
    if (known.hostname === hostname && (known.port === '' ? 80 : Number(known.port)) === port) return url;
  }
  const url = new URL(urls[0]!);
  url.hostname = hostname;
  url.port = String(port);
  return url.href;
}
