/**
 * Ends connections over which nothing has moved for too long; one sweep for all of a door's. I/O thread.
 * A connection to which the broker owes a response is not idle, one that does not read its responses is.
 */

import type { Clock, Timer } from '../base/clock.ts';
import type { RequestPipeline } from './request-pipeline.ts';

const longestPeriodMs = 30_000;

/**
 * Every so often calls `end` for each of `pipelines()` that has been idle for more than `idleMs` milliseconds, until the
 * function returned is called. Where `idleMs` is negative nobody is idle for too long, as in Kafka.
 */
export function sweepIdle(
  clock: Clock,
  idleMs: number,
  pipelines: () => Iterable<RequestPipeline>,
  end: (pipeline: RequestPipeline) => void,
): () => void {
  if (idleMs < 0) return () => {};
  let timer: Timer;
  const schedule = (): void => {
    timer = clock.setTimer(Math.max(1, Math.min(idleMs / 4, longestPeriodMs)), () => {
      const nowMs = clock.monotonicMs();
      const idle = [...pipelines()].filter((pipeline) => nowMs - pipeline.idleSinceMs > idleMs);
      for (const pipeline of idle) end(pipeline);
      schedule();
    });
  };
  schedule();
  return () => timer.cancel();
}
