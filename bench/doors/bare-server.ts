/**
 * What no door can be faster than: uWebSockets.js that answers and does nothing else. A process of its own.
 *
 *   /acknowledge   WebSocket: counts messages, and says once a turn of the event loop how many came
 *   /publish       WebSocket: hands each message to all who are at /read, with uWebSockets.js's own `publish`, once a turn
 *   /read          WebSocket
 *   /answer        POST: answers as soon as the body has come
 *   /lines         POST: parses each line of the body, and says after each part of it how many there were
 */

import uWebSockets, { type us_listen_socket, type us_socket, type WebSocket } from 'uWebSockets.js';

interface Sender {
  count: number;
  telling: boolean;
  open: boolean;
}

const app = uWebSockets.App();
const toPublish: { readonly bytes: ArrayBuffer; readonly isBinary: boolean }[] = [];
const noBound = { maxPayloadLength: 16 * 2 ** 20, maxBackpressure: 0, idleTimeout: 120 };

app.ws<Sender>('/acknowledge', {
  ...noBound,
  upgrade(response, request, context) {
    const sender: Sender = { count: 0, telling: false, open: true };
    response.upgrade(sender, request.getHeader('sec-websocket-key'), '', '', context);
  },
  message(socket: WebSocket<Sender>) {
    const sender = socket.getUserData();
    sender.count++;
    if (sender.telling) return;
    sender.telling = true;
    setImmediate(() => {
      sender.telling = false;
      if (sender.open) socket.send(String(sender.count));
    });
  },
  close(socket) {
    socket.getUserData().open = false;
  },
});

app.ws<object>('/publish', {
  ...noBound,
  message(_socket, message, isBinary) {
    // Within the handler its socket is corked, and each frame would be a system call of its own.
    if (toPublish.push({ bytes: message.slice(0), isBinary }) > 1) return;
    setImmediate(() => {
      for (const { bytes, isBinary: binary } of toPublish.splice(0)) app.publish('all', bytes, binary);
    });
  },
});

app.ws<object>('/read', {
  ...noBound,
  open: (socket) => void socket.subscribe('all'),
});

app.post('/answer', (response) => {
  response.onAborted(() => {});
  response.onData((_chunk, isLast) => {
    if (isLast)
      response.writeHeader('content-type', 'application/json').end('{"topic":"bench","partition":0,"offset":0}');
  });
});

app.post('/lines', (response) => {
  let rest = '';
  let count = 0;
  response.onAborted(() => {});
  response.onData((chunk) => {
    const lines = (rest + Buffer.from(chunk).toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (JSON.parse(line) !== undefined) count++;
    response.write(`{"acknowledged":${count}}\n`);
  });
});

app.listen('127.0.0.1', 0, (listening: us_listen_socket | false) => {
  if (listening === false) throw new Error('There is no free port.');
  process.stdout.write(`serving ${uWebSockets.us_socket_local_port(listening as us_socket)}\n`);
});
process.on('SIGTERM', () => process.exit());
