/**
 * What a part of the HTTP server puts on its table: pages, and places where WebSockets open. I/O thread. Only the shapes;
 * `http-server.ts` looks at who asks (origin, host, subprotocol, quota) before a part hears of a WebSocket.
 */

import type { HttpRequest, HttpResponse, WebSocket } from 'uWebSockets.js';
import type { Placed } from '../base/placed-list.ts';
import type { Caller } from '../gateway/caller.ts';

export type HttpMethod = 'get' | 'head' | 'post' | 'put' | 'patch' | 'del' | 'options' | 'any';

/** Serves one request. Where it answers later it calls `response.onAborted` before it returns. */
export type HttpHandler = (response: HttpResponse, request: HttpRequest) => void;

/** Something that takes place over a connection; the server's close lets it come to an end. */
export interface Living extends Placed {
  /** The server stops: let what was begun be answered, then end. */
  finish(): void;
  /** End at once. */
  destroy(): void;
  /** Its client has asked for all that it will, and is sent what others write. */
  readonly onlyListens?: boolean;
  /** Since when nothing has moved, by `heardMs` of the server's clock; now while the broker owes something. */
  readonly idleSinceMs: number;
}

/** One open WebSocket as its part sees it. The socket must not be touched from `closed` on. */
export interface SocketLink extends Living {
  /** In whose time messages are served; left out where the link counts that itself. */
  readonly caller?: Caller;
  /** `message` is a view of memory that ends with the call. */
  message(message: ArrayBuffer, isBinary: boolean): void;
  /** What had been queued for a slow client has moved. */
  drained(): void;
  closed(): void;
}

/** Who opened a WebSocket. */
export interface Peer<Asked = unknown> {
  /** Its own among the connections of all doors. */
  readonly id: number;
  /** By which name and port it reached the broker, or the one that clients are told to use. */
  readonly advertisedHost: string;
  readonly advertisedPort: number;
  readonly clientHost: string;
  /** The subprotocol agreed on; empty where none was offered. */
  readonly protocol: string;
  /** What the part read of the request. */
  readonly asked: Asked;
  /** The server's: set from open to close. */
  link: SocketLink | null;
}

export type PeerSocket<Asked = unknown> = WebSocket<Peer<Asked>>;

/** Why a request is refused: a status line such as `404 Not Found`, and a sentence. */
export interface HttpRefusal {
  readonly status: string;
  readonly reason: string;
}

/** A place where WebSockets open. */
export interface WebSocketRoute<Asked> {
  /** Such as `/topics/:topic/produce`. */
  readonly pattern: string;
  /** The subprotocols it speaks, the preferred first; a client that offers none is taken as well. */
  readonly protocols: readonly string[];
  /** What a plain GET is told, in a sentence. */
  readonly hint: string;
  /** A longer message ends its connection, in bytes. */
  readonly largestMessageBytes: number;
  /** A client that has not read as many bytes gets no more queued: `send` gives 2. 0: no bound. */
  readonly largestBacklogBytes: number;
  /** A client that does not answer pings for so long is gone, in seconds; default 120. */
  readonly deadAfterS?: number;
  /** Reads what the path and query ask for. */
  readonly read: (request: HttpRequest) => { readonly asked: Asked } | HttpRefusal;
  /** The WebSocket is open. */
  readonly open: (socket: PeerSocket<Asked>, peer: Peer<Asked>) => SocketLink;
}

/** Where a part registers what it serves, before the server listens; kept for what it needs to know later. */
export interface RouteTable {
  /** Serves `method` at `pattern`, where `:name` stands for one segment of a path. The first that fits serves. */
  http(method: HttpMethod, pattern: string, handler: HttpHandler): void;
  webSocket<Asked>(route: WebSocketRoute<Asked>): void;
  /** Whether the page that `request` comes from, if it comes from one, may ask; `origin` is its Origin header. */
  isOriginAllowed(request: HttpRequest, origin: string): boolean;
  /**
   * Counts a request for the address that it comes from, until the function is called that is returned; null where that
   * address has as many connections and requests under way as it may.
   */
  admit(response: HttpResponse): (() => void) | null;
  /** The server has begun to close: nothing new is begun. */
  readonly stopping: boolean;
  /** Something that a close waits for, within its time, begins; WebSockets are counted by the server itself. */
  began(living: Living): void;
  /** `living`, which began and has not ended, has come to where it only listens. */
  listens(living: Living): void;
  ended(living: Living): void;
}

/** Registers what a part serves. */
export type HttpPart = (table: RouteTable) => void;

/** Answers with `text` at once. */
export function answerText(
  response: HttpResponse,
  status: string,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeStatus(status).writeHeader('content-type', type).end(text);
}
