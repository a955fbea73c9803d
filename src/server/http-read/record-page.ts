/**
 * One page of records: read until so many are there, nothing more is, or the time to wait is over. I/O thread.
 *
 *   JSON     {"topic": "t", "records": [ … ], "next": "0:17"}
 *   NDJSON   a record a line, and {"next": "0:17"} as the last
 *
 * `next` goes on exactly where the page ends. The bytes of records are shared with others who read them so.
 */

import type { Clock, Timer } from '../../base/clock.ts';
import type { ErrorCode } from '../../base/error-code.ts';
import type { FrameFormat, RecordBlock } from '../../gateway/record-block.ts';
import type { RecordFeeds } from '../../gateway/record-feeds.ts';
import type { ReaderListener, RecordReader } from '../../gateway/record-reader.ts';
import type { Exchange } from '../http-api/exchange.ts';
import { problemOf } from '../http-api/problem.ts';
import { positionsText } from './positions.ts';
import { TextWriter, writeRecord, type ValuesAs } from './record-text.ts';
import type { TopicReading } from './topic-reading.ts';

export interface PageOptions {
  readonly exchange: Exchange;
  readonly feeds: RecordFeeds;
  readonly clock: Clock;
  readonly reading: TopicReading;
  readonly limit: number;
  readonly maxBytes: number;
  /** How long to wait for the first record, in milliseconds. */
  readonly waitMs: number;
  readonly asLines: boolean;
}

/** Records with a separator after each. */
class PageFormat implements FrameFormat<Uint8Array> {
  readonly #values: ValuesAs;
  readonly #separator: string;

  constructor(values: ValuesAs, separator: string) {
    this.#values = values;
    this.#separator = separator;
  }

  encode(block: RecordBlock, from: number, to: number): Uint8Array {
    for (let i = from; i < to; i++) {
      writeRecord(text, block, i, this.#values);
      text.ascii(this.#separator);
    }
    return text.take();
  }
}

const text = new TextWriter();
const formatsOf = (separator: string): Readonly<Record<ValuesAs, PageFormat>> => ({
  json: new PageFormat('json', separator),
  text: new PageFormat('text', separator),
  base64: new PageFormat('base64', separator),
});
const elements = formatsOf(',');
const lines = formatsOf('\n');

export class RecordPage implements ReaderListener {
  readonly #options: PageOptions;
  readonly #reader: RecordReader;
  readonly #format: PageFormat;
  readonly #parts: Uint8Array[] = [];
  /** Partitions of which all that is there was told. */
  readonly #atEnd = new Set<number>();
  #wanted = 0;
  #count = 0;
  #timer: Timer | null = null;

  constructor(options: PageOptions) {
    const { exchange, feeds, reading, limit, maxBytes, asLines } = options;
    this.#options = options;
    this.#format = (asLines ? lines : elements)[reading.values];
    const { isolation } = reading;
    this.#reader = feeds.openReader(this, { isolation, creditRecords: limit, creditBytes: maxBytes });
    exchange.wait({ aborted: () => this.#close(), finish: () => this.#done() });
    exchange.owing = true;
  }

  begin(): void {
    void this.#begin();
  }

  // As ReaderListener.

  records(block: RecordBlock, from: number, to: number): void {
    this.#parts.push(block.frame(this.#format, from, to));
    this.#count += to - from;
    if (this.#reader.creditRecords <= 0 || this.#reader.creditBytes <= 0) this.#done();
    else if (this.#timer !== null) this.#doneSoon();
  }

  failed(_topic: string, _partition: number, errorCode: ErrorCode, message: string): void {
    this.#close();
    this.#options.exchange.fail(problemOf(errorCode, message));
  }

  atEnd(_topic: string, partition: number): void {
    this.#atEnd.add(partition);
    if (this.#atEnd.size < this.#wanted) return;
    const { clock, waitMs } = this.#options;
    if (this.#count > 0 || waitMs === 0) this.#done();
    else this.#timer ??= clock.setTimer(waitMs, () => this.#done());
  }

  async #begin(): Promise<void> {
    const { topic, starts } = this.#options.reading;
    // Nothing is at its end before all are read.
    this.#wanted = starts.size;
    for (const [log, start] of starts) {
      const added = await this.#reader.add(topic, log.partition, start);
      if (this.#options.exchange.over) return;
      if (typeof added !== 'number') {
        this.#close();
        return this.#options.exchange.fail(problemOf(added.errorCode, added.message));
      }
    }
  }

  /** What came after a wait may be followed by more in the same turn. */
  #doneSoon(): void {
    setImmediate(() => this.#done());
  }

  #done(): void {
    const { exchange, reading, asLines } = this.#options;
    if (exchange.over) return;
    const next = new Map([...reading.starts.keys()].map(({ partition }) => [partition, this.#positionOf(partition)]));
    const isLate = [...next.values()].some((offset) => offset < 0);
    this.#close();
    // The server stops before it was known where to begin.
    if (isLate) return exchange.destroy();
    if (asLines) {
      const last = Buffer.from(`{"next":"${positionsText(next)}"}\n`);
      return exchange.answer(200, Buffer.concat([...this.#parts, last]), 'application/x-ndjson');
    }
    const start = Buffer.from(`{"topic":"${reading.topic}","records":[`);
    const records = this.#parts.map((part, i) => (i < this.#parts.length - 1 ? part : part.subarray(0, -1)));
    const end = Buffer.from(`],"next":"${positionsText(next)}"}`);
    exchange.answer(200, Buffer.concat([start, ...records, end]));
  }

  #positionOf(partition: number): number {
    return this.#reader.positionOf(this.#options.reading.topic, partition);
  }

  #close(): void {
    this.#timer?.cancel();
    this.#reader.close();
  }
}
