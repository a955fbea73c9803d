/**
 * One sender's records on their way to the log: numbered as they are handed in, and told of in that order. I/O thread;
 * nothing is allocated per record.
 *
 *   told │ run │ run │ run │ …        a run: consecutive records in one batch, or one record that waits or failed
 *        └ first ordinal              ordinals count the records of the stream from 0
 *
 * It does not encode nor append (record-publisher.ts).
 */

import type { Timer } from '../base/clock.ts';
import { ErrorCode } from '../base/error-code.ts';
import type { Offset } from '../base/numbers.ts';
import type { RecordHeader } from '../records/record-reader.ts';
import type { Durability } from '../storage/partition-log.ts';
import type { Caller } from './caller.ts';
import type { NamedProducer } from './named-producers.ts';
import type { PublishOutcome } from './publish-outcome.ts';
import type { PublishLane } from './publish-lane.ts';
import type { PublishTarget } from './publish-target.ts';

/** Hears what became of a stream's records. Called between the turns that handed them in, never from within `publish`. */
export interface PublishListener {
  /** The `count` records from `firstOrdinal` on are as durable as the stream asks, at `baseOffset` and what follows it. */
  stored(firstOrdinal: number, count: number, topic: string, partition: number, baseOffset: Offset): void;
  /**
   * The `count` records from `firstOrdinal` on were stored before, as durably as the stream asks, at `baseOffset` and what
   * follows it; -1 where that is not known any more. Where it is left out `stored` is called instead.
   */
  duplicate?(firstOrdinal: number, count: number, topic: string, partition: number, baseOffset: Offset): void;
  /** The `count` records from `firstOrdinal` on were not stored, all for the same reason, which `message` says in a sentence. */
  failed(firstOrdinal: number, count: number, errorCode: ErrorCode, message: string): void;
  /** Follows the calls above, once for many: of every record before `endOrdinal` was told what became of it. */
  settled?(endOrdinal: number): void;
  /** After `publish` returned false: now there is room again. */
  resumed?(): void;
  /** One of the calls above threw. The stream is closed, and nothing is told any more: whoever waits for it is to be sent away. */
  broken?(): void;
}

/** One record on its way in. */
export interface RecordFields {
  /** -1: chosen by the key, or by the producer's name. */
  partition: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  /** The part of `value` that counts. */
  valueStart: number;
  valueEnd: number;
  /** -1: now. */
  timestampMs: number;
  headers: readonly RecordHeader[] | null;
  producer: NamedProducer | null;
  /** As `PublishStream.publishNamed`. */
  number: number;
  previousNumber: number | null;
}

/** As `RecordPublisher.openStream` takes it. */
export interface StreamSettings {
  readonly durability: Durability;
  readonly maxWaitingBytes: number;
  readonly caller: Caller | null;
}

/** A record that no run of its stream waits for. */
export const noRun = -1;

/** What a stream asks of the publisher. */
export interface StreamOwner {
  /** Takes a record; `fields` are the caller's again afterwards. */
  take(stream: PublishStream, target: PublishTarget, fields: RecordFields): void;
  /**
   * As `take`, of a record that is nothing but the value `[start, end)` of `bytes`, where it follows the stream's record
   * before it in the same batch; else false.
   */
  takeNext(
    stream: PublishStream,
    target: PublishTarget,
    partition: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean;
  /** Whether so much waits already that streams should hand in no more. */
  readonly crowded: boolean;
  /** Calls `stream.tell` soon. */
  tellSoon(stream: PublishStream): void;
  /** Calls `stream.roomAgain` once it is not crowded any more. */
  wakeLater(stream: PublishStream): void;
}

const firstCapacity = 4;
/** What a record counts for beside its bytes; and one that has an outcome of its own, with a sentence. */
const recordCostBytes = 16;
const ownOutcomeCostBytes = 400;
/** Serves all streams: the publisher takes from it what it keeps. */
const fields: RecordFields = {
  partition: -1,
  key: null,
  value: null,
  valueStart: 0,
  valueEnd: 0,
  timestampMs: -1,
  headers: null,
  producer: null,
  number: -1,
  previousNumber: null,
};

export class PublishStream {
  readonly durability: Durability;
  /** Who sends; null where nobody asks. */
  readonly caller: Caller | null;
  readonly #owner: StreamOwner;
  readonly #listener: PublishListener;
  readonly #maxWaitingBytes: number;
  // The runs, in rings: a run's number modulo the capacity is its place.
  #outcomes: (PublishOutcome | null)[] = [];
  #deltas = new Int32Array(firstCapacity);
  #counts = new Int32Array(firstCapacity);
  #sizes = new Float64Array(firstCapacity);
  #firstRun = 0;
  #endRun = 0;
  #toldOrdinal = 0;
  /** What came since its client was charged. */
  #unchargedBytes = 0;
  /** Runs while its client is above its quota. */
  #hold: Timer | null = null;
  #endOrdinal = 0;
  #waitingBytes = 0;
  #blocked = false;
  #closed = false;
  /** Whether the publisher has it among those that are told soon. */
  telling = false;
  /** Publisher: where the record that was handed in last went; null where it went nowhere, or is a named producer's. */
  lane: PublishLane | null = null;

  constructor(owner: StreamOwner, listener: PublishListener, { durability, maxWaitingBytes, caller }: StreamSettings) {
    this.#owner = owner;
    this.#listener = listener;
    this.durability = durability;
    this.#maxWaitingBytes = maxWaitingBytes;
    this.caller = caller;
  }

  /** The ordinal that the next record gets; as many were handed in. */
  get endOrdinal(): number {
    return this.#endOrdinal;
  }

  /** Records that were handed in and not told of yet. */
  get waitingCount(): number {
    return this.#endOrdinal - this.#toldOrdinal;
  }

  /** Their bytes, with what each costs beside. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Whether it waits for `resumed`. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Whether so much of it waits that records are refused: its sender did not stop when it was told to. */
  get overfull(): boolean {
    return this.#waitingBytes > 4 * this.#maxWaitingBytes;
  }

  /**
   * Hands in one record, whose bytes are copied. `partition` -1 leaves the choice: by the key as Kafka's Java client
   * places it, else one partition after the other, a turn of the event loop each. `timestampMs` -1 is now.
   * The record is taken in any case; false asks to hand in no more until `resumed`. Whoever goes on all the same gets
   * THROTTLING_QUOTA_EXCEEDED for what exceeds four times the stream's bound.
   */
  publish(
    target: PublishTarget,
    partition: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    timestampMs = -1,
    headers: readonly RecordHeader[] | null = null,
  ): boolean {
    this.#fill(partition, key, value, timestampMs, headers);
    this.#owner.take(this, target, fields);
    return this.#mayGoOn();
  }

  /** As `publish`, of a value that is `[start, end)` of `bytes`, with neither key nor headers, timed now. */
  publishSlice(target: PublishTarget, partition: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.#owner.takeNext(this, target, partition, bytes, start, end)) {
      this.#fill(partition, null, bytes, -1, null);
      fields.valueStart = start;
      fields.valueEnd = end;
      this.#owner.take(this, target, fields);
    }
    return this.#mayGoOn();
  }

  /**
   * As `publish`, of the record with `number` of `producer`, which is stored once: see `named-producers.ts`. `partition` -1
   * is the one that the name fixes. `previousNumber` is the number that the producer takes for the last one stored, -1
   * for none, where it says so; null where it does not.
   */
  publishNamed(
    producer: NamedProducer,
    number: number,
    previousNumber: number | null,
    target: PublishTarget,
    partition: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    timestampMs = -1,
    headers: readonly RecordHeader[] | null = null,
  ): boolean {
    this.#fill(partition, key, value, timestampMs, headers);
    fields.producer = producer;
    fields.number = number;
    fields.previousNumber = previousNumber;
    this.#owner.take(this, target, fields);
    return this.#mayGoOn();
  }

  /** Nothing is told from here on; what was handed in goes its way. */
  close(): void {
    this.#closed = true;
    this.#hold?.cancel();
    this.#charge();
    this.lane = null;
    this.#outcomes = [];
    this.#firstRun = this.#endRun;
    this.#waitingBytes = 0;
  }

  /**
   * Publisher: the next record is the one `delta` records after the first of `outcome`, which others share unless
   * `mayJoin` is false; returns its run's number.
   */
  took(outcome: PublishOutcome, delta: number, sizeBytes: number, mayJoin = true): number {
    this.lane = null;
    this.#unchargedBytes += sizeBytes;
    const costBytes = sizeBytes + (mayJoin ? recordCostBytes : ownOutcomeCostBytes);
    this.#waitingBytes += costBytes;
    this.#endOrdinal++;
    const mask = this.#counts.length - 1;
    if (mayJoin && this.#endRun > this.#firstRun) {
      const last = (this.#endRun - 1) & mask;
      if (this.#outcomes[last] === outcome && delta === this.#deltas[last]! + this.#counts[last]!) {
        this.#counts[last]!++;
        this.#sizes[last]! += costBytes;
        return this.#endRun - 1;
      }
    }
    if (this.#endRun - this.#firstRun > mask) this.#grow();
    const place = this.#endRun & (this.#counts.length - 1);
    this.#outcomes[place] = outcome;
    this.#deltas[place] = delta;
    this.#counts[place] = 1;
    this.#sizes[place] = costBytes;
    return this.#endRun++;
  }

  /** Publisher: the next record follows the one before it in the same batch. */
  tookNext(sizeBytes: number): void {
    const costBytes = sizeBytes + recordCostBytes;
    const last = (this.#endRun - 1) & (this.#counts.length - 1);
    this.#unchargedBytes += sizeBytes;
    this.#waitingBytes += costBytes;
    this.#endOrdinal++;
    this.#counts[last]!++;
    this.#sizes[last]! += costBytes;
  }

  /** Publisher: the only record of run `run` came into a batch after all. */
  moved(run: number, outcome: PublishOutcome, delta: number): void {
    if (this.#closed) return;
    const place = run & (this.#counts.length - 1);
    this.#outcomes[place] = outcome;
    this.#deltas[place] = delta;
  }

  /** Publisher: a call of the listener threw. */
  break(): void {
    this.close();
    this.#listener.broken?.();
  }

  /** Publisher: tells of everything up to the first record of which nothing is known yet. */
  tell(): void {
    this.telling = false;
    if (this.#closed || this.#isHeld()) return;
    const before = this.#toldOrdinal;
    while (this.#firstRun < this.#endRun) {
      const place = this.#firstRun & (this.#counts.length - 1);
      const outcome = this.#outcomes[place]!;
      if (!outcome.settled) break;
      const count = this.#counts[place]!;
      const first = this.#toldOrdinal;
      this.#outcomes[place] = null;
      this.#waitingBytes -= this.#sizes[place]!;
      this.#firstRun++;
      this.#toldOrdinal += count;
      if (outcome.errorCode === ErrorCode.NONE) {
        const baseOffset = (outcome.baseOffset + this.#deltas[place]!) as Offset;
        const { topic, partition } = outcome;
        if (outcome.wasStored && this.#listener.duplicate !== undefined) {
          this.#listener.duplicate(first, count, topic, partition, baseOffset);
        } else this.#listener.stored(first, count, topic, partition, baseOffset);
      } else this.#listener.failed(first, count, outcome.errorCode, outcome.message ?? '');
      // A listener may close the stream.
      if (this.#closed) return;
    }
    this.#charge();
    if (this.#toldOrdinal > before) this.#listener.settled?.(this.#toldOrdinal);
    this.roomAgain();
  }

  /** Publisher: there may be room again. */
  roomAgain(): void {
    if (this.#closed || this.#isHeld()) return;
    if (!this.#blocked || this.#waitingBytes > this.#maxWaitingBytes / 2) return;
    if (this.#owner.crowded) return this.#owner.wakeLater(this);
    this.#blocked = false;
    this.#listener.resumed?.();
  }

  #fill(
    partition: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    timestampMs: number,
    headers: readonly RecordHeader[] | null,
  ): void {
    fields.partition = partition;
    fields.key = key;
    fields.value = value;
    fields.valueStart = 0;
    fields.valueEnd = value === null ? 0 : value.length;
    fields.timestampMs = timestampMs;
    fields.headers = headers;
    fields.producer = null;
    fields.number = -1;
    fields.previousNumber = null;
  }

  #charge(): void {
    this.caller?.charge('producer_byte_rate', this.#unchargedBytes);
    this.#unchargedBytes = 0;
  }

  /** Whether its client is above its quota: nothing is told then, nor more asked for, until a timer looks again. */
  #isHeld(): boolean {
    if (this.#hold !== null) return true;
    const { caller } = this;
    const heldMs = caller === null ? 0 : caller.heldMs('producer_byte_rate');
    if (caller === null || heldMs === 0) return false;
    this.#hold = caller.clock.setTimer(heldMs, () => {
      this.#hold = null;
      this.#owner.tellSoon(this);
    });
    return true;
  }

  #mayGoOn(): boolean {
    if (this.#blocked) return false;
    if (this.#hold !== null) {
      this.#blocked = true;
      return false;
    }
    const crowded = this.#owner.crowded;
    if (!crowded && this.#waitingBytes <= this.#maxWaitingBytes) return true;
    this.#blocked = true;
    if (crowded) this.#owner.wakeLater(this);
    return false;
  }

  #grow(): void {
    const before = this.#counts.length;
    const outcomes: (PublishOutcome | null)[] = [];
    const deltas = new Int32Array(before * 2);
    const counts = new Int32Array(before * 2);
    const sizes = new Float64Array(before * 2);
    for (let run = this.#firstRun; run < this.#endRun; run++) {
      const from = run & (before - 1);
      const to = run & (before * 2 - 1);
      outcomes[to] = this.#outcomes[from]!;
      deltas[to] = this.#deltas[from]!;
      counts[to] = this.#counts[from]!;
      sizes[to] = this.#sizes[from]!;
    }
    for (let i = 0; i < before * 2; i++) outcomes[i] ??= null;
    this.#outcomes = outcomes;
    this.#deltas = deltas;
    this.#counts = counts;
    this.#sizes = sizes;
  }
}
