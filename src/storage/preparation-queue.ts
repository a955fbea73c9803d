/**
 * The batches of one store that are prepared elsewhere (`batch-preparer.ts`): one after the other, in the order in which they
 * came. I/O thread, one per store.
 *
 *   prepare ─► waits ─► with the preparer ─► prepared, kept here ─► appended: end
 *                 └─── giveUp, close ───┴─► refused at once
 *
 * Whoever sends batches has one here at a time, so the queue is fair and no longer than there are senders; what the batches
 * take as they came is counted and bounded by them. What prepared ones take, which may be many times as much, is counted
 * here: while it is too much, none is begun.
 */

import { ErrorCode } from '../base/error-code.ts';
import { refuse, type Refusal } from './batch-check.ts';
import {
  refusedBatch,
  type BatchPreparer,
  type PreparationOutcome,
  type PreparationTask,
  type PreparedBatch,
} from './batch-preparer.ts';
import type { InlineBounds } from './inline-bounds.ts';
import type { LogConfig } from './log-config.ts';

/** While prepared batches that are not appended yet take more than this, no other is begun: one may be as large as the store takes. */
const mostKeptBytes = 32 * 1024 * 1024;

/** One batch on its way. */
export interface Preparation {
  /** Never rejects. */
  readonly prepared: Promise<PreparedBatch>;
  /** Nobody waits for it any more: where it is not prepared yet it is refused at once. */
  giveUp(): void;
  /** It was appended, or will not be: called once by whoever has it prepared, in any case. */
  end(): void;
}

interface Entry {
  readonly taskOf: () => PreparationTask;
  /** Null once it was answered. */
  answer: ((prepared: PreparedBatch) => void) | null;
  /** What it takes once it is prepared. */
  keptBytes: number;
}

export class PreparationQueue {
  readonly #preparer: BatchPreparer;
  readonly #waiting = new Set<Entry>();
  /** The one that is with the preparer. */
  #current: Entry | null = null;
  #keptBytes = 0;
  #isClosed = false;

  constructor(preparer: BatchPreparer) {
    this.#preparer = preparer;
  }

  get bounds(): InlineBounds {
    return this.#preparer.bounds;
  }

  /** Batches whose turn has not come. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** What prepared batches take that are not appended yet. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Has a batch prepared as `taskOf` says once it is its turn. */
  prepare(taskOf: () => PreparationTask): Preparation {
    const entry: Entry = { taskOf, answer: null, keptBytes: 0 };
    const prepared = new Promise<PreparedBatch>((resolve) => (entry.answer = resolve));
    if (this.#isClosed) answerUnseen(entry, closed);
    else {
      this.#waiting.add(entry);
      this.#begin();
    }
    return { prepared, giveUp: () => this.#giveUp(entry, unwanted), end: () => this.#end(entry) };
  }

  /** Refuses all that is not prepared, at once, and all that comes. Resolves as `BatchPreparer.close`. */
  close(): Promise<void> {
    this.#isClosed = true;
    for (const entry of [...this.#waiting]) this.#giveUp(entry, closed);
    if (this.#current !== null) this.#giveUp(this.#current, closed);
    return this.#preparer.close();
  }

  #giveUp(entry: Entry, refusal: Refusal): void {
    this.#waiting.delete(entry);
    answerUnseen(entry, refusal);
  }

  #end(entry: Entry): void {
    this.#giveUp(entry, unwanted);
    this.#keptBytes -= entry.keptBytes;
    entry.keptBytes = 0;
    this.#begin();
  }

  #begin(): void {
    if (this.#current !== null || this.#keptBytes > mostKeptBytes) return;
    const [entry] = this.#waiting;
    if (entry === undefined) return;
    this.#waiting.delete(entry);
    this.#current = entry;
    const task = entry.taskOf();
    void this.#preparer.prepare(task).then((outcome) => this.#made(entry, outcome, task.config));
  }

  #made(entry: Entry, outcome: PreparationOutcome, config: LogConfig): void {
    this.#current = null;
    if (entry.answer !== null) {
      entry.keptBytes = outcome.bytes.length;
      this.#keptBytes += entry.keptBytes;
      answer(entry, { ...outcome, config });
    }
    this.#begin();
  }
}

function answer(entry: Entry, prepared: PreparedBatch): void {
  entry.answer?.(prepared);
  entry.answer = null;
}

function answerUnseen(entry: Entry, refusal: Refusal): void {
  answer(entry, { ...refusedBatch(refusal), config: null });
}

const closed: Refusal = refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER, 'The partition is being closed.');
const unwanted: Refusal = refuse(ErrorCode.REQUEST_TIMED_OUT, 'Nobody waits for the batch any more.');
