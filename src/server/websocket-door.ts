/**
 * The door for browsers and monitors: Kafka's protocol in WebSocket messages, and a few plain pages. I/O thread.
 *
 *   GET /kafka, upgrade, subprotocol kafka   binary messages: a byte stream of size-prefixed requests, and of responses
 *   GET /livez                               200 while the process answers
 *   GET /readyz                              200 once the broker serves, with what does not work; 503 before and while it stops
 *   GET /metrics                             what the injected function gives
 *
 * Message borders mean nothing, so any proxy between TCP and WebSocket can stand in front. uWebSockets.js reads and
 * writes; it cannot stop reading one socket, so what a client sends while the broker is behind is kept up to a bound,
 * and beyond it the connection ends, with code 1013, "try again later".
 * It does not know frames nor requests: see `request-pipeline.ts`.
 */

import type { HttpRequest, HttpResponse, TemplatedApp, WebSocket, us_listen_socket } from 'uWebSockets.js';
import { present } from '../base/assert.ts';
import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import type { Logger } from '../base/logger.ts';
import type { AssemblyBudget } from './assembly-budget.ts';
import type { ConnectionQuota } from './connection-quota.ts';
import { DoorConnection, nextConnectionId } from './connection.ts';
import { sweepIdle } from './idle-sweep.ts';
import { listenError, probeListen } from './listen-error.ts';
import { RequestPipeline } from './request-pipeline.ts';
import type { PipelineLimits, RequestService, Transport } from './request-pipeline.ts';
import { addressText, chooseSubprotocol, hostAndPort, isOriginAllowed } from './upgrade-request.ts';

/** uWebSockets.js. */
export type NativePart = typeof import('uWebSockets.js');

export interface WebSocketDoorOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly service: RequestService;
  readonly budget: AssemblyBudget;
  readonly limits: PipelineLimits;
  readonly logger: Logger;
  /** What clients are told to use; null: what their Host header names. */
  readonly advertised?: { readonly host: string; readonly port: number } | null;
  /** Origins of pages that may connect, such as `https://shop.example`, or `*` for all; default: the door's own. */
  readonly allowedOrigins?: readonly string[];
  /** Connections beyond it are refused. */
  readonly quota: ConnectionQuota;
  /** As for `sweepIdle` (`connections.max.idle.ms`). */
  readonly idleMs: number;
  /** A longer message ends its connection, in bytes; default 16 MiB. A larger request comes as several messages. */
  readonly largestMessageBytes?: number;
  /** What one connection may send ahead while the broker cannot take it, in bytes; default 32 MiB. */
  readonly aheadBytes?: number;
  readonly ready: () => boolean;
  /** What does not work though the broker serves, a line each; `/readyz` tells. */
  readonly troubles: () => readonly string[];
  /** The text of `/metrics`, in Prometheus' text format. */
  readonly metrics: () => string | Promise<string>;
  readonly clock?: Clock;
  /** Where it has been loaded already. */
  readonly native?: NativePart;
}

const listenerName = 'kafka-ws';
const closeWithinMs = 800;
/** In seconds; uWebSockets.js pings by itself so that proxies keep the connection, and ends one that is dead. */
const pingTimeoutS = 120;
/** uWebSockets.js's LIBUS_LISTEN_EXCLUSIVE_PORT, which its types name differently than it stands there. */
const exclusivePort = 1;
const goingAway = 1001;
const tryAgainLater = 1013;

interface Peer {
  readonly advertisedHost: string;
  readonly advertisedPort: number;
  readonly clientHost: string;
  link: Link | null;
}

type PeerSocket = WebSocket<Peer>;

/** One open WebSocket and its pipeline. */
interface Link {
  readonly pipeline: RequestPipeline;
  readonly transport: SocketTransport;
}

/** The pipeline's way out through one WebSocket, which must not be touched after its close handler. */
class SocketTransport implements Transport {
  readonly #socket: PeerSocket;
  #open = true;
  #paused = false;
  #unsent: (() => void)[] = [];

  constructor(socket: PeerSocket) {
    this.#socket = socket;
  }

  /** The pipeline wants no bytes; they come nevertheless. */
  get paused(): boolean {
    return this.#paused;
  }

  write(parts: readonly Uint8Array[], sent: () => void): boolean {
    let flowing = true;
    if (!this.#open) {
      sent();
      return flowing;
    }
    let dropped = false;
    this.#socket.cork(() => {
      for (const part of parts) {
        const outcome = this.#socket.send(part, true, false);
        if (outcome !== 1) flowing = false;
        if (outcome === 2) dropped = true;
      }
    });
    if (flowing) sent();
    else this.#unsent.push(sent);
    // A stream with a hole is worth nothing.
    if (dropped) this.destroy();
    return flowing;
  }

  pauseReading(): void {
    this.#paused = true;
  }

  resumeReading(): void {
    this.#paused = false;
  }

  end(): void {
    if (this.#open) this.#socket.end(goingAway, 'the broker stops');
  }

  endForNow(): void {
    if (this.#open) this.#socket.end(tryAgainLater, 'the broker is behind');
  }

  destroy(): void {
    if (this.#open) this.#socket.close();
  }

  /** Whether all that was written has left. */
  drained(): boolean {
    if (!this.#open || this.#socket.getBufferedAmount() > 0) return false;
    this.#settle();
    return true;
  }

  closed(): void {
    this.#open = false;
    this.#settle();
  }

  #settle(): void {
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const sent of unsent) sent();
  }
}

/**
 * Loads uWebSockets.js. Rejects with an `EnvironmentError` (NATIVE_PART_MISSING) where it does not load here. `load` is
 * for tests.
 */
export async function loadNativePart(
  load: () => Promise<{ readonly default: NativePart }> = () => import('uWebSockets.js'),
): Promise<NativePart> {
  try {
    return (await load()).default;
  } catch (error) {
    throw new EnvironmentError(
      EnvironmentErrorCode.NATIVE_PART_MISSING,
      'HTTP and WebSocket need uWebSockets.js, which is not installed or has no binary for this system: ' +
        'install it with Node 20 on glibc 2.27 or Node 22 on glibc 2.38 or later, or switch this port off; ' +
        'Kafka over TCP works without it.',
      error,
    );
  }
}

export class WebSocketDoor {
  readonly #options: WebSocketDoorOptions;
  readonly #clock: Clock;
  readonly #native: NativePart;
  readonly #app: TemplatedApp;
  readonly #live = new Set<Link>();
  #listenSocket: us_listen_socket | null = null;
  #port = 0;
  #stopSweep: (() => void) | null = null;
  #closing: Promise<void> | null = null;
  #emptied: (() => void) | null = null;

  private constructor(options: WebSocketDoorOptions, native: NativePart) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#native = native;
    this.#app = native.App();
    this.#route();
  }

  /**
   * Opens the door. Rejects with an `EnvironmentError` (NATIVE_PART_MISSING where uWebSockets.js does not load here,
   * ADDRESS_IN_USE, ADDRESS_UNAVAILABLE).
   */
  static async open(options: WebSocketDoorOptions): Promise<WebSocketDoor> {
    const native = options.native ?? (await loadNativePart());
    const door = new WebSocketDoor(options, native);
    await door.#listen();
    return door;
  }

  /** The address it listens on, with the real port. */
  get address(): { readonly host: string; readonly port: number } {
    return { host: this.#options.host, port: this.#port };
  }

  get connectionCount(): number {
    return this.#live.size;
  }

  /** Takes no more connections, lets requests in flight be answered, and ends all within a second. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#options;
    const socket = await new Promise<us_listen_socket | false>((resolve) => {
      // Its default would share the port with another process that does the same.
      const listen = this.#app.listen.bind(this.#app) as unknown as (
        host: string,
        port: number,
        options: number,
        done: (socket: us_listen_socket | false) => void,
      ) => void;
      listen(host, port, exclusivePort, resolve);
    });
    if (socket === false) {
      const cause = await probeListen(host, port);
      throw listenError(cause ?? new Error('uWebSockets.js gives no reason'), host, port);
    }
    this.#listenSocket = socket;
    this.#port = this.#native.us_socket_local_port(socket as never);
    this.#stopSweep = sweepIdle(
      this.#clock,
      this.#options.idleMs,
      () => [...this.#live].map((link) => link.pipeline),
      (pipeline) => pipeline.drop(),
    );
  }

  async #close(): Promise<void> {
    this.#stopSweep?.();
    this.#native.us_listen_socket_close(present(this.#listenSocket, 'an open door has a listen socket'));
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    for (const link of [...this.#live]) link.pipeline.finish();
    const deadline = this.#clock.setTimer(closeWithinMs, () => {
      for (const link of [...this.#live]) link.transport.destroy();
    });
    if (this.#live.size > 0) await emptied;
    deadline.cancel();
    // A turn for the close frames to leave; then idle HTTP connections end as well.
    await new Promise((resolve) => setImmediate(resolve));
    this.#app.close();
  }

  #route(): void {
    const options = this.#options;
    this.#app
      .ws<Peer>('/kafka', {
        maxPayloadLength: options.largestMessageBytes ?? 16 * 1024 * 1024,
        // The pipeline stops writing at the first message that is queued, so the queue is bounded by one write.
        maxBackpressure: 0,
        idleTimeout: pingTimeoutS,
        sendPingsAutomatically: true,
        upgrade: (response, request, context) => this.#upgrade(response, request, context),
        open: (socket) => this.#open(socket),
        message: (socket, message, isBinary) => this.#message(socket, message, isBinary),
        drain: (socket) => {
          const link = socket.getUserData().link;
          // Not from within: what is queued by a corked send in this handler may stay queued for ever (3.0.6).
          setImmediate(() => {
            if (link !== null && link.transport.drained()) link.pipeline.drained();
          });
        },
        close: (socket) => this.#closed(socket),
      })
      .get('/kafka', (response) => {
        answer(response, '426 Upgrade Required', 'Connect with a WebSocket, subprotocol kafka.\n');
      })
      .get('/livez', (response) => answer(response, '200 OK', 'ok\n'))
      .get('/readyz', (response) => {
        if (this.#closing === null && options.ready()) answer(response, '200 OK', readyText(options.troubles()));
        else answer(response, '503 Service Unavailable', 'not ready\n');
      })
      .get('/metrics', (response) => void this.#metrics(response))
      .any('/*', (response) => answer(response, '404 Not Found', 'There is nothing here.\n'));
  }

  async #metrics(response: HttpResponse): Promise<void> {
    let aborted = false;
    response.onAborted(() => {
      aborted = true;
    });
    let status = '200 OK';
    let text: string;
    try {
      text = await this.#options.metrics();
    } catch (error) {
      this.#options.logger.error({ error }, 'The metrics could not be collected.');
      status = '500 Internal Server Error';
      text = 'The metrics could not be collected.\n';
    }
    if (!aborted) response.cork(() => answer(response, status, text, 'text/plain; version=0.0.4; charset=utf-8'));
  }

  #upgrade(response: HttpResponse, request: HttpRequest, context: Parameters<HttpResponse['upgrade']>[4]): void {
    const { advertised, allowedOrigins, quota, logger } = this.#options;
    const host = request.getHeader('host');
    const reached = hostAndPort(host);
    if (reached === null) return answer(response, '400 Bad Request', 'The Host header names no host.\n');
    if (!isOriginAllowed(request.getHeader('origin'), host, allowedOrigins ?? [], advertised?.host ?? null)) {
      return answer(response, '403 Forbidden', 'Pages of this origin may not connect.\n');
    }
    const protocol = chooseSubprotocol(request.getHeader('sec-websocket-protocol'));
    if (protocol === null) return answer(response, '400 Bad Request', 'The subprotocol is kafka.\n');
    if (this.#closing !== null) return answer(response, '503 Service Unavailable', 'The broker stops.\n');
    const clientHost = addressText(new Uint8Array(response.getRemoteAddress()));
    const setting = quota.refusal(clientHost);
    if (setting !== null) {
      logger.warn({ client: clientHost, connections: quota.count, setting }, 'A connection was refused.');
      return answer(response, '503 Service Unavailable', 'There are too many connections.\n');
    }
    const peer: Peer = {
      advertisedHost: advertised?.host ?? reached.host,
      advertisedPort: advertised?.port ?? reached.port,
      clientHost,
      link: null,
    };
    const key = request.getHeader('sec-websocket-key');
    response.upgrade(peer, key, protocol, request.getHeader('sec-websocket-extensions'), context);
  }

  #open(socket: PeerSocket): void {
    const { service, budget, limits, logger, quota } = this.#options;
    const peer = socket.getUserData();
    const connection = new DoorConnection({
      id: nextConnectionId(),
      listener: listenerName,
      advertisedHost: peer.advertisedHost,
      advertisedPort: peer.advertisedPort,
      clientHost: peer.clientHost,
    });
    const transport = new SocketTransport(socket);
    const pipeline = new RequestPipeline(connection, service, transport, budget, limits, logger, () =>
      this.#clock.monotonicMs(),
    );
    const link = { pipeline, transport };
    peer.link = link;
    this.#live.add(link);
    quota.add(peer.clientHost);
  }

  #message(socket: PeerSocket, message: ArrayBuffer, isBinary: boolean): void {
    const { pipeline, transport } = present(socket.getUserData().link, 'a message comes after open');
    if (!isBinary) return pipeline.fail('it sent a text message; requests are binary');
    pipeline.receive(new Uint8Array(message));
    if (!transport.paused || pipeline.keptBytes <= (this.#options.aheadBytes ?? 32 * 1024 * 1024)) return;
    this.#options.logger.warn(
      { connection: pipeline.connection.id, client: pipeline.connection.clientHost, bytes: pipeline.keptBytes },
      'A WebSocket client sent further ahead than the broker can take; its connection is closed.',
    );
    transport.endForNow();
  }

  #closed(socket: PeerSocket): void {
    const peer = socket.getUserData();
    const link = present(peer.link, 'close comes after open');
    link.transport.closed();
    this.#live.delete(link);
    this.#options.quota.remove(peer.clientHost);
    link.pipeline.closed();
    if (this.#live.size === 0) this.#emptied?.();
  }
}

/** At most so many troubles are told one by one. */
const troublesTold = 20;

function readyText(troubles: readonly string[]): string {
  const more = troubles.length > troublesTold ? [`And ${troubles.length - troublesTold} more.`] : [];
  return ['ok', ...troubles.slice(0, troublesTold), ...more, ''].join('\n');
}

function answer(response: HttpResponse, status: string, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeStatus(status).writeHeader('content-type', type).end(text);
}
