/**
 * Records that come in one body and are answered at once when all of them are settled: a JSON value, an array of them, or
 * what else a shape makes of a body. I/O thread. The text is checked before the first record goes to the log; after that
 * each record stands for itself.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Offset } from '../../base/numbers.ts';
import { NamedProducer } from '../../gateway/named-producers.ts';
import type { PublishListener, PublishStream } from '../../gateway/publish-stream.ts';
import type { PublishTarget } from '../../gateway/publish-target.ts';
import type { RecordPublisher } from '../../gateway/record-publisher.ts';
import { badRequest, type Problem } from '../http-api/problem.ts';
import { JsonScanner } from '../json/json-scanner.ts';
import type { RecordArguments } from './record-arguments.ts';
import { begin, emptyDraft, type RecordShape } from './record-shape.ts';

/** What became of one record. */
export interface SettledRecord {
  errorCode: ErrorCode;
  /** A sentence where there is an error. */
  message: string;
  partition: number;
  offset: number;
  /** It was stored before, as a named producer's; the offset is -1 where it is not known any more. */
  wasStored: boolean;
}

const scanner = new JsonScanner();

/** Where the one JSON value of `body` begins and ends, or what is wrong with it. */
export function checkJson(body: Uint8Array): { readonly start: number; readonly end: number } | Problem {
  const start = scanner.skipSpace(body, 0, body.length);
  const end = scanner.scan(body, start, body.length);
  if (end < 0) return badRequest(`The body is no JSON: ${scanner.problem} (byte ${scanner.problemAt + 1}).`);
  const after = scanner.skipSpace(body, end, body.length);
  if (after === body.length) return { start, end };
  return badRequest(`The body is no JSON: something follows its value (byte ${after + 1}).`);
}

/** The records of one body on their way. */
export class WholeIngest implements PublishListener {
  readonly #stream: PublishStream;
  readonly #target: PublishTarget;
  readonly #records: RecordArguments;
  readonly #named: NamedProducer | null;
  readonly #draft = emptyDraft();
  readonly #settledRecords: SettledRecord[] = [];
  /** Which of the records each one of the stream is. */
  readonly #indexes: number[] = [];
  readonly #broken: () => void;
  #done: ((records: readonly SettledRecord[]) => void) | null = null;

  /** `broken` is called where nothing will be settled, by a defect. */
  constructor(publisher: RecordPublisher, topic: string, records: RecordArguments, broken: () => void) {
    this.#records = records;
    this.#broken = broken;
    this.#named = records.producer === null ? null : new NamedProducer(records.producer.name, records.producer.epoch);
    this.#target = publisher.target(topic);
    // The body is in memory already, and its bound bounds this.
    this.#stream = publisher.openStream(this, { durability: records.durability, maxWaitingBytes: Infinity });
  }

  /** Hands in one record; its bytes are copied. */
  add(body: Uint8Array, start: number, end: number, shape: RecordShape): void {
    const draft = this.#draft;
    begin(draft, this.#records);
    const problem = shape(body, start, end, draft);
    const index = this.#settledRecords.length;
    const errorCode = problem === null ? ErrorCode.NONE : ErrorCode.INVALID_RECORD;
    this.#settledRecords.push({ errorCode, message: problem ?? '', partition: -1, offset: -1, wasStored: false });
    if (problem !== null) return;
    this.#indexes.push(index);
    const { partition, key, value, timestampMs, headers } = draft;
    const { producer } = this.#records;
    if (producer === null || this.#named === null) {
      this.#stream.publish(this.#target, partition, key, value, timestampMs, headers);
      return;
    }
    const number = producer.firstNumber + index;
    const previous = index === 0 || producer.previousNumber === null ? producer.previousNumber : number - 1;
    const [stream, target] = [this.#stream, this.#target];
    stream.publishNamed(this.#named, number, previous, target, partition, key, value, timestampMs, headers);
  }

  /** Calls `done` once all that were handed in are settled, in their order. */
  settle(done: (records: readonly SettledRecord[]) => void): void {
    if (this.#stream.waitingCount === 0) return done(this.#settledRecords);
    this.#done = done;
  }

  /** Nobody waits any more. */
  close(): void {
    this.#stream.close();
  }

  // As PublishListener.

  stored(first: number, count: number, _topic: string, partition: number, baseOffset: Offset): void {
    for (let i = 0; i < count; i++) {
      const record = this.#settledRecords[this.#indexes[first + i]!]!;
      record.partition = partition;
      record.offset = baseOffset + i;
    }
  }

  duplicate(first: number, count: number, topic: string, partition: number, baseOffset: Offset): void {
    this.stored(first, count, topic, partition, baseOffset);
    for (let i = 0; i < count; i++) this.#settledRecords[this.#indexes[first + i]!]!.wasStored = true;
  }

  failed(first: number, count: number, errorCode: ErrorCode, message: string): void {
    for (let i = 0; i < count; i++) {
      const record = this.#settledRecords[this.#indexes[first + i]!]!;
      record.errorCode = errorCode;
      record.message = message;
    }
  }

  broken(): void {
    this.#broken();
  }

  settled(): void {
    if (this.#stream.waitingCount > 0 || this.#done === null) return;
    this.#stream.close();
    this.#done(this.#settledRecords);
  }
}
