/** Publishing over WebSocket, raw and as JSON, and one topic for a thousand readers. Main thread. */

import { natsProduce } from '../peers/nats-client.ts';
import { nats, natsClient } from '../peers/nats-server.ts';
import { besideBare, nativeLoad, type DoorCase, type Load } from './door-case.ts';

const sizesBytes = [100, 1024] as const;
/** Messages that one connection has under way: enough that the network is never waited for. */
const window = 20_000;
/** A window of bytes as well: more would only measure how far the kernel's buffers reach. */
const windowBytes = 8 * 2 ** 20;
const readers = 1000;
/** About what NATS takes in a second, for who counts messages instead of seconds. */
const natsMessagesPerSecond = 150_000;

function publishing(sizeBytes: number) {
  return { 'size-bytes': sizeBytes, window: Math.min(window, Math.floor(windowBytes / sizeBytes)) };
}

function rawLoad(sizeBytes: number): Load {
  return nativeLoad('publish', { ...publishing(sizeBytes), path: '/topics/bench/produce?acks=1' });
}

function jsonLoad(sizeBytes: number): Load {
  return nativeLoad('publish', {
    ...publishing(sizeBytes),
    path: '/ws',
    protocol: 'millrace.v1',
    text: 'yes',
    hello: '{"type":"configure","acks":"1","confirm":"cumulative"}',
    prefix: '{"type":"publish","topic":"bench","text":"',
    suffix: '"}',
    'ack-mark': '"upTo":',
  });
}

export const webSocketCases: readonly DoorCase[] = sizesBytes.flatMap((sizeBytes): DoorCase[] => {
  const bare = nativeLoad('publish', { ...publishing(sizeBytes), path: '/acknowledge' });
  return [
    besideBare(`raw ${sizeBytes} B`, bare, rawLoad(sizeBytes), 0.7),
    besideBare(`json ${sizeBytes} B`, bare, jsonLoad(sizeBytes), 0.35),
  ];
});

export const fanOutCases: readonly DoorCase[] = sizesBytes.map((sizeBytes): DoorCase => {
  const shared = { 'size-bytes': sizeBytes, window: Math.floor((64 * 1024) / sizeBytes), connections: readers };
  return besideBare(
    `fan-out ${sizeBytes} B`,
    nativeLoad('fan-out', { ...shared, path: '/publish', 'reader-path': '/read' }),
    nativeLoad('fan-out', {
      ...shared,
      path: '/topics/bench/produce?acks=1',
      'reader-path': '/ws',
      'reader-protocol': 'millrace.v1',
      // A pattern waits for the topic to be there.
      'reader-hello': '{"type":"subscribe","subscription":"s","topics":["benc?"],"from":"latest","values":"text"}',
      'record-mark': '{"offset":',
    }),
    0.7,
  );
});

/** Beside NATS JetStream at its defaults, which writes and syncs every two minutes, with its own client over its WebSocket. */
export function natsCases(note: (text: string) => void): readonly DoorCase[] {
  return sizesBytes.map((messageBytes): DoorCase => {
    const load: Load = async (server, seconds) => {
      const messages = Math.ceil(seconds * natsMessagesPerSecond);
      const { recordsPerSecond, clientCpuSecondsPerGb } = await natsProduce(natsClient(note), server, {
        mode: 'fast',
        transport: 'webSocket',
        messages,
        messageBytes,
      });
      const cpuSeconds = (clientCpuSecondsPerGb! * messages * messageBytes) / 1e9;
      return { records: messages, seconds: messages / recordsPerSecond!, cpuSeconds };
    };
    return {
      name: `NATS ${messageBytes} B`,
      rival: { kind: () => nats(false, note), load },
      millrace: rawLoad(messageBytes),
      floor: 3,
    };
  });
}
