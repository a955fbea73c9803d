/** A broker in this process, clients of it that are closed behind each test, and what stands between the two and fails. */

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type ClientOptions } from '../../src/client/index.ts';
import { type RunningBroker, startBroker } from '../../src/index.ts';

export class ClientHarness implements AsyncDisposable {
  readonly broker: RunningBroker;
  readonly #directory: string;
  readonly #opened: AsyncDisposable[] = [];
  #topicCount = 0;

  private constructor(broker: RunningBroker, directory: string) {
    this.broker = broker;
    this.#directory = directory;
  }

  /** Starts a broker on free ports; its groups form at once. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<ClientHarness> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-client-'));
    const broker = await startBroker({
      data: join(directory, 'data'),
      kafka: '127.0.0.1:0',
      http: '127.0.0.1:0',
      settings: { 'group.initial.rebalance.delay.ms': '0', ...settings },
    });
    return new ClientHarness(broker, directory);
  }

  get url(): string {
    return `ws://127.0.0.1:${this.broker.http!.port}/kafka`;
  }

  client(options: Partial<ClientOptions> = {}): Client {
    return this.closing(new Client({ url: this.url, ...options }));
  }

  /** Closes `opened` with the test, the latest first. */
  closing<T extends AsyncDisposable>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }

  newTopic(): string {
    return `topic-${++this.#topicCount}`;
  }

  /** Closes what the test has opened. */
  async closeAll(): Promise<void> {
    for (const opened of this.#opened.splice(0).toReversed()) await opened[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeAll();
    await this.broker.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** A TCP port before another, whose connections can be cut. */
/**
 * What proxies do to connections beside passing them on: refuse them as one that has lost its server, answer what is no
 * WebSocket, let a few bytes at a time through, or keep them open and pass nothing on any more after the first answers.
 */
export type ProxyMood = 'passes' | 'refuses' | 'babbles' | 'dribbles' | 'falls silent';

const refusal = 'HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n';
const dribbleBytes = 7;
const silentAfterBytes = 2000;

export class CuttingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** How many connections were made through it. */
  connectionCount = 0;
  /** How many bytes pass towards the client before the connection with this number is cut. */
  cutAfterBytes: (connection: number) => number = () => Infinity;
  /** Answers are thrown away: requests arrive, and nobody hears of it. */
  isDeaf = false;
  /** What the connection with this number is like. */
  moodOf: (connection: number) => ProxyMood = () => 'passes';

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(port: () => number): Promise<CuttingProxy> {
    const server = createServer();
    const proxy = new CuttingProxy(server);
    server.on('connection', (socket) => proxy.#connect(socket, port()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/kafka`;
  }

  /** Ends all connections, in the middle of whatever they carry. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.cut();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  #connect(client: Socket, port: number): void {
    let leftBytes = this.cutAfterBytes(++this.connectionCount);
    const mood = this.moodOf(this.connectionCount);
    if (mood === 'refuses' || mood === 'babbles') {
      client.on('error', () => {});
      client.once('data', () => client.end(mood === 'refuses' ? refusal : Buffer.alloc(3000, 'no HTTP ')));
      return;
    }
    let passedBytes = 0;
    const broker = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.setNoDelay(true);
    }
    client.on('data', (bytes) => broker.write(bytes));
    broker.on('data', (bytes) => {
      if (this.isDeaf || (mood === 'falls silent' && passedBytes > silentAfterBytes)) return;
      passedBytes += bytes.length;
      const passed = bytes.subarray(0, leftBytes);
      if (mood === 'dribbles')
        for (let i = 0; i < passed.length; i += dribbleBytes) client.write(passed.subarray(i, i + dribbleBytes));
      else client.write(passed);
      leftBytes -= bytes.length;
      if (leftBytes <= 0) client.destroy();
    });
  }
}

/** The first `count` items. */
export async function first<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  if (count === 0) return taken;
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

/** `count` texts that tell their place. */
export function numbered(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `record ${from + i}`);
}
