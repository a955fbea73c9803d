/**
 * Ends connections over which nothing has moved for too long; one sweep for all of a door's. I/O thread.
 * A connection to which the broker owes a response is not idle, one that does not read its responses is. A sweep comes after
 * what has come in was read, and time in which this thread was held up does not count as idle (`Clock.heardMs`).
 */

import type { Clock, Timer } from '../base/clock.ts';
import { setPatientTimer } from '../base/patient-timer.ts';

const longestPeriodMs = 30_000;

/**
 * Every so often calls `end` for each of `connections()` that has been idle for more than `idleMs` milliseconds, since a time
 * of `clock.heardMs`, until the function returned is called. Where `idleMs` is negative nobody is idle for too long, as in Kafka.
 */
export function sweepIdle<Connection extends { readonly idleSinceMs: number }>(
  clock: Clock,
  idleMs: number,
  connections: () => Iterable<Connection>,
  end: (connection: Connection) => void,
): () => void {
  if (idleMs < 0) return () => {};
  let timer: Timer;
  const schedule = (): void => {
    timer = setPatientTimer(clock, Math.max(1, Math.min(idleMs / 4, longestPeriodMs)), (heardUntilMs) => {
      const idleFromMs = heardUntilMs - idleMs;
      const idle = [...connections()].filter(({ idleSinceMs }) => idleSinceMs < idleFromMs);
      for (const connection of idle) end(connection);
      schedule();
    });
  };
  schedule();
  return () => timer.cancel();
}
