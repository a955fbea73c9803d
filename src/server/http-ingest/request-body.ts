/**
 * Reads the body of a request, inflated where it is compressed, whole or as a stream. I/O thread.
 *
 *   chunks ─► identity ─────────────────┐
 *          ─► gzip: node:zlib, as it comes ├─► whole: collected up to a bound, then given at once
 *          ─► zstd: collected, then at once ┘   stream: given as it comes; who cannot take more has the client held back,
 *                                                and others come in between where taking it takes long
 *
 * Memory is bounded for one body and for all together; what a compressed body may hold is bounded by its own size, so
 * that a small request cannot make much work. A body that stands still too long is given up: whole ones soon, streams
 * when the server's sweep of idle connections comes by. It knows bytes, not what they say.
 */

import type { Gunzip } from 'node:zlib';
import type { HttpRequest } from 'uWebSockets.js';
import { assert } from '../../base/assert.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { setPatientTimer } from '../../base/patient-timer.ts';
import { PlacedList, type Placed } from '../../base/placed-list.ts';
import { InflationFailure } from '../../records/inflation.ts';
import { walkZstdFrames } from '../../records/zstd-frame.ts';
import { nodeZlib } from '../../storage/node-zlib.ts';
import { inflateZstd } from '../../storage/zstd-inflater.ts';
import type { Exchange } from '../http-api/exchange.ts';
import { badRequest, problemOf, type Problem } from '../http-api/problem.ts';
import {
  bodyTooLarge,
  Collected,
  CollectingSink,
  defaultBodyLimits,
  tooManyBodies,
  type BodyLimits,
  type BodyRoom,
  type BodySink,
} from './body-sink.ts';
import { WorkTurns, type TurnWork } from './work-turns.ts';

/** uWebSockets.js ends connections whose bodies come slowly, unless it is told every so often that they are held. */
const heldPeriodMs = 4000;
/** So often bodies that stand still are looked for. */
const stillPeriodMs = 4000;
/** What a stream gives at once, in bytes. */
const partBytes = 32 * 1024;
/** A compressed body may inflate to so many bytes for each of its own, beyond the first of them. */
const mostInflation = 100;
const freelyInflatedBytes = 16 * 1024 * 1024;

type Coding = 'identity' | 'gzip' | 'zstd';

/** What all bodies share. */
export class BodyReaders implements BodyRoom {
  readonly limits: BodyLimits;
  readonly clock: Clock;
  /** In which streams are given, and what is made of whole bodies. */
  readonly turns: WorkTurns;
  readonly #reading = new PlacedList<BodyReader>();
  #collectedBytes = 0;
  #holdTimer: Timer | null = null;
  #stillTimer: Timer | null = null;

  constructor(clock: Clock, limits: BodyLimits = defaultBodyLimits) {
    this.clock = clock;
    this.limits = limits;
    this.turns = new WorkTurns(clock);
  }

  /** What bodies that are being collected take, and lines that are not whole, in bytes. */
  get collectedBytes(): number {
    return this.#collectedBytes;
  }

  /**
   * Gives the whole body to `take`, or fails the exchange; the bytes are gone after the call. Called within the handler,
   * after `exchange.wait`. A body that comes with its request is given at once, without a copy.
   */
  whole(exchange: Exchange, request: HttpRequest, take: (body: Uint8Array) => void): void {
    const coding = codingOf(request);
    if (coding === null) return exchange.fail(unknownCoding);
    if (exchange.bodyBytes > this.limits.largestBodyBytes && exchange.bodyBytes !== Infinity) {
      return exchange.fail(bodyTooLarge(this.limits));
    }
    // Nearly always the first chunk is the body, and then nothing need be made for it.
    let reader: BodyReader | null = null;
    exchange.response.onData((chunk, isLast) => {
      if (reader === null && !exchange.over) {
        const bytes = new Uint8Array(chunk);
        if (isLast && coding === 'identity') return exchange.guard(() => this.#atOnce(exchange, bytes, take));
        if (bytes.length === 0 && !isLast) return;
        reader = new BodyReader(this, exchange, coding, new CollectingSink(this, exchange, take), true);
        reader.began();
      }
      reader?.take(chunk, isLast);
    });
  }

  #atOnce(exchange: Exchange, bytes: Uint8Array, take: (body: Uint8Array) => void): void {
    exchange.bodyBytes = 0;
    if (bytes.length > this.limits.largestBodyBytes) exchange.fail(bodyTooLarge(this.limits));
    else take(bytes);
  }

  /** Gives the body to `sink` as it comes. Called as `whole`. */
  stream(exchange: Exchange, request: HttpRequest, sink: BodySink): BodyReader | null {
    const coding = codingOf(request);
    if (coding === null) {
      exchange.fail(unknownCoding);
      return null;
    }
    const reader = new BodyReader(this, exchange, coding, sink, false);
    reader.began();
    exchange.response.onData((chunk, isLast) => reader.take(chunk, isLast));
    return reader;
  }

  /** Whether `sizeBytes` more could be kept. */
  hasRoom(sizeBytes: number): boolean {
    return this.#collectedBytes + sizeBytes <= this.limits.allBodiesBytes;
  }

  /** Keeps `sizeBytes` more; false where all bodies take too much already. */
  keep(sizeBytes: number): boolean {
    if (!this.hasRoom(sizeBytes)) return false;
    this.#collectedBytes += sizeBytes;
    return true;
  }

  giveUp(sizeBytes: number): void {
    this.#collectedBytes -= sizeBytes;
    assert(this.#collectedBytes >= 0, 'only what was kept is given up');
  }

  began(reader: BodyReader): void {
    this.#reading.add(reader);
    if (this.#holdTimer === null) this.#scheduleHold();
    if (this.#stillTimer === null) this.#scheduleStill();
  }

  ended(reader: BodyReader): void {
    this.#reading.delete(reader);
  }

  #scheduleHold(): void {
    this.#holdTimer = this.clock.setTimer(heldPeriodMs, () => {
      this.#holdTimer = null;
      for (const reader of [...this.#reading]) reader.hold();
      if (this.#reading.size > 0) this.#scheduleHold();
    });
  }

  // Apart from the other: uWebSockets.js counts also while nobody is heard.
  #scheduleStill(): void {
    this.#stillTimer = setPatientTimer(this.clock, stillPeriodMs, (heardUntilMs) => {
      this.#stillTimer = null;
      for (const reader of [...this.#reading]) reader.giveUpIfStill(heardUntilMs);
      if (this.#reading.size > 0) this.#scheduleStill();
    });
  }
}

const unknownCoding = problemOf(
  ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
  'The Content-Encoding of a body is gzip, zstd or identity.',
);
const tooMuch = problemOf(
  ErrorCode.MESSAGE_TOO_LARGE,
  `A compressed body may inflate to ${mostInflation} times its size, and to ${freelyInflatedBytes} bytes in any case.`,
);
const stoodStill = problemOf(ErrorCode.REQUEST_TIMED_OUT, 'The body stood still for too long.');
const malformed = badRequest('The body is not what its Content-Encoding says.');

function codingOf(request: HttpRequest): Coding | null {
  switch (request.getHeader('content-encoding').toLowerCase()) {
    case '':
    case 'identity':
      return 'identity';
    case 'gzip':
    case 'x-gzip':
      return 'gzip';
    case 'zstd':
      return 'zstd';
    default:
      return null;
  }
}

/** One body on its way. */
export class BodyReader implements Placed, TurnWork {
  /** Of all that are read. */
  place = -1;
  readonly #readers: BodyReaders;
  readonly #exchange: Exchange;
  readonly #sink: BodySink;
  readonly #isWhole: boolean;
  readonly #gunzip: Gunzip | null;
  #compressed: Collected | null;
  /** By `Clock.heardMs`. */
  #movedMs: number;
  #cameBytes = 0;
  #inflatedBytes = 0;
  #sinkIsFull = false;
  #over = false;
  /** What came of a stream and was not given yet; nothing is read meanwhile. */
  #waiting: Uint8Array[] = [];
  /** What of that counts as kept. */
  #waitingBytes = 0;
  /** Nothing follows what waits. */
  #isLast = false;
  /** It is among what goes on in the turns to come, or goes on just now. */
  #goesOn = false;

  constructor(readers: BodyReaders, exchange: Exchange, coding: Coding, sink: BodySink, isWhole: boolean) {
    this.#readers = readers;
    this.#exchange = exchange;
    this.#sink = sink;
    this.#isWhole = isWhole;
    this.#gunzip = coding === 'gzip' ? this.#startGunzip() : null;
    this.#compressed = coding === 'zstd' ? new Collected(readers) : null;
    this.#movedMs = readers.clock.heardMs();
  }

  began(): void {
    this.#readers.began(this);
    this.#exchange.whenOver = () => this.stop();
  }

  /** What came. */
  take(chunk: ArrayBuffer, isLast: boolean): void {
    this.#exchange.guard(() => this.#came(new Uint8Array(chunk), isLast));
  }

  /** The sink can take more. */
  resume(): void {
    if (this.#over || !this.#sinkIsFull) return;
    this.#sinkIsFull = false;
    if (this.#gunzip !== null) this.#gunzip.resume();
    else if (this.#waiting.length > 0) this.#goOnLater();
    else this.#exchange.letFlow();
  }

  /** Nothing more is wanted of it. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#readers.ended(this);
    this.#compressed?.clear();
    this.#gunzip?.destroy();
    this.#waiting = [];
    this.#giveUp(this.#waitingBytes);
    this.#sink.stopped?.();
  }

  /** Called every few seconds: keeps it from being ended. */
  hold(): void {
    this.#exchange.hold();
  }

  /** Gives it up where it is to be whole soon and has stood still for too long by `untilMs` of `clock.heardMs`. */
  giveUpIfStill(untilMs: number): void {
    if (this.#isWhole && untilMs - this.#movedMs > this.#readers.limits.stillMs) this.#fail(stoodStill);
  }

  #came(bytes: Uint8Array, isLast: boolean): void {
    const exchange = this.#exchange;
    exchange.came(bytes.length, isLast);
    // It goes on giving what comes after a response has ended, and what it had read already before it paused.
    if (this.#over) return;
    this.#movedMs = this.#readers.clock.heardMs();
    exchange.moved();
    this.#cameBytes += bytes.length;
    if (this.#gunzip !== null) return this.#inflate(this.#gunzip, bytes, isLast);
    if (this.#compressed !== null) return this.#collect(this.#compressed, bytes, isLast);
    if (bytes.length > 0) this.#give(bytes);
    this.#isLast = isLast;
    if (isLast && !this.#over && this.#waiting.length === 0) this.#ended();
  }

  #give(bytes: Uint8Array): void {
    if (this.#isWhole) {
      this.#sink.chunk(bytes);
      return;
    }
    const { turns } = this.#readers;
    const isNext = this.#waiting.length === 0;
    let taken = isNext && !turns.isOver ? this.#giveParts(bytes, turns.endMs) : 0;
    // Others would rather wait than see this one refused.
    const mustGive = isNext && !this.#over && !this.#sinkIsFull && !this.#readers.hasRoom(bytes.length - taken);
    if (mustGive) taken += this.#giveParts(bytes.subarray(taken), Infinity);
    if (taken === bytes.length || this.#over) return;
    // What it has read already still comes.
    const rest = bytes.slice(taken);
    if (!this.#readers.keep(rest.length)) return this.#fail(tooManyBodies);
    this.#waiting.push(rest);
    this.#waitingBytes += rest.length;
    this.#exchange.holdBack();
    this.#goOnLater();
  }

  /** Gives as much as the sink takes until `endMs`, one part at least; how much that was. `isKept` says that it waited. */
  #giveParts(bytes: Uint8Array, endMs: number, isKept = false): number {
    const { clock } = this.#readers;
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(at + partBytes, bytes.length);
      // What the sink keeps of it the sink counts: counted twice, it might be refused though there is room.
      if (isKept) this.#giveUp(end - at);
      const isTaken = this.#sink.chunk(bytes.subarray(at, end));
      if (this.#over) break;
      at = end;
      if (!isTaken) {
        this.#sinkIsFull = true;
        this.#exchange.holdBack();
      }
      if (!isTaken || clock.monotonicMs() >= endMs) return at;
    }
    return bytes.length;
  }

  /** Counts so much less as kept while it waits. */
  #giveUp(sizeBytes: number): void {
    this.#waitingBytes -= sizeBytes;
    this.#readers.giveUp(sizeBytes);
  }

  #goOnLater(): void {
    if (this.#goesOn || this.#sinkIsFull) return;
    this.#goesOn = true;
    this.#readers.turns.later(this);
  }

  /** As `TurnWork`. */
  goOn(endMs: number): boolean {
    this.#exchange.guard(() => this.#goOn(endMs));
    this.#goesOn = !this.#over && !this.#sinkIsFull && this.#waiting.length > 0;
    return this.#goesOn;
  }

  #goOn(endMs: number): void {
    const bytes = this.#waiting[0];
    if (this.#over || bytes === undefined) return;
    const taken = this.#giveParts(bytes, endMs, true);
    if (this.#over) return;
    if (taken < bytes.length) this.#waiting[0] = bytes.subarray(taken);
    else this.#waiting.shift();
    if (this.#waiting.length > 0) return;
    if (this.#isLast) this.#ended();
    else if (!this.#sinkIsFull) this.#exchange.letFlow();
  }

  #ended(): void {
    this.stop();
    this.#sink.end();
  }

  #fail(problem: Problem): void {
    if (this.#over) return;
    this.stop();
    this.#sink.failed(problem);
  }

  #startGunzip(): Gunzip {
    const gunzip = nodeZlib().createGunzip();
    gunzip.on('data', (bytes: Buffer) => this.#exchange.guard(() => this.#inflated(gunzip, bytes)));
    gunzip.on('drain', () => this.#exchange.letFlow());
    gunzip.on('end', () =>
      this.#exchange.guard(() => {
        if (!this.#over) this.#ended();
      }),
    );
    gunzip.on('error', () => this.#fail(malformed));
    return gunzip;
  }

  #inflated(gunzip: Gunzip, bytes: Uint8Array): void {
    if (this.#over) return;
    this.#inflatedBytes += bytes.length;
    if (this.#inflatedBytes > Math.max(freelyInflatedBytes, this.#cameBytes * mostInflation)) {
      return this.#fail(tooMuch);
    }
    if (this.#sink.chunk(bytes) || this.#over) return;
    this.#sinkIsFull = true;
    gunzip.pause();
  }

  #inflate(gunzip: Gunzip, bytes: Uint8Array, isLast: boolean): void {
    // The bytes are uWebSockets.js's and gone after this call.
    if (bytes.length > 0 && !gunzip.write(bytes.slice())) this.#exchange.holdBack();
    if (isLast) gunzip.end();
  }

  #collect(compressed: Collected, bytes: Uint8Array, isLast: boolean): void {
    const { limits } = this.#readers;
    const problem = compressed.add(bytes, limits.largestBodyBytes);
    if (problem !== null) return this.#fail(problem);
    if (!isLast) return;
    const source = compressed.take();
    const frames = walkZstdFrames(source, 0, source.length);
    if (typeof frames === 'number') return this.#fail(malformed);
    // A small body gets no more room than it says that it needs.
    const mostBytes = Math.min(
      frames.boundBytes,
      limits.largestBodyBytes,
      Math.max(freelyInflatedBytes, source.length * mostInflation),
    );
    const room = new Uint8Array(source.length + mostBytes);
    room.set(source);
    const size = inflateZstd(room, 0, source.length, source.length, mostBytes);
    if (size === InflationFailure.TOO_LARGE) return this.#fail(bodyTooLarge(this.#readers.limits));
    if (size < 0) return this.#fail(malformed);
    if (size > 0) this.#give(room.subarray(source.length, source.length + size));
    this.#isLast = true;
    if (!this.#over && this.#waiting.length === 0) this.#ended();
  }
}
