/**
 * Lets others come between the batches of one Produce whose checking takes long: a few kilobytes of compressed nothing
 * each can make it seconds. I/O thread.
 *
 *   append, append, … ─┬─ the turn is over ──────────▶ the rest is copied ─▶ the connection waits ─▶ append, … ─▶ it goes on
 *                      └─ one takes long by itself ──▶ it, too ────────────▶ it is prepared elsewhere ──┘
 *
 * The order stays: nothing more of the connection is served before its last batch is appended. What a request takes is
 * not bounded here, only how long it holds up the others at a time: a busy processor makes it slow, and refuses nothing.
 */

import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { sharedCopy } from '../storage/batch-preparer.ts';
import type { AppendListener, AppendOptions, LogStore, PartitionLog } from '../storage/partition-log.ts';
import type { ConnectionContext } from './request-context.ts';

/** How long the batches of one request may take the thread at a time. */
const turnMs = 20;
/** What all batches together may take that wait for their turn. */
const maxHeldBytes = 64 * 1024 * 1024;
/** What those of one request may take beside the first of them, so that others have room as well. */
const maxHeldBytesEach = maxHeldBytes / 4;
/** What the ring spends on each batch beyond its bytes, at most: it aligns them. */
export const alignmentBytes = 8;

/** What it needs of the broker. */
export interface ProduceTurnsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: Pick<LogStore, 'whenRoom'>;
}

interface HeldBatch {
  readonly log: PartitionLog;
  readonly records: Uint8Array<SharedArrayBuffer>;
  readonly options: AppendOptions;
  readonly listener: AppendListener;
}

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
  /** Those that wait, in order; null where none do. */
  #held: HeldBatch[] | null = null;
  #heldBytes = 0;

  constructor(turns: ProduceTurns, connection: ConnectionContext) {
    this.#turns = turns;
    this.connection = connection;
    this.#endMs = this.#nowMs + turnMs;
  }

  /**
   * Appends a batch for which the ring has room, or keeps a copy of it for later. False where too much is kept already, so
   * that it has to come again.
   */
  append(log: PartitionLog, records: Uint8Array, options: AppendOptions, listener: AppendListener): boolean {
    const isInTime = this.#held === null && this.#nowMs <= this.#endMs;
    if (isInTime && log.append(records, options, listener)) return true;
    const { length } = records;
    const isTooMuch = this.#held !== null && this.#heldBytes + length > maxHeldBytesEach;
    if (isTooMuch || this.#turns.heldBytes + length > maxHeldBytes) return false;
    this.#hold(length);
    const batch = { log, records: sharedCopy(records), options, listener };
    if (this.#held !== null) this.#held.push(batch);
    else {
      this.#held = [batch];
      void this.#goOn(this.#held, isInTime);
    }
    return true;
  }

  /** Appends what is held, while the connection waits. `isLong` says that the first of it takes long. */
  async #goOn(held: HeldBatch[], isLong: boolean): Promise<void> {
    const unmute = this.connection.mute();
    try {
      if (!isLong) await this.#nextTurn();
      let isFirstLong = isLong;
      for (let batch = held[0]; batch !== undefined; batch = held[0]) {
        if (this.#nowMs > this.#endMs) await this.#nextTurn();
        // Nobody hears of the rest.
        if (!this.connection.open) break;
        await this.#append(batch, isFirstLong);
        isFirstLong = false;
        held.shift();
        this.#hold(-batch.records.length);
      }
    } catch (error) {
      const { id } = this.connection;
      this.#turns.options.logger.error({ connection: id, error }, 'A batch could not be appended, by a defect.');
      this.connection.drop('a batch could not be appended');
    } finally {
      for (const { records } of held) this.#hold(-records.length);
      this.#held = null;
      unmute();
    }
  }

  async #append({ log, records, options, listener }: HeldBatch, isLong: boolean): Promise<void> {
    const { length } = records;
    if (!isLong && (await this.#onceThereIsRoom(length, () => log.append(records, options, listener)))) return;
    const prepared = await log.prepare(records, options, () => this.connection.open);
    this.#endMs = this.#nowMs + turnMs;
    await this.#onceThereIsRoom(prepared.bytes.length, () => log.appendPrepared(prepared, options, listener));
  }

  #hold(byBytes: number): void {
    this.#heldBytes += byBytes;
    this.#turns.heldBytes += byBytes;
  }

  #onceThereIsRoom<T>(sizeBytes: number, append: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#turns.options.store.whenRoom(sizeBytes + alignmentBytes, () => {
        try {
          resolve(append());
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#turns.options.clock.setTimer(0, () => {
        this.#endMs = this.#nowMs + turnMs;
        resolve();
      });
    });
  }

  get #nowMs(): number {
    return this.#turns.options.clock.monotonicMs();
  }
}
