/**
 * The numbers of named producers, in the order in which they are handed in: which of them go into a batch, and what is
 * told of those that were handed in before. I/O thread, one per publisher. The contract stands in `named-producers.ts`;
 * the log looks at every batch again (`PartitionLog.append`).
 */

import { ErrorCode, errorName } from '../base/error-code.ts';
import { noRecordNumber } from '../records/named-records.ts';
import type { LogStore } from '../storage/partition-log.ts';
import { outOfOrder, type NamedProducer } from './named-producers.ts';
import type { PublishLane } from './publish-lane.ts';
import { PublishOutcome } from './publish-outcome.ts';
import { noRun, type PublishStream } from './publish-stream.ts';
import type { Problem } from './topic-creation.ts';

export interface NamedOrderOptions {
  readonly store: Pick<LogStore, 'whenRoom'>;
  readonly tellSoon: (stream: PublishStream) => void;
  readonly refuse: (stream: PublishStream, run: number, topic: string, partition: number, problem: Problem) => void;
}

export class NamedOrder {
  readonly #options: NamedOrderOptions;

  constructor(options: NamedOrderOptions) {
    this.#options = options;
  }

  /**
   * Whether `number` of `producer` is to be appended: its lane is ready then. What was handed in before is answered when
   * that is durable, and what cannot follow is refused.
   */
  isNext(
    stream: PublishStream,
    run: number,
    lane: PublishLane,
    producer: NamedProducer,
    number: number,
    previousNumber: number | null,
  ): boolean {
    const { name, epoch } = producer;
    const { open, log } = lane;
    if (open !== null && (lane.durability !== stream.durability || open.named?.epoch !== epoch)) lane.submit();
    // What the log was given it knows best: it may have refused it.
    if (lane.open === null && lane.waiting === 0) lane.lastNumber = noRecordNumber;
    const last = Math.max(lane.lastNumber, log.lastNumberOf(name));
    if (number <= last) {
      this.#confirm(stream, run, lane, name, number);
      return false;
    }
    if (previousNumber !== null && last >= 0 && previousNumber !== last) {
      const problem = outOfOrder(
        `Producer ${name} sent number ${number} to follow ${previousNumber}, and ${last} is the last that came.`,
      );
      lane.target.dropIfEmpty(lane);
      this.#options.refuse(stream, run, log.topic, log.partition, problem);
      return false;
    }
    lane.durability = stream.durability;
    return true;
  }

  /** Calls `then` once everything that was handed in of a named producer's lane was given to the log. */
  flush(lane: PublishLane, then: () => void): void {
    lane.submit();
    // The store gives room in the order of asking.
    this.#options.store.whenRoom(0, () => {
      lane.target.dropIfEmpty(lane);
      then();
    });
  }

  /** Answers for a number that was handed in before, once it is as durable as the stream asks. */
  #confirm(stream: PublishStream, run: number, lane: PublishLane, name: string, number: number): void {
    const { log } = lane;
    const { tellSoon } = this.#options;
    const outcome = new PublishOutcome(log.topic, log.partition);
    if (run === noRun) stream.took(outcome, 0, 0, false);
    else stream.moved(run, outcome, 0);
    const failed = (errorCode: ErrorCode, message: string): void => {
      outcome.failed(errorCode, message);
      tellSoon(stream);
    };
    this.flush(lane, () => {
      if (number > log.lastNumberOf(name)) {
        const message = `The attempt at number ${number} of producer ${name} before this one was not stored: send it again.`;
        return failed(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, message);
      }
      log.confirm(name, number, stream.durability, ({ errorCode, offset, errorMessage }) => {
        if (errorCode !== ErrorCode.NONE) {
          return failed(errorCode, errorMessage ?? `It is not known to be stored: ${errorName(errorCode)}.`);
        }
        outcome.storedBefore(offset);
        tellSoon(stream);
      });
    });
  }
}
