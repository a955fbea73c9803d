/**
 * One request's response, written to its connection. I/O thread.
 *
 *   status, headers ─► end(body): one write, with its length
 *                   ─► write(part) … end(): in chunks, or, for HTTP/1.0, until the connection ends
 *
 * The shape is `HttpResponse` in `http-route.ts`. It does not read: see `http-connection.ts`.
 */

import { assert } from '../../base/assert.ts';
import type { HttpResponse } from '../http-route.ts';
import type { RequestHead } from './request-head.ts';
import type { ChannelHandler, SocketChannel } from './socket-channel.ts';

/** The connection, as its exchange sees it. */
interface ExchangeOwner {
  answered(closes: boolean): void;
}

export class HttpExchange implements HttpResponse {
  readonly #owner: ExchangeOwner;
  readonly #channel: SocketChannel;
  readonly #head: RequestHead;
  /** Status line and headers as far as they go. */
  #text = '';
  #isStreaming = false;
  #isOver = false;
  #aborted: (() => void) | null = null;
  #take: ((bytes: Uint8Array, isLast: boolean) => void) | null = null;
  #writable: (() => void) | null = null;

  constructor(owner: ExchangeOwner, channel: SocketChannel, head: RequestHead) {
    this.#owner = owner;
    this.#channel = channel;
    this.#head = head;
  }

  get remoteAddress(): string {
    return this.#channel.remoteAddress;
  }

  /** It has ended, or was aborted. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Something of it was written. */
  get hasBegun(): boolean {
    return this.#isStreaming || this.#isOver;
  }

  writeStatus(status: string): this {
    assert(this.#text === '', 'the status comes first');
    this.#text = `HTTP/1.1 ${status}\r\n`;
    return this;
  }

  writeHeader(name: string, value: string): this {
    if (this.#text === '') this.#text = 'HTTP/1.1 200 OK\r\n';
    this.#text += `${name}: ${value}\r\n`;
    return this;
  }

  write(part: string | Uint8Array): boolean {
    if (this.#isOver) return false;
    const sizeBytes = typeof part === 'string' ? Buffer.byteLength(part) : part.length;
    this.#channel.corked(() => {
      this.#beginStream();
      if (sizeBytes > 0) this.#writePart(part, sizeBytes);
    });
    return this.#channel.backlogBytes === 0;
  }

  end(body: string | Uint8Array = '', closes = false): void {
    assert(!this.#isOver, 'a response ends once');
    const isLast = closes || !this.#head.keepsAlive;
    if (this.#isStreaming) {
      this.#channel.corked(() => {
        if (body.length > 0) this.write(body);
        if (this.#isChunked) this.#channel.writeText('0\r\n\r\n');
      });
      return this.#ends(isLast || !this.#isChunked);
    }
    const sizeBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const head = `${this.#wholeHead(isLast)}content-length: ${sizeBytes}\r\n\r\n`;
    // A page in its place says nothing to a HEAD.
    if (this.#head.method === 'HEAD') this.#channel.writeText(head);
    else if (typeof body === 'string') this.#channel.writeText(head + body);
    else this.#writeBehind(head, body);
    this.#ends(isLast);
  }

  endWithoutBody(): void {
    assert(!this.#isOver, 'a response ends once');
    const isLast = !this.#head.keepsAlive;
    this.#channel.writeText(`${this.#wholeHead(isLast)}\r\n`);
    this.#ends(isLast);
  }

  close(): void {
    this.#channel.destroy();
  }

  onAborted(aborted: () => void): void {
    this.#aborted = aborted;
  }

  onData(take: (bytes: Uint8Array, isLast: boolean) => void): void {
    this.#take = take;
  }

  onWritable(writable: () => void): void {
    this.#writable = writable;
  }

  pause(): void {
    if (!this.#isOver) this.#channel.pause();
  }

  resume(): void {
    if (!this.#isOver) this.#channel.resume();
  }

  // What the connection calls.

  /** A part of the body came. */
  came(bytes: Uint8Array, isLast: boolean): void {
    this.#take?.(bytes, isLast);
  }

  /** All that was written has left. */
  writable(): void {
    if (!this.#isOver) this.#writable?.();
  }

  /** The connection ended before the response did. */
  aborted(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#aborted?.();
  }

  /** It becomes something else than HTTP: what switches is written, and `handler` takes the connection over. */
  becomes(handlerOf: (channel: SocketChannel) => ChannelHandler): void {
    assert(!this.#isOver && !this.#isStreaming, 'what was answered stays HTTP');
    this.#isOver = true;
    this.#channel.writeText(`${this.#text}\r\n`);
    this.#channel.handler = handlerOf(this.#channel);
  }

  get #isChunked(): boolean {
    return this.#head.minorVersion === 1;
  }

  #beginStream(): void {
    if (this.#isStreaming) return;
    this.#isStreaming = true;
    const head = this.#wholeHead(!this.#isChunked || !this.#head.keepsAlive);
    this.#channel.writeText(this.#isChunked ? `${head}transfer-encoding: chunked\r\n\r\n` : `${head}\r\n`);
  }

  #writePart(part: string | Uint8Array, sizeBytes: number): void {
    const [before, behind] = this.#isChunked ? [`${sizeBytes.toString(16)}\r\n`, '\r\n'] : ['', ''];
    if (typeof part === 'string') return this.#channel.writeText(before + part + behind);
    this.#writeBehind(before, part);
    if (behind !== '') this.#channel.writeText(behind);
  }

  #writeBehind(text: string, bytes: Uint8Array): void {
    const head = Buffer.from(text);
    this.#channel.writeBytes(head, head.length, bytes);
  }

  #wholeHead(isLast: boolean): string {
    const text = this.#text === '' ? 'HTTP/1.1 200 OK\r\n' : this.#text;
    return isLast ? `${text}connection: close\r\n` : text;
  }

  #ends(closes: boolean): void {
    this.#isOver = true;
    this.#owner.answered(closes);
  }
}
