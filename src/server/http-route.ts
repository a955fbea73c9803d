/**
 * What a part of the HTTP server puts on its table: pages, and places where WebSockets open. I/O thread. Only the shapes;
 * `http-server.ts` looks at who asks (origin, host, subprotocol, quota) before a part hears of a WebSocket.
 */

import type { Placed } from '../base/placed-list.ts';
import type { Caller } from '../gateway/caller.ts';
import type { ValueRun } from '../gateway/value-run.ts';

export type HttpMethod = 'get' | 'head' | 'post' | 'options' | 'any';

/** The head of a request. */
export interface HttpRequest {
  /** As it came, such as `GET`. */
  readonly method: string;
  /** Behind the question mark, as it came; null where there is none. */
  readonly query: string | null;
  /** The body's size, in bytes; -1 where it comes in chunks and nobody knows. */
  readonly contentLength: number;
  /** By its lower-case name; empty where there is none. */
  getHeader(name: string): string;
  /** Calls `visit` with each header, its name in lower case. */
  forEachHeader(visit: (name: string, value: string) => void): void;
  /** What stands for the parameter of the route at `index`, as it came. */
  getParameter(index: number): string;
}

/**
 * The response to a request, until it has ended or was aborted. What is written leaves at once; bytes that are given stay as they
 * are, because they may be queued.
 */
export interface HttpResponse {
  /** Of the peer; IPv4 without its mapping into IPv6. */
  readonly remoteAddress: string;
  /** Once, before headers; 200 where it is left out. */
  writeStatus(status: string): this;
  writeHeader(name: string, value: string): this;
  /** Writes a part of a body whose length nobody knows. False asks to write no more until `onWritable` is called. */
  write(part: string | Uint8Array): boolean;
  /** Ends it with a whole body, which HEAD does not get, or behind the last part; with `closes` the connection ends as well. */
  end(body?: string | Uint8Array, closes?: boolean): void;
  /** Ends it with its headers alone. */
  endWithoutBody(): void;
  /** Ends the connection at once. */
  close(): void;
  /** Calls `aborted` where the connection ends before the response has. */
  onAborted(aborted: () => void): void;
  /** Calls `take` with the body as it comes; the bytes are gone after the call. Called within the handler. */
  onData(take: (bytes: Uint8Array, isLast: boolean) => void): void;
  /** Calls `writable` each time that all has left after `write` returned false. */
  onWritable(writable: () => void): void;
  /** Reads no more of the body until `resume`, or until the response has ended; what was read already still comes. */
  pause(): void;
  resume(): void;
}

/** Where messages lie that came in one piece. */
export interface MessageMemory {
  readonly memory: WebAssembly.Memory;
  /** All of it. */
  readonly bytes: Uint8Array;
  /** The same, four bytes at a time. */
  readonly words: Int32Array;
}

/** One open WebSocket, until its link is told that it is closed. */
export interface WebSocketPeer {
  /** Messages whose bytes these are not came in several pieces. */
  readonly memory: MessageMemory;
  /** Sends a message, whose bytes stay as they are, because they may be queued. False where it is queued, because the client is slow: its link is told once all has left. */
  send(message: string | Uint8Array, isBinary?: boolean): boolean;
  /** What is queued, in bytes. */
  readonly backlogBytes: number;
  /** Gathers what `step` sends. */
  cork(step: () => void): void;
  /** Reads no more until `resume`; what was read already still comes. Meanwhile nobody looks whether the client is there. */
  pause(): void;
  resume(): void;
  /** Says goodbye; its link is told that it is closed before this returns. */
  end(code: number, reason: string): void;
  /** The same without a word. */
  close(): void;
}

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
  /** A message is `[start, end)` of `bytes`, which are gone after the call. */
  message(bytes: Uint8Array, start: number, end: number, isBinary: boolean): void;
  /** As `message` of each of `run`, where it is there: whoever has it takes many at once. */
  messages?(run: ValueRun): void;
  /** All that had been queued for a slow client has left. */
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
}

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
  /** A client that does not answer pings for so long is gone, in seconds; default 120. */
  readonly deadAfterS?: number;
  /** Reads what the path and query ask for. */
  readonly read: (request: HttpRequest) => { readonly asked: Asked } | HttpRefusal;
  /** The WebSocket is open. */
  readonly open: (socket: WebSocketPeer, peer: Peer<Asked>) => SocketLink;
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
