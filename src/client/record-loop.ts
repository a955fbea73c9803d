/**
 * The loop over a consumer's records: partitions in which something waits take turns, and what was handed out last is being
 * processed until the next is asked for. Any thread. It does not know where records come from, nor what becomes of offsets.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { ConsumedPartition } from './consumed-partition.ts';
import { KafkaError } from './kafka-error.ts';
import { Bell } from './waiting.ts';

/** What the loop has in its hands. */
interface Processing {
  readonly partition: ConsumedPartition;
  /** The offset of its first record. */
  readonly offset: number;
}

/** Who the loop is over. */
export interface LoopOwner {
  /** Why it cannot go on; null while it can. */
  readonly failure: Error | null;
  readonly isEnding: boolean;
  /** A loop begins. */
  begins(): void;
  /** What was handed out left room for more. */
  roomier(): void;
  /** A record could not be handed out, and stays the next one. */
  stuck(): void;
}

/** So many records of one partition are handed out before another has its turn. */
const longestTurn = 500;

export class RecordLoop {
  readonly #owner: LoopOwner;
  /** Those that something waits in, the one with the last turn at the end. */
  #turns: ConsumedPartition[] = [];
  #turnLength = 0;
  readonly #arrived = new Bell();
  readonly #released = new Bell();
  #processing: Processing | null = null;
  #isReading = false;

  constructor(owner: LoopOwner) {
    this.#owner = owner;
  }

  /** What was handed out and may not be processed yet; null where there is nothing. */
  get processing(): Processing | null {
    return this.#processing;
  }

  /** Whether a loop is going on and has something in its hands. */
  get isBusy(): boolean {
    return this.#isReading && this.#processing !== null;
  }

  /** Resolves once the loop asks for more, or is left. */
  released(): Promise<void> {
    return this.#released.wait();
  }

  /** Something waits in `partition`. */
  has(partition: ConsumedPartition): void {
    if (!this.#turns.includes(partition)) this.#turns.push(partition);
    this.#arrived.ring();
  }

  /** Something has changed that the loop may wait for. */
  wake(): void {
    this.#arrived.ring();
  }

  /** Partitions that are not owned any more have no turn. */
  forgetReleased(): void {
    this.#turns = this.#turns.filter(({ isOwned }) => isOwned);
  }

  /** What the loop has in its hands says nothing of where `partition` is any more. */
  moved(partition: ConsumedPartition): void {
    if (this.#processing?.partition === partition) this.#processed();
  }

  /**
   * Begins a loop of what `take` takes out of a partition; null where nothing is there after all. Throws a `KafkaError`
   * (INVALID_REQUEST) where another one is going on.
   */
  loop<Item>(take: (partition: ConsumedPartition) => Item | null): AsyncIterator<Item, undefined> {
    if (this.#isReading) throw new KafkaError(ErrorCode.INVALID_REQUEST, 'the consumer is being read by another loop');
    this.#isReading = true;
    this.#owner.begins();
    const wait = async (): Promise<IteratorResult<Item, undefined>> => {
      try {
        for (;;) {
          if (this.#owner.failure !== null) throw this.#owner.failure;
          if (this.#owner.isEnding) break;
          const value = this.#takeTurn(take);
          if (value !== null) return { done: false, value };
          await this.#arrived.wait();
        }
      } catch (error) {
        this.#isReading = false;
        throw error;
      }
      this.#isReading = false;
      return { done: true, value: undefined };
    };
    return {
      next: () => {
        this.#processed();
        if (this.#owner.failure !== null || this.#owner.isEnding || this.#turns.length === 0) return wait();
        try {
          const value = this.#takeTurn(take);
          return value === null ? wait() : Promise.resolve({ done: false, value });
        } catch (error) {
          this.#isReading = false;
          return Promise.reject(error as Error);
        }
      },
      return: () => {
        // What the loop had in its hands it may not have processed: it stays so until another loop begins.
        this.#isReading = false;
        this.#released.ring();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** What the next partition has, which then comes last. */
  #takeTurn<Item>(take: (partition: ConsumedPartition) => Item | null): Item | null {
    const turns = this.#turns;
    for (let i = 0; i < turns.length;) {
      const partition = turns[i]!;
      if (!partition.isOwned || partition.isPaused || partition.position < 0) {
        i++;
        continue;
      }
      const before = partition.position;
      const { bufferedBytes } = partition;
      let item: Item | null;
      try {
        item = take(partition);
      } catch (error) {
        // The record stays the next one: whoever cannot read it seeks behind it.
        partition.moveTo(before);
        this.#owner.stuck();
        throw error;
      }
      if (partition.bufferedBytes < bufferedBytes) this.#owner.roomier();
      if (!partition.hasRecords || ++this.#turnLength >= longestTurn) {
        this.#turnLength = 0;
        turns.splice(i, 1);
        if (partition.hasRecords) turns.push(partition);
      }
      if (item === null) continue;
      this.#processing = { partition, offset: before };
      return item;
    }
    return null;
  }

  /** The loop asks for more: what it had is processed. */
  #processed(): void {
    if (this.#processing === null) return;
    this.#processing = null;
    this.#released.ring();
  }
}
