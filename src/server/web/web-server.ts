/**
 * Listens for HTTP, and has each connection served. I/O thread. What is served at which path `http-server.ts` says.
 *
 *   net.Server (pauseOnConnect) → channel → HttpConnection → … or WebSocketConnection
 */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { setPatientTimer } from '../../base/patient-timer.ts';
import { listenOnPort } from '../direct-listen.ts';
import { listenError } from '../listen-error.ts';
import { HttpConnection, type HttpRoutes } from './http-connection.ts';
import { ChannelShare, SocketChannel } from './socket-channel.ts';

export interface WebServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly routes: HttpRoutes;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A connection is there; false has it closed. */
  readonly arrived: (remoteAddress: string) => boolean;
  /** One that was let in has ended. */
  readonly left: (channel: SocketChannel) => void;
}

/** Connections that the system keeps until they are taken. */
const backlog = 1024;
/** How often connections are looked at whose clients keep everybody waiting, in milliseconds. */
const sweepMs = 2000;

export class WebServer {
  readonly #options: WebServerOptions;
  readonly #server: Server;
  readonly #share: ChannelShare;
  #sweep: Timer | null = null;
  #stopped: Promise<void> | null = null;
  #isClosed = false;

  private constructor(options: WebServerOptions) {
    this.#options = options;
    this.#share = new ChannelShare(options.logger);
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => this.#accept(accepted));
  }

  /** Rejects with an `EnvironmentError` (ADDRESS_IN_USE, ADDRESS_UNAVAILABLE). */
  static async open(options: WebServerOptions): Promise<WebServer> {
    const server = new WebServer(options);
    await server.#listen();
    return server;
  }

  /** The real one. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more connections; resolves once those that there are have ended. */
  stopListening(): Promise<void> {
    this.#stopped ??= new Promise((resolve) => this.#server.close(() => resolve()));
    return this.#stopped;
  }

  /** Ends all connections at once; resolves once they are gone. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#sweep?.cancel();
    for (const channel of [...this.#share.live]) channel.destroy();
    return this.stopListening();
  }

  #listen(): Promise<void> {
    const { host, port, logger } = this.#options;
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => reject(listenError(error, host, port));
      this.#server.once('error', failed);
      this.#server.once('listening', () => {
        this.#server.off('error', failed);
        this.#server.on('error', (error) => logger.error({ error }, 'Taking a connection failed.'));
        resolve();
      });
      listenOnPort(this.#server, host, port, backlog);
    });
  }

  #accept(accepted: Socket): void {
    const { routes, arrived, left } = this.#options;
    accepted.on('error', () => accepted.destroy());
    if (this.#isClosed || accepted.remoteAddress === undefined || !arrived(accepted.remoteAddress)) {
      accepted.destroy();
      return;
    }
    const channel: SocketChannel = new SocketChannel(
      accepted,
      this.#share,
      (self) => new HttpConnection(self, routes),
      () => left(channel),
    );
    this.#sweep ??= this.#scheduleSweep();
    channel.start();
  }

  #scheduleSweep(): Timer {
    return setPatientTimer(this.#options.clock, sweepMs, (heardUntilMs) => {
      this.#share.live.each((channel) => channel.handler.sweep(heardUntilMs));
      this.#sweep = this.#share.live.size > 0 && !this.#isClosed ? this.#scheduleSweep() : null;
    });
  }
}
