/**
 * Lets others come between the batches of one Produce whose checking takes long: a few kilobytes of compressed nothing
 * each can make it seconds. I/O thread.
 *
 *   append, append, … ─┬─ the turn is over ────────▶ the rest is copied ─▶ the connection waits ─▶ append, … ─▶ it goes on
 *                      └─ one takes long in itself ─▶ it, too ──────────▶ it is prepared elsewhere ──┘
 *
 * The order stays: nothing more of the connection is served before its last batch is appended. How long a request takes is
 * not bounded here, only how long it holds up the others at a time: a busy processor makes it slow, and refuses nothing.
 * What waits is bounded, of one request and of all, and so is how many have a batch prepared. A connection that ends gives its
 * own back at once.
 */

import type { Clock } from '../base/clock.ts';
import { ErrorCode } from '../base/error-code.ts';
import type { Logger } from '../base/logger.ts';
import { noOffset } from '../base/numbers.ts';
import { sharedCopy } from '../storage/batch-preparer.ts';
import { LongAppend, onceThereIsRoom } from '../storage/long-append.ts';
import type { AppendListener, AppendOptions, AppendResult, LogStore, PartitionLog } from '../storage/partition-log.ts';
import type { ConnectionContext } from './request-context.ts';

/** How long the batches of one request may take the thread at a time. */
const turnMs = 20;
/** What all batches together may take that wait for their turn. */
const maxHeldBytes = 64 * 1024 * 1024;
/** What those of one request may take beside the first of them, so that others have room as well. */
const maxHeldBytesEach = maxHeldBytes / 4;
/** So many requests may have a batch prepared at a time, each one of its own. They come in turn: the next waits for all of them. */
const maxLongAtOnce = 256;
/** What the ring spends on each batch beyond its bytes, at most: it aligns them. */
export const alignmentBytes = 8;

/** What those hear of whose batches nothing becomes, because their connection ended. */
const givenUp: AppendResult = {
  errorCode: ErrorCode.REQUEST_TIMED_OUT,
  baseOffset: noOffset,
  logAppendTimeMs: -1,
  logStartOffset: noOffset,
  errorMessage: 'The connection ended before the batch was appended.',
  recordErrors: [],
};

/** What it needs of the broker. */
export interface ProduceTurnsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: Pick<LogStore, 'whenRoom'>;
}

/** A batch that comes later. */
interface HeldBatch {
  readonly log: PartitionLog;
  /** A `sharedCopy`. */
  readonly records: Uint8Array<SharedArrayBuffer>;
  readonly options: AppendOptions;
  readonly listener: AppendListener;
  readonly mayAppend: LateCheck;
}

/** Asked right before a batch is appended: false where it was refused instead, as it may not be any more. Null: nothing to ask. */
export type LateCheck = (() => boolean) | null;

/** One for all connections. */
export class ProduceTurns {
  readonly options: ProduceTurnsOptions;
  /** What batches of all requests take that wait. */
  heldBytes = 0;
  /** Batches that are prepared elsewhere, or wait for that; of each request one at a time. */
  longCount = 0;

  constructor(options: ProduceTurnsOptions) {
    this.options = options;
  }

  /** Begins a request's first turn. */
  begin(connection: ConnectionContext): ProduceTurn {
    return new ProduceTurn(this, connection);
  }
}

/** The turns of one request. */
export class ProduceTurn {
  readonly connection: ConnectionContext;
  readonly #turns: ProduceTurns;
  #endMs: number;
  /** Those from `#next` on wait; null while none does. */
  #held: HeldBatch[] | null = null;
  #next = 0;
  /** What this request counts in `heldBytes`. */
  #heldBytes = 0;
  /** The next of them, while it is prepared. */
  #long: LongAppend | null = null;
  /** The log is being given a batch: whoever hears of that may end the connection. */
  #isAppending = false;
  /** Logs that a batch was refused for because too much waits: what comes behind it there would come before it. */
  #refused: Set<PartitionLog> | null = null;
  /** Ends what it asks of the connection while batches wait. */
  #letGo: (() => void) | null = null;
  /** Called once none waits any more. */
  #whenDone: (() => void)[] = [];

  constructor(turns: ProduceTurns, connection: ConnectionContext) {
    this.connection = connection;
    this.#turns = turns;
    this.#endMs = turns.options.clock.monotonicMs() + turnMs;
  }

  /**
   * Appends a batch for which the ring has room, or keeps a copy of it for later, when `mayAppend` is asked before. False
   * where too much is kept already, so that it has to come again.
   */
  append(
    log: PartitionLog,
    records: Uint8Array,
    options: AppendOptions,
    listener: AppendListener,
    mayAppend: LateCheck = null,
  ): boolean {
    if (this.#refused?.has(log) === true) return false;
    const isFirst = this.#held === null;
    const isInTime = isFirst && this.#turns.options.clock.monotonicMs() <= this.#endMs;
    if (isInTime && log.append(records, options, listener)) return true;
    // Those behind others that wait are not long yet.
    if (!this.#mayHold(records.length) || (isInTime && this.#turns.longCount >= maxLongAtOnce)) {
      this.#refused ??= new Set();
      this.#refused.add(log);
      return false;
    }
    this.#turns.heldBytes += records.length;
    this.#heldBytes += records.length;
    const batch = { log, records: sharedCopy(records), options, listener, mayAppend };
    this.#hold([batch]);
    if (isInTime) this.#prepare(batch);
    else if (isFirst) this.#endTurn();
    return true;
  }

  #mayHold(sizeBytes: number): boolean {
    const isTooMuch = this.#held !== null && this.#heldBytes + sizeBytes > maxHeldBytesEach;
    return !isTooMuch && this.#turns.heldBytes + sizeBytes <= maxHeldBytes;
  }

  /**
   * Appends batches that the caller has kept and counts, beginning now, as soon as the ring has room for each. `done` is
   * called once none of them waits any more.
   */
  appendKept(batches: readonly HeldBatch[], done: () => void): void {
    this.#whenDone.push(done);
    const isFirst = this.#held === null;
    this.#hold(batches);
    if (!isFirst) return;
    this.#endMs = this.#turns.options.clock.monotonicMs() + turnMs;
    this.#orEnd(() => this.#continue());
  }

  #hold(batches: readonly HeldBatch[]): void {
    if (this.#held === null) {
      this.#held = [];
      const unmute = this.connection.mute();
      const stopListening = this.connection.onClose(() => this.#connectionEnded());
      this.#letGo = () => {
        stopListening();
        unmute();
      };
    }
    for (const batch of batches) this.#held.push(batch);
  }

  /** What waits is not kept any longer, but while somebody is at it, who goes on with that. */
  #connectionEnded(): void {
    if (this.#long !== null) this.#long.giveUp();
    else if (!this.#isAppending) this.#finish();
  }

  #endTurn(): void {
    const { clock } = this.#turns.options;
    clock.setTimer(0, () => {
      this.#endMs = clock.monotonicMs() + turnMs;
      this.#orEnd(() => this.#continue());
    });
  }

  /** Does a part of the work; after a defect in it the connection ends, and nobody waits for what never comes. */
  #orEnd(work: () => void): void {
    try {
      work();
    } catch (error) {
      const { id } = this.connection;
      this.#turns.options.logger.error({ connection: id, error }, 'A batch could not be appended, by a defect.');
      this.connection.drop('a batch could not be appended');
      this.#finish();
    }
  }

  #continue(): void {
    const { clock, store } = this.#turns.options;
    const held = this.#held;
    if (held === null) return;
    while (this.#next < held.length) {
      // Nobody hears of the rest.
      if (!this.connection.open) return this.#finish();
      if (clock.monotonicMs() > this.#endMs) return this.#endTurn();
      const batch = held[this.#next]!;
      let isLate = false;
      let isLong = false;
      const isAtOnce = store.whenRoom(batch.records.length + alignmentBytes, () => {
        // Meanwhile the connection may have ended: nothing is kept for it, nor here.
        if (this.#held !== held) return;
        const next = held[this.#next]!;
        if (!isLate) isLong = !this.#append(next);
        else this.#orEnd(() => (this.#append(next) ? this.#endTurn() : this.#prepare(next)));
      });
      isLate = true;
      if (!isAtOnce) return;
      if (isLong) return this.#prepare(batch);
    }
    this.#finish();
  }

  /** Whether the next batch is done with; else it takes long. */
  #append({ log, records, options, listener, mayAppend }: HeldBatch): boolean {
    this.#isAppending = true;
    try {
      const isDone = (mayAppend !== null && !mayAppend()) || log.append(records, options, listener);
      if (isDone) this.#next++;
      return isDone;
    } finally {
      this.#isAppending = false;
    }
  }

  /** Has the next batch prepared elsewhere and appended, and goes on. */
  #prepare({ log, records, options, listener, mayAppend }: HeldBatch): void {
    const { clock, store } = this.#turns.options;
    const long = new LongAppend({ log, records, options, listener });
    const letIn = (sizeBytes: number, append: () => boolean): Promise<boolean> =>
      onceThereIsRoom(store, sizeBytes + alignmentBytes, () => (mayAppend !== null && !mayAppend()) || append());
    const ended = (): void => {
      this.#long = null;
      this.#turns.longCount--;
    };
    const goOn = (): void => {
      ended();
      this.#next++;
      this.#endMs = clock.monotonicMs() + turnMs;
      this.#continue();
    };
    const fail = (error: unknown): void => {
      ended();
      throw error;
    };
    this.#long = long;
    this.#turns.longCount++;
    // Those who heard of the batch before it may have ended the connection.
    if (!this.connection.open) long.giveUp();
    long.run(letIn).then(
      () => this.#orEnd(goOn),
      (error: unknown) => this.#orEnd(() => fail(error)),
    );
  }

  /** Keeps nothing more, and tells those whose batches are not appended; the connection goes on. */
  #finish(): void {
    if (this.#held === null) return;
    const rest = this.#held.slice(this.#next);
    this.#held.length = 0;
    this.#held = null;
    this.#next = 0;
    this.#turns.heldBytes -= this.#heldBytes;
    this.#heldBytes = 0;
    for (const { listener } of rest) listener(givenUp);
    for (const done of this.#whenDone.splice(0)) done();
    this.#letGo?.();
    this.#letGo = null;
  }
}
