/**
 * Records over HTTP: single POSTs beside a server that only answers, and NDJSON beside one that parses each line. Main
 * thread. With acks=all, which is what HTTP means unless less is asked for, and with acks=1.
 */

import type { DoorCase } from './door-case.ts';

const singles = { 'size-bytes': 100, connections: 512 };
/** Enough that the network is never waited for. */
const lines = { 'size-bytes': 100, connections: 4, window: 40_000 };
const acks = ['all', '1'] as const;

export const httpCases: readonly DoorCase[] = acks.flatMap((asked): DoorCase[] => [
  {
    name: `http post ${asked}`,
    bare: { way: 'http-post', options: { ...singles, path: '/answer' } },
    millrace: { way: 'http-post', options: { ...singles, path: `/topics/bench?acks=${asked}` } },
    floor: 0.6,
  },
  {
    name: `http lines ${asked}`,
    bare: { way: 'http-lines', options: { ...lines, path: '/lines' } },
    millrace: { way: 'http-lines', options: { ...lines, path: `/topics/bench?acks=${asked}` } },
    floor: 0.6,
  },
]);
