/**
 * Reserves memory for what a fetch is about to read, waiting for some where there is none. I/O thread.
 */

import type { Broker } from './broker.ts';
import type { FetchGrant } from './fetch-memory.ts';
import type { RequestContext } from './request-context.ts';

/** A fetch for which there is no memory waits at least so long before it is answered without records. */
const shortestRoomWaitMs = 1000;

/** Null where no memory became free in time, or the connection ended. */
export function reserveFetchMemory(
  wantedBytes: number,
  maxWaitMs: number,
  { connection }: RequestContext,
  { fetchMemory, clock }: Pick<Broker, 'fetchMemory' | 'clock'>,
): FetchGrant | null | Promise<FetchGrant | null> {
  const atOnce = fetchMemory.reserve(connection, wantedBytes);
  if (atOnce !== null) return atOnce;
  return new Promise((resolve) => {
    const finish = (grant: FetchGrant | null): void => {
      giveUp();
      timer.cancel();
      stopListening();
      resolve(grant);
    };
    const giveUp = fetchMemory.wait(connection, wantedBytes, finish);
    const timer = clock.setTimer(Math.max(maxWaitMs, shortestRoomWaitMs), () => finish(null));
    const stopListening = connection.onClose(() => finish(null));
  });
}
