/**
 * What no broker can be faster than: a process that reads a socket into one buffer, and for `copy-write` copies what came
 * into shared memory, from where a second thread writes it to a file. It answers each size-prefixed request with the bytes
 * that it was started with, after the write where there is one. It checks nothing, and keeps no order of anything.
 *
 *   node bare-server.js discard|copy-write FILE ANSWER-IN-HEX
 *
 *   socket ─read─▶ buffer ─copy─▶ ring ─write of whole requests, all that are there─▶ file ─▶ one answer a request
 *            (this thread)                    (bare-writer.ts)
 */

import { type AddressInfo, createServer, Socket, type SocketConstructorOpts } from 'node:net';
import { Worker } from 'node:worker_threads';
import { BareRing } from './bare-ring.ts';

/** What a read takes at once; smaller ones cost more calls, larger ones leave the cache. */
const readBufferBytes = 512 * 1024;
const prefixBytes = 4;

const [mode, file, answerHex] = process.argv.slice(2) as [string, string, string];
const answer = Buffer.from(answerHex, 'hex');
const ring = BareRing.create();
/** What is answered once so many bytes are written. */
const waiting: { readonly at: number; readonly socket: Socket; readonly count: number }[] = [];

/** A server's socket reads into a buffer of ours only where it is made anew around its handle. */
type Handed = Socket & { _handle: object | null };
type BufferedSocketOptions = SocketConstructorOpts & { readonly handle: object };

const server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
  const handle = (accepted as Handed)._handle!;
  (accepted as Handed)._handle = null;
  let pendingBytes = 0;
  const prefix = Buffer.alloc(prefixBytes);
  let prefixLength = 0;
  const take = (chunk: Uint8Array): void => {
    let count = 0;
    let lastEnd = 0;
    for (let at = 0; at < chunk.length;) {
      if (pendingBytes > 0) {
        const taken = Math.min(pendingBytes, chunk.length - at);
        at += taken;
        pendingBytes -= taken;
        if (pendingBytes > 0) continue;
        count++;
        lastEnd = at;
        continue;
      }
      prefix[prefixLength++] = chunk[at++]!;
      if (prefixLength < prefixBytes) continue;
      pendingBytes = prefix.readInt32BE(0);
      prefixLength = 0;
    }
    if (mode === 'discard') return answerRequests(socket, count);
    const before = ring.received;
    ring.copyIn(chunk);
    if (count === 0) return;
    waiting.push({ at: before + lastEnd, socket, count });
    ring.publish(before + lastEnd);
  };
  const socket = new Socket({
    handle,
    onread: {
      buffer: new Uint8Array(readBufferBytes),
      callback: (byteCount: number, buffer: Uint8Array) => {
        take(buffer.subarray(0, byteCount));
        return true;
      },
    },
  } as BufferedSocketOptions);
  socket.on('error', () => {});
  socket.on('close', () => accepted.destroy());
  socket.read(0);
});

function answerRequests(socket: Socket, count: number): void {
  if (count === 1) socket.write(answer);
  else if (count > 1) socket.write(Buffer.concat(Array.from({ length: count }, () => answer)));
}

async function answerWritten(): Promise<void> {
  for (;;) {
    const written = await ring.writtenBeyond();
    while (waiting.length > 0 && waiting[0]!.at <= written) {
      const { socket, count } = waiting.shift()!;
      answerRequests(socket, count);
    }
  }
}

if (mode === 'copy-write') {
  const writer = new Worker(new URL('./bare-writer.js', import.meta.url), {
    workerData: { file, memory: ring.memory },
  });
  writer.on('error', (error) => {
    throw error;
  });
  void answerWritten();
}
server.listen(0, '127.0.0.1', () => process.stdout.write(`serving ${(server.address() as AddressInfo).port}\n`));
process.on('SIGTERM', () => process.exit());
