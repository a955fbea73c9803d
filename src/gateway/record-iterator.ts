/**
 * Records of a topic, one after the other, for `for await` in the broker's own process. I/O thread.
 *
 *   reader ─► slices of blocks, as many as credit allows ─► next() takes a record ─► once few are left, credit again
 *
 * With a group the partitions are those that it assigns, from its position on (group-reading.ts).
 */

import { assert, present } from '../base/assert.ts';
import { ErrorCode } from '../base/error-code.ts';
import type { Offset } from '../base/numbers.ts';
import type { RecordHeader } from '../records/record-reader.ts';
import type { Serializer } from '../records/serializers.ts';
import { BrokerError } from './broker-error.ts';
import type { TopicPartition } from './group-assignment.ts';
import { GroupReading, type GroupReader } from './group-reading.ts';
import type { OffsetOf } from './group-requests.ts';
import type { RecordBlock } from './record-block.ts';
import type { RecordFeeds } from './record-feeds.ts';
import type { ReaderListener, RecordReader, StartPosition } from './record-reader.ts';
import { ensureTopic } from './topic-creation.ts';

/** A record that was read. */
export interface ConsumedRecord<K, V> {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** In milliseconds since 1970; -1 where it has none. */
  readonly timestampMs: number;
  readonly key: K | null;
  /** Null is a tombstone. */
  readonly value: V | null;
  readonly headers: readonly RecordHeader[];
}

export interface ConsumeOptions<K, V> {
  /** Default: `bytes`. */
  readonly key?: Serializer<K>;
  /** Default: `bytes`. */
  readonly value?: Serializer<V>;
  /** The consumer group that shares the topic's partitions and keeps the position; default: none. */
  readonly group?: string;
  /** Where to begin, in a group where that has no position: default `earliest`. */
  readonly from?: StartPosition;
  /** Default: all of the topic, also those that come later. */
  readonly partitions?: readonly number[];
  /** End behind what is there when the reading begins, instead of waiting for more. Not with a group. */
  readonly untilEnd?: boolean;
  /** Default `read_committed`. */
  readonly isolation?: 'read_committed' | 'read_uncommitted';
  /** Ends the reading; the loop ends without an error. */
  readonly signal?: AbortSignal;
}

interface Slice {
  readonly block: RecordBlock;
  next: number;
  readonly end: number;
}

type Waiter = { readonly resolve: () => void };

/** Records and bytes that are read ahead. */
const aheadRecords = 1000;
const aheadBytes = 1024 * 1024;
const aliveMs = 2 ** 30;

export class RecordIterator<K, V>
  implements AsyncIterableIterator<ConsumedRecord<K, V>>, AsyncDisposable, ReaderListener, GroupReader
{
  readonly #key: Serializer<K>;
  readonly #value: Serializer<V>;
  readonly #reader: RecordReader;
  readonly #slices: Slice[] = [];
  /** Where each partition ends for this reading; only with `untilEnd`. */
  readonly #ends: Map<number, Offset> | null;
  /** Partitions of which everything was told. */
  readonly #reached: Set<number> | null;
  /** Partitions that are being added. */
  #adding = 0;
  #taken = 0;
  #takenBytes = 0;
  #waiter: Waiter | null = null;
  #failure: Error | null = null;
  #ended = false;
  readonly #stops: (() => void)[] = [];
  readonly #from: StartPosition;
  readonly #group: GroupReading | null;
  /** Of the group, at the end. */
  #leaving: Promise<void> | null = null;

  constructor(feeds: RecordFeeds, topic: string, options: ConsumeOptions<K, V>, plain: Serializer<unknown>) {
    this.#key = options.key ?? (plain as Serializer<K>);
    this.#value = options.value ?? (plain as Serializer<V>);
    this.#ends = options.untilEnd === true ? new Map() : null;
    this.#reached = options.untilEnd === true ? new Set() : null;
    const { isolation, signal, partitions, from = 'earliest', group } = options;
    assert(group === undefined || (partitions ?? options.untilEnd) === undefined, 'a group says itself what is read');
    this.#from = from;
    this.#group = group === undefined ? null : new GroupReading(feeds.broker, this, group, [topic]);
    this.#reader = feeds.openReader(this, {
      creditRecords: aheadRecords,
      creditBytes: aheadBytes,
      ...(isolation === undefined ? {} : { isolation }),
    });
    if (feeds.broker.topics.topic(topic) === null) void this.#create(feeds, topic, from, partitions);
    else this.#begin(feeds, topic, from, partitions);
    if (signal !== undefined) {
      const abort = (): void => this.#end();
      signal.addEventListener('abort', abort, { once: true });
      this.#stops.push(() => signal.removeEventListener('abort', abort));
      if (signal.aborted) this.#end();
    }
  }

  async next(): Promise<IteratorResult<ConsumedRecord<K, V>, undefined>> {
    this.#group?.asked();
    for (;;) {
      const slice = this.#slices[0];
      if (slice !== undefined) {
        const record = this.#take(slice);
        if (record === null) continue;
        this.#group?.taken(record.topic, record.partition, record.offset);
        return { done: false, value: record };
      }
      if (this.#ended) await this.#leaving;
      if (this.#failure !== null) {
        const failure = this.#failure;
        this.#failure = null;
        throw failure;
      }
      if (this.#ended) return { done: true, value: undefined };
      if (this.#isAtEnd) this.#end();
      else await this.#wait();
    }
  }

  /** Ends the reading, as a loop does that is left. */
  async return(): Promise<IteratorResult<ConsumedRecord<K, V>, undefined>> {
    this.#end();
    await this.#leaving;
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** As `ReaderListener`. */
  records(block: RecordBlock, from: number, to: number): void {
    this.#slices.push({ block, next: from, end: to });
    this.#wake();
  }

  atEnd(_topic: string, partition: number): void {
    this.#reached?.add(partition);
    this.#wake();
  }

  failed(topic: string, partition: number, errorCode: ErrorCode, message: string): void {
    // A group moves on: a topic that was deleted may come again, and what the log does not have any more is passed over.
    if (this.#group !== null && errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) return;
    if (this.#group !== null && errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
      void this.#reader.seek(topic, partition, this.#from);
    } else this.fail(new BrokerError(errorCode, message));
  }

  closed(): void {
    this.#end();
  }

  /** As `GroupReader`. */
  begin(partitions: readonly OffsetOf[]): void {
    const added = async ({ topic, partition, offset }: OffsetOf): Promise<void> => {
      let begun = await this.#reader.add(topic, partition, offset < 0 ? this.#from : { offset });
      // The log may have lost what the group has not read.
      if (typeof begun !== 'number' && begun.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
        begun = await this.#reader.add(topic, partition, this.#from);
      }
      if (typeof begun !== 'number') this.failed(topic, partition, begun.errorCode, begun.message);
    };
    for (const each of partitions) added(each).catch((error: unknown) => this.fail(error as Error));
  }

  give(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      this.#reader.remove(topic, partition);
      for (let i = this.#slices.length - 1; i >= 0; i--) {
        const { block, next, end } = this.#slices[i]!;
        if (block.topic !== topic || block.partition !== partition) continue;
        this.#slices.splice(i, 1);
        for (let at = next; at < end; at++) this.#count(block.costBytesAt(at));
      }
    }
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#end();
  }

  async #create(feeds: RecordFeeds, topic: string, from: StartPosition, wanted?: readonly number[]): Promise<void> {
    this.#adding++;
    const problem = await ensureTopic(feeds.broker, topic, null);
    this.#adding--;
    if (this.#ended) return;
    if (problem !== null) this.fail(new BrokerError(problem.errorCode, problem.message));
    // Whatever it begins with: what came into the topic since was meant.
    else this.#begin(feeds, topic, from === 'latest' ? 'earliest' : from, wanted);
  }

  #begin(feeds: RecordFeeds, topic: string, from: StartPosition, wanted?: readonly number[]): void {
    if (this.#group === null) this.#addAll(feeds, topic, from, wanted);
    else this.#group.start();
  }

  #addAll(feeds: RecordFeeds, topic: string, from: StartPosition, wanted?: readonly number[]): void {
    const { topics } = feeds.broker;
    const { partitionCount } = present(topics.topic(topic), 'who asks has looked for the topic');
    const all = Array.from({ length: partitionCount }, (_, partition) => partition);
    for (const partition of wanted ?? all) this.#add(feeds, topic, partition, from);
    if (wanted !== undefined || this.#ends !== null) return;
    let known = partitionCount;
    const stop = topics.onGrown(({ name, partitionCount: count }) => {
      if (name !== topic) return;
      for (; known < count; known++) this.#add(feeds, topic, known, 'earliest');
    });
    this.#stops.push(stop);
  }

  #add(feeds: RecordFeeds, topic: string, partition: number, from: StartPosition): void {
    const { broker } = feeds;
    const end = broker.findPartition(broker.topics.topic(topic), partition)?.log.lastStableOffset;
    this.#adding++;
    const added = async (): Promise<void> => {
      const offset = await this.#reader.add(topic, partition, from);
      this.#adding--;
      if (typeof offset !== 'number') this.fail(new BrokerError(offset.errorCode, offset.message));
      else if (end !== undefined && offset < end) this.#ends?.set(partition, end);
      this.#wake();
    };
    added().catch((error: unknown) => this.fail(error as Error));
  }

  /** The next record of the first slice; null where the slice has none left for this reading. */
  #take(slice: Slice): ConsumedRecord<K, V> | null {
    const { block } = slice;
    const i = slice.next++;
    if (slice.next >= slice.end) this.#slices.shift();
    this.#count(block.costBytesAt(i));
    const { topic, partition } = block;
    const offset = block.offsetAt(i);
    const end = this.#ends?.get(partition);
    if (this.#ends !== null && (end === undefined || offset >= end)) return null;
    const key = block.keyAt(i);
    const value = block.valueAt(i);
    return {
      topic,
      partition,
      offset,
      timestampMs: block.timestampMsAt(i),
      key: key === null ? null : this.#key.deserialize(key),
      value: value === null ? null : this.#value.deserialize(value),
      headers: block.headerCountAt(i) === 0 ? [] : block.headersAt(i),
    };
  }

  get #isAtEnd(): boolean {
    if (this.#ends === null || this.#adding > 0) return false;
    return [...this.#ends.keys()].every((partition) => this.#reached?.has(partition));
  }

  #count(bytes: number): void {
    this.#taken++;
    this.#takenBytes += bytes;
    if (this.#taken < aheadRecords / 2 && this.#takenBytes < aheadBytes / 2 && this.#slices.length > 0) return;
    const records = this.#taken;
    const sum = this.#takenBytes;
    this.#taken = 0;
    this.#takenBytes = 0;
    this.#reader.grant(records, sum);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const stop of this.#stops) stop();
    this.#reader.close();
    this.#leaving = this.#group?.stop() ?? null;
    if (this.#failure === null) this.#slices.length = 0;
    this.#wake();
  }

  /** Waits until something changes. Somebody waits for it, so the process is kept alive, as a socket would keep it. */
  async #wait(): Promise<void> {
    const alive = setInterval(() => {}, aliveMs);
    await new Promise<void>((resolve) => (this.#waiter = { resolve }));
    clearInterval(alive);
  }

  #wake(): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve();
  }
}
