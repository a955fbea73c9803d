/**
 * Where a request's body goes, what all bodies together may take, and the sink that collects one whole. I/O thread. Who
 * reads bodies is `request-body.ts`.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Exchange } from '../http-api/exchange.ts';
import { problemOf, type Problem } from '../http-api/problem.ts';
import type { SharedRoom } from './text-splitter.ts';

export interface BodyLimits {
  /** A body that is collected, as it came and inflated, in bytes. */
  readonly largestBodyBytes: number;
  /** What all bodies that are collected, and all lines that are not whole, may take together, in bytes. */
  readonly allBodiesBytes: number;
  /** A body that is collected stands still at most so long, in milliseconds. */
  readonly stillMs: number;
}

export const defaultBodyLimits: BodyLimits = {
  largestBodyBytes: 16 * 1024 * 1024,
  allBodiesBytes: 256 * 1024 * 1024,
  stillMs: 30_000,
};

/** What all bodies share. */
export interface BodyRoom extends SharedRoom {
  readonly limits: BodyLimits;
}

/** Takes a body as it comes. */
export interface BodySink {
  /** Bytes that are gone after the call. False asks to hold the client back until `BodyReader.resume`. */
  chunk(bytes: Uint8Array): boolean;
  /** It is whole. */
  end(): void;
  /** It cannot be read on: what it holds is wrong. */
  failed(problem: Problem): void;
  /** No more comes of it, whatever the reason; `end` follows where it is whole. */
  stopped?(): void;
}

/** All bodies together take too much. */
export const tooManyBodies: Problem = {
  ...problemOf(ErrorCode.THROTTLING_QUOTA_EXCEEDED, 'Too many bodies are on their way at once; try again later.'),
  status: 503,
};

export function bodyTooLarge({ largestBodyBytes }: BodyLimits): Problem {
  const detail = `The body is larger than ${largestBodyBytes} bytes; NDJSON may be of any length.`;
  return problemOf(ErrorCode.MESSAGE_TOO_LARGE, detail);
}

/** Bytes that are kept until they are whole. */
export class Collected {
  readonly #room: BodyRoom;
  #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  constructor(room: BodyRoom) {
    this.#room = room;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Copies `bytes`; gives the problem where they are too many. */
  add(bytes: Uint8Array, largestBytes: number): Problem | null {
    if (bytes.length === 0) return null;
    if (this.#sizeBytes + bytes.length > largestBytes) return bodyTooLarge(this.#room.limits);
    if (!this.#room.keep(bytes.length)) return tooManyBodies;
    this.#parts.push(bytes.slice());
    this.#sizeBytes += bytes.length;
    return null;
  }

  take(): Uint8Array {
    const whole = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#sizeBytes);
    this.clear();
    return whole;
  }

  clear(): void {
    this.#room.giveUp(this.#sizeBytes);
    this.#parts = [];
    this.#sizeBytes = 0;
  }
}

const nothing = new Uint8Array(0);

/** Gives a whole body at once. */
export class CollectingSink implements BodySink {
  readonly #room: BodyRoom;
  readonly #exchange: Exchange;
  readonly #take: (body: Uint8Array) => void;
  readonly #collected: Collected;
  #body: Uint8Array = nothing;

  constructor(room: BodyRoom, exchange: Exchange, take: (body: Uint8Array) => void) {
    this.#room = room;
    this.#exchange = exchange;
    this.#take = take;
    this.#collected = new Collected(room);
  }

  chunk(bytes: Uint8Array): boolean {
    const problem = this.#collected.add(bytes, this.#room.limits.largestBodyBytes);
    if (problem !== null) this.failed(problem);
    return true;
  }

  end(): void {
    this.#take(this.#body);
  }

  failed(problem: Problem): void {
    this.#exchange.fail(problem);
  }

  stopped(): void {
    this.#body = this.#exchange.over ? nothing : this.#collected.take();
    this.#collected.clear();
  }
}
