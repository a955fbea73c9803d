/**
 * The way into its log of a batch that `PartitionLog.append` has left alone because it takes long. I/O thread. Whoever sends it
 * holds back what has to stand behind it until it is there.
 *
 *   prepare ─► let in: room in the ring, and whatever else its sender asks for ─► append
 *      └───────────── the topic's settings are others by now ◄──────────────────────┘
 */

import type { AppendListener, AppendOptions, LogStore, PartitionLog } from './partition-log.ts';
import type { Preparation } from './preparation-queue.ts';

export interface LongBatch {
  readonly log: PartitionLog;
  /** A `sharedCopy`, which nobody else uses. */
  readonly records: Uint8Array<SharedArrayBuffer>;
  readonly options: AppendOptions;
  readonly listener: AppendListener;
}

/**
 * Calls `append` while the ring has room for `sizeBytes`, and resolves with what it returned; or has the listener told why not,
 * and resolves with true.
 */
export type LetIn = (sizeBytes: number, append: () => boolean) => Promise<boolean>;

export class LongAppend {
  readonly #batch: LongBatch;
  #preparation: Preparation | null = null;
  #isGivenUp = false;

  constructor(batch: LongBatch) {
    this.#batch = batch;
  }

  /** Resolves once the log has the batch, or has told the listener why it does not take it. Rejects for defects only. */
  async run(letIn: LetIn): Promise<void> {
    const { log, records, options, listener } = this.#batch;
    for (let isDone = false; !isDone;) {
      const preparation = log.prepare(records, options);
      this.#preparation = preparation;
      if (this.#isGivenUp) preparation.giveUp();
      try {
        const prepared = await preparation.prepared;
        const append = (): boolean => log.appendPrepared(prepared, options, listener);
        isDone = 'errorCode' in prepared.outcome ? append() : await letIn(prepared.bytes.length, append);
      } finally {
        preparation.end();
      }
    }
  }

  /** Nobody waits for it any more: it is refused, unless it is prepared already. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#preparation?.giveUp();
  }
}

/**
 * Resolves with what `act` returned, once the ring had room for `sizeBytes`. What it throws it rejects with: whoever made the room
 * is not to blame.
 */
export function onceThereIsRoom<T>(store: Pick<LogStore, 'whenRoom'>, sizeBytes: number, act: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    store.whenRoom(sizeBytes, () => {
      try {
        resolve(act());
      } catch (error) {
        reject(error as Error);
      }
    });
  });
}
