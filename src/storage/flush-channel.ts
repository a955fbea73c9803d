/**
 * The I/O thread's end of one flush queue: submits in order, publishes what one tick submitted in one go, hands
 * completions to the partition that each is for, and knows from where on the ring is still needed. I/O thread.
 * A tick's small group may be written in place, and synced (`in-place-writer.ts`), and is then answered at its end.
 * It does not decide anything about partitions.
 */

import { assert } from '../base/assert.ts';
import { blankCompletion, type Completion, type Submission } from '../memory/flush-messages.ts';
import type { FlushQueue } from '../memory/flush-queue.ts';
import type { InPlaceWriter } from './in-place-writer.ts';

/** Who has a slot: there may be thousands, so that it is no function of its own for each. */
export interface SlotOwner {
  /** A completion of the slot came; the object is reused for the next one. */
  completed(completion: Completion): void;
}

export interface FlushChannelOptions {
  readonly queue: FlushQueue;
  /** Writes small groups here; left out, the worker writes all. */
  readonly inPlace?: InPlaceWriter;
  /** Submissions became visible to the worker. */
  readonly onPublished?: () => void;
  /** A group was written in place: the ring may be needed less. */
  readonly onWritten?: () => void;
  /** Publishing at the end of a tick failed by a defect, for which there is no caller. */
  readonly onDefect?: (error: Error) => void;
}

export class FlushChannel {
  readonly #queue: FlushQueue;
  readonly #options: FlushChannelOptions;
  readonly #inPlace: InPlaceWriter | null;
  readonly #owners = new Map<number, SlotOwner>();
  /** Where in the ring each submission that is under way begins, by slot of the queue. */
  readonly #ringStarts: Float64Array;
  readonly #completion = blankCompletion();
  /** Submissions that found the queue full, oldest first. */
  readonly #overflow: { fields: Submission; ringStart: number }[] = [];
  #submitted = 0;
  #settled = 0;
  /** Of what was submitted, so much is in its files, though the worker may not know yet. */
  #written = 0;
  #unpublished = 0;
  #publishScheduled = false;

  constructor(options: FlushChannelOptions) {
    this.#options = options;
    this.#queue = options.queue;
    this.#inPlace = options.inPlace ?? null;
    this.#ringStarts = new Float64Array(options.queue.capacity);
  }

  /** Completions for `slot` go to `owner` until `unbind`. */
  bind(slot: number, owner: SlotOwner): void {
    assert(!this.#owners.has(slot), 'a slot is bound once');
    this.#owners.set(slot, owner);
  }

  unbind(slot: number): void {
    this.#owners.delete(slot);
    this.#inPlace?.forget(slot);
  }

  /**
   * Submits a copy of `fields`. `ringStart` is the position from which the ring's bytes are needed for it: its own
   * bytes, or the ring's head where it has none. Visible to the worker at the end of the current tick.
   */
  submit(fields: Submission, ringStart: number): void {
    if (this.#overflow.length > 0 || !this.#hasPlace) {
      this.#overflow.push({ fields: { ...fields }, ringStart });
      return;
    }
    this.#push(fields, ringStart);
  }

  /** Whether submissions are under way or wait for a place in the queue. */
  get busy(): boolean {
    return this.#submitted !== this.#settled || this.#overflow.length > 0;
  }

  /** From where on the ring's bytes are still needed by this channel; Infinity where they are not. */
  get oldestRingPosition(): number {
    const done = this.#done;
    if (this.#submitted !== done) return this.#ringStarts[done % this.#queue.capacity]!;
    return this.#overflow.length > 0 ? this.#overflow[0]!.ringStart : Infinity;
  }

  /** Makes visible now what was submitted, instead of at the end of the tick. */
  publish(): void {
    if (this.#unpublished === 0) return;
    const count = this.#unpublished;
    const isAlone = this.#written === this.#submitted - count || this.#queue.waitingSubmissions === 0;
    this.#unpublished = 0;
    const answers = this.#inPlace?.write(isAlone) ?? null;
    if (answers === null) {
      this.#queue.publish(count);
      this.#options.onPublished?.();
      return;
    }
    this.#written = this.#submitted;
    for (const answer of answers) this.#owners.get(answer.slot)?.completed(answer);
    this.#options.onWritten?.();
  }

  /**
   * Takes the completions that wait, hands each to its slot's owner (one of a slot that is no longer bound is
   * dropped: its partition is gone) and fills the queue from what had found it full. Returns how many there were.
   */
  drain(): number {
    const count = this.#queue.waitingCompletions;
    // The head is read after the completions: whatever they report is dealt with, so the ring is free up to there.
    for (let i = 0; i < count; i++) {
      this.#queue.readCompletion(i, this.#completion);
      this.#inPlace?.told(this.#completion);
      this.#owners.get(this.#completion.slot)?.completed(this.#completion);
    }
    if (count > 0) this.#queue.releaseCompletions(count);
    const published = (this.#submitted - this.#unpublished) % 2 ** 32;
    // Below zero once a STOP was dealt with: whoever ends the worker pushes it past this channel.
    const underWay = Math.max((published - this.#queue.submissionHead) | 0, 0);
    this.#settled = this.#submitted - this.#unpublished - underWay;
    if (underWay === 0) this.#inPlace?.returned();
    while (this.#overflow.length > 0 && this.#hasPlace) {
      const { fields, ringStart } = this.#overflow.shift()!;
      this.#push(fields, ringStart);
    }
    return count;
  }

  /** The worker ended by a defect: what was submitted to it is of no use, and it reads the ring no more. */
  abandon(): void {
    this.#settled = this.#submitted;
    this.#overflow.length = 0;
  }

  /** Of what was submitted, so much is known to need the ring no more. */
  get #done(): number {
    return Math.max(this.#settled, this.#written);
  }

  /**
   * Whether another submission can be pushed. The worker may have made places free that this thread has not heard of: until
   * it drains, where the ring is needed from still stands in them.
   */
  get #hasPlace(): boolean {
    const { freeSubmissions, capacity } = this.#queue;
    return freeSubmissions > this.#unpublished && this.#submitted - this.#done < capacity;
  }

  #push(fields: Submission, ringStart: number): void {
    this.#ringStarts[this.#submitted % this.#queue.capacity] = ringStart;
    this.#queue.push(fields, this.#unpublished);
    this.#inPlace?.add(fields);
    this.#submitted++;
    this.#unpublished++;
    if (this.#publishScheduled) return;
    this.#publishScheduled = true;
    queueMicrotask(() => {
      this.#publishScheduled = false;
      try {
        this.publish();
      } catch (error) {
        if (this.#options.onDefect === undefined) throw error;
        this.#options.onDefect(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }
}
