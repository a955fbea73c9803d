/**
 * Lets others come between the batches of one Produce whose checking takes long: a few kilobytes of compressed nothing
 * each can make it seconds. I/O thread.
 *
 *   append, append, … ─ the turn is over ─▶ the rest is copied ─▶ the connection waits ─▶ append, … ─▶ it goes on
 *
 * The order stays: nothing more of the connection is served before its last batch is appended. What a request takes is
 * not bounded here, only how long it holds up the others at a time: a busy processor makes it slow, and refuses nothing.
 */

import type { Clock } from '../base/clock.ts';
import { ErrorCode } from '../base/error-code.ts';
import type { Logger } from '../base/logger.ts';
import { noOffset } from '../base/numbers.ts';
import type { AppendListener, AppendOptions, AppendResult, LogStore, PartitionLog } from '../storage/partition-log.ts';
import type { ConnectionContext } from './request-context.ts';

/** How long the batches of one request may take the thread at a time. */
const turnMs = 100;
/** What all batches together may take that wait for the next turn of their request. */
const maxHeldBytes = 64 * 1024 * 1024;
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
  /** Memory of its own. */
  readonly records: Uint8Array;
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
  #unmute: (() => void) | null = null;
  /** Called once none waits any more. */
  #whenDone: (() => void)[] = [];

  constructor(turns: ProduceTurns, connection: ConnectionContext) {
    this.connection = connection;
    this.#turns = turns;
    this.#endMs = turns.options.clock.monotonicMs() + turnMs;
  }

  /**
   * Appends a batch for which the ring has room, or keeps a copy of it for a later turn, in which `mayAppend` is asked before.
   * False where too much is kept already, so that it has to come again.
   */
  append(
    log: PartitionLog,
    records: Uint8Array,
    options: AppendOptions,
    listener: AppendListener,
    mayAppend: LateCheck = null,
  ): boolean {
    const { clock } = this.#turns.options;
    if (this.#held === null && clock.monotonicMs() <= this.#endMs) {
      log.append(records, options, listener);
      return true;
    }
    if (this.#turns.heldBytes + records.length > maxHeldBytes) return false;
    this.#turns.heldBytes += records.length;
    this.#heldBytes += records.length;
    const isFirst = this.#held === null;
    this.#hold([{ log, records: new Uint8Array(records), options, listener, mayAppend }]);
    if (isFirst) this.#endTurn();
    return true;
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
    this.#unmute ??= this.connection.mute();
    this.#held ??= [];
    for (const batch of batches) this.#held.push(batch);
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
    const held = this.#held ?? [];
    while (this.#next < held.length) {
      // Nobody hears of the rest.
      if (!this.connection.open) return this.#finish();
      if (clock.monotonicMs() > this.#endMs) return this.#endTurn();
      const batch = held[this.#next]!;
      let isLate = false;
      const isAtOnce = store.whenRoom(batch.records.length + alignmentBytes, () => {
        if (!isLate) return this.#append(batch);
        this.#orEnd(() => {
          this.#append(batch);
          this.#endTurn();
        });
      });
      isLate = true;
      if (!isAtOnce) return;
    }
    this.#finish();
  }

  #append({ log, records, options, listener, mayAppend }: HeldBatch): void {
    if (mayAppend === null || mayAppend()) log.append(records, options, listener);
    this.#next++;
  }

  /** Keeps nothing more, and tells those whose batches are not appended; the connection goes on. */
  #finish(): void {
    const rest = this.#held?.slice(this.#next) ?? [];
    this.#held = null;
    this.#next = 0;
    this.#turns.heldBytes -= this.#heldBytes;
    this.#heldBytes = 0;
    for (const { listener } of rest) listener(givenUp);
    for (const done of this.#whenDone.splice(0)) done();
    this.#unmute?.();
    this.#unmute = null;
  }
}
