/**
 * The door for Kafka's protocol over TCP. I/O thread.
 *
 *   net.Server (pauseOnConnect) → the accepted socket's handle → a socket of our own that reads into the door's buffer
 *
 * Node gives server sockets a fresh buffer for every read. A socket that is constructed around a handle may name its
 * buffer (`onread`), so all connections of a door read into one: half the processor time, and no garbage. The bytes
 * are gone after the callback; the assembler copies what must stay, and the rest of a large frame is read to where it
 * is kept. Node asks for the next read's buffer right after the callback of the one before, and a socket that is
 * destroyed reads no more at once, so that no buffer is read into that was given back. The option `handle` is Node's own
 * and not in its documentation; a test reads through it.
 * It does not know frames nor requests: see `request-pipeline.ts`.
 */

import { createServer, Socket } from 'node:net';
import type { AddressInfo, OnReadOpts, Server, SocketConstructorOpts } from 'node:net';
import { systemClock } from '../base/clock.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { ActiveClients } from './active-clients.ts';
import { AdmissionQueue } from './admission-queue.ts';
import type { AssemblyBudget } from './assembly-budget.ts';
import type { ConnectionBound, ConnectionQuota } from './connection-quota.ts';
import { DoorConnection, networkOf, nextConnectionId, unwrapMappedAddress } from './connection.ts';
import { listenOnPort } from './direct-listen.ts';
import { sweepIdle } from './idle-sweep.ts';
import { listenError } from './listen-error.ts';
import { RequestPipeline } from './request-pipeline.ts';
import type { PipelineLimits, RequestService, Transport } from './request-pipeline.ts';

export interface TcpDoorOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly service: RequestService;
  readonly budget: AssemblyBudget;
  readonly limits: PipelineLimits;
  readonly logger: Logger;
  /** What clients are told to use; null: the address at which each reached us. */
  readonly advertised?: { readonly host: string; readonly port: number } | null;
  /** Connections beyond it are closed at once, and those that come too early after a while. */
  readonly quota: ConnectionQuota;
  /** Hears of what clients send. Default: nobody does. */
  readonly clients?: ActiveClients;
  /** As for `sweepIdle` (`connections.max.idle.ms`). */
  readonly idleMs: number;
  readonly clock?: Clock;
}

const readBufferBytes = 256 * 1024;
/** Connections that the system keeps until they are taken. */
const backlog = 1024;
/** Written bytes that the kernel has not taken, at which a peer counts as slow. */
const slowPeerBytes = 1024 * 1024;
const closeWithinMs = 800;
const listenerName = 'kafka';
/** Connections that are held up or wait at once; more are closed without waiting. */
const mostHeldUp = 1024;
/** Of one address, so that the others find a place too. */
const mostHeldUpOfAddress = 256;

interface HandleOwner {
  _handle: unknown;
}

export class TcpDoor {
  readonly #options: TcpDoorOptions;
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #readBuffer = Buffer.allocUnsafeSlow(readBufferBytes);
  readonly #live = new Map<Socket, RequestPipeline>();
  /** Connections that wait for their turn to come in; nothing is read of them. */
  readonly #queue: AdmissionQueue<Socket>;
  /** Connections that came too early, until they are closed. */
  readonly #heldUp = new Set<Socket>();
  #stopSweep: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  private constructor(options: TcpDoorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => this.#arrive(accepted));
    this.#queue = new AdmissionQueue({
      clock: this.#clock,
      waitMs: () => options.quota.waitMs(),
      admit: (accepted) => {
        options.quota.countOnly(-1);
        this.#accept(accepted);
      },
      most: mostHeldUp,
      originOf: (accepted) => networkOf(unwrapMappedAddress(accepted.remoteAddress ?? '')),
      mostOfOrigin: mostHeldUpOfAddress,
    });
  }

  /** Opens the door. Rejects with an `EnvironmentError` (ADDRESS_IN_USE, ADDRESS_UNAVAILABLE). */
  static async open(options: TcpDoorOptions): Promise<TcpDoor> {
    const door = new TcpDoor(options);
    await door.#listen();
    return door;
  }

  /** The address it listens on, with the real port. */
  get address(): { readonly host: string; readonly port: number } {
    const address = this.#server.address() as AddressInfo | null;
    return { host: address?.address ?? this.#options.host, port: address?.port ?? this.#options.port };
  }

  get connectionCount(): number {
    return this.#live.size;
  }

  /** Takes no more connections, lets requests in flight be answered, and ends all within a second. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #listen(): Promise<void> {
    const { host, port, idleMs, logger } = this.#options;
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => reject(listenError(error, host, port));
      this.#server.once('error', failed);
      this.#server.once('listening', () => {
        this.#server.off('error', failed);
        this.#server.on('error', (error) => logger.error({ error }, 'Taking a connection failed.'));
        this.#stopSweep = sweepIdle(
          this.#clock,
          idleMs,
          () => this.#live.values(),
          (pipeline) => pipeline.drop(),
        );
        resolve();
      });
      listenOnPort(this.#server, host, port, backlog);
    });
  }

  async #close(): Promise<void> {
    this.#stopSweep?.();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of [...this.#heldUp]) socket.destroy();
    for (const socket of this.#queue.close()) {
      this.#options.quota.countOnly(-1);
      socket.destroy();
    }
    for (const pipeline of [...this.#live.values()]) pipeline.finish();
    const deadline = this.#clock.setTimer(closeWithinMs, () => {
      for (const socket of [...this.#live.keys()]) socket.destroy();
    });
    await closed;
    deadline.cancel();
  }

  #arrive(accepted: Socket): void {
    const { quota, logger } = this.#options;
    accepted.on('error', () => accepted.destroy());
    // Who waits holds a descriptor too.
    const setting = quota.refusalOfAll(quota.count);
    if (setting !== null) return this.#refuse(accepted, setting);
    quota.countOnly(1);
    if (this.#queue.enter(accepted)) return;
    quota.countOnly(-1);
    const client = unwrapMappedAddress(accepted.remoteAddress ?? '');
    const waiting = this.#queue.size;
    logger.warn({ client, connections: quota.count, waiting }, 'A connection was refused: too many wait.');
    accepted.destroy();
  }

  #refuse(accepted: Socket, setting: ConnectionBound): void {
    const { quota, logger } = this.#options;
    const client = unwrapMappedAddress(accepted.remoteAddress ?? '');
    logger.warn({ client, connections: quota.count, setting }, 'A connection was refused.');
    accepted.destroy();
  }

  #accept(accepted: Socket): void {
    const { quota } = this.#options;
    const clientHost = unwrapMappedAddress(accepted.remoteAddress ?? '');
    const setting = quota.refusal(clientHost);
    if (setting !== null) return this.#refuse(accepted, setting);
    const throttleMs = quota.throttleMs(clientHost);
    if (throttleMs > 0) return this.#holdUp(accepted, clientHost, throttleMs);
    const owner = accepted as unknown as HandleOwner;
    const handle = owner._handle;
    owner._handle = null;
    let pipeline: RequestPipeline | null = null;
    const options: SocketConstructorOpts & { handle: unknown; onread: OnReadOpts; writableHighWaterMark: number } = {
      handle,
      writableHighWaterMark: slowPeerBytes,
      onread: {
        buffer: () => pipeline?.readTarget ?? this.#readBuffer,
        callback: (byteCount, buffer) => {
          if (pipeline === null) return true;
          this.#options.clients?.active(pipeline.connection.id);
          if (buffer === this.#readBuffer) pipeline.receive(this.#readBuffer.subarray(0, byteCount));
          else pipeline.filled(byteCount);
          return true;
        },
      },
    };
    const socket = new Socket(options);
    // The server counts the accepted socket, and waits for it on close.
    socket.on('close', () => accepted.destroy());
    const { localAddress, localPort } = socket;
    if (localAddress === undefined || localPort === undefined) {
      // The peer has gone already.
      socket.on('error', () => socket.destroy());
      socket.destroy();
      return;
    }
    pipeline = this.#connect(socket, localAddress, localPort, clientHost);
    if (this.#closing !== null) pipeline.finish();
    else socket.read(0);
  }

  /** Closes the connection once its client has waited, so that it does not come again at once. Nothing of it is read. */
  #holdUp(accepted: Socket, clientHost: string, throttleMs: number): void {
    const { quota, logger } = this.#options;
    logger.debug({ client: clientHost, throttleMs }, 'A connection came too early, and is held up.');
    if (this.#closing !== null || this.#heldUp.size >= mostHeldUp) {
      accepted.destroy();
      return;
    }
    this.#heldUp.add(accepted);
    quota.countOnly(1);
    const timer = this.#clock.setTimer(throttleMs, () => void accepted.destroy());
    accepted.once('close', () => {
      timer.cancel();
      this.#heldUp.delete(accepted);
      quota.countOnly(-1);
    });
  }

  #connect(socket: Socket, localAddress: string, localPort: number, clientHost: string): RequestPipeline {
    const { advertised, service, budget, limits, logger, quota } = this.#options;
    const connection = new DoorConnection({
      id: nextConnectionId(),
      listener: listenerName,
      advertisedHost: advertised?.host ?? unwrapMappedAddress(localAddress),
      advertisedPort: advertised?.port ?? localPort,
      clientHost,
    });
    const pipeline = new RequestPipeline(
      connection,
      service,
      transportOver(socket),
      budget,
      limits,
      logger,
      this.#clock,
    );
    this.#live.set(socket, pipeline);
    quota.add(clientHost);
    socket.on('drain', () => pipeline.drained());
    // A peer that resets is everyday life; 'close' follows and cleans up.
    socket.on('error', (error) =>
      logger.debug({ connection: connection.id, client: connection.clientHost, error }, 'A connection broke.'),
    );
    socket.on('close', () => {
      this.#live.delete(socket);
      quota.remove(clientHost);
      pipeline.closed();
    });
    return pipeline;
  }
}

function transportOver(socket: Socket): Transport {
  return {
    write: (parts, sent) => {
      if (socket.destroyed || socket.writableEnded) {
        sent();
        return true;
      }
      socket.cork();
      let flowing = true;
      for (let i = 0; i < parts.length; i++)
        flowing = socket.write(parts[i]!, i === parts.length - 1 ? sent : undefined);
      socket.uncork();
      return flowing;
    },
    pauseReading: () => void socket.pause(),
    resumeReading: () => void socket.resume(),
    end: () => void socket.end(() => socket.destroySoon()),
    destroy: () => void socket.destroy(),
  };
}
