/**
 * One page of records: read until so many are there, nothing more is, or the time to wait is over. I/O thread.
 *
 * A small page is answered whole. What is larger goes out while it is read, as fast as its client takes it, so that no
 * client has more kept for it than that.
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
import { JsonText } from '../json/json-text.ts';
import { recordLine, writeRecord, type ValuesAs } from '../json/record-text.ts';
import { positionsText } from './positions.ts';
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

/** What is kept of a page before it begins to go out, and read ahead of a client from then on, in bytes. */
const aheadBytes = 128 * 1024;

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
      writeRecord(text, block, i, this.#values, recordLine);
      text.ascii(this.#separator);
    }
    return text.take();
  }
}

const text = new JsonText();
const formatsOf = (separator: string): Readonly<Record<ValuesAs, PageFormat>> => ({
  json: new PageFormat('json', separator),
  text: new PageFormat('text', separator),
  base64: new PageFormat('base64', separator),
});
const comma = Buffer.from(',');
const elements = formatsOf(',');
const lines = formatsOf('\n');

export class RecordPage implements ReaderListener {
  readonly #options: PageOptions;
  readonly #reader: RecordReader;
  readonly #format: PageFormat;
  /** What was read and is not written yet. */
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  /** Written while the page is read: the last separator is written with what follows it. */
  #separatorDue = false;
  /** Bytes of keys and values for which no credit was given yet. */
  #bytesLeft: number;
  #flowing = true;
  /** Partitions of which all that is there was told. */
  readonly #atEnd = new Set<number>();
  #wanted = 0;
  #count = 0;
  #timer: Timer | null = null;

  constructor(options: PageOptions) {
    const { exchange, feeds, reading, limit, maxBytes, asLines } = options;
    this.#options = options;
    this.#format = (asLines ? lines : elements)[reading.values];
    const { isolation, caller } = reading;
    const creditBytes = Math.min(maxBytes, aheadBytes);
    this.#bytesLeft = maxBytes - creditBytes;
    this.#reader = feeds.openReader(this, { isolation, caller, creditRecords: limit, creditBytes });
    exchange.wait({
      aborted: () => this.#close(),
      finish: () => this.#done(),
      writable: () => {
        this.#flowing = true;
        this.#grant();
      },
    });
    exchange.owing = true;
  }

  begin(): void {
    void this.#begin();
  }

  // As ReaderListener.

  records(block: RecordBlock, from: number, to: number): void {
    const part = block.frame(this.#format, from, to);
    this.#parts.push(part);
    this.#partsBytes += part.length;
    this.#count += to - from;
    // A record is told whole, so that what it takes beyond the credit is owed.
    const isFull = this.#bytesLeft + this.#reader.creditBytes <= 0;
    if (this.#reader.creditRecords <= 0 || isFull) return this.#done();
    if (this.#partsBytes > aheadBytes || this.#options.exchange.streaming) this.#write();
    if (this.#flowing) this.#grant();
    if (this.#timer !== null) this.#doneSoon();
  }

  /** What went out already ends where it is: whoever reads on from there hears what is wrong. */
  failed(_topic: string, _partition: number, errorCode: ErrorCode, message: string): void {
    const { exchange } = this.#options;
    if (exchange.streaming) return this.#done();
    this.#close();
    exchange.fail(problemOf(errorCode, message));
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
    const last = asLines ? `{"next":"${positionsText(next)}"}\n` : `],"next":"${positionsText(next)}"}`;
    if (exchange.streaming) {
      this.#write();
      return exchange.end(last);
    }
    const start = asLines ? '' : startOf(reading);
    exchange.answer(200, Buffer.concat([Buffer.from(start), ...this.#takeParts(), Buffer.from(last)]), this.#type);
  }

  get #type(): string {
    return this.#options.asLines ? 'application/x-ndjson' : 'application/json';
  }

  /** Writes what was read, and begins the response with it where that has not begun. */
  #write(): void {
    const { exchange, reading, asLines } = this.#options;
    if (!exchange.streaming) {
      exchange.stream(this.#type);
      if (!asLines) exchange.write(startOf(reading));
    }
    for (const part of this.#takeParts()) this.#flowing = exchange.write(part);
    if (exchange.over) this.#close();
  }

  /** In JSON without the last separator, which comes before what follows. */
  #takeParts(): Uint8Array[] {
    const parts = this.#parts;
    this.#parts = [];
    this.#partsBytes = 0;
    if (this.#options.asLines || parts.length === 0) return parts;
    if (this.#separatorDue) parts.unshift(comma);
    this.#separatorDue = true;
    parts.push(parts.pop()!.subarray(0, -1));
    return parts;
  }

  /** Gives credit for what is left of the page, as far as may be read ahead. */
  #grant(): void {
    if (this.#options.exchange.over) return;
    const bytes = Math.min(this.#bytesLeft, aheadBytes - this.#reader.creditBytes);
    if (bytes <= 0 || this.#reader.creditBytes > aheadBytes / 2) return;
    this.#bytesLeft -= bytes;
    this.#reader.grant(0, bytes);
  }

  #positionOf(partition: number): number {
    return this.#reader.positionOf(this.#options.reading.topic, partition);
  }

  #close(): void {
    this.#timer?.cancel();
    this.#reader.close();
  }
}

function startOf({ topic }: TopicReading): string {
  return `{"topic":"${topic}","records":[`;
}
