/** A whole broker on a directory of its own, and clients of its HTTP port with real sockets. */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { startBroker, type RunningBroker } from '../../src/index.ts';

export interface DoorBroker extends AsyncDisposable {
  readonly broker: RunningBroker;
  /** `ws://HOST:PORT`. */
  readonly url: string;
}

export async function startDoors(settings: Readonly<Record<string, string>> = {}): Promise<DoorBroker> {
  const data = mkdtempSync(join(tmpdir(), 'millrace-doors-'));
  const broker = await startBroker({ data: join(data, 'data'), kafka: '127.0.0.1:0', http: '127.0.0.1:0', settings });
  return {
    broker,
    url: `ws://127.0.0.1:${broker.http!.port}`,
    async [Symbol.asyncDispose]() {
      await broker.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

export type Frame = Readonly<Record<string, unknown>> & { readonly type?: string };

/** A WebSocket whose text messages can be waited for. */
export class SocketClient implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly received: string[] = [];
  closeCode: number | null = null;
  closeReason = '';
  #taken = 0;
  #waiters: (() => void)[] = [];

  constructor(url: string, protocols: string[] = [], options: WebSocket.ClientOptions = {}) {
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on('error', () => {});
    this.socket.on('message', (data: Buffer) => {
      this.received.push(data.toString());
      this.#change();
    });
    this.socket.on('close', (code, reason) => {
      this.closeCode = code;
      this.closeReason = reason.toString();
      this.#change();
    });
  }

  static async open(url: string, protocols: string[] = [], options: WebSocket.ClientOptions = {}) {
    const client = new SocketClient(url, protocols, options);
    await once(client.socket, 'open');
    return client;
  }

  /** The next message that was not taken yet; throws where the connection ends first. */
  async next(): Promise<string> {
    await this.until(() => this.received.length > this.#taken || this.closeCode !== null);
    const message = this.received[this.#taken++];
    if (message === undefined) throw new Error(`closed with ${this.closeCode} ${this.closeReason}`);
    return message;
  }

  async closed(): Promise<number> {
    await this.until(() => this.closeCode !== null);
    return this.closeCode!;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => void this.#waiters.push(resolve));
  }

  #change(): void {
    for (const resume of this.#waiters.splice(0)) resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.closed();
  }
}

/** A client of `millrace.v1`. */
export class JsonClient extends SocketClient {
  static override async open(url: string, _protocols: string[] = [], options: WebSocket.ClientOptions = {}) {
    const client = new JsonClient(`${url}/ws`, ['millrace.v1'], options);
    await once(client.socket, 'open');
    return client;
  }

  send(frame: object | string): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** The next frame. */
  async frame(): Promise<Frame> {
    return JSON.parse(await this.next()) as Frame;
  }

  /** Sends a frame and gives the next that comes. */
  ask(frame: object | string): Promise<Frame> {
    this.send(frame);
    return this.frame();
  }

  /** Records of the next frames, until there are `count`. */
  async records(count: number): Promise<Readonly<Record<string, unknown>>[]> {
    const records: Readonly<Record<string, unknown>>[] = [];
    while (records.length < count) {
      const frame = await this.frame();
      if (frame.type !== 'records') throw new Error(`there came ${JSON.stringify(frame)}`);
      records.push(...(frame['records'] as Readonly<Record<string, unknown>>[]));
    }
    return records;
  }
}
