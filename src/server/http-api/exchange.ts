/**
 * One request and its response over uWebSockets.js. I/O thread.
 *
 *   begun ─► answered at once                         a close of the server waits for what is not over, and uWebSockets.js
 *         ─► waits ─► answered, or streamed and ended    must not be touched once it is: both are kept here
 *         ─► aborted by the client
 *
 * A client may be answered while it still sends its body. The connection is not closed then, for the answer would be lost
 * with it: what comes is passed over by uWebSockets.js, at no cost but its way. A server that stops waits for it a little.
 *
 * It knows statuses, headers and bytes; what they say is the operation's.
 */

import type { HttpResponse } from 'uWebSockets.js';
import { assert } from '../../base/assert.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import type { Logger } from '../../base/logger.ts';
import type { Caller } from '../../gateway/caller.ts';
import type { Living, RouteTable } from '../http-route.ts';
import type { Arguments } from './arguments.ts';
import { commonProblems, type OperationShape } from './operation.ts';
import { problemOf, problemText, problemType, proxyProblemText, statusLine, type Problem } from './problem.ts';

/** What an operation wants to hear of while it is not done; all of it may be left out. */
export interface ExchangeListener {
  /** The client is gone; the response must not be touched. */
  aborted?(): void;
  /** The server stops: come to an end. */
  finish?(): void;
  /** What was written has gone out after `write` returned false. */
  writable?(): void;
}

export interface ExchangeOptions {
  readonly response: HttpResponse;
  readonly operation: OperationShape;
  readonly server: RouteTable;
  readonly clock: Clock;
  readonly logger: Logger;
  /** HEAD: everything but the body. */
  readonly headOnly: boolean;
  /** The origin of a page that may read the response; empty for other clients. */
  readonly origin: string;
  /** What is still to come of the body, in bytes; Infinity where nobody knows. */
  readonly bodyBytes: number;
}

export class Exchange implements Living {
  place = -1;
  readonly response: HttpResponse;
  /** Set before the operation serves. */
  args!: Arguments;
  /** Who asks; set with the arguments. */
  caller!: Caller;
  /** What is still to come of the body, in bytes; Infinity where nobody knows. */
  bodyBytes: number;
  /** Its client looks for errors as Confluent's REST Proxy has them. */
  proxyErrors = false;
  /** Set where it was admitted: called once it is over. */
  leave: (() => void) | null = null;
  /** Called once it is over, whichever way. */
  whenOver: (() => void) | null = null;
  readonly #operation: OperationShape;
  readonly #server: RouteTable;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #headOnly: boolean;
  readonly #origin: string;
  #listener: ExchangeListener | null = null;
  #over = false;
  #streaming = false;
  #onlyListens = false;
  #movedMs = 0;
  /** Nothing is read of the body at the moment. */
  #heldBack = false;
  #owing = false;
  /** It is over, and the server, which stops, waits for the rest of the body. */
  #lingering = false;
  /** So long the answer is held, in milliseconds. */
  #holdMs = 0;
  /** An answer that is held. */
  #held: { readonly timer: Timer; readonly send: () => void } | null = null;

  constructor(options: ExchangeOptions) {
    this.response = options.response;
    this.bodyBytes = options.bodyBytes;
    this.#operation = options.operation;
    this.#server = options.server;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#headOnly = options.headOnly;
    this.#origin = options.origin;
  }

  /** Whether it was answered or aborted. */
  get over(): boolean {
    return this.#over;
  }

  get streaming(): boolean {
    return this.#streaming;
  }

  get onlyListens(): boolean {
    return this.#onlyListens;
  }

  get headOnly(): boolean {
    return this.#headOnly;
  }

  /** Goes on after the handler returns; must be called within it. */
  wait(listener: ExchangeListener): void {
    assert(this.#listener === null && !this.#over, 'an exchange begins to wait once');
    this.#listener = listener;
    this.moved();
    this.#server.began(this);
    this.response.onAborted(() => {
      this.#end(true);
      listener.aborted?.();
    });
  }

  /** Runs `step`, in its caller's time; a defect in it costs this request, not the broker. */
  guard(step: () => void): void {
    try {
      const caller = this.caller as Caller | undefined;
      if (caller === undefined) step();
      else caller.timed(step);
    } catch (error) {
      this.#logger.error({ operation: this.#operation.id, error }, 'A request failed by a defect.');
      this.fail(defect);
    }
  }

  /** So many bytes of the body came; whoever reads it says so, also once it is over. */
  came(sizeBytes: number, isLast: boolean): void {
    this.bodyBytes = isLast ? 0 : Math.max(1, this.bodyBytes - sizeBytes);
    if (isLast && this.#lingering) this.#endLinger();
  }

  /** Something came from the client, or went to it. */
  moved(): void {
    this.#movedMs = this.#clock.heardMs();
  }

  /**
   * Begins the time anew that uWebSockets.js gives a client to send or take something, some ten seconds; for those that
   * may be slow. While the body is held back it gives no time.
   */
  hold(): void {
    if (this.#over || this.#heldBack) return;
    this.response.pause();
    this.response.resume();
  }

  /** Reads no more of the body until `letFlow`, or until the response ends. */
  holdBack(): void {
    if (this.#over || this.#heldBack || this.bodyBytes === 0) return;
    this.#heldBack = true;
    this.response.pause();
  }

  /** After `holdBack`. */
  letFlow(): void {
    if (this.#over || !this.#heldBack) return;
    this.#heldBack = false;
    this.response.resume();
  }

  /** Whether the broker owes the client something, so that it is not idle however long nothing moves. */
  set owing(owing: boolean) {
    this.#owing = owing;
    if (!owing) this.moved();
  }

  get idleSinceMs(): number {
    return this.#owing ? this.#clock.heardMs() : this.#movedMs;
  }

  /** Has the answer wait for so long, whose client is above its quota; after `wait`. A server that stops does not wait. */
  holdAnswer(holdMs: number): void {
    assert(this.#listener !== null, 'what is held waits');
    this.#holdMs = holdMs;
  }

  /** Answers with a whole body. */
  answer(
    status: number,
    body: string | Uint8Array,
    type = 'application/json',
    headers: readonly [string, string][] = [],
  ): void {
    assert(this.#allows(status), `the table names ${status} for ${this.#operation.id}`);
    if (this.#over || this.#held !== null) return;
    if (this.#holdMs > 0 && !this.#server.stopping) return this.#hold(() => this.answer(status, body, type, headers));
    // Else nothing that follows over the connection would ever be read.
    this.letFlow();
    this.#end();
    this.response.cork(() => {
      this.#writeHead(status, type, headers);
      if (this.#headOnly) {
        // Given as what `endWithoutBody` reports, it would be waited for (3.0.6).
        this.response.writeHeader('content-length', String(Buffer.byteLength(body)));
        this.response.endWithoutBody();
      } else this.response.end(body);
    });
  }

  answerJson(status: number, body: unknown): void {
    this.answer(status, JSON.stringify(body));
  }

  /** Answers that the request failed. Where the response has begun it is cut off: its operation says why before. */
  fail(problem: Problem): void {
    if (this.#over) return;
    if (this.#streaming) return this.destroy();
    const text = this.proxyErrors ? proxyProblemText(problem) : problemText(problem);
    const { status, retryAfterMs } = problem;
    this.answer(status, text, problemType, retryAfterMs === undefined ? [] : [retryAfter(retryAfterMs)]);
  }

  /** Begins a response of unknown length. */
  stream(type: string, headers: readonly [string, string][] = []): void {
    assert(this.#listener !== null, 'what streams waits');
    if (this.#over) return;
    this.#streaming = true;
    if (this.#headOnly) {
      this.#end();
      this.response.cork(() => {
        this.#writeHead(200, type, headers);
        this.response.endWithoutBody();
      });
      return;
    }
    this.response.onWritable(() => {
      this.moved();
      // Not from within: a response may end only outside of this handler (3.0.6).
      setImmediate(() => {
        if (!this.#over) this.#listener?.writable?.();
      });
      return true;
    });
    this.response.cork(() => {
      this.#writeHead(200, type, headers);
    });
  }

  /** From here on the client is sent what others write, and asks for nothing more; once, after `stream`. */
  listen(): void {
    assert(this.#streaming && !this.#onlyListens, 'what listens streams, and begins to once');
    if (this.#over) return;
    this.#onlyListens = true;
    this.#server.listens(this);
  }

  /** Writes a part of a streamed response. False asks to write no more until `writable`. */
  write(part: string | Uint8Array): boolean {
    if (this.#over) return false;
    this.moved();
    let flowing = false;
    this.response.cork(() => {
      flowing = this.response.write(part);
    });
    return flowing;
  }

  /** Ends a streamed response. */
  end(last = ''): void {
    if (this.#over) return;
    this.letFlow();
    this.#end();
    this.response.cork(() => {
      if (last !== '') this.response.write(last);
      // It could be told to close, but would write a header between the chunks then (3.0.6).
      this.response.end();
    });
  }

  // As Living.

  finish(): void {
    if (this.#over) return;
    if (this.#held !== null) this.#held.send();
    else this.#listener?.finish?.();
  }

  destroy(): void {
    if (this.#lingering) this.#endLinger();
    if (this.#over) return;
    this.response.close();
  }

  /** What is answered is settled here, and nothing more of the body is looked at. */
  #hold(answer: () => void): void {
    const holdMs = this.#holdMs;
    const send = (): void => {
      this.#held?.timer.cancel();
      this.#held = null;
      this.#holdMs = 0;
      if (!this.#over) answer();
    };
    this.#held = { timer: this.#clock.setTimer(holdMs, send), send };
    this.whenOver?.();
  }

  #end(isGone = false): void {
    this.#over = true;
    this.#held?.timer.cancel();
    this.#held = null;
    this.#lingering = this.#listener !== null && this.#server.stopping && this.bodyBytes > 0 && !isGone;
    if (this.#listener !== null && !this.#lingering) this.#server.ended(this);
    this.leave?.();
    this.whenOver?.();
  }

  #endLinger(): void {
    this.#lingering = false;
    this.#server.ended(this);
  }

  #allows(status: number): boolean {
    const { responses, problems } = this.#operation;
    return status in responses || problems.includes(status) || commonProblems.includes(status);
  }

  #writeHead(status: number, type: string, headers: readonly [string, string][]): void {
    const { response } = this;
    if (status !== 200) response.writeStatus(statusLine(status));
    response.writeHeader('content-type', type);
    if (this.#origin !== '')
      response.writeHeader('access-control-allow-origin', this.#origin).writeHeader('vary', 'origin');
    for (const [name, value] of headers) response.writeHeader(name, value);
  }
}

/** In whole seconds (RFC 9110, section 10.2.3). */
function retryAfter(retryAfterMs: number): [string, string] {
  return ['retry-after', String(Math.ceil(retryAfterMs / 1000))];
}

const defect = problemOf(ErrorCode.UNKNOWN_SERVER_ERROR, 'The broker failed at this by a defect; its log says more.');
