/**
 * A whole body of several records on its way into a `WholeIngest`, in turns where it is long, so that others come in
 * between. I/O thread. The text was checked before.
 *
 *   array ─► counted where there may be too many ─► handed in, element after element ─► settled
 *            └───────────── in the time that all bodies share (work-turns.ts) ─────┘
 *
 * A named producer's records are handed in at once: were others of the same producer to come in between, with larger numbers,
 * the rest would be taken for what was stored before.
 */

import type { Clock } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import type { Exchange } from '../http-api/exchange.ts';
import { problemOf } from '../http-api/problem.ts';
import { JsonWalker } from '../json/json-walker.ts';
import type { RecordShape } from './record-shape.ts';
import type { BodyReaders } from './request-body.ts';
import type { SettledRecord, WholeIngest } from './whole-ingest.ts';
import type { TurnWork } from './work-turns.ts';

export interface WholeBodyOptions {
  readonly exchange: Exchange;
  readonly bodies: BodyReaders;
  readonly shape: RecordShape;
  /** Called once there are not too many records; null where the exchange was failed. */
  readonly begin: () => WholeIngest | null;
  /** Called once all are settled, in their order. */
  readonly settled: (records: readonly SettledRecord[]) => void;
}

const openArray = 0x5b;
/** Shorter bodies are not worth a copy. */
const longBodyBytes = 32 * 1024;
/** Between two looks at the clock. */
const recordsPerStep = 64;
/** More records in one body are refused: what becomes of each is kept until all are settled. NDJSON may have any number. */
const mostRecords = 100_000;

const tooManyRecords = problemOf(
  ErrorCode.RECORD_LIST_TOO_LARGE,
  `A body has at most ${mostRecords} records, but for NDJSON, which may have any number.`,
);

export class WholeBody implements TurnWork {
  readonly #options: WholeBodyOptions;
  readonly #clock: Clock;
  /** Over the array, in order to count; null where that is done. */
  #counted: JsonWalker | null = null;
  #count = 0;
  /** Over the array, in order to hand in; null before, and where the body is one record. */
  #walker: JsonWalker | null = null;
  #ingest: WholeIngest | null = null;
  /** Of a copy of the body. */
  #keptBytes = 0;

  constructor(options: WholeBodyOptions) {
    this.#options = options;
    this.#clock = options.bodies.clock;
  }

  /** Nobody waits any more. */
  close(): void {
    this.#ingest?.close();
  }

  /** Takes the array at `start` of `body`, or the one record at `[start, end)` where there is none. The bytes are gone after the call. */
  take(body: Uint8Array, start: number, end: number, mayTakeTurns: boolean): void {
    const { bodies, shape } = this.#options;
    if (body[start] !== openArray) {
      this.#ingest = this.#options.begin();
      this.#ingest?.add(body, start, end, shape);
      this.#ingest?.settle(this.#options.settled);
      return;
    }
    const inTurns = mayTakeTurns && body.length > longBodyBytes && bodies.keep(body.length);
    if (inTurns) this.#keptBytes = body.length;
    const bytes = inTurns ? body.slice() : body;
    // Each takes two bytes at least.
    if (body.length > 2 * mostRecords) this.#counted = new JsonWalker(bytes, start);
    this.#walker = new JsonWalker(bytes, start);
    if (!inTurns) return void this.#step(Infinity);
    const { turns } = bodies;
    if (turns.isOver || this.goOn(turns.endMs)) turns.later(this);
  }

  /** As `TurnWork`. */
  goOn(endMs: number): boolean {
    const { exchange, bodies } = this.#options;
    let isDone = true;
    exchange.guard(() => {
      isDone = this.#step(endMs);
    });
    if (!isDone && !exchange.over) return true;
    bodies.giveUp(this.#keptBytes);
    this.#keptBytes = 0;
    return false;
  }

  /** Whether there is nothing more to do. */
  #step(endMs: number): boolean {
    const { exchange, settled } = this.#options;
    if (exchange.over) return true;
    const isTooLarge = this.#countOn(endMs);
    if (isTooLarge === null) return false;
    if (isTooLarge) {
      exchange.fail(tooManyRecords);
      return true;
    }
    this.#ingest ??= this.#options.begin();
    if (this.#ingest === null) return true;
    if (!this.#handIn(this.#ingest, endMs)) return false;
    this.#ingest.settle(settled);
    return true;
  }

  /** Whether there are more records than there may be; null where that is not known yet at `endMs`. */
  #countOn(endMs: number): boolean | null {
    const walker = this.#counted;
    while (walker !== null && this.#count <= mostRecords) {
      if (!walker.next()) break;
      if (++this.#count % recordsPerStep === 0 && this.#clock.monotonicMs() >= endMs) return null;
    }
    this.#counted = null;
    return this.#count > mostRecords;
  }

  /** Whether all of them were handed in. */
  #handIn(ingest: WholeIngest, endMs: number): boolean {
    const walker = this.#walker!;
    for (let count = 1; walker.next(); count++) {
      ingest.add(walker.bytes, walker.start, walker.end, this.#options.shape);
      if (count % recordsPerStep === 0 && this.#clock.monotonicMs() >= endMs) return false;
    }
    return true;
  }
}
