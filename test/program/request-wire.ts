/** Connections to the real program, for members of groups that else talk to a harness: one request at a time on each. */

import type { Duplex } from 'node:stream';
import { FakeConnection, defaultRequest, type RequestWire } from '../broker/broker-harness.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import { WireClient } from './wire-client.ts';

interface Line {
  readonly client: WireClient<Duplex>;
  /** Settles once what was asked over it is answered. */
  last: Promise<unknown>;
}

export class ProgramWire implements RequestWire {
  readonly #lines: readonly Line[];
  #connectionCount = 0;

  private constructor(lines: readonly Line[]) {
    this.#lines = lines;
  }

  /** With so many connections, which those who `connect` share in turn. */
  static async open(port: number, count: number): Promise<ProgramWire> {
    const lines: Line[] = [];
    for (let i = 0; i < count; i++) lines.push({ client: await WireClient.connect(port), last: Promise.resolve() });
    return new ProgramWire(lines);
  }

  /** The same with one connection, a WebSocket to the port of the broker's HTTP. */
  static async openWebSocket(port: number): Promise<ProgramWire> {
    return new ProgramWire([{ client: await WireClient.connectOverWebSocket(port), last: Promise.resolve() }]);
  }

  connect(): FakeConnection {
    return new FakeConnection(this.#connectionCount++);
  }

  request<Request, Response>(
    api: ApiCodec<Request, Response>,
    version: number,
    fields: Partial<Request> = {},
    connection: { readonly id: number } = { id: 0 },
  ): Promise<Response> {
    const line = this.#lines[connection.id % this.#lines.length]!;
    const request = { ...(defaultRequest(api as unknown as ApiCodec<object>) as Request), ...fields };
    const answer = line.last.then(() => line.client.request(api, version, request));
    line.last = answer.catch(() => {});
    return answer;
  }

  close(): void {
    for (const { client } of this.#lines) client.socket.destroy();
  }
}
