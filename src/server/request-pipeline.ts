/**
 * What lies between one connection's bytes and the broker, behind every door alike. I/O thread.
 *
 *   bytes → FrameAssembler → admit → serve ──┐ (may finish in any order)
 *                                            ▼
 *   in flight, oldest first   [ ready | ready | pending | ready ]
 *                               └─ written in one go ─┘ waits for the pending one
 *
 * Responses leave in the order of their requests; null stands for none. Reading stops while too many requests are in
 * flight, while too many bytes of responses wait for those before them, while the peer does not read what was written,
 * while `admit` holds a frame back, while the broker mutes the connection, and while the memory for incomplete frames is
 * used up. So one connection's memory is bounded by its requests in flight, and small requests with large responses come
 * one after the other.
 * An error ends this connection only. It does not know sockets nor the protocol inside a frame.
 */

import type { Clock } from '../base/clock.ts';
import { Later } from '../base/later.ts';
import type { Logger } from '../base/logger.ts';
import { ConnectionMustClose } from '../broker/request-context.ts';
import { MalformedFrame } from '../protocol/reader.ts';
import type { AssemblyBudget } from './assembly-budget.ts';
import type { Connection, DoorConnection } from './connection.ts';
import type { ResponseBudget, ResponseHolder } from './response-budget.ts';
import { FrameAssembler } from './frame-assembler.ts';
import type { AssemblyOwner, AssemblyState } from './frame-assembler.ts';
import { Slot, type Response, type SlotOwner } from './request-slot.ts';

/** A response, at once or later. */
export type ServedResponse = Response | Promise<Response> | Later<Response>;

/** How requests reach the broker; one for all connections of all doors. */
export interface RequestService {
  /**
   * Serves one frame (without size prefix), at once or later. The frame is a view that ends with the call's return or
   * first await. A throw or rejection closes the connection.
   */
  serve(frame: Uint8Array, connection: Connection): ServedResponse;
  /**
   * Whether the frame may be served now. Where not, it waits with all behind it and reading stops, until `proceed` is
   * called, whereupon it is asked again. The frame is a view that ends with the call.
   */
  admit?(frame: Uint8Array, proceed: () => void): boolean;
  /**
   * Whether frames behind this one on its connection wait until it is answered. Asked before it is served; the frame is a
   * view that ends with the call.
   */
  comesFirst?(frame: Uint8Array): boolean;
  /** Each response that `serve` gave comes here once: its bytes have left, or were given up with the connection. */
  released?(response: readonly Uint8Array[], connection: Connection): void;
}

/** What a door does for the pipeline. */
export interface Transport {
  /**
   * Sends `parts` in order; `sent` is called once when their memory is no longer needed, also after a failure.
   * False: the peer is slow, write no more until `RequestPipeline.drained`.
   */
  write(parts: readonly Uint8Array[], sent: () => void): boolean;
  pauseReading(): void;
  resumeReading(): void;
  /** Lets what was written arrive, then ends the connection. */
  end(): void;
  /** Ends the connection at once. */
  destroy(): void;
}

export interface PipelineLimits {
  /** `socket.request.max.bytes`. */
  readonly largestFrameBytes: number;
  readonly requestsInFlight: number;
  /** What the responses of all connections may take until they have left; left out, they may take whatever. */
  readonly responses?: ResponseBudget;
}

/** What a pipeline asks of a clock; a simulation has turns of its own. */
export type PipelineClock = Pick<Clock, 'monotonicMs' | 'heardMs' | 'afterTurn'>;

/** Responses up to this many bytes together are copied into one buffer: cheaper than a gathered write of small parts. */
const copyBelowBytes = 16 * 1024;
/** One write takes no more parts than this, and no further response from this many bytes on. */
const writeAtMostParts = 512;
const writeAtMostBytes = 1024 * 1024;
/** While so many bytes of responses are ready and have not been written, no further request is served. */
const readyAtMostBytes = 1024 * 1024;

/** How long the requests of one connection may take the thread before those of others come, in milliseconds. */
const turnMs = 5;

export class RequestPipeline implements AssemblyOwner, ResponseHolder, SlotOwner {
  readonly connection: DoorConnection;
  readonly #service: RequestService;
  readonly #transport: Transport;
  readonly #limits: PipelineLimits;
  readonly #logger: Logger;
  readonly #assembler: FrameAssembler;
  /** Requests in flight, oldest first from #firstSlot; what is before it has been written. */
  #slots: Slot[] = [];
  #firstSlot = 0;
  /** Bytes of the responses in slots that are ready. */
  #readyBytes = 0;
  #unsentResponses = 0;
  /** What the responses take that are ready and have not left. */
  #responseBytes = 0;
  #draining = false;
  #admissionHeld = false;
  #reading = true;
  #pushing = false;
  /** When the requests of this turn of the loop began to be served. */
  #turnStartedMs = 0;
  #turnIsOver = false;
  /** The request in flight that all behind it wait for; null where there is none. */
  #waitedFor: Slot | null = null;
  #flushQueued = false;
  #finishing = false;
  #ended = false;
  #closed = false;
  #lastActivityMs: number;
  readonly #clock: PipelineClock;

  constructor(
    connection: DoorConnection,
    service: RequestService,
    transport: Transport,
    budget: AssemblyBudget,
    limits: PipelineLimits,
    logger: Logger,
    clock: PipelineClock,
  ) {
    this.connection = connection;
    this.#service = service;
    this.#transport = transport;
    this.#limits = limits;
    this.#logger = logger;
    this.#clock = clock;
    this.#lastActivityMs = clock.heardMs();
    this.#assembler = new FrameAssembler(this, budget, limits.largestFrameBytes);
    connection.onMuted(() => this.#mutedOrNot());
    connection.onDrop((reason) => {
      logger.warn({ connection: connection.id, client: connection.clientHost, reason }, 'A connection is closed.');
      this.drop();
    });
  }

  /** Requests that are being served or whose responses are not written yet. */
  get inFlight(): number {
    return this.#slots.length - this.#firstSlot;
  }

  /** Received bytes that wait for the rest of their frame or until they are wanted. */
  get keptBytes(): number {
    return this.#assembler.keptBytes;
  }

  /**
   * When bytes last came or left, by `heardMs` of the clock given; now while the broker owes a response or has the
   * client wait.
   */
  get idleSinceMs(): number {
    const isOurs = (this.inFlight > 0 && !this.#draining) || this.connection.isMuted;
    return isOurs ? this.#clock.heardMs() : this.#lastActivityMs;
  }

  /** The door's: bytes came. They are only looked at during this call. */
  receive(chunk: Uint8Array): void {
    this.#receive(() => this.#assembler.push(chunk));
  }

  /** As `FrameAssembler.readTarget`. */
  get readTarget(): Uint8Array | null {
    return this.#closed || this.#finishing ? null : this.#assembler.readTarget;
  }

  /** The door's: bytes came to the `readTarget`. */
  filled(byteCount: number): void {
    this.#receive(() => this.#assembler.filled(byteCount));
  }

  #receive(pass: () => AssemblyState): void {
    if (this.#closed || this.#finishing) return;
    this.#lastActivityMs = this.#clock.heardMs();
    this.#turnStartedMs = this.#clock.monotonicMs();
    this.#pushing = true;
    const state = pass();
    this.#pushing = false;
    this.#follow(state);
  }

  /** The door's: the peer has taken what was written. */
  drained(): void {
    if (this.#closed || !this.#draining) return;
    this.#draining = false;
    this.#lastActivityMs = this.#clock.heardMs();
    this.#flush();
    this.#continue();
    // Where no frame was held back there is nothing to go on with but what the peer sends next.
    this.#startReading();
  }

  /** Serves nothing more, lets the requests in flight finish and their responses leave, then ends the connection. */
  finish(): void {
    if (this.#closed || this.#finishing) return;
    this.#finishing = true;
    this.#stopReading();
    this.#endWhenDone();
  }

  /** Ends this connection because of `reason`. */
  fail(reason: string, error?: unknown): void {
    if (this.#closed) return;
    const fields = { connection: this.connection.id, client: this.connection.clientHost, reason };
    this.drop();
    if (error === undefined) this.#logger.warn(fields, 'A connection is closed because of what came through it.');
    else this.#logger.error({ ...fields, error }, 'A connection is closed because serving its request failed.');
  }

  /** Ends this connection at once, though nothing is wrong with it. */
  drop(): void {
    if (this.#closed) return;
    this.#transport.destroy();
    this.closed();
  }

  /** The door's: the connection has ended, whoever ended it. */
  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#assembler.close();
    this.#holdResponses(-this.#responseBytes);
    const slots = this.#slots.slice(this.#firstSlot);
    this.#slots = [];
    this.#firstSlot = 0;
    for (const slot of slots) if (slot.ready) this.#release(slot.response);
    this.connection.end((error) =>
      this.#logger.error({ connection: this.connection.id, error }, 'Who waited for a connection to end failed.'),
    );
  }

  // What the assembler calls.

  take(frame: Uint8Array): boolean {
    if (this.#closed || this.#finishing) return false;
    if (!this.#mayServe()) return false;
    try {
      if (this.#service.admit !== undefined && !this.#admit(frame)) return false;
      const comesFirst = this.#service.comesFirst?.(frame) ?? false;
      const slot = new Slot(this);
      this.#slots.push(slot);
      const response = this.#service.serve(frame, this.connection);
      if (response instanceof Later) {
        if (comesFirst) this.#waitedFor = slot;
        response.listen(slot);
      } else if (response instanceof Promise) {
        if (comesFirst) this.#waitedFor = slot;
        response.then(
          (value) => slot.settled(value),
          (error: unknown) => slot.failed(error),
        );
      } else this.complete(slot, response);
    } catch (error) {
      this.refuse(error);
    }
    if (this.#clock.monotonicMs() - this.#turnStartedMs > turnMs) this.#endTurn();
    return true;
  }

  /** Ends this connection because a request could not be served: by the client's doing, or by a defect. */
  refuse(error: unknown): void {
    if (error instanceof ConnectionMustClose || error instanceof MalformedFrame) this.fail(error.message);
    else this.fail('a request could not be served', error);
  }

  /** Lets others come before this connection's next request. */
  #endTurn(): void {
    this.#turnIsOver = true;
    this.#clock.afterTurn(() => {
      this.#turnIsOver = false;
      this.#continue();
    });
  }

  readingMayGoOn(): void {
    if (!this.#closed && !this.#finishing) this.#startReading();
  }

  mustEnd(reason: string): void {
    this.fail(reason);
  }

  /** Whether nothing more may be served before responses have been written. */
  get #isFull(): boolean {
    return this.inFlight >= this.#limits.requestsInFlight || this.#readyBytes >= readyAtMostBytes;
  }

  #admit(frame: Uint8Array): boolean {
    let called = false;
    const proceed = (): void => {
      if (called) return;
      called = true;
      this.#admissionHeld = false;
      this.#continue();
    };
    this.#admissionHeld = true;
    if (this.#service.admit!(frame, proceed)) {
      called = true;
      this.#admissionHeld = false;
      return true;
    }
    // Where `proceed` came within `admit`, the frame is offered again once the assembler has stopped.
    if (!this.#admissionHeld) queueMicrotask(() => this.#continue());
    return false;
  }

  #mayServe(): boolean {
    if (this.#isFull || this.#draining || this.#turnIsOver) return false;
    return this.#waitedFor === null && !this.connection.isMuted;
  }

  #holdResponses(byBytes: number): void {
    this.#responseBytes += byBytes;
    this.#limits.responses?.change(this, byBytes);
  }

  /** The request of `slot` has been served. */
  complete(slot: Slot, response: Response): void {
    if (this.#closed) return this.#release(response);
    slot.response = response;
    for (const part of response ?? []) slot.sizeBytes += part.length;
    slot.ready = true;
    if (this.#waitedFor === slot) {
      this.#waitedFor = null;
      // Also where its response waits behind another: what comes behind need not.
      this.#clock.afterTurn(() => this.#continue());
    }
    this.#readyBytes += slot.sizeBytes;
    this.#holdResponses(slot.sizeBytes);
    if (this.#closed) return;
    if (this.#slots[this.#firstSlot] !== slot || this.#flushQueued) return;
    this.#flushQueued = true;
    // What becomes ready within this turn of the loop leaves together.
    this.#clock.afterTurn(() => {
      this.#flushQueued = false;
      this.#flush();
      this.#continue();
    });
  }

  /** Writes the responses that are ready and have nothing pending before them. */
  #flush(): void {
    while (!this.#closed && !this.#draining) {
      const parts: Uint8Array[] = [];
      const responses: (readonly Uint8Array[])[] = [];
      let byteCount = 0;
      while (this.#firstSlot < this.#slots.length && parts.length < writeAtMostParts && byteCount < writeAtMostBytes) {
        const slot = this.#slots[this.#firstSlot]!;
        if (!slot.ready) break;
        this.#firstSlot++;
        if (slot.response === null) continue;
        responses.push(slot.response);
        parts.push(...slot.response);
        byteCount += slot.sizeBytes;
        this.#readyBytes -= slot.sizeBytes;
      }
      if (this.#firstSlot === this.#slots.length || this.#firstSlot > 64) {
        this.#slots = this.#slots.slice(this.#firstSlot);
        this.#firstSlot = 0;
      }
      if (responses.length === 0) break;
      this.#write(parts, byteCount, responses);
    }
    this.#endWhenDone();
  }

  #write(parts: Uint8Array[], byteCount: number, responses: readonly (readonly Uint8Array[])[]): void {
    this.#lastActivityMs = this.#clock.heardMs();
    const copied = parts.length > 1 && byteCount <= copyBelowBytes;
    const out = copied ? [Buffer.concat(parts, byteCount)] : parts;
    this.#unsentResponses++;
    const sent = (): void => {
      this.#unsentResponses--;
      if (!this.#closed) this.#holdResponses(-byteCount);
      if (!copied) for (const response of responses) this.#release(response);
      this.#endWhenDone();
    };
    if (!this.#transport.write(out, sent)) {
      this.#draining = true;
      this.#stopReading();
    }
    if (copied) for (const response of responses) this.#release(response);
  }

  #release(response: Response): void {
    if (response === null || this.#service.released === undefined) return;
    try {
      this.#service.released(response, this.connection);
    } catch (error) {
      this.#logger.error({ connection: this.connection.id, error }, 'Releasing a response failed.');
    }
  }

  /** Takes up frames that were refused, once the cause may be gone. */
  #continue(): void {
    if (this.#closed || this.#finishing || this.#pushing) return;
    if (this.#assembler.state !== 'held' || this.#admissionHeld) return;
    if (!this.#mayServe()) return;
    this.#turnStartedMs = this.#clock.monotonicMs();
    this.#pushing = true;
    const state = this.#assembler.resume();
    this.#pushing = false;
    this.#follow(state);
  }

  #follow(state: AssemblyState): void {
    if (this.#closed) return;
    if (state === 'broken') this.fail(this.#assembler.problem ?? 'the stream is not made of frames');
    else if (state === 'reading' && !this.#draining && !this.connection.isMuted) this.#startReading();
    else this.#stopReading();
  }

  #mutedOrNot(): void {
    if (this.#closed) return;
    if (this.connection.isMuted) return this.#stopReading();
    this.#continue();
    this.#startReading();
  }

  #stopReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#transport.pauseReading();
  }

  #startReading(): void {
    if (this.#reading || this.#closed || this.#finishing) return;
    // Refused frames come first, and a peer that does not read is not read from.
    if (this.#draining || this.connection.isMuted || this.#assembler.state !== 'reading') return;
    this.#reading = true;
    this.#transport.resumeReading();
  }

  #endWhenDone(): void {
    if (!this.#finishing || this.#closed || this.#ended) return;
    if (this.inFlight > 0 || this.#unsentResponses > 0) return;
    this.#ended = true;
    this.#transport.end();
  }
}
