/**
 * A WebSocket whose bytes travel through TCP, for brokers that have no WebSocket: `ws://proxy/?to=HOST:PORT`. It does not
 * know Kafka's protocol.
 */

import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { pipeline } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';

export class WebSocketBeforeTcp implements AsyncDisposable {
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer) {
    this.#server = server;
  }

  static async open(): Promise<WebSocketBeforeTcp> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    server.on('connection', (webSocket, request) => {
      const target = new URL(request.url!, 'http://proxy').searchParams.get('to')!;
      const [host, port] = target.split(':') as [string, string];
      const stream = createWebSocketStream(webSocket);
      const socket = connect(Number(port), host);
      // Where one side ends the other ends as well; whose fault it was is the client's to find out.
      pipeline(stream, socket, stream, () => {
        socket.destroy();
        webSocket.terminate();
      });
    });
    await once(server, 'listening');
    return new WebSocketBeforeTcp(server);
  }

  /** The URL that leads to a TCP address. */
  urlOf(host: string, port: number): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/?to=${host}:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const webSocket of this.#server.clients) webSocket.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
