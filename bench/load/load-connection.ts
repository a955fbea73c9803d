/**
 * A connection of the load client: reads land straight in one buffer that it keeps, answers are handed on as places in
 * it. Load thread. It does not know what it sends.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { JobTarget } from './load-job.ts';
import type { HostPort } from './server-under-test.ts';
import { FrameStripper, upgradeRequest } from './web-socket-frames.ts';

const sizePrefixBytes = 4;
/** Kept free behind what was read, so that a read takes much at once. */
const readBytes = 256 * 1024;
const smallestBufferBytes = 64 * 1024;

/** An answer lies from `start`, behind its size prefix, to `end`, until the listener returns. */
export type AnswerListener = (bytes: Buffer, start: number, end: number) => void;

export class LoadConnection {
  readonly #socket: Socket;
  readonly #onFailure: (error: Error) => void;
  #onAnswer: AnswerListener = () => {};
  /** Called once after the answers that one read brought. */
  #afterAnswers: () => void = () => {};
  #buffer: Buffer;
  #length = 0;
  #stripper: FrameStripper | null = null;
  #upgrade: { readonly done: () => void } | null = null;
  #closing = false;

  private constructor(door: HostPort, bufferBytes: number, onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
    this.#buffer = Buffer.allocUnsafeSlow(bufferBytes);
    this.#socket = connect({
      host: door.host,
      port: door.port,
      noDelay: true,
      onread: {
        buffer: () => this.#room(),
        callback: (byteCount) => this.#received(byteCount),
      },
    });
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('The broker ended a connection.')));
  }

  /** `expectedAnswerBytes` of the largest answer; larger ones make the buffer grow. */
  static async open(
    target: JobTarget,
    expectedAnswerBytes: number,
    onFailure: (error: Error) => void,
  ): Promise<LoadConnection> {
    const door = target.transport === 'tcp' ? target.doors.kafka : target.doors.webSocket;
    if (door === undefined) throw new Error(`The broker has no door for ${target.transport}.`);
    const bufferBytes = Math.max(expectedAnswerBytes + readBytes, smallestBufferBytes);
    const small = expectedAnswerBytes < smallestBufferBytes / 2;
    const connection = new LoadConnection(door, small ? smallestBufferBytes : bufferBytes, onFailure);
    await once(connection.#socket, 'connect');
    if (target.transport === 'websocket') await connection.#becomeWebSocket(door);
    return connection;
  }

  listen(onAnswer: AnswerListener, afterAnswers: () => void): void {
    this.#onAnswer = onAnswer;
    this.#afterAnswers = afterAnswers;
  }

  /** `bytes` stay as they are until `sent`, or until what they ask is answered. */
  write(bytes: Uint8Array, sent?: () => void): void {
    this.#socket.write(bytes, sent);
  }

  close(): void {
    this.#closing = true;
    this.#socket.destroy();
  }

  async #becomeWebSocket({ host, port }: HostPort): Promise<void> {
    const done = new Promise<void>((resolve) => (this.#upgrade = { done: resolve }));
    this.#socket.write(upgradeRequest(host, port));
    await done;
  }

  #room(): Buffer {
    if (this.#buffer.length - this.#length < smallestBufferBytes / 2) {
      const larger = Buffer.allocUnsafeSlow(this.#buffer.length * 2);
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    return this.#buffer.subarray(this.#length);
  }

  #received(byteCount: number): boolean {
    try {
      if (this.#upgrade !== null) this.#readUpgrade(byteCount);
      else this.#readAnswers(byteCount);
    } catch (error) {
      this.#fail(error as Error);
    }
    return true;
  }

  #readUpgrade(byteCount: number): void {
    this.#length += byteCount;
    const text = this.#buffer.toString('latin1', 0, this.#length);
    if (!text.includes('\r\n\r\n')) return;
    if (!text.startsWith('HTTP/1.1 101')) throw new Error(`The WebSocket was refused: ${text.split('\r\n')[0]}`);
    this.#length = 0;
    this.#stripper = new FrameStripper();
    this.#upgrade!.done();
    this.#upgrade = null;
  }

  #readAnswers(byteCount: number): void {
    const readEnd = this.#length + byteCount;
    const end = this.#stripper === null ? readEnd : this.#stripper.strip(this.#buffer, this.#length, readEnd);
    const buffer = this.#buffer;
    let at = 0;
    while (end - at >= sizePrefixBytes) {
      const answerEnd = at + sizePrefixBytes + buffer.readInt32BE(at);
      if (answerEnd > end) break;
      this.#onAnswer(buffer, at + sizePrefixBytes, answerEnd);
      at = answerEnd;
    }
    if (at > 0 && at < end) buffer.copyWithin(0, at, end);
    this.#length = end - at;
    if (at > 0) this.#afterAnswers();
  }

  #fail(error: Error): void {
    if (this.#closing) return;
    this.close();
    this.#onFailure(error);
  }
}
