/**
 * What no broker can be faster than: a process that reads a socket into one buffer, and for `copy-write` copies what came
 * into a ring and writes the ring to a file, as much at once as there is. It answers each size-prefixed request with the
 * bytes that it was started with, after the write where there is one. It checks nothing, and keeps no order of anything.
 *
 *   node bare-server.js discard|copy-write FILE ANSWER-IN-HEX
 */

import { open, write } from 'node:fs';
import { type AddressInfo, createServer, Socket, type SocketConstructorOpts } from 'node:net';

const readBufferBytes = 256 * 1024;
const ringBytes = 64 * 2 ** 20;
const writeAtMostBytes = 2 ** 20;
const prefixBytes = 4;

const [mode, file, answerHex] = process.argv.slice(2) as [string, string, string];
const answer = Buffer.from(answerHex, 'hex');
const ring = Buffer.from(new SharedArrayBuffer(ringBytes));
/** Bytes that came and that were written, of all connections. */
let received = 0;
let written = 0;
let isWriting = false;
let descriptor = -1;
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
    for (let at = 0; at < chunk.length;) {
      if (pendingBytes > 0) {
        const taken = Math.min(pendingBytes, chunk.length - at);
        at += taken;
        pendingBytes -= taken;
        if (pendingBytes === 0) count++;
        continue;
      }
      prefix[prefixLength++] = chunk[at++]!;
      if (prefixLength < prefixBytes) continue;
      pendingBytes = prefix.readInt32BE(0);
      prefixLength = 0;
    }
    if (mode === 'discard') answerRequests(socket, count);
    else copyIn(chunk, socket, count);
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

function copyIn(chunk: Uint8Array, socket: Socket, count: number): void {
  if (received + chunk.length - written > ringBytes) throw new Error('More is in flight than the ring holds.');
  const at = received % ringBytes;
  const first = Math.min(chunk.length, ringBytes - at);
  ring.set(first === chunk.length ? chunk : chunk.subarray(0, first), at);
  if (first < chunk.length) ring.set(chunk.subarray(first), 0);
  received += chunk.length;
  if (count > 0) waiting.push({ at: received, socket, count });
  writeOn();
}

function writeOn(): void {
  if (isWriting || written === received) return;
  isWriting = true;
  const at = written % ringBytes;
  const sizeBytes = Math.min(received - written, ringBytes - at, writeAtMostBytes);
  write(descriptor, ring, at, sizeBytes, written, (error, byteCount) => {
    if (error !== null) throw error;
    written += byteCount;
    isWriting = false;
    writeOn();
    while (waiting.length > 0 && waiting[0]!.at <= written) {
      const { socket, count } = waiting.shift()!;
      answerRequests(socket, count);
    }
  });
}

open(file, 'w', (error, opened) => {
  if (error !== null) throw error;
  descriptor = opened;
  server.listen(0, '127.0.0.1', () => process.stdout.write(`serving ${(server.address() as AddressInfo).port}\n`));
});
process.on('SIGTERM', () => process.exit());
