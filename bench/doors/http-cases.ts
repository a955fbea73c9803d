/**
 * Records over HTTP: single POSTs beside a server that only answers, and NDJSON beside one that parses each line. Main
 * thread. With acks=all, which is what HTTP means unless less is asked for, and with acks=1.
 */

import { besideBare, nativeLoad, type DoorCase } from './door-case.ts';

/** One request is under way on each connection. */
const crowds = [64, 512] as const;
/** Enough that the network is never waited for. */
const lines = { 'size-bytes': 100, connections: 4, window: 40_000 };
const acks = ['all', '1'] as const;
const floor = 0.6;

export const httpCases: readonly DoorCase[] = acks.flatMap((asked): DoorCase[] => [
  ...crowds.map((connections) => {
    const single = { 'size-bytes': 100, connections };
    return besideBare(
      `http post ${asked} of ${connections}`,
      nativeLoad('http-post', { ...single, path: '/answer' }),
      nativeLoad('http-post', { ...single, path: `/topics/bench?acks=${asked}` }),
      floor,
    );
  }),
  besideBare(
    `http lines ${asked}`,
    nativeLoad('http-lines', { ...lines, path: '/lines' }),
    nativeLoad('http-lines', { ...lines, path: `/topics/bench?acks=${asked}` }),
    floor,
  ),
]);
