// kafkajs through a WebSocket: new Kafka({ brokers: ['127.0.0.1:8080'], socketFactory: webSocketFactory })
import { createWebSocketStream, WebSocket } from 'ws';

/**
 * Opens the connection to a broker as kafkajs asks for it: to the WebSocket at `/kafka` instead of a TCP port.
 * The messages' bytes are the same, and the broker names its WebSocket address to clients that came through it.
 * @type {import('kafkajs').ISocketFactory}
 */
export function webSocketFactory({ host, port, ssl, onConnect }) {
  const url = `${ssl ? 'wss' : 'ws'}://${host}:${port}/kafka`;
  const webSocket = new WebSocket(url, 'kafka', { perMessageDeflate: false, ...ssl });
  webSocket.once('open', onConnect);
  const stream = createWebSocketStream(webSocket);
  // kafkajs calls `unref` when it disconnects; a stream has none, and needs none, since it ends then.
  return Object.assign(/** @type {any} */ (stream), { unref: () => stream });
}
