/**
 * A plain TCP port whose bytes travel through a broker's WebSocket, for clients whose transport cannot be swapped. It
 * gives its own address as the Host, so that the broker sends clients back to it. It does not know Kafka's protocol.
 */

import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { createWebSocketStream, WebSocket } from 'ws';

export class TcpOverWebSocket implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Opens a port on loopback before the WebSocket that `target` (host and port) names at the time. */
  static async open(target: () => string): Promise<TcpOverWebSocket> {
    const server = createServer();
    const proxy = new TcpOverWebSocket(server);
    server.on('connection', (socket) => proxy.#connect(socket, target()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  /** Host and port. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #connect(socket: Socket, target: string): void {
    this.#sockets.add(socket);
    const headers = { Host: this.address };
    const webSocket = new WebSocket(`ws://${target}/kafka`, 'kafka', { perMessageDeflate: false, headers });
    // Where one side ends, however it does, the other ends as well; whose fault it was is the client's to find out.
    pipeline(socket, createWebSocketStream(webSocket), socket, () => {
      this.#sockets.delete(socket);
      socket.destroy();
    });
  }
}
