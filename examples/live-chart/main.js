// A page that draws a topic live: `node examples/live-chart/main.js`, then open the URL that it prints.
// It embeds a broker, sends it readings, and serves the page, which connects to the broker by itself.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBroker } from 'millrace';
import { Client, json, Producer } from 'millrace/client';

const here = fileURLToPath(new URL('.', import.meta.url));
const millrace = fileURLToPath(new URL('../client/..', import.meta.resolve('millrace/client')));
const types = { '.html': 'text/html', '.js': 'text/javascript' };

/** The page's own files, and the client's under /millrace/. */
const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url ?? '/', 'http://page').pathname);
  const [root, file] = path.startsWith('/millrace/') ? [millrace, path.slice('/millrace'.length)] : [here, path];
  try {
    const body = await readFile(join(root, file === '/' ? 'index.html' : file));
    const type = Object.entries(types).find(([ending]) => file.endsWith(ending))?.[1] ?? 'text/html';
    response.writeHead(200, { 'Content-Type': type }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
server.listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const page = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;

const directory = await mkdtemp(join(tmpdir(), 'live-chart-'));
const broker = await startBroker({
  data: join(directory, 'data'),
  kafka: 'off',
  http: '127.0.0.1:0',
  settings: { 'millrace.allowed.origins': page },
});
const url = `ws://127.0.0.1:${broker.http?.port}/kafka`;
const client = new Client({ url });
const producer = new Producer(client, { value: json() });

let celsius = 20;
const sending = setInterval(() => {
  celsius = Math.min(45, Math.max(5, celsius + Math.random() * 4 - 2));
  producer.send({ topic: 'readings', value: { celsius: Number(celsius.toFixed(1)) } }).catch(console.error);
}, 50);

console.log(`Open ${page}/?broker=${encodeURIComponent(url)}`);

process.once('SIGINT', async () => {
  clearInterval(sending);
  await producer.close();
  await client.close();
  await broker.close();
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true, force: true });
});
