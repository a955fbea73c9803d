/**
 * One WebSocket of a client (RFC 6455), from its handshake to its end. I/O thread.
 *
 *   read ─► whole frames, by the core ─┬─ message in one frame ─────────────────► link
 *                                      ├─ fragment ─► collected ─┬─ the last ───► link
 *                                      └─ ping, pong, close      │
 *   a long frame in pieces ─► collected as it comes ─────────────┘
 *
 * What is collected grows with what came, not with what was announced. Extensions are not spoken. Who is silent for long is asked by
 * a ping, and gone where nothing comes back; who is not read is not asked.
 */

import { isUtf8 } from 'node:buffer';
import { assert } from '../../base/assert.ts';
import type { MessageMemory, SocketLink, WebSocketPeer } from '../http-route.ts';
import { frameMemory, FrameProblem, roomBeforeBytes, wrongUtf8 } from './frame-core.ts';
import type { FrameRun } from './frame-run.ts';
import { GrowingBytes } from './growing-bytes.ts';
import type { ChannelHandler, SocketChannel } from './socket-channel.ts';

export interface WebSocketSettings {
  /** A longer message ends its connection, in bytes. */
  readonly largestMessageBytes: number;
  /** Who is silent for so long is gone, in milliseconds. */
  readonly deadAfterMs: number;
  /** As `Clock.heardMs`. */
  readonly nowMs: () => number;
  /** Of the memory that the server's sockets are read into; all WebSockets share it. */
  readonly run: FrameRun;
  /** Has `serve` call the link with what one read brought. */
  readonly served: (serve: () => void) => void;
  /** The link was told that it is closed. */
  readonly gone: () => void;
}

/** RFC 6455, section 7.4.1. */
const CloseCode = { NONE: 1005, PROTOCOL: 1002, NOT_UTF8: 1007, TOO_LARGE: 1009 } as const;

const Opcode = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;
const final = 0x80;
const masked = 0x80;
/** A goodbye is waited for so long. */
const goodbyeMs = 10_000;
/** Frames from here on are collected as they come. */
const longFrameBytes = roomBeforeBytes / 2;
const rowWords = frameMemory.sizeOfRow / 4;

/** The head of a frame being written; `send` is never within another. */
const head = new Uint8Array(10);

/** A frame that is longer than what is kept of a read. */
interface LongFrame {
  readonly first: number;
  readonly sizeBytes: number;
  readonly mask: number;
  readonly payload: GrowingBytes;
}

export class WebSocketConnection implements ChannelHandler, WebSocketPeer {
  readonly #channel: SocketChannel;
  readonly #settings: WebSocketSettings;
  #link: SocketLink | null = null;
  #long: LongFrame | null = null;
  #fragments: { readonly isText: boolean; readonly payload: GrowingBytes } | null = null;
  #heardMs: number;
  #hasPinged = false;
  #isPaused = false;
  /** What `#serve` goes over. */
  #at = 0;
  #end = 0;
  readonly #serveRead = (): void => this.#serve();

  constructor(channel: SocketChannel, settings: WebSocketSettings) {
    this.#channel = channel;
    this.#settings = settings;
    this.#heardMs = settings.nowMs();
  }

  /** Once, before anything is read. */
  open(link: SocketLink): void {
    assert(this.#link === null, 'a WebSocket opens once');
    this.#link = link;
  }

  // As WebSocketPeer.

  send(message: string | Uint8Array, isBinary = false): boolean {
    if (this.#link === null) return false;
    this.#write(isBinary ? Opcode.BINARY : Opcode.TEXT, message);
    return this.#channel.backlogBytes === 0;
  }

  get memory(): MessageMemory {
    return this.#channel.core;
  }

  get backlogBytes(): number {
    return this.#channel.backlogBytes;
  }

  cork(step: () => void): void {
    this.#channel.corked(step);
  }

  pause(): void {
    if (this.#link === null) return;
    this.#isPaused = true;
    this.#channel.pause();
  }

  resume(): void {
    if (this.#link === null || !this.#isPaused) return;
    this.#isPaused = false;
    this.#heardMs = this.#settings.nowMs();
    this.#channel.resume();
  }

  end(code: number, reason: string): void {
    if (this.#link === null) return;
    this.#close(code, reason);
  }

  close(): void {
    this.#channel.destroy();
  }

  // As ChannelHandler.

  take(start: number, end: number): number {
    if (this.#link === null) return end;
    this.#heardMs = this.#settings.nowMs();
    this.#hasPinged = false;
    this.#at = start;
    this.#end = end;
    this.#settings.served(this.#serveRead);
    return this.#at;
  }

  drained(): void {
    this.#link?.drained();
  }

  sweep(nowMs: number): void {
    if (this.#link === null) {
      // Whoever sends on without end does not say goodbye either.
      if (nowMs - this.#heardMs > goodbyeMs) this.#channel.destroy();
      return;
    }
    if (this.#isPaused) return;
    const silentMs = nowMs - this.#heardMs;
    if (silentMs > this.#settings.deadAfterMs) return this.#channel.destroy();
    if (this.#hasPinged || silentMs < this.#settings.deadAfterMs / 2) return;
    this.#hasPinged = true;
    this.#write(Opcode.PING, '');
  }

  closed(): void {
    this.#leave();
  }

  /** Serves what was read; what is not taken begins at `#at`. */
  #serve(): void {
    if (this.#long !== null && !this.#fill(this.#long)) return;
    const { core } = this.#channel;
    const { words } = core;
    for (let isMore = true; isMore;) {
      const count = core.readFrames(this.#at, this.#end, this.#settings.largestMessageBytes);
      // What serves a message may have others read.
      const stoppedAt = words[frameMemory.stoppedAt / 4]!;
      const problem = words[frameMemory.problem / 4]!;
      for (let i = 0; i < count;) {
        i = this.#serveRows(i, count);
        if (this.#link === null) return this.#passOver();
      }
      this.#at = stoppedAt;
      if (problem !== FrameProblem.NONE) return this.#fail(problem);
      isMore = count === frameMemory.mostRows;
    }
    if (this.#end - this.#at >= 14) this.#beginLong();
  }

  /** Serves the row `from` of `count`, or that and those behind it which are whole messages as well; returns the next one. */
  #serveRows(from: number, count: number): number {
    const { bytes, words } = this.#channel.core;
    const link = this.#link!;
    let row = frameMemory.rows / 4 + from * rowWords;
    if (link.messages !== undefined && this.#fragments === null) {
      let end = from;
      while (end < count && isMessage(words[row + 2]!)) {
        end++;
        row += rowWords;
      }
      if (end > from) {
        this.#settings.run.begin(from, end);
        link.messages(this.#settings.run);
        return end;
      }
    }
    this.#frame(words[row + 2]!, bytes, words[row]!, words[row + 1]!);
    return from + 1;
  }

  /** `[start, end)` of `bytes` is the payload of a frame whose first byte is in `first`. */
  #frame(first: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#fragments === null && isMessage(first)) {
      return this.#link!.message(bytes, start, end, first === (final | Opcode.BINARY));
    }
    if ((first & wrongUtf8) !== 0) return this.#close(CloseCode.NOT_UTF8, 'a text is not UTF-8');
    switch (first & 0x0f) {
      case Opcode.CLOSE:
        return this.#goodbye(bytes.subarray(start, end));
      case Opcode.PING:
        return this.#write(Opcode.PONG, bytes.subarray(start, end));
      case Opcode.PONG:
        return;
      default:
        this.#fragment(first, bytes.subarray(start, end));
    }
  }

  #fragment(first: number, payload: Uint8Array): void {
    const isFirst = (first & 0x0f) !== Opcode.CONTINUATION;
    if (isFirst === (this.#fragments !== null)) return this.#fail(FrameProblem.MALFORMED);
    this.#fragments ??= { isText: (first & 0x0f) === Opcode.TEXT, payload: new GrowingBytes() };
    const { isText, payload: collected } = this.#fragments;
    if (collected.sizeBytes + payload.length > this.#settings.largestMessageBytes)
      return this.#fail(FrameProblem.TOO_LARGE);
    collected.add(payload, this.#settings.largestMessageBytes);
    if ((first & final) === 0) return;
    this.#fragments = null;
    this.#collected(collected.bytes, isText);
  }

  /** A message came whole that did not come in one piece. */
  #collected(message: Uint8Array, isText: boolean): void {
    if (isText && !isUtf8(message)) return this.#close(CloseCode.NOT_UTF8, 'a text is not UTF-8');
    this.#link!.message(message, 0, message.length, !isText);
  }

  /** Where a long frame has begun what there is of it is taken. */
  #beginLong(): void {
    const { buffer } = this.#channel.core;
    const at = this.#at;
    const short = buffer[at + 1]! & ~masked;
    const headBytes = short === 127 ? 14 : short === 126 ? 8 : 6;
    const sizeBytes = short === 127 ? buffer.readUInt32BE(at + 6) : short === 126 ? buffer.readUInt16BE(at + 2) : short;
    if (sizeBytes < longFrameBytes) return;
    const mask = buffer.readUInt32LE(at + headBytes - 4);
    this.#long = { first: buffer[at]!, sizeBytes, mask, payload: new GrowingBytes() };
    this.#at += headBytes;
    this.#fill(this.#long);
  }

  /** Takes what there is of a long frame; whether it is whole, and has been served. */
  #fill(frame: LongFrame): boolean {
    const { core } = this.#channel;
    const { first, sizeBytes, mask, payload } = frame;
    const start = this.#at;
    const end = Math.min(this.#end, start + sizeBytes - payload.sizeBytes);
    core.unmask(start, end, rotated(mask, payload.sizeBytes & 3));
    payload.add(core.bytes.subarray(start, end), sizeBytes);
    this.#at = end;
    if (payload.sizeBytes < sizeBytes) return false;
    this.#long = null;
    const isWhole = (first & final) !== 0 && (first & 0x0f) !== Opcode.CONTINUATION && this.#fragments === null;
    if (isWhole) this.#collected(payload.bytes, (first & 0x0f) === Opcode.TEXT);
    else this.#fragment(first, payload.bytes);
    if (this.#link !== null) return true;
    this.#passOver();
    return false;
  }

  #passOver(): void {
    this.#at = this.#end;
  }

  #goodbye(payload: Uint8Array): void {
    if (payload.length === 0) return this.#close(CloseCode.NONE, '');
    const code = payload.length === 1 ? 0 : (payload[0]! << 8) | payload[1]!;
    const isKnown =
      (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code < 5000);
    if (!isKnown || !isUtf8(payload.subarray(2))) return this.#fail(FrameProblem.MALFORMED);
    this.#close(code, '');
  }

  #fail(problem: number): void {
    if (this.#link === null) return;
    if (problem === FrameProblem.TOO_LARGE) this.#close(CloseCode.TOO_LARGE, 'a message is too large');
    else this.#close(CloseCode.PROTOCOL, 'a frame is not as RFC 6455 has it');
    this.#passOver();
  }

  #close(code: number, reason: string): void {
    const text = Buffer.from(`\0\0${reason}`);
    if (code === CloseCode.NONE) this.#write(Opcode.CLOSE, '');
    else {
      text.writeUInt16BE(code);
      this.#write(Opcode.CLOSE, text);
    }
    this.#heardMs = this.#settings.nowMs();
    this.#leave();
    this.#channel.end(goodbyeMs);
  }

  #leave(): void {
    const link = this.#link;
    if (link === null) return;
    this.#link = null;
    this.#long = null;
    this.#fragments = null;
    link.closed();
    this.#settings.gone();
  }

  #write(opcode: number, payload: string | Uint8Array): void {
    const isText = typeof payload === 'string';
    const sizeBytes = isText ? Buffer.byteLength(payload) : payload.length;
    head[0] = final | opcode;
    let headBytes = 2;
    if (sizeBytes < 126) head[1] = sizeBytes;
    else if (sizeBytes < 65_536) {
      head[1] = 126;
      head[2] = sizeBytes >>> 8;
      head[3] = sizeBytes;
      headBytes = 4;
    } else {
      head[1] = 127;
      head.fill(0, 2, 6);
      head[6] = sizeBytes >>> 24;
      head[7] = sizeBytes >>> 16;
      head[8] = sizeBytes >>> 8;
      head[9] = sizeBytes;
      headBytes = 10;
    }
    if (isText) this.#channel.writeHeadedText(head, headBytes, payload, sizeBytes);
    else this.#channel.writeBytes(head, headBytes, payload);
  }
}

/** Whether a frame with this first byte is a whole message that is right. */
function isMessage(first: number): boolean {
  return first === (final | Opcode.TEXT) || first === (final | Opcode.BINARY);
}

/** The mask as it goes on behind `count` bytes. */
function rotated(mask: number, count: number): number {
  return count === 0 ? mask : (mask >>> (8 * count)) | (mask << (32 - 8 * count));
}
