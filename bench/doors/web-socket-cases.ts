/** Publishing over WebSocket, raw and as JSON, and one topic for a thousand readers. Main thread. */

import type { DoorCase } from './door-case.ts';

const sizesBytes = [100, 1024] as const;
/** Messages that one connection has under way: enough that the network is never waited for. */
const window = 20_000;
/** A window of bytes as well: more would only measure how far the kernel's buffers reach. */
const windowBytes = 8 * 2 ** 20;
const readers = 1000;

function publishing(sizeBytes: number) {
  return { 'size-bytes': sizeBytes, window: Math.min(window, Math.floor(windowBytes / sizeBytes)) };
}

export const webSocketCases: readonly DoorCase[] = sizesBytes.flatMap((sizeBytes): DoorCase[] => {
  const bare = { way: 'publish', options: { ...publishing(sizeBytes), path: '/acknowledge' } };
  return [
    {
      name: `raw ${sizeBytes} B`,
      bare,
      millrace: { way: 'publish', options: { ...publishing(sizeBytes), path: '/topics/bench/produce?acks=1' } },
      floor: 0.7,
    },
    {
      name: `json ${sizeBytes} B`,
      bare,
      millrace: {
        way: 'publish',
        options: {
          ...publishing(sizeBytes),
          path: '/ws',
          protocol: 'millrace.v1',
          text: 'yes',
          hello: '{"type":"configure","acks":"1","confirm":"cumulative"}',
          prefix: '{"type":"publish","topic":"bench","text":"',
          suffix: '"}',
          'ack-mark': '"upTo":',
        },
      },
      floor: 0.35,
    },
  ];
});

export const fanOutCases: readonly DoorCase[] = sizesBytes.map((sizeBytes): DoorCase => {
  const shared = { 'size-bytes': sizeBytes, window: Math.floor((64 * 1024) / sizeBytes), connections: readers };
  return {
    name: `fan-out ${sizeBytes} B`,
    bare: { way: 'fan-out', options: { ...shared, path: '/publish', 'reader-path': '/read' } },
    millrace: {
      way: 'fan-out',
      options: {
        ...shared,
        path: '/topics/bench/produce?acks=1',
        'reader-path': '/ws',
        'reader-protocol': 'millrace.v1',
        // A pattern waits for the topic to be there.
        'reader-hello': '{"type":"subscribe","subscription":"s","topics":["benc?"],"from":"latest","values":"text"}',
        'record-mark': '{"offset":',
      },
    },
    floor: 0.7,
  };
});
