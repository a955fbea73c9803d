/**
 * HTTP/1.1 over one connection (RFC 9112): one request after the other, each answered before the next is looked at. I/O
 * thread.
 *
 *   HEAD ─► handler ─► BODY, CHUNKS ─► ANSWER ─► HEAD …       a response may end before its body has come: the rest is passed over
 *             │                          └ what comes meanwhile is kept, and nothing more is read
 *             └─► WebSocket: another handler takes the channel over
 *
 * A client that is slow with a head, or with what nobody wants any more, is ended; a body that somebody takes is theirs to give up.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { HttpHandler } from '../http-route.ts';
import { problemOf, problemText, problemType, statusLine } from '../http-api/problem.ts';
import { ChunkedBody } from './chunked-body.ts';
import { HttpExchange } from './http-exchange.ts';
import { endOfHead, largestHeadBytes, readHead, RequestHead, type HeadProblem } from './request-head.ts';
import type { RouteList } from './route-list.ts';
import type { ChannelHandler, SocketChannel } from './socket-channel.ts';

const Phase = { HEAD: 0, BODY: 1, CHUNKS: 2, ANSWER: 3, OVER: 4 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** A client that sends nothing, or takes nothing, for so long is ended, where it is not the broker that is waited for. */
const stillMs = 10_000;
const carriageReturn = 13;
const newline = 10;
const keptHeads = 16;

/** What the connections of a server are served by. */
export interface HttpRoutes {
  readonly http: RouteList<HttpHandler>;
  readonly heads: HeadCache;
  /**
   * Serves a request to become a WebSocket, by an answer or by `exchange.becomes`; false where it is none, or there are none at its
   * path.
   */
  upgrade(exchange: HttpExchange, head: RequestHead): boolean;
  /** As `Clock.heardMs`. */
  readonly nowMs: () => number;
}

/** Heads that were read of late: most clients send the same one again and again. */
export class HeadCache {
  readonly #texts: string[] = Array.from({ length: keptHeads }, () => '');
  readonly #heads: (RequestHead | null)[] = Array.from({ length: keptHeads }, () => null);

  /** The head that `text` is; or what is wrong with it. */
  read(text: string): RequestHead | HeadProblem {
    const place = text.length & (keptHeads - 1);
    const known = this.#heads[place]!;
    if (known !== null && this.#texts[place] === text) return known;
    const head = readHead(text);
    if (!('status' in head)) {
      this.#texts[place] = text;
      this.#heads[place] = head;
    }
    return head;
  }
}

export class HttpConnection implements ChannelHandler {
  readonly #channel: SocketChannel;
  readonly #routes: HttpRoutes;
  #phase: Phase = Phase.HEAD;
  #exchange: HttpExchange | null = null;
  #remainingBytes = 0;
  #chunks: ChunkedBody | null = null;
  /** Since when the client is waited for. */
  #sinceMs: number;
  /** Whether a part of the next head has come. */
  #hasBegun = false;

  constructor(channel: SocketChannel, routes: HttpRoutes) {
    this.#channel = channel;
    this.#routes = routes;
    this.#sinceMs = routes.nowMs();
  }

  take(start: number, end: number): number {
    let at = start;
    while (at < end) {
      switch (this.#phase) {
        case Phase.HEAD: {
          const behind = this.#takeHead(at, end);
          if (behind === at) return at;
          at = behind;
          if (this.#channel.handler !== this) return at;
          break;
        }
        case Phase.BODY:
          at = this.#takeBody(at, end);
          break;
        case Phase.CHUNKS:
          at = this.#takeChunks(at, end);
          break;
        case Phase.ANSWER:
          // It goes on once that has ended.
          this.#channel.pause();
          return at;
        case Phase.OVER:
          return end;
      }
    }
    return at;
  }

  drained(): void {
    if (this.#phase === Phase.OVER) return;
    this.#channel.giveUpAfter(0);
    this.#exchange?.writable();
  }

  sweep(nowMs: number): void {
    const isWaitedFor = this.#phase === Phase.HEAD || (this.#exchange?.isOver === true && this.#phase !== Phase.OVER);
    if (!isWaitedFor || nowMs - this.#sinceMs < stillMs || this.#channel.backlogBytes > 0) return;
    this.#channel.destroy();
  }

  closed(): void {
    this.#phase = Phase.OVER;
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.aborted();
  }

  /** The exchange's: the response has ended; `closes`: and so does the connection. */
  answered(closes: boolean): void {
    this.#sinceMs = this.#routes.nowMs();
    if (this.#channel.backlogBytes > 0) this.#channel.giveUpAfter(stillMs);
    if (closes) {
      this.#phase = Phase.OVER;
      this.#exchange = null;
      return this.#channel.end(stillMs);
    }
    if (this.#phase === Phase.ANSWER) this.#next();
    this.#channel.resume();
  }

  #next(): void {
    this.#phase = Phase.HEAD;
    this.#exchange = null;
  }

  /** The position behind the head, or, where it is not whole, behind what need not be kept. */
  #takeHead(start: number, end: number): number {
    const { bytes, buffer } = this.#channel.core;
    let at = start;
    // Behind a body some clients send an empty line (RFC 9112, section 2.2).
    while (at < end && (bytes[at] === carriageReturn || bytes[at] === newline)) at++;
    const headEnd = endOfHead(bytes, at, end);
    if (headEnd < 0) {
      if (end - at > largestHeadBytes) return this.#refuse(tooLong, end);
      // A client may be idle between two requests, and is slow only with one that it has begun.
      if (at < end && !this.#hasBegun) this.#sinceMs = this.#routes.nowMs();
      this.#hasBegun = at < end;
      return at;
    }
    if (headEnd - at > largestHeadBytes) return this.#refuse(tooLong, end);
    const head = this.#routes.heads.read(buffer.toString('utf8', at, headEnd));
    if ('status' in head) return this.#refuse(head, end);
    this.#begin(head);
    return headEnd + 4;
  }

  #begin(head: RequestHead): void {
    this.#hasBegun = false;
    const exchange = new HttpExchange(this, this.#channel, head);
    this.#exchange = exchange;
    const { contentLength } = head;
    this.#remainingBytes = contentLength;
    this.#chunks = contentLength < 0 ? new ChunkedBody() : null;
    this.#phase = contentLength < 0 ? Phase.CHUNKS : Phase.BODY;
    if (head.handler !== null || !this.#routes.upgrade(exchange, head)) {
      const handler = this.#handlerOf(head);
      if (handler === null) return void this.#refuse(notFound, 0);
      handler(exchange, head);
    }
    if (contentLength === 0) this.#bodyEnds(exchange);
    else if (head.expectsContinue && !exchange.isOver) this.#channel.writeText('HTTP/1.1 100 Continue\r\n\r\n');
  }

  /** Who serves `head`, which keeps that for the requests that have the same; null where there is nobody. */
  #handlerOf(head: RequestHead): HttpHandler | null {
    if (head.handler !== null) return head.handler;
    const route = this.#routes.http.find(head.method, head.path);
    if (route === null) return null;
    head.parameters = route.parameters;
    head.handler = route.handler;
    return route.handler;
  }

  #takeBody(at: number, end: number): number {
    const exchange = this.#exchange!;
    const sizeBytes = Math.min(this.#remainingBytes, end - at);
    this.#remainingBytes -= sizeBytes;
    const isLast = this.#remainingBytes === 0;
    this.#moved(exchange);
    if (isLast) this.#phase = Phase.ANSWER;
    exchange.came(this.#channel.core.bytes.subarray(at, at + sizeBytes), isLast);
    if (isLast) this.#ended(exchange);
    return at + sizeBytes;
  }

  #takeChunks(at: number, end: number): number {
    const exchange = this.#exchange!;
    const chunks = this.#chunks!;
    const { bytes } = this.#channel.core;
    this.#moved(exchange);
    const behind = chunks.take(bytes, at, end, (from, to) => exchange.came(bytes.subarray(from, to), false));
    if (this.#phase === Phase.OVER) return end;
    if (behind < 0) return this.#refuse(badChunk, end);
    if (!chunks.isDone) return end;
    this.#chunks = null;
    this.#bodyEnds(exchange);
    return behind;
  }

  #bodyEnds(exchange: HttpExchange): void {
    if (this.#phase === Phase.OVER) return;
    this.#phase = Phase.ANSWER;
    exchange.came(nothing, true);
    this.#ended(exchange);
  }

  /** The body of `exchange` came whole; it may have been answered before. */
  #ended(exchange: HttpExchange): void {
    if (this.#phase === Phase.ANSWER && this.#exchange === exchange && exchange.isOver) this.#next();
  }

  #moved(exchange: HttpExchange): void {
    if (exchange.isOver) this.#sinceMs = this.#routes.nowMs();
  }

  /** Answers that a request cannot be read, where nothing was answered yet, and reads no more. Returns `end`. */
  #refuse({ status, reason }: HeadProblem, end: number): number {
    const exchange = this.#exchange;
    const hasBegun = exchange !== null && exchange.hasBegun;
    this.#phase = Phase.OVER;
    this.#exchange = null;
    exchange?.aborted();
    if (this.#channel.isClosed) return end;
    if (hasBegun) {
      this.#channel.destroy();
      return end;
    }
    const text = problemText(problemOf(ErrorCode.INVALID_REQUEST, reason, status));
    const head = `HTTP/1.1 ${statusLine(status)}\r\ncontent-type: ${problemType}\r\nconnection: close`;
    this.#channel.writeText(`${head}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    this.#channel.end(stillMs);
    return end;
  }
}

const nothing = new Uint8Array(0);
const tooLong: HeadProblem = {
  status: 431,
  reason: `The head of the request is longer than ${largestHeadBytes} bytes.`,
};
const badChunk: HeadProblem = {
  status: 400,
  reason: 'The length of the body is in doubt: a chunk does not end where it says.',
};
const notFound: HeadProblem = { status: 404, reason: 'There is nothing at this path.' };
