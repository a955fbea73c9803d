/**
 * What no broker can be faster than: a process that does with a socket's bytes what a broker has to, and nothing else. It
 * checks nothing and keeps no order of anything.
 *
 *   node bare-server.js MODE FILE ANSWER-IN-HEX
 *
 *   discard       socket ─read─▶ buffer; the answer for each size-prefixed request
 *   copy-write    socket ─read─▶ buffer ─copy─▶ ring ─write of whole requests, all that are there─▶ file ─▶ answers
 *   copy-direct   likewise, past the page cache (O_DIRECT): a request takes whole blocks of the ring and of the file
 *   read-send     for each request 1 MiB of the file: file ─read─▶ buffer ─▶ socket
 *   send          for each request 1 MiB that lies in a buffer: buffer ─▶ socket
 *
 * The writing is done by a second thread (bare-writer.ts), as the bytes lie in shared memory.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { type AddressInfo, createServer, Socket, type SocketConstructorOpts } from 'node:net';
import { Worker } from 'node:worker_threads';
import { BareRing } from './bare-ring.ts';

export type BareMode = 'discard' | 'copy-write' | 'copy-direct' | 'read-send' | 'send';

/** What a read takes at once; smaller ones cost more calls, larger ones leave the cache. */
const readBufferBytes = 512 * 1024;
const prefixBytes = 4;
const sentBytes = 2 ** 20;
/** The file that is read, which stays in the page cache. It holds zeros, which clients take for answers without an error. */
const readFileBytes = 64 * sentBytes;

const [mode, file, answerHex] = process.argv.slice(2) as [BareMode, string, string];
const answer = Buffer.from(answerHex, 'hex');

/** Hears of each chunk, of how many requests end in it, and where the last one does. */
type Take = (chunk: Uint8Array, requestsEnded: number, lastEnd: number, socket: Socket) => void;

/** A server's socket reads into a buffer of ours only where it is made anew around its handle. */
type Handed = Socket & { _handle: object | null };
type BufferedSocketOptions = SocketConstructorOpts & { readonly handle: object };

const takes: Readonly<Record<BareMode, () => Promise<Take> | Take>> = {
  discard: () => (_, requestsEnded, __, socket) => answerRequests(socket, requestsEnded),
  'copy-write': () => copyingTake(false),
  'copy-direct': () => copyingTake(true),
  'read-send': () => sendingTake(true),
  send: () => sendingTake(false),
};

function answerRequests(socket: Socket, count: number): void {
  if (count === 1) socket.write(answer);
  else if (count > 1) socket.write(Buffer.concat(Array.from({ length: count }, () => answer)));
}

function copyingTake(isDirect: boolean): Take {
  const ring = BareRing.create();
  /** What is answered once so many bytes are written. */
  const waiting: { readonly at: number; readonly socket: Socket; readonly count: number }[] = [];
  const workerData = { file, memory: ring.memory, isDirect };
  new Worker(new URL('./bare-writer.js', import.meta.url), { workerData }).on('error', (error) => {
    throw error;
  });
  const answerWritten = async (): Promise<void> => {
    for (;;) {
      const written = await ring.writtenBeyond();
      while (waiting.length > 0 && waiting[0]!.at <= written) {
        const { socket, count } = waiting.shift()!;
        answerRequests(socket, count);
      }
    }
  };
  void answerWritten();
  return (chunk, requestsEnded, lastEnd, socket) => {
    ring.copyIn(lastEnd === chunk.length ? chunk : chunk.subarray(0, lastEnd));
    if (requestsEnded > 0) {
      if (isDirect) ring.padToBlock();
      waiting.push({ at: ring.received, socket, count: requestsEnded });
      ring.publish();
    }
    if (lastEnd < chunk.length) ring.copyIn(chunk.subarray(lastEnd));
  };
}

async function sendingTake(isRead: boolean): Promise<Take> {
  const handle = await open(file, 'w+');
  for (let at = 0; at < readFileBytes; at += sentBytes) await handle.write(Buffer.alloc(sentBytes), 0, sentBytes, at);
  const buffers: Buffer[] = [];
  let at = 0;
  return (_, requestsEnded, __, socket) => {
    for (let i = 0; i < requestsEnded; i++) {
      const buffer = buffers.pop() ?? Buffer.alloc(prefixBytes + sentBytes);
      buffer.writeInt32BE(sentBytes);
      const sent = (): void => void buffers.push(buffer);
      if (isRead) void send(handle, at, buffer, socket, sent);
      else socket.write(buffer, sent);
      at = (at + sentBytes) % readFileBytes;
    }
  };
}

async function send(handle: FileHandle, at: number, buffer: Buffer, socket: Socket, sent: () => void): Promise<void> {
  await handle.read(buffer, prefixBytes, sentBytes, at);
  socket.write(buffer, sent);
}

function serve(accepted: Socket, take: Take): void {
  const handle = (accepted as Handed)._handle!;
  (accepted as Handed)._handle = null;
  let pendingBytes = 0;
  const prefix = Buffer.alloc(prefixBytes);
  let prefixLength = 0;
  const cut = (chunk: Uint8Array): void => {
    let requestsEnded = 0;
    let lastEnd = 0;
    for (let at = 0; at < chunk.length;) {
      if (pendingBytes > 0) {
        const taken = Math.min(pendingBytes, chunk.length - at);
        at += taken;
        pendingBytes -= taken;
        if (pendingBytes > 0) continue;
        requestsEnded++;
        lastEnd = at;
        continue;
      }
      prefix[prefixLength++] = chunk[at++]!;
      if (prefixLength < prefixBytes) continue;
      pendingBytes = prefix.readInt32BE(0);
      prefixLength = 0;
    }
    take(chunk, requestsEnded, lastEnd, socket);
  };
  const socket = new Socket({
    handle,
    onread: {
      buffer: new Uint8Array(readBufferBytes),
      callback: (byteCount: number, buffer: Uint8Array) => {
        cut(buffer.subarray(0, byteCount));
        return true;
      },
    },
  } as BufferedSocketOptions);
  socket.on('error', () => {});
  socket.on('close', () => accepted.destroy());
  socket.read(0);
}

const take = await takes[mode]();
const server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => serve(accepted, take));
server.listen(0, '127.0.0.1', () => process.stdout.write(`serving ${(server.address() as AddressInfo).port}\n`));
process.on('SIGTERM', () => process.exit());
