/**
 * A stream of records, one JSON value a line, and a stream of lines back that says how far they are acknowledged. I/O
 * thread; nothing is allocated per record that is right.
 *
 *   body ─► lines ─► checked ─► PublishStream ─► told in order
 *     ▲                  └─ wrong ─┐                 │
 *     └ held back while much waits └────► response ◄─┘
 *
 *   {"acknowledged": 5000}                            the first 5000 records are settled: as durable as asked, or refused
 *   {"record": 17, "error": "…", "detail": "…"}       record 17 was not stored
 *   {"record": 1, "count": 500, "partition": 0, "offset": 1000}      where asked for: so many from record 1 on
 *   {"done": true, "stored": 4999, "failed": 1}       the last line; without it the answer is not whole
 *
 * Of a named producer's, what was stored before counts as stored; "duplicates" in the last line says how many that were.
 *
 * Records are counted from 1; blank lines are none. Acknowledgements are written while the client takes them, and the
 * latest stands for those before it: a client that reads only once it has sent everything is not stuck.
 */

import { errorName, ErrorCode } from '../../base/error-code.ts';
import type { Offset } from '../../base/numbers.ts';
import { NamedProducer } from '../../gateway/named-producers.ts';
import type { PublishListener, PublishStream } from '../../gateway/publish-stream.ts';
import type { PublishTarget } from '../../gateway/publish-target.ts';
import type { RecordPublisher } from '../../gateway/record-publisher.ts';
import type { Exchange } from '../http-api/exchange.ts';
import { problemOf, type Problem } from '../http-api/problem.ts';
import { JsonScanner } from '../json/json-scanner.ts';
import { tooManyBodies, type BodySink } from './body-sink.ts';
import type { RecordArguments } from './record-arguments.ts';
import { begin, emptyDraft, valueShape, type RecordShape } from './record-shape.ts';
import type { BodyReader } from './request-body.ts';
import { LineSplitter, type SharedRoom } from './text-splitter.ts';

export const ndjsonType = 'application/x-ndjson';

export interface LineIngestOptions {
  readonly exchange: Exchange;
  readonly publisher: RecordPublisher;
  readonly topic: string;
  readonly shape: RecordShape;
  readonly records: RecordArguments;
  /** Tell partitions and offsets. */
  readonly offsets: boolean;
  readonly longestLineBytes: number;
  /** For what is kept of lines that are not whole. */
  readonly room: SharedRoom;
}

const newline = 0x0a;
/** From here on the client is held back: records on their way, in bytes. */
const waitingBytes = 4 * 1024 * 1024;
/** From here on the client is held back: answers that it has not taken, in characters. */
const mostUnsent = 256 * 1024;
/** Where so many in a row are refused, the rest is not looked at: it costs more to refuse than to send. */
const mostRefusedInARow = 10_000;

const scanner = new JsonScanner({ newlineEnds: true });

export class LineIngest implements PublishListener {
  /** Takes the body. */
  readonly sink: BodySink = {
    chunk: (bytes) => this.#chunk(bytes),
    end: () => this.#end(),
    failed: (problem) => this.#stop(problem),
    // What is kept of a last line is taken first.
    stopped: () => queueMicrotask(() => this.#splitter.clear()),
  };
  /** Set once the body is being read. */
  body: BodyReader | null = null;
  readonly #exchange: Exchange;
  readonly #stream: PublishStream;
  readonly #target: PublishTarget;
  readonly #shape: RecordShape;
  readonly #records: RecordArguments;
  readonly #named: NamedProducer | null;
  readonly #isPlain: boolean;
  readonly #offsets: boolean;
  readonly #splitter: LineSplitter;
  readonly #draft = emptyDraft();
  /** Records that came. */
  #count = 0;
  /** For each refused record that lies among those not told yet: how many were handed in before it. */
  #refusedAfter: number[] = [];
  #passedRefused = 0;
  #refusedInARow = 0;
  /** Of those that were handed in and are told. */
  #failedInARow = 0;
  /** Where the last refused record stood among those that were handed in. */
  #lastRefusedAfter = -1;
  /** Refused records that are not in the list any more. */
  #refusedBefore = 0;
  #acknowledged = 0;
  #toldAcknowledged = 0;
  #stored = 0;
  #failed = 0;
  #duplicates = 0;
  /** The publisher asked to hold back. */
  #blocked = false;
  #unsent = '';
  #flowing = true;
  #bodyIsOver = false;
  /** Why it ends early. */
  #problem: Problem | null = null;

  constructor({ exchange, publisher, topic, shape, records, offsets, longestLineBytes, room }: LineIngestOptions) {
    this.#exchange = exchange;
    this.#shape = shape;
    this.#records = records;
    this.#offsets = offsets;
    this.#target = publisher.target(topic);
    const { durability } = records;
    const { caller } = exchange;
    this.#stream = publisher.openStream(this, { durability, maxWaitingBytes: waitingBytes, caller });
    this.#splitter = new LineSplitter(longestLineBytes, room, (bytes, start, end) => this.#lines(bytes, start, end));
    const { key, timestampMs, headers } = records;
    const { producer } = records;
    this.#named = producer === null ? null : new NamedProducer(producer.name, producer.epoch);
    this.#isPlain = shape === valueShape && key === null && timestampMs < 0 && headers === null && producer === null;
    exchange.wait({
      aborted: () => this.#stream.close(),
      finish: () => this.#stop(stopping),
      writable: () => {
        this.#flowing = true;
        this.#send();
      },
    });
  }

  // As PublishListener.

  stored(first: number, count: number, _topic: string, partition: number, baseOffset: Offset): void {
    this.#stored += count;
    this.#failedInARow = 0;
    if (!this.#offsets) return;
    // Refused records may lie between those of one run.
    for (let from = first; from < first + count;) {
      const number = this.#numberOf(from);
      const next = this.#refusedAfter[this.#passedRefused];
      const to = next === undefined ? first + count : Math.min(first + count, next);
      const offset = baseOffset + from - first;
      this.#tell(`{"record":${number},"count":${to - from},"partition":${partition},"offset":${offset}}\n`);
      from = to;
    }
  }

  duplicate(first: number, count: number, _topic: string, partition: number, baseOffset: Offset): void {
    this.#stored += count;
    this.#failedInARow = 0;
    this.#duplicates += count;
    if (!this.#offsets) return;
    for (let i = 0; i < count; i++) {
      const offset = baseOffset < 0 ? null : baseOffset + i;
      const number = this.#numberOf(first + i);
      this.#tell(`{"record":${number},"count":1,"partition":${partition},"offset":${offset},"duplicate":true}\n`);
    }
  }

  failed(first: number, count: number, errorCode: ErrorCode, message: string): void {
    this.#failed += count;
    for (let ordinal = first; ordinal < first + count; ordinal++) {
      this.#tellFailure(this.#numberOf(ordinal), errorCode, message);
    }
    this.#failedInARow += count;
    if (this.#failedInARow >= mostRefusedInARow && this.#problem === null) this.#stop(allFail);
  }

  settled(): void {
    this.#settle();
  }

  resumed(): void {
    this.#blocked = false;
    this.#goOn();
  }

  broken(): void {
    this.#exchange.destroy();
  }

  #chunk(bytes: Uint8Array): boolean {
    if (!this.#splitter.chunk(bytes) && this.#problem === null) {
      this.#stop(this.#splitter.lacksRoom ? tooManyBodies : lineTooLong);
    }
    // Where all that came was refused nothing else tells that it is settled.
    if (this.#stream.waitingCount === 0 && !this.#bodyIsOver) this.#settle();
    else this.#send();
    return !this.#isFull;
  }

  #end(): void {
    if (this.#problem === null) this.#splitter.end();
    this.#bodyIsOver = true;
    this.#settle();
  }

  get #isFull(): boolean {
    return this.#blocked || this.#unsent.length > mostUnsent;
  }

  /** One or more whole lines, `[start, end)` of `chunk`. */
  #lines(chunk: Uint8Array, start: number, chunkEnd: number): boolean {
    const end = scanner.place(chunk, start, chunkEnd);
    const bytes = scanner.placed;
    const stream = this.#stream;
    const target = this.#target;
    const { partition } = this.#records;
    let at = scanner.placedStart;
    while (at < end) {
      at = scanner.skipSpace(bytes, at, end);
      if (at === end || this.#problem !== null) break;
      if (bytes[at] === newline) {
        at++;
        continue;
      }
      this.#count++;
      const valueEnd = scanner.scan(bytes, at, end);
      let after = valueEnd;
      if (valueEnd >= 0) {
        after = scanner.skipSpace(bytes, valueEnd, end);
        if (after < end && bytes[after] !== newline) {
          this.#refuse(`Something follows the value of the line at byte ${after - at + 1}.`);
          after = -1;
        } else if (this.#isPlain) {
          if (!stream.publishSlice(target, partition, bytes, at, valueEnd)) this.#blocked = true;
        } else this.#publish(bytes, at, valueEnd);
      } else this.#refuse(`The line is no JSON: ${scanner.problem} (byte ${scanner.problemAt - at + 1}).`);
      if (after < 0) {
        const found = bytes.subarray(at, end).indexOf(newline);
        after = found < 0 ? end : at + found;
      }
      at = after + 1;
    }
    return true;
  }

  #publish(bytes: Uint8Array, start: number, end: number): void {
    const draft = this.#draft;
    begin(draft, this.#records);
    const problem = this.#shape(bytes, start, end, draft);
    if (problem !== null) return this.#refuse(problem);
    const { partition, key, value, timestampMs, headers } = draft;
    const { producer } = this.#records;
    const [stream, target] = [this.#stream, this.#target];
    if (producer === null || this.#named === null) {
      if (!stream.publish(target, partition, key, value, timestampMs, headers)) this.#blocked = true;
      return;
    }
    const number = producer.firstNumber + this.#count - 1;
    const previous = this.#count === 1 || producer.previousNumber === null ? producer.previousNumber : number - 1;
    if (!stream.publishNamed(this.#named, number, previous, target, partition, key, value, timestampMs, headers)) {
      this.#blocked = true;
    }
  }

  /** The record that came last is wrong. */
  #refuse(detail: string): void {
    const { endOrdinal } = this.#stream;
    this.#failed++;
    this.#refusedAfter.push(endOrdinal);
    this.#tellFailure(this.#count, ErrorCode.INVALID_RECORD, detail);
    this.#refusedInARow = endOrdinal === this.#lastRefusedAfter ? this.#refusedInARow + 1 : 1;
    this.#lastRefusedAfter = endOrdinal;
    if (this.#refusedInARow === mostRefusedInARow) this.#stop(noRecords);
  }

  /** The number of a record that was handed in; asked for in their order. */
  #numberOf(ordinal: number): number {
    while (this.#passedRefused < this.#refusedAfter.length && this.#refusedAfter[this.#passedRefused]! <= ordinal) {
      this.#passedRefused++;
    }
    return ordinal + this.#refusedBefore + this.#passedRefused + 1;
  }

  /** Takes over up to where everything is known, and ends where that is the end. */
  #settle(): void {
    const told = this.#stream.endOrdinal - this.#stream.waitingCount;
    this.#acknowledged = this.#numberOf(told) - 1;
    if (this.#passedRefused > 1024) {
      this.#refusedAfter = this.#refusedAfter.slice(this.#passedRefused);
      this.#refusedBefore += this.#passedRefused;
      this.#passedRefused = 0;
    }
    this.#send();
    if (!this.#bodyIsOver || this.#stream.waitingCount > 0) return;
    this.#stream.close();
    if (this.#exchange.over) return;
    this.#begin();
    const { error, detail } = this.#problem ?? {};
    const last = {
      done: this.#problem === null,
      stored: this.#stored,
      failed: this.#failed,
      duplicates: this.#duplicates || undefined,
      error,
      detail,
    };
    this.#exchange.end(`${this.#takeUnsent()}${JSON.stringify(last)}\n`);
  }

  /** Reads no more; what is on its way is answered. */
  #stop(problem: Problem): void {
    this.#problem ??= problem;
    this.#bodyIsOver = true;
    this.body?.stop();
    // Not from within a chunk, whose records may be told of yet.
    setImmediate(() => this.#settle());
  }

  #tellFailure(record: number, errorCode: ErrorCode, detail: string): void {
    this.#tell(`{"record":${record},"error":"${errorName(errorCode)}","detail":${JSON.stringify(detail)}}\n`);
  }

  #tell(line: string): void {
    this.#unsent += line;
  }

  #begin(): void {
    if (!this.#exchange.streaming) this.#exchange.stream(ndjsonType);
  }

  #send(): void {
    if (!this.#flowing || this.#exchange.over) return;
    const text = this.#takeUnsent();
    if (text === '') return;
    this.#begin();
    this.#flowing = this.#exchange.write(text);
    this.#goOn();
  }

  #takeUnsent(): string {
    let text = this.#unsent;
    this.#unsent = '';
    if (this.#acknowledged > this.#toldAcknowledged) {
      this.#toldAcknowledged = this.#acknowledged;
      text += `{"acknowledged":${this.#acknowledged}}\n`;
    }
    return text;
  }

  #goOn(): void {
    if (!this.#isFull) this.body?.resume();
  }
}

const lineTooLong = problemOf(ErrorCode.MESSAGE_TOO_LARGE, 'A line is too long; what follows it was not read.');
const noRecords = problemOf(
  ErrorCode.INVALID_RECORD,
  `Of the body ${mostRefusedInARow} lines in a row are no records; what follows them was not read.`,
);
const allFail = problemOf(
  ErrorCode.INVALID_RECORD,
  `Of the body ${mostRefusedInARow} records in a row were not stored; what follows those that are told of was not read.`,
);
const stopping = problemOf(ErrorCode.BROKER_NOT_AVAILABLE, 'The broker stops; send again what is not acknowledged.');
