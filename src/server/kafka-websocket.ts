/**
 * Kafka's protocol in WebSocket messages, for browsers. I/O thread.
 *
 *   GET /kafka, upgrade, subprotocol kafka   binary messages: a byte stream of size-prefixed requests, and of responses
 *
 * Message borders mean nothing, so any proxy between TCP and WebSocket can stand in front.
 * It does not know frames nor requests: see `request-pipeline.ts`.
 */

import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { AssemblyBudget } from './assembly-budget.ts';
import { DoorConnection } from './connection.ts';
import type { Peer, RouteTable, SocketLink, WebSocketPeer } from './http-route.ts';
import { RequestPipeline } from './request-pipeline.ts';
import type { PipelineLimits, RequestService, Transport } from './request-pipeline.ts';

export interface KafkaWebSocketOptions {
  readonly service: RequestService;
  readonly budget: AssemblyBudget;
  readonly limits: PipelineLimits;
  readonly logger: Logger;
  /** A longer message ends its connection, in bytes; default 16 MiB. A larger request comes as several messages. */
  readonly largestMessageBytes?: number;
  readonly clock?: Clock;
}

const listenerName = 'kafka-ws';
const goingAway = 1001;

/** The pipeline's way out through one WebSocket, which must not be touched after its close handler. */
class SocketTransport implements Transport {
  readonly #socket: WebSocketPeer;
  #open = true;
  #unsent: (() => void)[] = [];

  constructor(socket: WebSocketPeer) {
    this.#socket = socket;
  }

  write(parts: readonly Uint8Array[], sent: () => void): boolean {
    if (!this.#open) {
      sent();
      return true;
    }
    this.#socket.cork(() => {
      for (const part of parts) this.#socket.send(part, true);
    });
    // The pipeline stops writing at the first that is queued, so that the queue is bounded by one write.
    const flowing = this.#socket.backlogBytes === 0;
    if (flowing) sent();
    else this.#unsent.push(sent);
    return flowing;
  }

  pauseReading(): void {
    if (this.#open) this.#socket.pause();
  }

  resumeReading(): void {
    if (this.#open) this.#socket.resume();
  }

  end(): void {
    if (this.#open) this.#socket.end(goingAway, 'the broker stops');
  }

  destroy(): void {
    if (this.#open) this.#socket.close();
  }

  /** Whether all that was written has left. */
  drained(): boolean {
    if (!this.#open || this.#socket.backlogBytes > 0) return false;
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
class KafkaLink implements SocketLink {
  place = -1;
  readonly #pipeline: RequestPipeline;
  readonly #transport: SocketTransport;
  readonly #ended: () => void;

  constructor(pipeline: RequestPipeline, transport: SocketTransport, ended: () => void) {
    this.#pipeline = pipeline;
    this.#transport = transport;
    this.#ended = ended;
  }

  get idleSinceMs(): number {
    return this.#pipeline.idleSinceMs;
  }

  message(bytes: Uint8Array, start: number, end: number, isBinary: boolean): void {
    const pipeline = this.#pipeline;
    if (!isBinary) return pipeline.fail('it sent a text message; requests are binary');
    try {
      pipeline.receive(bytes.subarray(start, end));
    } catch (error) {
      pipeline.fail('what it sent could not be taken', error);
    }
  }

  drained(): void {
    if (this.#transport.drained()) this.#pipeline.drained();
  }

  finish(): void {
    this.#pipeline.finish();
  }

  destroy(): void {
    this.#pipeline.drop();
  }

  closed(): void {
    this.#transport.closed();
    this.#pipeline.closed();
    this.#ended();
  }
}

/** The part of the HTTP server that speaks Kafka's protocol. */
export class KafkaWebSocket {
  readonly #options: KafkaWebSocketOptions;
  #connectionCount = 0;

  constructor(options: KafkaWebSocketOptions) {
    this.#options = options;
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
      read: () => ({ asked: null }),
      open: (socket, peer) => this.#open(socket, peer),
    });
  }

  #open(socket: WebSocketPeer, peer: Peer<null>): SocketLink {
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
    return new KafkaLink(pipeline, transport, () => void this.#connectionCount--);
  }
}
