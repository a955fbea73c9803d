/** A door for requests in this process: takes what a pipeline writes, and says that it has left. I/O thread. */

import { systemClock } from '../src/base/clock.ts';
import { silentLogger } from '../src/base/logger.ts';
import { AssemblyBudget } from '../src/server/assembly-budget.ts';
import { RequestPipeline, type Transport } from '../src/server/request-pipeline.ts';
import type { InProcessBroker } from './in-process-broker.ts';

const largestFrameBytes = 2 ** 21;
const requestsInFlight = 256;
/** More than anything here takes that ends at all. */
const mostTurns = 100_000;

export class InProcessDoor {
  readonly pipeline: RequestPipeline;
  readonly #next: () => Promise<void>;
  readonly #afterTurn: (() => void)[] = [];
  /** Bytes of answers that have left. */
  answeredBytes = 0;

  constructor(broker: InProcessBroker) {
    this.#next = async () => {
      broker.endTurn();
      await broker.step();
    };
    const nothing = (): void => {};
    const transport: Transport = {
      write: (parts, sent) => {
        for (const { length } of parts) this.answeredBytes += length;
        sent();
        return true;
      },
      pauseReading: nothing,
      resumeReading: nothing,
      end: nothing,
      destroy: () => {
        throw new Error('The connection that is measured was ended.');
      },
    };
    const budget = new AssemblyBudget({ limitBytes: 2 ** 25, largestFrameBytes });
    this.pipeline = new RequestPipeline(
      broker.connection,
      broker.dispatcher,
      transport,
      budget,
      { largestFrameBytes, requestsInFlight },
      silentLogger,
      { ...systemClock, afterTurn: (callback) => void this.#afterTurn.push(callback) },
    );
  }

  /** Resolves once every request is answered; `next` is called again and again until then, with how often it was before. */
  async answered(next: (turn: number) => Promise<void>): Promise<void> {
    for (let turns = 0; this.pipeline.inFlight > 0; turns++) {
      if (turns > mostTurns) throw new Error('Requests that are measured are not answered.');
      await next(turns);
      for (const callback of this.#afterTurn.splice(0)) callback();
    }
  }

  /** Receives `chunk`, has everything written, and resolves with the bytes of the answers. */
  async serve(chunk: Uint8Array): Promise<number> {
    const before = this.answeredBytes;
    this.pipeline.receive(chunk);
    await this.answered(this.#next);
    return this.answeredBytes - before;
  }
}
