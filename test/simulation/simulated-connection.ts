/**
 * A connection between a simulated client and a broker's pipeline: bytes travel in pieces that take their time and keep
 * their order, and both ends, or the process behind one, may end it at any moment. Single thread, under the scheduler.
 *
 *   client.send ─► pieces ─ ─► RequestPipeline.receive          pieces wait while the broker does not read
 *   client.onFrame ◄─ frames ◄ ─ pieces ◄─ Transport.write      `sent` comes when the bytes have been taken over
 *
 * Pieces under way when a connection is cut arrive up to some point of the seed's choice and not after it.
 * Bytes that the broker writes are read when they travel, not when they are given: a broker that uses their memory again
 * before it was told `sent` sends garbage. It does not know requests.
 */

import type { Transport } from '../../src/server/request-pipeline.ts';
import type { Scheduler } from './scheduler.ts';

/** The broker's end, as far as a connection knows it. */
export interface ServerEnd {
  receive(chunk: Uint8Array): void;
  drained(): void;
  closed(): void;
}

export interface LinkOptions {
  readonly scheduler: Scheduler;
  readonly name: string;
  /** The longest that a piece travels, in virtual milliseconds. */
  readonly maxLatencyMs: number;
}

/** Written bytes that the client has not read, at which it counts as slow. */
const slowPeerBytes = 16 * 1024;

interface Outgoing {
  readonly parts: readonly Uint8Array[];
  readonly sent: () => void;
}

export class SimulatedConnection implements Transport {
  /** The client's: a whole frame came, without its size prefix. */
  onFrame: (frame: Uint8Array) => void = () => {};
  /** The client's: the connection has ended, whoever ended it. Called once. */
  onEnd: () => void = () => {};
  readonly #options: LinkOptions;
  #server: ServerEnd | null = null;
  #upstream: Uint8Array[] = [];
  #upstreamUnderWay = 0;
  #downstream: Outgoing[] = [];
  #unreadBytes = 0;
  #received = new Uint8Array(0);
  #isPaused = false;
  #isSlow = false;
  #clientEnded = false;
  #serverEnded = false;
  #endAfterWriting = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Connects the broker's end. */
  attach(server: ServerEnd): void {
    this.#server = server;
  }

  get isOpen(): boolean {
    return !this.#clientEnded;
  }

  // The client's side.

  send(bytes: Uint8Array): void {
    if (this.#clientEnded) return;
    const { random } = this.#options.scheduler;
    let at = 0;
    while (at < bytes.length) {
      const length = random.chance(0.2) ? 1 + random.below(bytes.length - at) : bytes.length - at;
      this.#upstream.push(bytes.subarray(at, at + length));
      at += length;
    }
    this.#moveUpstream();
  }

  /** The connection is cut on the way: each end hears of it in its own time. */
  cut(): void {
    const { random } = this.#options.scheduler;
    this.#upstream.length = Math.min(this.#upstream.length, random.below(this.#upstream.length + 1));
    this.#endClient();
    this.#later('cut', () => {
      this.#moveAllUpstream();
      this.#endServer();
    });
  }

  /** The broker's process is gone: nothing that is under way arrives, and the client hears of it. */
  lost(): void {
    this.#serverEnded = true;
    this.#upstream = [];
    this.#downstream = [];
    this.#later('reset', () => this.#endClient());
  }

  // The broker's side.

  write(parts: readonly Uint8Array[], sent: () => void): boolean {
    this.#downstream.push({ parts, sent });
    for (const part of parts) this.#unreadBytes += part.length;
    this.#later('down', () => this.#deliverDown());
    this.#isSlow ||= this.#unreadBytes > slowPeerBytes;
    return !this.#isSlow;
  }

  pauseReading(): void {
    this.#isPaused = true;
  }

  resumeReading(): void {
    this.#isPaused = false;
    this.#moveUpstream();
  }

  end(): void {
    this.#endAfterWriting = true;
    if (this.#downstream.length === 0) this.#closeFromServer();
  }

  destroy(): void {
    this.#closeFromServer();
  }

  #later(what: string, callback: () => void): void {
    const { scheduler, name, maxLatencyMs } = this.#options;
    scheduler.schedule(`${name} ${what}`, scheduler.random.below(maxLatencyMs * 2 + 1) / 2, callback);
  }

  /** Lets a piece travel for each that waits; whichever arrives first brings the oldest. */
  #moveUpstream(): void {
    if (this.#isPaused) return;
    while (this.#upstreamUnderWay < this.#upstream.length) {
      this.#upstreamUnderWay++;
      this.#later('up', () => {
        this.#upstreamUnderWay--;
        if (!this.#isPaused) this.#deliverUp();
      });
    }
  }

  #moveAllUpstream(): void {
    while (this.#upstream.length > 0 && !this.#isPaused && !this.#serverEnded) this.#deliverUp();
  }

  #deliverUp(): void {
    if (this.#serverEnded) return;
    const piece = this.#upstream.shift();
    if (piece === undefined) return;
    // The reader's buffer is used again at once, as the real door's is.
    const buffer = piece.slice();
    this.#server?.receive(buffer);
    buffer.fill(0xdb);
  }

  #deliverDown(): void {
    const outgoing = this.#downstream.shift();
    if (outgoing === undefined) return;
    const bytes = new Uint8Array(Buffer.concat(outgoing.parts));
    this.#unreadBytes -= bytes.length;
    outgoing.sent();
    if (!this.#clientEnded) this.#take(bytes);
    if (this.#isSlow && this.#unreadBytes <= slowPeerBytes / 2) {
      this.#isSlow = false;
      if (!this.#serverEnded) this.#server?.drained();
    }
    if (this.#endAfterWriting && this.#downstream.length === 0) this.#closeFromServer();
  }

  #take(bytes: Uint8Array): void {
    this.#received = new Uint8Array(Buffer.concat([this.#received, bytes]));
    for (;;) {
      if (this.#received.length < 4) return;
      const size = new DataView(this.#received.buffer).getUint32(0);
      if (this.#received.length < 4 + size) return;
      const frame = this.#received.slice(4, 4 + size);
      this.#received = this.#received.slice(4 + size);
      this.onFrame(frame);
    }
  }

  #closeFromServer(): void {
    if (this.#serverEnded) return;
    this.#serverEnded = true;
    const rest = this.#downstream;
    this.#downstream = [];
    for (const { sent } of rest) sent();
    this.#server?.closed();
    this.#later('closed', () => this.#endClient());
  }

  #endServer(): void {
    if (this.#serverEnded) return;
    this.#serverEnded = true;
    const rest = this.#downstream;
    this.#downstream = [];
    for (const { sent } of rest) sent();
    this.#server?.closed();
  }

  #endClient(): void {
    if (this.#clientEnded) return;
    this.#clientEnded = true;
    this.onEnd();
  }
}
