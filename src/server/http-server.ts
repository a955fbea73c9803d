/**
 * The HTTP port: a uWebSockets.js application whose parts register pages and WebSockets in a table. I/O thread.
 *
 *   request → table → page
 *                   → upgrade → host, origin, subprotocol, stopping?, quota → the part's own reading → link
 *
 *   GET /livez     200 while the process answers
 *   GET /readyz    200 once the broker serves, with what does not work; 503 before and while it stops
 *   GET /metrics   what the injected function gives
 *
 * It counts open WebSockets and what else lives over connections, ends what is idle, and lets all come to an end when it
 * closes. It does not know what its parts speak: see `http-route.ts`.
 */

import type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket, us_socket_context_t } from 'uWebSockets.js';
import { assert, present } from '../base/assert.ts';
import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { ErrorCode } from '../base/error-code.ts';
import type { Logger } from '../base/logger.ts';
import { PlacedList } from '../base/placed-list.ts';
import type { ActiveClients } from './active-clients.ts';
import type { ConnectionQuota } from './connection-quota.ts';
import { nextConnectionId } from './connection.ts';
import { problemOf, problemText, problemType, statusLine } from './http-api/problem.ts';
import { answerText } from './http-route.ts';
import type { HttpHandler, HttpMethod, HttpPart, Living, Peer, RouteTable, WebSocketRoute } from './http-route.ts';
import { sweepIdle } from './idle-sweep.ts';
import { listenError, probeListen } from './listen-error.ts';
import {
  addressText,
  chooseSubprotocol,
  hostAndPort,
  isHostAllowed,
  isLoopback,
  isOriginAllowed,
} from './upgrade-request.ts';

/** uWebSockets.js. */
export type NativePart = typeof import('uWebSockets.js');

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly logger: Logger;
  /** What clients are told to use; null: what their Host header names. */
  readonly advertised?: { readonly host: string; readonly port: number } | null;
  /** Origins of pages that may connect, such as `https://shop.example`, or `*` for all; default: the server's own. */
  readonly allowedOrigins?: readonly string[];
  /** WebSockets beyond it are refused. */
  readonly quota: ConnectionQuota;
  /** Hears of what clients send. Default: nobody does. */
  readonly clients?: ActiveClients;
  /** As for `sweepIdle` (`connections.max.idle.ms`). */
  readonly idleMs: number;
  readonly ready: () => boolean;
  /** What does not work though the broker serves, a line each; `/readyz` tells. */
  readonly troubles: () => readonly string[];
  /** The text of `/metrics`, in Prometheus' text format. */
  readonly metrics: () => string | Promise<string>;
  readonly clock?: Clock;
  /** Where it has been loaded already. */
  readonly native?: NativePart;
}

/** uWebSockets.js tells of connections before they say what they want. */
interface Filtering {
  filter(heard: (response: HttpResponse, count: number) => void): void;
}

/** So many connections beyond those that there may be are let in: who wants a WebSocket is told why there is none. */
const politeness = 32;
const commonHost = /^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/;
const closeWithinMs = 800;
const nothingToDo = (): void => {};
/** So long a WebSocket that was ended may still send: were it cut at once, what it was told last would be lost with it. */
const lingerMs = 100;
/** What a request may have as headers, in bytes: ids of events are long where a topic has many partitions. */
const headersSetting = 'UWS_HTTP_MAX_HEADERS_SIZE';
const largestHeadersBytes = 16 * 1024;
/** In seconds; uWebSockets.js pings by itself so that proxies keep the connection, and ends one that is dead. */
const pingTimeoutS = 120;
/** uWebSockets.js's LIBUS_LISTEN_EXCLUSIVE_PORT, which its types name differently than it stands there. */
const exclusivePort = 1;

/**
 * Loads uWebSockets.js. Rejects with an `EnvironmentError` (NATIVE_PART_MISSING) where it does not load here. `load` is
 * for tests.
 */
export async function loadNativePart(
  load: () => Promise<{ readonly default: NativePart }> = () => import('uWebSockets.js'),
): Promise<NativePart> {
  const { env } = process;
  const given = env[headersSetting];
  // It is read when the library is loaded, and by nothing else.
  env[headersSetting] ??= String(largestHeadersBytes);
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
  } finally {
    if (given === undefined) delete env[headersSetting];
  }
}

export class HttpServer implements RouteTable {
  readonly #options: HttpServerOptions;
  readonly #clock: Clock;
  readonly #native: NativePart;
  readonly #app: TemplatedApp;
  readonly #isLoopback: boolean;
  readonly #live = new PlacedList<Living>();
  #webSocketCount = 0;
  #listenSocket: us_listen_socket | null = null;
  #port = 0;
  #stopSweep: (() => void) | null = null;
  #closing: Promise<void> | null = null;
  #emptied: (() => void) | null = null;

  private constructor(options: HttpServerOptions, native: NativePart) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#native = native;
    this.#app = native.App();
    // Its types leave this out.
    (this.#app as unknown as Filtering).filter((response, count) => this.#connected(response, count));
    this.#isLoopback = isLoopback(options.host);
  }

  /**
   * Opens the port with what `parts` register. Rejects with an `EnvironmentError` (NATIVE_PART_MISSING where
   * uWebSockets.js does not load here, ADDRESS_IN_USE, ADDRESS_UNAVAILABLE).
   */
  static async open(options: HttpServerOptions, parts: readonly HttpPart[]): Promise<HttpServer> {
    const native = options.native ?? (await loadNativePart());
    const server = new HttpServer(options, native);
    for (const part of parts) part(server);
    server.#registerPages();
    await server.#listen();
    return server;
  }

  /** The address it listens on, with the real port. */
  get address(): { readonly host: string; readonly port: number } {
    return { host: this.#options.host, port: this.#port };
  }

  /** Open WebSockets. */
  get webSocketCount(): number {
    return this.#webSocketCount;
  }

  /** Takes no more connections, lets what was begun be answered, and ends all within a second. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // What parts call.

  http(method: HttpMethod, pattern: string, handler: HttpHandler): void {
    this.#app[method](pattern, handler);
  }

  webSocket<Asked>(route: WebSocketRoute<Asked>): void {
    this.#app.ws<Peer<Asked>>(route.pattern, {
      maxPayloadLength: route.largestMessageBytes,
      maxBackpressure: route.largestBacklogBytes,
      idleTimeout: route.deadAfterS ?? pingTimeoutS,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => this.#upgrade(route, response, request, context),
      open: (socket) => {
        const peer = socket.getUserData();
        peer.link = route.open(socket, peer);
        this.#webSocketCount++;
        // From here on it counts as a WebSocket.
        this.#options.quota.countOnly(-1);
        this.#options.quota.add(peer.clientHost);
        this.#live.add(peer.link);
      },
      message: (socket, message, isBinary) => {
        const peer = socket.getUserData();
        const link = peer.link!;
        this.#options.clients?.active(peer.id);
        try {
          if (link.caller?.isCharged === true) link.caller.timed(() => link.message(message, isBinary));
          else link.message(message, isBinary);
        } catch (error) {
          this.#options.logger.error({ error }, 'A WebSocket is closed because serving its message failed.');
          link.destroy();
        }
      },
      drain: (socket) => {
        const { link } = socket.getUserData();
        // Not from within: what is queued by a corked send in this handler may stay queued for ever (3.0.6).
        setImmediate(() => link?.drained());
      },
      close: (socket) => {
        const peer = socket.getUserData();
        const link = present(peer.link, 'close comes after open');
        this.#webSocketCount--;
        this.#options.quota.remove(peer.clientHost);
        link.closed();
        this.#gone(link);
      },
    });
    this.http('get', route.pattern, (response) => answerText(response, '426 Upgrade Required', `${route.hint}\n`));
  }

  isOriginAllowed(request: HttpRequest, origin: string): boolean {
    const { advertised, allowedOrigins } = this.#options;
    const host = request.getHeader('host');
    const ownName = advertised?.host ?? null;
    // Reading the header as a URL is left out where it is what nearly everybody has.
    if (origin === '' && (!this.#isLoopback || commonHost.test(host))) return true;
    if (origin === '') return isHostAllowed(host, allowedOrigins ?? [], ownName);
    return isOriginAllowed(origin, host, allowedOrigins ?? [], ownName);
  }

  admit(response: HttpResponse): (() => void) | null {
    const { quota } = this.#options;
    // Nobody else asks for addresses, which take a while.
    if (!quota.limitsAddresses) return nothingToDo;
    const clientHost = addressText(new Uint8Array(response.getRemoteAddress()));
    return quota.beginRequest(clientHost) ? () => quota.endRequest(clientHost) : null;
  }

  get stopping(): boolean {
    return this.#closing !== null;
  }

  began(living: Living): void {
    this.#options.clients?.began();
    this.#live.add(living);
  }

  listens(living: Living): void {
    assert(living.onlyListens === true, 'who is told of as listening says so until the end');
    this.#options.clients?.ended();
  }

  ended(living: Living): void {
    if (living.onlyListens !== true) this.#options.clients?.ended();
    this.#gone(living);
  }

  #gone(living: Living): void {
    this.#live.delete(living);
    if (this.#live.size === 0) this.#emptied?.();
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
      () => this.#live,
      (living) => living.destroy(),
    );
  }

  async #close(): Promise<void> {
    this.#stopSweep?.();
    this.#native.us_listen_socket_close(present(this.#listenSocket, 'an open server has a listen socket'));
    const hadWebSockets = this.#webSocketCount > 0;
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    for (const living of [...this.#live]) living.finish();
    const deadline = this.#clock.setTimer(closeWithinMs, () => {
      for (const living of [...this.#live]) living.destroy();
    });
    if (this.#live.size > 0) await emptied;
    deadline.cancel();
    // The close frames leave, and are read; then idle HTTP connections end as well.
    await new Promise<void>((resolve) => {
      if (hadWebSockets) this.#clock.setTimer(lingerMs, resolve);
      else setImmediate(resolve);
    });
    this.#app.close();
  }

  #registerPages(): void {
    const { ready, troubles } = this.#options;
    this.http('get', '/livez', (response) => answerText(response, '200 OK', 'ok\n'));
    this.http('get', '/readyz', (response) => {
      if (!this.stopping && ready()) answerText(response, '200 OK', readyText(troubles()));
      else answerText(response, '503 Service Unavailable', 'not ready\n');
    });
    this.http('get', '/metrics', (response) => void this.#metrics(response));
    this.http('any', '/*', (response) => answerText(response, statusLine(404), nothingHere, problemType));
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
    if (!aborted) response.cork(() => answerText(response, status, text, 'text/plain; version=0.0.4; charset=utf-8'));
  }

  /** A connection is there (`count` above 0) or gone; of those that became WebSockets the going is not told here. */
  #connected(response: HttpResponse, count: number): void {
    const { quota, logger } = this.#options;
    quota.countOnly(count > 0 ? 1 : -1);
    if (count < 0) return;
    const setting = quota.refusalOfAll(quota.count - 1 - politeness);
    if (setting === null) return;
    const client = addressText(new Uint8Array(response.getRemoteAddress()));
    logger.warn({ client, connections: quota.count, setting }, 'A connection was refused.');
    response.close();
  }

  #upgrade<Asked>(
    route: WebSocketRoute<Asked>,
    response: HttpResponse,
    request: HttpRequest,
    context: us_socket_context_t,
  ): void {
    const { advertised, quota, logger } = this.#options;
    const reached = hostAndPort(request.getHeader('host'));
    if (reached === null) return answerText(response, '400 Bad Request', 'The Host header names no host.\n');
    // Browsers name the origin with every handshake; who names none may use any name of this host.
    const origin = request.getHeader('origin');
    if (origin !== '' && !this.isOriginAllowed(request, origin)) {
      return answerText(response, '403 Forbidden', 'Pages of this origin may not connect.\n');
    }
    const protocol = chooseSubprotocol(request.getHeader('sec-websocket-protocol'), route.protocols);
    if (protocol === null) {
      const spoken = route.protocols[0] ?? 'none';
      return answerText(response, '400 Bad Request', `The subprotocol is ${spoken}.\n`);
    }
    if (this.stopping) return answerText(response, '503 Service Unavailable', 'The broker stops.\n');
    const clientHost = addressText(new Uint8Array(response.getRemoteAddress()));
    // It is among those that are counted.
    quota.countOnly(-1);
    const setting = quota.refusal(clientHost);
    quota.countOnly(1);
    if (setting !== null) {
      logger.warn({ client: clientHost, connections: quota.count, setting }, 'A connection was refused.');
      // Else it would be one of them.
      return void response.writeStatus(statusLine(503)).end('There are too many connections.\n', true);
    }
    if (quota.throttleMs(clientHost) > 0) {
      return void response.writeStatus(statusLine(429)).end('Connections come too often from this address.\n', true);
    }
    const reading = route.read(request);
    if ('status' in reading) return answerText(response, reading.status, `${reading.reason}\n`);
    const peer: Peer<Asked> = {
      id: nextConnectionId(),
      advertisedHost: advertised?.host ?? reached.host,
      advertisedPort: advertised?.port ?? reached.port,
      clientHost,
      protocol,
      asked: reading.asked,
      link: null,
    };
    const key = request.getHeader('sec-websocket-key');
    response.upgrade(peer, key, protocol, request.getHeader('sec-websocket-extensions'), context);
  }
}

const nothingHere = problemText(
  problemOf(
    ErrorCode.INVALID_REQUEST,
    'There is nothing at this path; /openapi.json and /asyncapi.json say what is served.',
    404,
  ),
);

/** At most so many troubles are told one by one. */
const troublesTold = 20;

function readyText(troubles: readonly string[]): string {
  const more = troubles.length > troublesTold ? [`And ${troubles.length - troublesTold} more.`] : [];
  return ['ok', ...troubles.slice(0, troublesTold), ...more, ''].join('\n');
}
