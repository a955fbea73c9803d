/**
 * A reader of any number of partitions that is told of their records as they come, as many as it has credit for.
 * I/O thread.
 *
 *   position of each partition ─► PartitionFeed.read ─► block, shared by all readers ─► listener.records(block, from, to)
 *          ▲                             │ nothing yet: waits at the feed                       │
 *          └──────────── moves on ◄──────┴──────────────────────────────────────────────────────┘ takes credit
 *
 * Partitions take turns, a block each, and other readers and doors have theirs between them. It does not follow topics
 * (who wants new partitions adds them) nor know groups; a position that cannot be read stops its partition alone.
 */

import type { Timer } from '../base/clock.ts';
import { EnvironmentError } from '../base/environment-error.ts';
import { ErrorCode } from '../base/error-code.ts';
import { asOffset, noOffset, type Offset } from '../base/numbers.ts';
import type { Placed } from '../base/placed-list.ts';
import { AclOperation } from '../broker/authorizer.ts';
import type { Broker } from '../broker/broker.ts';
import type { IsolationLevel, PartitionLog } from '../storage/partition-log.ts';
import type { Caller } from './caller.ts';
import { isProblem, type FeedRead, type FeedWaiter, type PartitionFeed } from './partition-feed.ts';
import type { RecordBlock } from './record-block.ts';
import type { Problem } from './topic-creation.ts';

/** From where to read: an offset, the first record, what comes from now on, or the first record at or after a time. */
export type StartPosition = 'earliest' | 'latest' | { readonly offset: number } | { readonly timestampMs: number };

/** Hears of records. Called from within `grant`, `resume` and `seek` too, never from within `add`. */
export interface ReaderListener {
  /** Records `[from, to)` of `block` are the next of its partition. `block.frame` makes of them what readers share. */
  records(block: RecordBlock, from: number, to: number): void;
  /**
   * The partition is read no further, until `seek` or `remove`; with UNKNOWN_SERVER_ERROR also where the call above threw,
   * which is logged.
   */
  failed(topic: string, partition: number, errorCode: ErrorCode, message: string): void;
  /** All that is there of the partition was told; more will follow when it comes. */
  atEnd?(topic: string, partition: number, offset: Offset): void;
  /** The broker ends; nothing is told any more. */
  closed?(): void;
}

export interface ReaderOptions {
  readonly isolation?: IsolationLevel;
  /** Credit at the start, in records and bytes of keys and values; none unless given. */
  readonly creditRecords?: number;
  readonly creditBytes?: number;
  /** Who reads: asked for before each read, and charged with what it is told. Null, or left out: the broker's own process. */
  readonly caller?: Caller | null;
}

/** What a reader needs of its surroundings. */
export interface ReaderOwner {
  readonly broker: Broker;
  feedOf(log: PartitionLog): PartitionFeed;
  closed(reader: RecordReader): void;
}

interface ReadPartition extends FeedWaiter {
  readonly topic: string;
  readonly topicId: string;
  readonly feed: PartitionFeed;
  offset: Offset;
  state: 'ready' | 'reading' | 'atEnd' | 'failed';
  paused: boolean;
  /** What was read last came later: from files. */
  isBehind: boolean;
  removed: boolean;
  /** Counts the moves of the position that were not its own: what was read before one is not told after it. */
  moves: number;
}

export class RecordReader implements Placed {
  /** Owner: among its readers. */
  place = -1;
  readonly #owner: ReaderOwner;
  readonly #listener: ReaderListener;
  readonly #isolation: IsolationLevel;
  readonly #partitions = new Map<string, ReadPartition>();
  /** Partitions whose position is being looked for, each with the number of the `add` that counts. */
  readonly #additions = new Map<string, number>();
  #additionCount = 0;
  /** Those that can be read on, in turn. */
  #ready: ReadPartition[] = [];
  #creditRecords: number;
  #creditBytes: number;
  readonly #caller: Caller | null;
  /** Runs while its client is above its quota. */
  #hold: Timer | null = null;
  #pumping = false;
  #pumpScheduled = false;
  #closed = false;

  constructor(owner: ReaderOwner, listener: ReaderListener, options: ReaderOptions) {
    this.#owner = owner;
    this.#listener = listener;
    this.#isolation = options.isolation ?? 'read_committed';
    this.#creditRecords = options.creditRecords ?? 0;
    this.#creditBytes = options.creditBytes ?? 0;
    this.#caller = options.caller ?? null;
  }

  /** What may still be told before the next `grant`. A record that is larger than what is left of the bytes is told all the same. */
  get creditRecords(): number {
    return this.#creditRecords;
  }

  get creditBytes(): number {
    return this.#creditBytes;
  }

  /**
   * Begins to read a partition. Resolves with the offset at which it begins, or with what is wrong: no such partition, an
   * offset that is not in it. A partition that is read already is moved, as by `seek`.
   */
  async add(topic: string, partition: number, start: StartPosition): Promise<Offset | Problem> {
    const { broker } = this.#owner;
    const forbidden = this.#caller?.problemOf(AclOperation.READ, topic) ?? null;
    if (forbidden !== null) return forbidden;
    const found = broker.findPartition(broker.topics.topic(topic), partition);
    if (found === null) return noSuchPartition(topic, partition);
    const key = keyOf(topic, partition);
    const addition = ++this.#additionCount;
    this.#additions.set(key, addition);
    const offset = await positionOf(found.log, start, this.#isolation, broker);
    // Meanwhile it may have been removed, or added again.
    const isWanted = this.#additions.get(key) === addition;
    if (isWanted) this.#additions.delete(key);
    if (typeof offset !== 'number' || this.#closed || !isWanted) return offset;
    if (broker.topics.topic(topic)?.id !== found.topic.id) return noSuchPartition(topic, partition);
    this.remove(topic, partition);
    const feed = this.#owner.feedOf(found.log);
    feed.use();
    const added: ReadPartition = {
      place: -1,
      topic,
      topicId: found.topic.id,
      feed,
      offset,
      state: 'ready',
      paused: false,
      isBehind: false,
      removed: false,
      moves: 0,
      advanced: () => this.#makeReady(added),
    };
    this.#partitions.set(key, added);
    this.#ready.push(added);
    this.#pumpLater();
    return offset;
  }

  /** Ends the reading of a partition: nothing of it is told any more. */
  remove(topic: string, partition: number): void {
    const key = keyOf(topic, partition);
    this.#additions.delete(key);
    const removed = this.#partitions.get(key);
    if (removed === undefined) return;
    this.#partitions.delete(key);
    removed.removed = true;
    removed.feed.leave(removed);
  }

  /** The offset of the record that is told next; -1 for a partition that is not read. */
  positionOf(topic: string, partition: number): Offset {
    return this.#partitions.get(keyOf(topic, partition))?.offset ?? noOffset;
  }

  /** Moves a partition that is read; resolves as `add`. One that had failed is read again. */
  async seek(topic: string, partition: number, start: StartPosition): Promise<Offset | Problem> {
    const read = this.#partitions.get(keyOf(topic, partition));
    if (read === undefined) return noSuchPartition(topic, partition);
    const move = ++read.moves;
    const offset = await positionOf(read.feed.log, start, this.#isolation, this.#owner.broker);
    if (typeof offset !== 'number' || read.removed || read.moves !== move) return offset;
    read.offset = offset;
    read.state = 'ready';
    this.#makeReady(read);
    return offset;
  }

  /** Tells nothing of the partition until `resume`. */
  pause(topic: string, partition: number): void {
    const read = this.#partitions.get(keyOf(topic, partition));
    if (read !== undefined) read.paused = true;
  }

  resume(topic: string, partition: number): void {
    const read = this.#partitions.get(keyOf(topic, partition));
    if (read === undefined || !read.paused) return;
    read.paused = false;
    if (read.state === 'ready') this.#makeReady(read);
  }

  /** Adds to the credit; what is there is told at once. */
  grant(records: number, bytes = Infinity): void {
    this.#creditRecords += records;
    this.#creditBytes += bytes;
    this.#pump();
  }

  /** Ends all reading; nothing is told any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#hold?.cancel();
    for (const { topic, feed } of [...this.#partitions.values()]) this.remove(topic, feed.log.partition);
    this.#ready = [];
    this.#owner.closed(this);
  }

  /** Owner: the broker ends. */
  end(): void {
    if (this.#closed) return;
    this.close();
    this.#listener.closed?.();
  }

  /** Owner: a topic is gone. */
  topicDeleted(topicId: string): void {
    for (const read of [...this.#partitions.values()]) {
      if (read.topicId !== topicId) continue;
      const { topic, feed } = read;
      this.remove(topic, feed.log.partition);
      this.#tellFailure(read, noSuchPartition(topic, feed.log.partition));
    }
  }

  #makeReady(read: ReadPartition): void {
    if (read.removed || this.#closed) return;
    if (read.state === 'atEnd') read.state = 'ready';
    if (read.state !== 'ready') return;
    if (!this.#ready.includes(read)) this.#ready.push(read);
    this.#pump();
  }

  #pumpLater(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    this.#owner.broker.clock.afterTurn(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  /** Each partition that can be read gets one turn; where more is there, the next comes after the turn of the event loop. */
  #pump(): void {
    if (this.#pumping || this.#closed || this.#isHeld()) return;
    this.#pumping = true;
    const turns = this.#ready;
    this.#ready = [];
    for (let i = 0; i < turns.length; i++) {
      const read = turns[i]!;
      if (read.removed || read.paused || read.state !== 'ready') continue;
      if (!this.#mayTell) {
        this.#ready.push(...turns.slice(i));
        break;
      }
      this.#guard(read, () => this.#readOn(read));
      if (this.#closed) break;
    }
    this.#pumping = false;
    if (this.#ready.length > 0 && this.#mayTell) this.#pumpLater();
  }

  /** Whether it has credit, and its client is not above its quota. */
  get #mayTell(): boolean {
    return this.#creditRecords > 0 && this.#creditBytes > 0 && !this.#isHeld();
  }

  /** Whether its client is above its quota: nothing is told then until a timer looks again. */
  #isHeld(): boolean {
    if (this.#hold !== null) return true;
    const caller = this.#caller;
    const heldMs = caller === null ? 0 : caller.heldMs('consumer_byte_rate');
    if (caller === null || heldMs === 0) return false;
    this.#hold = caller.clock.setTimer(heldMs, () => {
      this.#hold = null;
      this.#pump();
    });
    return true;
  }

  #readOn(read: ReadPartition): void {
    const forbidden = this.#caller?.problemOf(AclOperation.READ, read.topic) ?? null;
    if (forbidden !== null) return this.#took(read, forbidden);
    const found = read.feed.read(read.offset, this.#isolation, read.isBehind);
    if (!(found instanceof Promise)) {
      read.isBehind = false;
      return this.#took(read, found);
    }
    read.isBehind = true;
    read.state = 'reading';
    const { moves } = read;
    void found.then((result) => {
      if (read.removed || this.#closed || read.moves !== moves) return;
      read.state = 'ready';
      if (read.paused || !this.#mayTell) {
        this.#ready.push(read);
        return;
      }
      this.#guard(read, () => this.#took(read, result));
      if (this.#ready.length > 0) this.#pumpLater();
    });
  }

  /** A defect in who listens costs this partition's reading, or all of this reader, and no others. */
  #guard(read: ReadPartition, step: () => void): void {
    try {
      if (this.#caller === null) step();
      else this.#caller.timed(step);
    } catch (error) {
      const { topic, feed } = read;
      const { partition } = feed.log;
      this.#owner.broker.logger.error({ topic, partition, error }, 'Records could not be told, by a defect.');
      read.state = 'failed';
      const message = `Partition ${partition} of ${topic} is read no further, by a defect; see the broker's log.`;
      this.#tellFailure(read, { errorCode: ErrorCode.UNKNOWN_SERVER_ERROR, message });
    }
  }

  /** Whoever cannot even hear of a failure is told nothing any more. */
  #tellFailure({ topic, feed }: ReadPartition, { errorCode, message }: Problem): void {
    const { partition } = feed.log;
    try {
      this.#listener.failed(topic, partition, errorCode, message);
    } catch (error) {
      this.#owner.broker.logger.error({ topic, partition, error }, 'A failed reading could not be told, by a defect.');
      this.close();
    }
  }

  #took(read: ReadPartition, found: FeedRead): void {
    const { topic, feed } = read;
    if (isProblem(found)) {
      read.state = 'failed';
      return this.#tellFailure(read, found);
    }
    if (found !== null) {
      const from = found.indexOf(read.offset);
      const to = this.#spend(found, from);
      read.offset = to === found.count ? found.endOffset : found.offsetAt(to);
      const { moves } = read;
      if (to > from) this.#listener.records(found, from, to);
      // The listener may have done anything.
      if (read.removed || read.moves !== moves) return;
      if (read.offset !== feed.endOffset(this.#isolation)) {
        this.#ready.push(read);
        return;
      }
    }
    read.state = 'atEnd';
    read.isBehind = false;
    feed.wait(read);
    this.#listener.atEnd?.(topic, feed.log.partition, read.offset);
  }

  /** Takes from the credit what the records from `from` on cost, and returns where it ended. */
  #spend(block: RecordBlock, from: number): number {
    const most = Math.min(block.count, from + this.#creditRecords);
    let to = from;
    let costBytes = 0;
    if (this.#creditBytes === Infinity && this.#caller?.isCharged !== true) to = most;
    else while (to < most && costBytes < this.#creditBytes) costBytes += block.costBytesAt(to++);
    this.#creditBytes -= costBytes;
    this.#creditRecords -= to - from;
    this.#caller?.charge('consumer_byte_rate', costBytes);
    return to;
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic} ${partition}`;
}

function noSuchPartition(topic: string, partition: number): Problem {
  const message = `There is no partition ${partition} of a topic ${topic}.`;
  return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message };
}

async function positionOf(
  log: PartitionLog,
  start: StartPosition,
  isolation: IsolationLevel,
  broker: Broker,
): Promise<Offset | Problem> {
  const end = isolation === 'read_committed' ? log.lastStableOffset : log.highWatermark;
  if (start === 'earliest') return log.logStartOffset;
  if (start === 'latest') return end;
  if ('offset' in start) {
    const { offset } = start;
    if (Number.isSafeInteger(offset) && offset >= log.logStartOffset && offset <= log.endOffset) {
      return asOffset(offset);
    }
    const message = `The offset ${offset} is not in partition ${log.partition} of ${log.topic}, which has ${log.logStartOffset} to ${end}.`;
    return { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, message };
  }
  try {
    const found = await log.offsetForTimestamp(start.timestampMs);
    return found === null || found.offset > end ? end : found.offset;
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    const { topic, partition } = log;
    broker.logger.error({ topic, partition, error }, 'An offset could not be looked for by time.');
    const message = `Partition ${partition} of ${topic} cannot be searched by time; see the broker's log.`;
    return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, message };
  }
}
