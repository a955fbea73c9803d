/**
 * The HTTP port, whose parts register pages and WebSockets in a table. I/O thread. What lies below, on sockets, is `web/`.
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

import { assert, present } from '../base/assert.ts';
import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import { ErrorCode } from '../base/error-code.ts';
import type { Logger } from '../base/logger.ts';
import { PlacedList } from '../base/placed-list.ts';
import type { ActiveClients } from './active-clients.ts';
import type { ConnectionQuota } from './connection-quota.ts';
import { nextConnectionId, unwrapMappedAddress } from './connection.ts';
import { problemOf, problemText, problemType, statusLine } from './http-api/problem.ts';
import { answerText } from './http-route.ts';
import type {
  HttpHandler,
  HttpMethod,
  HttpPart,
  HttpRequest,
  HttpResponse,
  Living,
  Peer,
  RouteTable,
  WebSocketRoute,
} from './http-route.ts';
import { sweepIdle } from './idle-sweep.ts';
import { chooseSubprotocol, hostAndPort, isHostAllowed, isLoopback, isOriginAllowed } from './upgrade-request.ts';
import { acceptOf, asksForWebSocket, problemOfHandshake } from './web/handshake.ts';
import { HeadCache } from './web/http-connection.ts';
import type { HttpExchange } from './web/http-exchange.ts';
import type { RequestHead } from './web/request-head.ts';
import { RouteList } from './web/route-list.ts';
import type { SocketChannel } from './web/socket-channel.ts';
import { WebServer } from './web/web-server.ts';
import { WebSocketConnection } from './web/web-socket.ts';

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
}

type AnyRoute = WebSocketRoute<unknown>;

/** So many connections beyond those that there may be are let in: who wants a WebSocket is told why there is none. */
const politeness = 32;
const commonHost = /^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/;
const closeWithinMs = 800;
const nothingToDo = (): void => {};
/** So long a WebSocket that was ended may still send: were it cut at once, what it was told last would be lost with it. */
const lingerMs = 100;
/** A WebSocket that is silent is pinged, so that proxies keep the connection, and ended where it is dead; in seconds. */
const pingTimeoutS = 120;

export class HttpServer implements RouteTable {
  readonly #options: HttpServerOptions;
  readonly #clock: Clock;
  readonly #routes = new RouteList<HttpHandler>();
  readonly #webSockets = new RouteList<AnyRoute>();
  readonly #isLoopback: boolean;
  readonly #live = new PlacedList<Living>();
  /** Channels that became WebSockets, whose going their links are told of. */
  readonly #upgraded = new WeakSet<SocketChannel>();
  #webSocketCount = 0;
  #web: WebServer | null = null;
  #stopSweep: (() => void) | null = null;
  #closing: Promise<void> | null = null;
  #emptied: (() => void) | null = null;

  private constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#isLoopback = isLoopback(options.host);
  }

  /** Opens the port with what `parts` register. Rejects with an `EnvironmentError` (ADDRESS_IN_USE, ADDRESS_UNAVAILABLE). */
  static async open(options: HttpServerOptions, parts: readonly HttpPart[]): Promise<HttpServer> {
    const server = new HttpServer(options);
    for (const part of parts) part(server);
    server.#registerPages();
    await server.#listen();
    return server;
  }

  /** The address it listens on, with the real port. */
  get address(): { readonly host: string; readonly port: number } {
    return { host: this.#options.host, port: present(this.#web, 'an open server listens').port };
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
    this.#routes.add(method === 'any' ? method : method.toUpperCase(), pattern, handler);
  }

  webSocket<Asked>(route: WebSocketRoute<Asked>): void {
    // What a route reads of a request comes to itself alone.
    this.#webSockets.add('any', route.pattern, route as unknown as AnyRoute);
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
    const clientHost = response.remoteAddress;
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
    const { host, port, logger } = this.#options;
    this.#web = await WebServer.open({
      host,
      port,
      logger,
      clock: this.#clock,
      routes: {
        http: this.#routes,
        heads: new HeadCache(),
        upgrade: (exchange, head) => this.#upgrade(exchange, head),
        nowMs: () => this.#clock.heardMs(),
      },
      arrived: (remoteAddress) => this.#arrived(remoteAddress),
      left: (channel) => {
        if (!this.#upgraded.has(channel)) this.#options.quota.countOnly(-1);
      },
    });
    this.#stopSweep = sweepIdle(
      this.#clock,
      this.#options.idleMs,
      () => this.#live,
      (living) => living.destroy(),
    );
  }

  async #close(): Promise<void> {
    this.#stopSweep?.();
    const web = present(this.#web, 'an open server listens');
    void web.stopListening();
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
    await web.close();
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
    if (!aborted) answerText(response, status, text, 'text/plain; version=0.0.4; charset=utf-8');
  }

  /** Counts a connection; false where it is one too many. */
  #arrived(remoteAddress: string): boolean {
    const { quota, logger } = this.#options;
    const setting = quota.refusalOfAll(quota.count - politeness);
    if (setting === null) {
      quota.countOnly(1);
      return true;
    }
    const client = unwrapMappedAddress(remoteAddress);
    logger.warn({ client, connections: quota.count, setting }, 'A connection was refused.');
    return false;
  }

  /** Whether the request is one for a WebSocket, and there are some at its path: then it is dealt with. */
  #upgrade(exchange: HttpExchange, head: RequestHead): boolean {
    if (!asksForWebSocket(head)) return false;
    const found = this.#webSockets.find('any', head.path);
    if (found === null) return false;
    head.parameters = found.parameters;
    this.#answerUpgrade(found.handler, exchange, head);
    return true;
  }

  #answerUpgrade(route: AnyRoute, exchange: HttpExchange, head: RequestHead): void {
    const { advertised } = this.#options;
    const wrong = problemOfHandshake(head);
    if (wrong !== null) {
      exchange.writeStatus('426 Upgrade Required').writeHeader('sec-websocket-version', '13');
      return exchange.writeHeader('content-type', 'text/plain; charset=utf-8').end(`${wrong}\n`);
    }
    const reached = hostAndPort(head.getHeader('host'));
    if (reached === null) return answerText(exchange, '400 Bad Request', 'The Host header names no host.\n');
    // Browsers name the origin with every handshake; who names none may use any name of this host.
    const origin = head.getHeader('origin');
    if (origin !== '' && !this.isOriginAllowed(head, origin)) {
      return answerText(exchange, '403 Forbidden', 'Pages of this origin may not connect.\n');
    }
    const protocol = chooseSubprotocol(head.getHeader('sec-websocket-protocol'), route.protocols);
    if (protocol === null) {
      const spoken = route.protocols[0] ?? 'none';
      return answerText(exchange, '400 Bad Request', `The subprotocol is ${spoken}.\n`);
    }
    if (this.stopping) return answerText(exchange, '503 Service Unavailable', 'The broker stops.\n');
    if (!this.#admitWebSocket(exchange)) return;
    const reading = route.read(head);
    if ('status' in reading) return answerText(exchange, reading.status, `${reading.reason}\n`);
    const peer: Peer<unknown> = {
      id: nextConnectionId(),
      advertisedHost: advertised?.host ?? reached.host,
      advertisedPort: advertised?.port ?? reached.port,
      clientHost: exchange.remoteAddress,
      protocol,
      asked: reading.asked,
    };
    exchange
      .writeStatus('101 Switching Protocols')
      .writeHeader('upgrade', 'websocket')
      .writeHeader('connection', 'Upgrade');
    exchange.writeHeader('sec-websocket-accept', acceptOf(head.getHeader('sec-websocket-key')));
    if (protocol !== '') exchange.writeHeader('sec-websocket-protocol', protocol);
    exchange.becomes((channel) => this.#openWebSocket(route, peer, channel));
  }

  /** Whether one more may be opened; else it has been answered. */
  #admitWebSocket(exchange: HttpExchange): boolean {
    const { quota, logger } = this.#options;
    const clientHost = exchange.remoteAddress;
    // It is among those that are counted.
    quota.countOnly(-1);
    const setting = quota.refusal(clientHost);
    quota.countOnly(1);
    if (setting !== null) {
      logger.warn({ client: clientHost, connections: quota.count, setting }, 'A connection was refused.');
      // Else it would be one of them.
      exchange.writeStatus(statusLine(503)).end('There are too many connections.\n', true);
      return false;
    }
    if (quota.throttleMs(clientHost) === 0) return true;
    exchange.writeStatus(statusLine(429)).end('Connections come too often from this address.\n', true);
    return false;
  }

  #openWebSocket(route: AnyRoute, peer: Peer<unknown>, channel: SocketChannel): WebSocketConnection {
    const { quota, clients } = this.#options;
    const socket: WebSocketConnection = new WebSocketConnection(channel, {
      largestMessageBytes: route.largestMessageBytes,
      deadAfterMs: (route.deadAfterS ?? pingTimeoutS) * 1000,
      nowMs: () => this.#clock.heardMs(),
      run: channel.run,
      served: (serve) => {
        clients?.active(peer.id);
        if (link.caller?.isCharged === true) link.caller.timed(serve);
        else serve();
      },
      gone: () => {
        this.#webSocketCount--;
        quota.remove(peer.clientHost);
        this.#gone(link);
      },
    });
    const link = route.open(socket, peer);
    socket.open(link);
    this.#webSocketCount++;
    // From here on it counts as a WebSocket.
    this.#upgraded.add(channel);
    quota.countOnly(-1);
    quota.add(peer.clientHost);
    this.#live.add(link);
    return socket;
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
