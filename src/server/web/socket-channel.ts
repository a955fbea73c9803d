/**
 * One connection of the HTTP port: bytes in, for whoever speaks over it, and bytes out, gathered. I/O thread.
 *
 *   socket ─► the server's one read buffer ─► handler.take ─┬─ taken
 *                  ▲ what was kept of the read before ◄─────┘ the rest is kept
 *
 *   put … put ─► the server's one output buffer ─► at the end of a read, of `corked`, or of a call: one write
 *
 * The handler changes where an HTTP request becomes a WebSocket. Reading is as `tcp-door.ts` has it, with its reasons. It knows
 * neither HTTP nor WebSocket.
 */

import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net';
import { assert } from '../../base/assert.ts';
import type { Logger } from '../../base/logger.ts';
import { PlacedList, type Placed } from '../../base/placed-list.ts';
import { unwrapMappedAddress } from '../connection.ts';
import { FrameRun } from './frame-run.ts';
import { FrameCore, frameMemory, readEnd, roomBeforeBytes } from './frame-core.ts';

/** Who speaks over a connection. It calls nothing of the channel from `closed` on. */
export interface ChannelHandler {
  /**
   * Takes what it can of `[at, end)` of the server's memory, and returns where that ends; the rest comes again, with more
   * behind it. What is not taken while the channel is not paused is at most `roomBeforeBytes`.
   */
  take(at: number, end: number): number;
  /** All that was written has left, after there was a backlog. */
  drained(): void;
  /** Called every few seconds, with a time of `Clock.heardMs` up to which all that came in was read. */
  sweep(nowMs: number): void;
  /** The connection is gone. */
  closed(): void;
}

/** What the connections of a server share. */
export class ChannelShare {
  readonly core = new FrameCore();
  readonly run = new FrameRun(this.core);
  readonly logger: Logger;
  readonly live = new PlacedList<SocketChannel>();
  readonly output = new OutputBuffer();

  constructor(logger: Logger) {
    this.logger = logger;
  }
}

const outputBytes = 64 * 1024;
/** So much is not copied. */
const largeBytes = 16 * 1024;
/** So little is written from a copy: a socket that cannot take it would keep the whole buffer. */
const copiedBytes = 4 * 1024;

/** What one connection at a time has to write, until it is written. */
class OutputBuffer {
  bytes = Buffer.allocUnsafeSlow(outputBytes);
  end = 0;
  owner: SocketChannel | null = null;
}

interface HandleOwner {
  _handle: unknown;
}

export class SocketChannel implements Placed {
  place = -1;
  handler: ChannelHandler;
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #share: ChannelShare;
  readonly #ended: () => void;
  /** What the handler did not take, and waits for more. */
  #rest: Uint8Array | null = null;
  #corks = 0;
  #isBehind = false;
  #isPaused = false;
  #isClosed = false;

  /**
   * Takes over the handle of `accepted`, of which nothing was read; it begins with `start`. `ended` is called once the connection is
   * gone.
   */
  constructor(
    accepted: Socket,
    share: ChannelShare,
    handlerOf: (channel: SocketChannel) => ChannelHandler,
    ended: () => void,
  ) {
    this.#share = share;
    this.#ended = ended;
    this.remoteAddress = unwrapMappedAddress(accepted.remoteAddress ?? '');
    const owner = accepted as unknown as HandleOwner;
    const handle = owner._handle;
    owner._handle = null;
    const { readBuffer } = share.core;
    const options: SocketConstructorOpts & { handle: unknown; onread: OnReadOpts; writableHighWaterMark: number } = {
      handle,
      // So each write that does not leave at once is followed by `drain`.
      writableHighWaterMark: 1,
      onread: {
        buffer: readBuffer,
        callback: (byteCount) => {
          this.#received(byteCount);
          return true;
        },
      },
    };
    this.#socket = new Socket(options);
    this.handler = handlerOf(this);
    this.#socket.on('drain', () => this.#drained());
    // Whoever sends no more does not listen, either.
    this.#socket.on('end', () => this.destroy());
    this.#socket.on('timeout', () => this.destroy());
    // A peer that resets is everyday life; `close` follows.
    this.#socket.on('error', () => this.destroy());
    this.#socket.on('close', () => {
      // The server counts the accepted socket, and waits for it on close.
      accepted.destroy();
      this.#closed();
    });
    share.live.add(this);
  }

  /** Begins to read. */
  start(): void {
    this.#socket.read(0);
  }

  /** The memory in which positions are that the handler is given. */
  get core(): FrameCore {
    return this.#share.core;
  }

  /** Of that memory. */
  get run(): FrameRun {
    return this.#share.run;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What was written and the system has not taken, in bytes. */
  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  /** Reads no more until `resume`. */
  pause(): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  /** Reads again, and has the handler take what is left of what was read before. */
  resume(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    if (this.#rest === null) this.#socket.resume();
    // Not from within whatever this was called in.
    else setImmediate(() => this.#again());
  }

  /** Writes what `step` puts with as few system calls as there can be. */
  corked(step: () => void): void {
    this.#corks++;
    try {
      step();
    } finally {
      this.#uncork();
    }
  }

  /** Writes a text as UTF-8, or what was put before it and the text. */
  writeText(text: string): void {
    if (this.#isClosed) return;
    const { output } = this.#share;
    if (this.#corks === 0 && output.owner !== this) {
      this.#writeText(text);
      return;
    }
    const sizeBytes = Buffer.byteLength(text);
    if (!this.#makeRoom(sizeBytes)) this.#writeText(text);
    else output.end += output.bytes.write(text, output.end, 'utf8');
    this.#flushUnlessCorked();
  }

  /** Writes bytes, which stay as they are until there is no backlog, behind those of `head`, which are copied. */
  writeBytes(head: Uint8Array, headBytes: number, bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#corks++;
    if (headBytes > 0) this.#put(head, headBytes);
    if (bytes.length < largeBytes) this.#put(bytes, bytes.length);
    else this.#writeLarge(bytes);
    this.#uncork();
  }

  /** The same with a text of `textBytes` bytes of UTF-8. */
  writeHeadedText(head: Uint8Array, headBytes: number, text: string, textBytes: number): void {
    if (this.#isClosed) return;
    const { output } = this.#share;
    this.#corks++;
    this.#put(head, headBytes);
    if (this.#makeRoom(textBytes)) output.end += output.bytes.write(text, output.end, 'utf8');
    else this.#writeText(text);
    this.#uncork();
  }

  /** Ends the connection once all that was written has left, or after `withinMs` in which nothing of it moved. */
  end(withinMs: number): void {
    if (this.#isClosed) return;
    this.#flush();
    this.#socket.end();
    this.#socket.setTimeout(withinMs);
    // What comes is read until the peer ends as well: else it would be told of a reset instead of what was written.
    this.#rest = null;
    if (this.#isPaused) this.#socket.resume();
    this.#isPaused = false;
  }

  /** Ends the connection where nothing moves for `stillMs`; 0: not any more. */
  giveUpAfter(stillMs: number): void {
    this.#socket.setTimeout(stillMs);
  }

  /** Ends it at once. */
  destroy(): void {
    this.#socket.destroy();
    this.#closed();
  }

  #received(byteCount: number): void {
    let at: number = frameMemory.read;
    const end = at + byteCount;
    if (this.#rest !== null) {
      at -= this.#rest.length;
      this.core.bytes.set(this.#rest, at);
      this.#rest = null;
    }
    this.#take(at, end);
  }

  /** What was left over, and nothing new. */
  #again(): void {
    const rest = this.#rest;
    if (this.#isPaused || this.#isClosed || rest === null) return;
    const at = readEnd - rest.length;
    this.#rest = null;
    this.core.bytes.set(rest, at);
    this.#take(at, readEnd);
    if (!this.#isPaused && !this.#isClosed) this.#socket.resume();
  }

  #take(start: number, end: number): void {
    let at = start;
    this.#corks++;
    try {
      for (;;) {
        const { handler } = this;
        at = handler.take(at, end);
        if (handler === this.handler || at === end) break;
      }
    } catch (error) {
      this.#share.logger.error({ error }, 'A connection is closed because serving it failed.');
      this.destroy();
    }
    if (at < end && !this.#isClosed) {
      assert(this.#isPaused || end - at <= roomBeforeBytes, 'what is kept has room before the next read');
      this.#rest = this.core.bytes.slice(at, end);
    }
    this.#uncork();
  }

  #uncork(): void {
    this.#corks--;
    this.#flushUnlessCorked();
  }

  #flushUnlessCorked(): void {
    if (this.#corks === 0) this.#flush();
  }

  #put(bytes: Uint8Array, sizeBytes: number): void {
    const { output } = this.#share;
    const hasRoom = this.#makeRoom(sizeBytes);
    assert(hasRoom, 'what is put is small');
    output.bytes.set(sizeBytes === bytes.length ? bytes : bytes.subarray(0, sizeBytes), output.end);
    output.end += sizeBytes;
  }

  /** Writes bytes without a copy, with what was put before in one system call. */
  #writeLarge(bytes: Uint8Array): void {
    if (this.#share.output.owner !== this) return this.#write(bytes);
    this.#socket.cork();
    this.#flush();
    this.#socket.write(bytes);
    this.#socket.uncork();
    if (this.#socket.writableLength > 0) this.#isBehind = true;
  }

  /** Makes the output buffer this connection's, with room for `sizeBytes`; false where it never has. */
  #makeRoom(sizeBytes: number): boolean {
    const { output } = this.#share;
    if (output.owner !== this) output.owner?.flushForOther();
    else if (output.end + sizeBytes > outputBytes) this.#flush();
    if (sizeBytes > outputBytes) return false;
    output.owner = this;
    return true;
  }

  /** Another connection wants the output buffer. */
  flushForOther(): void {
    this.#flush();
  }

  #flush(): void {
    const { output } = this.#share;
    if (output.owner !== this) return;
    const { bytes, end } = output;
    output.owner = null;
    output.end = 0;
    if (end === 0 || this.#isClosed) return;
    const isCopied = end <= copiedBytes || this.#socket.writableLength > 0;
    this.#write(isCopied ? Buffer.from(bytes.subarray(0, end)) : bytes.subarray(0, end));
    // It keeps what it was given until it has left.
    if (!isCopied && this.#socket.writableLength > 0) output.bytes = Buffer.allocUnsafeSlow(outputBytes);
  }

  #write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
    if (this.#socket.writableLength > 0) this.#isBehind = true;
  }

  #writeText(text: string): void {
    this.#socket.write(text, 'utf8');
    if (this.#socket.writableLength > 0) this.#isBehind = true;
  }

  #drained(): void {
    if (!this.#isBehind || this.#isClosed || this.#socket.writableLength > 0) return;
    this.#isBehind = false;
    this.handler.drained();
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { output, live } = this.#share;
    if (output.owner === this) {
      output.owner = null;
      output.end = 0;
    }
    this.#rest = null;
    live.delete(this);
    this.handler.closed();
    this.#ended();
  }
}
