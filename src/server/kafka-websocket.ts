/**
 * Kafka's protocol in WebSocket messages, for browsers. I/O thread.
 *
 *   GET /kafka, upgrade, subprotocol kafka   binary messages: a byte stream of size-prefixed requests, and of responses
 *
 * Message borders mean nothing, so any proxy between TCP and WebSocket can stand in front. What comes within one turn of
 * the event loop is served together (`gathered-messages.ts`). uWebSockets.js reads and writes; it cannot stop reading one
 * socket, so what a client sends while the broker is behind is kept up to a bound, and beyond it the connection ends, with
 * code 1013, "try again later".
 * It does not know frames nor requests: see `request-pipeline.ts`.
 */

import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { AssemblyBudget } from './assembly-budget.ts';
import { DoorConnection } from './connection.ts';
import { GatheredMessages, type MessageTaker } from './gathered-messages.ts';
import type { Peer, PeerSocket, RouteTable, SocketLink } from './http-route.ts';
import { RequestPipeline } from './request-pipeline.ts';
import type { PipelineLimits, RequestService, Transport } from './request-pipeline.ts';

export interface KafkaWebSocketOptions {
  readonly service: RequestService;
  readonly budget: AssemblyBudget;
  readonly limits: PipelineLimits;
  readonly logger: Logger;
  /** A longer message ends its connection, in bytes; default 16 MiB. A larger request comes as several messages. */
  readonly largestMessageBytes?: number;
  /** What one connection may send ahead while the broker cannot take it, in bytes; default 32 MiB. */
  readonly aheadBytes?: number;
  readonly clock?: Clock;
}

const listenerName = 'kafka-ws';
const goingAway = 1001;
const tryAgainLater = 1013;

/** The pipeline's way out through one WebSocket, which must not be touched after its close handler. */
class SocketTransport implements Transport {
  readonly #socket: PeerSocket<null>;
  #open = true;
  #cut = false;
  #paused = false;
  #unsent: (() => void)[] = [];

  constructor(socket: PeerSocket<null>) {
    this.#socket = socket;
  }

  /** The pipeline wants no bytes; they come nevertheless. */
  get paused(): boolean {
    return this.#paused;
  }

  write(parts: readonly Uint8Array[], sent: () => void): boolean {
    let flowing = true;
    if (!this.#open) {
      sent();
      return flowing;
    }
    let dropped = false;
    this.#socket.cork(() => {
      for (const part of parts) {
        const outcome = this.#socket.send(part, true, false);
        if (outcome !== 1) flowing = false;
        if (outcome === 2) dropped = true;
      }
    });
    if (flowing) sent();
    else this.#unsent.push(sent);
    // A stream with a hole is worth nothing.
    if (dropped) this.destroy();
    return flowing;
  }

  pauseReading(): void {
    this.#paused = true;
  }

  resumeReading(): void {
    this.#paused = false;
  }

  end(): void {
    if (this.#open) this.#socket.end(goingAway, 'the broker stops');
  }

  endForNow(): void {
    if (this.#open) this.#socket.end(tryAgainLater, 'the broker is behind');
  }

  destroy(): void {
    this.#cut = true;
    if (this.#open) this.#socket.close();
  }

  /** The connection was ended at once, by this side: what came before is not served any more. */
  get isCut(): boolean {
    return this.#cut;
  }

  /** Whether all that was written has left. */
  drained(): boolean {
    if (!this.#open || this.#socket.getBufferedAmount() > 0) return false;
    this.#settle();
    return true;
  }

  closed(): void {
    this.#open = false;
    this.#settle();
  }

  #settle(): void {
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const sent of unsent) sent();
  }
}

/** One open WebSocket and its pipeline. */
class KafkaLink implements SocketLink, MessageTaker {
  place = -1;
  readonly #gathered: GatheredMessages;
  readonly #pipeline: RequestPipeline;
  readonly #transport: SocketTransport;
  readonly #options: KafkaWebSocketOptions;
  readonly #ended: () => void;

  constructor(
    gathered: GatheredMessages,
    pipeline: RequestPipeline,
    transport: SocketTransport,
    options: KafkaWebSocketOptions,
    ended: () => void,
  ) {
    this.#gathered = gathered;
    this.#pipeline = pipeline;
    this.#transport = transport;
    this.#options = options;
    this.#ended = ended;
  }

  get idleSinceMs(): number {
    return this.#pipeline.idleSinceMs;
  }

  message(message: ArrayBuffer, isBinary: boolean): void {
    if (isBinary) return this.#gathered.add(this, new Uint8Array(message));
    this.#gathered.passOn();
    this.#pipeline.fail('it sent a text message; requests are binary');
  }

  takeBytes(bytes: Uint8Array): void {
    const pipeline = this.#pipeline;
    try {
      pipeline.receive(bytes);
    } catch (error) {
      return pipeline.fail('what it sent could not be taken', error);
    }
    if (!this.#transport.paused) return;
    if (pipeline.keptBytes <= (this.#options.aheadBytes ?? 32 * 1024 * 1024)) return;
    this.#options.logger.warn(
      { connection: pipeline.connection.id, client: pipeline.connection.clientHost, bytes: pipeline.keptBytes },
      'A WebSocket client sent further ahead than the broker can take; its connection is closed.',
    );
    this.#transport.endForNow();
  }

  drained(): void {
    if (this.#transport.drained()) this.#pipeline.drained();
  }

  finish(): void {
    this.#gathered.passOn();
    this.#pipeline.finish();
  }

  destroy(): void {
    this.#pipeline.drop();
  }

  closed(): void {
    this.#transport.closed();
    // Requests that want no answer count, also where their client goes right behind them.
    if (!this.#transport.isCut) this.#gathered.passOn();
    this.#pipeline.closed();
    this.#ended();
  }
}

/** The part of the HTTP server that speaks Kafka's protocol. */
export class KafkaWebSocket {
  readonly #options: KafkaWebSocketOptions;
  readonly #gathered: GatheredMessages;
  #connectionCount = 0;

  constructor(options: KafkaWebSocketOptions) {
    this.#options = options;
    this.#gathered = new GatheredMessages(options.clock ?? systemClock);
  }

  get connectionCount(): number {
    return this.#connectionCount;
  }

  register(table: RouteTable): void {
    table.webSocket<null>({
      pattern: '/kafka',
      // Proxies between TCP and WebSocket use `binary`.
      protocols: ['kafka', 'binary'],
      hint: 'Connect with a WebSocket, subprotocol kafka.',
      largestMessageBytes: this.#options.largestMessageBytes ?? 16 * 1024 * 1024,
      // The pipeline stops writing at the first message that is queued, so the queue is bounded by one write.
      largestBacklogBytes: 0,
      read: () => ({ asked: null }),
      open: (socket, peer) => this.#open(socket, peer),
    });
  }

  #open(socket: PeerSocket<null>, peer: Peer<null>): SocketLink {
    const { service, budget, limits, logger, clock = systemClock } = this.#options;
    const connection = new DoorConnection({
      id: peer.id,
      listener: listenerName,
      advertisedHost: peer.advertisedHost,
      advertisedPort: peer.advertisedPort,
      clientHost: peer.clientHost,
    });
    const transport = new SocketTransport(socket);
    const pipeline = new RequestPipeline(connection, service, transport, budget, limits, logger, clock);
    this.#connectionCount++;
    return new KafkaLink(this.#gathered, pipeline, transport, this.#options, () => void this.#connectionCount--);
  }
}
