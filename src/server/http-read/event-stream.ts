/**
 * Server-sent events: records of a topic as they come, over one partition or all. I/O thread. Source of the format: the
 * HTML standard, "Server-sent events".
 *
 *   retry: 1000              at the start, with the position at which it begins
 *   id: 0:17,1:5
 *
 *   id: 0:18,1:5             a record; the id holds the positions of all partitions after it, from which the browser
 *   data: {"partition": …}   goes on by itself (Last-Event-ID)
 *
 *   event: lost              retention was faster than the reader: these offsets are gone, what follows them comes
 *   event: error             it ends: a problem, as problem details
 *   :                        nothing, every few seconds
 *
 * A client that reads slowly is waited for; nothing is dropped and little is kept. Readers at the same positions share the
 * bytes of events.
 */

import type { Clock, Timer } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { PlacedList, type Placed } from '../../base/placed-list.ts';
import type { Broker } from '../../broker/broker.ts';
import type { FrameFormat, RecordBlock } from '../../gateway/record-block.ts';
import type { RecordFeeds } from '../../gateway/record-feeds.ts';
import type { ReaderListener, RecordReader } from '../../gateway/record-reader.ts';
import type { Exchange } from '../http-api/exchange.ts';
import { problemOf, problemText, type Problem } from '../http-api/problem.ts';
import { JsonText } from '../json/json-text.ts';
import { recordLine, writeRecord, type ValuesAs } from '../json/record-text.ts';
import { positionsText } from './positions.ts';
import type { TopicReading } from './topic-reading.ts';

/** What a reader may be sent ahead of what it has taken. */
const aheadRecords = 1000;
const aheadBytes = 128 * 1024;
const retryMs = 1000;
/** Formats that are kept to be found again; what comes beyond shares its bytes with nobody. */
const keptFormats = 1024;

const text = new JsonText();

/** Events whose ids have `before` and `after` around the position of the record's partition. */
export class EventFormat implements FrameFormat<Uint8Array> {
  readonly #values: ValuesAs;
  readonly #before: string;
  readonly #after: string;

  constructor(values: ValuesAs, before: string, after: string) {
    this.#values = values;
    this.#before = before;
    this.#after = after;
  }

  encode(block: RecordBlock, from: number, to: number): Uint8Array {
    for (let i = from; i < to; i++) {
      text.ascii(`id: ${this.#before}${block.offsetAt(i) + 1}${this.#after}\ndata: `);
      writeRecord(text, block, i, this.#values, recordLine);
      text.ascii('\n\n');
    }
    return text.take();
  }
}

/** What all streams of events share. */
export class EventStreams {
  readonly broker: Broker;
  readonly feeds: RecordFeeds;
  readonly #clock: Clock;
  readonly #heartbeatMs: number;
  readonly #streams = new PlacedList<EventStream>();
  readonly #formats = new Map<string, EventFormat>();
  #timer: Timer | null = null;

  constructor(broker: Broker, feeds: RecordFeeds, clock: Clock, heartbeatMs: number) {
    this.broker = broker;
    this.feeds = feeds;
    this.#clock = clock;
    this.#heartbeatMs = heartbeatMs;
  }

  /** Begins a stream; it ends when its client goes or the server stops. */
  open(exchange: Exchange, reading: TopicReading): void {
    const stream = new EventStream(this, exchange, reading);
    this.#streams.add(stream);
    if (this.#timer === null) this.#schedule();
    stream.begin();
  }

  formatOf(values: ValuesAs, before: string, after: string): EventFormat {
    const name = `${values} ${before} ${after}`;
    const known = this.#formats.get(name);
    if (known !== undefined) return known;
    const format = new EventFormat(values, before, after);
    if (this.#formats.size >= keptFormats) this.#formats.clear();
    this.#formats.set(name, format);
    return format;
  }

  ended(stream: EventStream): void {
    this.#streams.delete(stream);
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimer(this.#heartbeatMs, () => {
      this.#timer = null;
      for (const stream of [...this.#streams]) stream.beat();
      if (this.#streams.size > 0) this.#schedule();
    });
  }
}

class EventStream implements ReaderListener, Placed {
  /** Of all streams. */
  place = -1;
  readonly #streams: EventStreams;
  readonly #exchange: Exchange;
  readonly #reading: TopicReading;
  readonly #reader: RecordReader;
  /** Where each partition is read on, in the order of ids. */
  readonly #positions = new Map<number, number>();
  /** What was gone already at the start: partition, the offset asked for, the first there is. */
  readonly #lost: (readonly [partition: number, offset: number, next: number])[] = [];
  #flowing = true;
  /** What to grant once the client has taken what was written. */
  #owedRecords = 0;
  #owedBytes = 0;
  /** Whether something was written since the last beat. */
  #wrote = false;

  constructor(streams: EventStreams, exchange: Exchange, reading: TopicReading) {
    this.#streams = streams;
    this.#exchange = exchange;
    this.#reading = reading;
    const { isolation, caller } = reading;
    this.#reader = streams.feeds.openReader(this, { isolation, caller });
    exchange.wait({
      aborted: () => this.#close(),
      finish: () => {
        this.#close();
        if (exchange.streaming) exchange.end();
        else exchange.fail(stopping);
      },
      writable: () => {
        this.#flowing = true;
        this.#grant();
      },
    });
  }

  begin(): void {
    void this.#begin();
  }

  /** Every few seconds: shows the client that the connection lives, and looks for partitions that are new. */
  beat(): void {
    if (!this.#exchange.streaming || this.#exchange.over) return;
    this.#exchange.hold();
    if (!this.#wrote && this.#flowing) this.#flowing = this.#exchange.write(':\n\n');
    this.#wrote = false;
    void this.#addNew();
  }

  // As ReaderListener.

  records(block: RecordBlock, from: number, to: number): void {
    const { partition } = block;
    const [before, after] = this.#around(partition);
    const format = this.#streams.formatOf(this.#reading.values, before, after);
    const events = block.frame(format, from, to);
    this.#positions.set(partition, block.offsetAt(to - 1) + 1);
    this.#owedRecords += to - from;
    this.#owedBytes += bytesOf(block, from, to);
    this.#write(events);
    if (this.#flowing) this.#grant();
  }

  failed(topic: string, partition: number, errorCode: ErrorCode, message: string): void {
    if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) void this.#skipLost(topic, partition);
    else this.#fail(problemOf(errorCode, message));
  }

  async #begin(): Promise<void> {
    const { topic, starts } = this.#reading;
    for (const [log, start] of starts) {
      let added = await this.#reader.add(topic, log.partition, start);
      if (this.#exchange.over) return;
      if (typeof added !== 'number') {
        const isBehind = typeof start === 'object' && 'offset' in start && start.offset < log.logStartOffset;
        if (added.errorCode !== ErrorCode.OFFSET_OUT_OF_RANGE || !isBehind) {
          this.#close();
          return this.#exchange.fail(problemOf(added.errorCode, added.message));
        }
        // Told of as soon as the stream has begun.
        added = await this.#reader.add(topic, log.partition, 'earliest');
        if (this.#exchange.over) return;
        if (typeof added !== 'number') return this.#fail(problemOf(added.errorCode, added.message));
        this.#lost.push([log.partition, start.offset, added]);
      }
      this.#positions.set(log.partition, added);
    }
    this.#exchange.stream('text/event-stream', [['cache-control', 'no-store']]);
    if (this.#exchange.over) return this.#close();
    this.#exchange.listen();
    this.#write(`retry: ${retryMs}\nid: ${positionsText(this.#positions)}\n\n`);
    for (const [partition, offset, next] of this.#lost) this.#tellLost(partition, offset, next);
    this.#reader.grant(aheadRecords, aheadBytes);
  }

  async #skipLost(topic: string, partition: number): Promise<void> {
    const offset = this.#positions.get(partition) ?? 0;
    const next = await this.#reader.seek(topic, partition, 'earliest');
    if (this.#exchange.over) return;
    if (typeof next !== 'number') return this.#fail(problemOf(next.errorCode, next.message));
    this.#tellLost(partition, offset, next);
  }

  #tellLost(partition: number, offset: number, next: number): void {
    this.#positions.set(partition, next);
    const data = JSON.stringify({ partition, from: offset, to: next });
    this.#write(`id: ${positionsText(this.#positions)}\nevent: lost\ndata: ${data}\n\n`);
  }

  async #addNew(): Promise<void> {
    const { topic, isWholeTopic } = this.#reading;
    const count = this.#streams.broker.topics.topic(topic)?.partitionCount ?? 0;
    if (!isWholeTopic) return;
    for (let partition = this.#positions.size; partition < count; partition++) {
      if (this.#positions.has(partition)) continue;
      this.#positions.set(partition, 0);
      const added = await this.#reader.add(topic, partition, 'earliest');
      if (this.#exchange.over) return;
      if (typeof added !== 'number') return this.#fail(problemOf(added.errorCode, added.message));
    }
  }

  /** What stands in an id before and after the position of `partition`. */
  #around(partition: number): [before: string, after: string] {
    let before = '';
    let after = '';
    let found = false;
    for (const [other, offset] of this.#positions) {
      if (other === partition) {
        found = true;
        before += `${other}:`;
      } else if (found) after += `,${other}:${offset}`;
      else before += `${other}:${offset},`;
    }
    return [before, after];
  }

  #write(part: string | Uint8Array): void {
    this.#wrote = true;
    if (!this.#exchange.write(part)) this.#flowing = false;
  }

  #grant(): void {
    const records = this.#owedRecords;
    const bytes = this.#owedBytes;
    if (records === 0) return;
    this.#owedRecords = 0;
    this.#owedBytes = 0;
    this.#reader.grant(records, bytes);
  }

  #fail(problem: Problem): void {
    this.#close();
    if (!this.#exchange.streaming) return this.#exchange.fail(problem);
    this.#exchange.end(`event: error\ndata: ${problemText(problem)}\n\n`);
  }

  #close(): void {
    this.#reader.close();
    this.#streams.ended(this);
  }
}

const stopping = problemOf(ErrorCode.BROKER_NOT_AVAILABLE, 'The broker stops.');

/** What the reader spent on the records, as it counts. */
function bytesOf(block: RecordBlock, from: number, to: number): number {
  let bytes = 0;
  for (let i = from; i < to; i++) bytes += block.costBytesAt(i);
  return bytes;
}
