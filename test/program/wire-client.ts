/** A Kafka client of a few lines: one request, one answer, over TCP or a WebSocket. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocket } from 'ws';
import { present } from '../../src/base/assert.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import {
  createTopicsApi,
  defaultCreateTopicsRequest,
  defaultFetchRequest,
  defaultProduceRequest,
  fetchApi,
  produceApi,
} from '../../src/protocol/generated/index.ts';
import { decodeResponseHeader, encodeRequestHeader, isFlexible } from '../../src/protocol/headers.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { Writer } from '../../src/protocol/writer.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';

const sizePrefixBytes = 4;

export class WireClient<Stream extends Duplex = Socket> {
  readonly socket: Stream;
  #received = Buffer.alloc(0);
  #correlationId = 0;
  #changed: () => void = () => {};

  private constructor(socket: Stream) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#changed();
    });
    socket.on('close', () => this.#changed());
  }

  static async connect(port: number): Promise<WireClient> {
    const client = new WireClient(connect(port, '127.0.0.1'));
    await once(client.socket, 'connect');
    return client;
  }

  /** `port` is that of the broker's HTTP. */
  static async connectOverWebSocket(port: number): Promise<WireClient<Duplex>> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/kafka`, 'kafka', { perMessageDeflate: false });
    await once(socket, 'open');
    return new WireClient(createWebSocketStream(socket));
  }

  send<Request, Response>(api: ApiCodec<Request, Response>, apiVersion: number, request: Request): void {
    const writer = new Writer(true);
    const start = { apiKey: api.apiKey, apiVersion, correlationId: ++this.#correlationId };
    encodeRequestHeader(writer, { ...start, clientId: 'test' }, isFlexible(api as ApiCodec, apiVersion));
    api.encodeRequest(writer, request, apiVersion);
    for (const chunk of writer.finish()) this.socket.write(chunk);
  }

  async request<Request, Response>(
    api: ApiCodec<Request, Response>,
    apiVersion: number,
    request: Request,
  ): Promise<Response> {
    this.send(api, apiVersion, request);
    const size = (await this.#take(sizePrefixBytes)).readInt32BE(0);
    const reader = new Reader(await this.#take(size));
    decodeResponseHeader(reader, api as ApiCodec, apiVersion);
    return api.decodeResponse(reader, apiVersion);
  }

  createTopics(topics: readonly { readonly name: string; readonly numPartitions: number }[]) {
    const specs = topics.map((topic) => ({ ...topic, replicationFactor: 1, assignments: [], configs: [] }));
    return this.request(createTopicsApi, 5, { ...defaultCreateTopicsRequest(), topics: specs, timeoutMs: 10_000 });
  }

  async createTopic(name: string): Promise<void> {
    const { topics } = await this.createTopics([{ name, numPartitions: 1 }]);
    if (topics[0]?.errorCode !== 0) throw new Error(`topic ${name} was not created: ${topics[0]?.errorCode}`);
  }

  /** Writes one record and returns its offset. */
  async produce(topic: string, value: string, acks = -1): Promise<number> {
    const builder = new BatchBuilder(crc32c);
    builder.append({ key: null, value: Buffer.from(value), timestampMs: Date.now() });
    const partitionData = [{ index: 0, records: builder.seal() }];
    const request = {
      ...defaultProduceRequest(),
      acks,
      timeoutMs: 10_000,
      topicData: [{ name: topic, topicId: zeroUuid, partitionData }],
    };
    const { responses } = await this.request(produceApi, 9, request);
    const answer = present(responses[0]?.partitionResponses[0], 'each partition is answered');
    if (answer.errorCode !== 0) throw new Error(`the record was not taken: ${answer.errorCode}`);
    return answer.baseOffset;
  }

  /** What a fetch from `offset` asks, which waits up to `maxWaitMs` for more than there is. */
  static fetchRequest(topic: string, offset: number, maxWaitMs: number, maxBytes = 1 << 20) {
    const partitions = [
      {
        partition: 0,
        currentLeaderEpoch: -1,
        fetchOffset: offset,
        lastFetchedEpoch: -1,
        logStartOffset: -1,
        partitionMaxBytes: maxBytes,
        replicaDirectoryId: zeroUuid,
        highWatermark: -1,
      },
    ];
    return {
      ...defaultFetchRequest(),
      maxWaitMs,
      minBytes: 1,
      maxBytes,
      topics: [{ topic, topicId: zeroUuid, partitions }],
    };
  }

  /** The bytes of the batches from `offset`; where there are none it waits up to `maxWaitMs` for some. */
  async fetch(topic: string, offset: number, maxWaitMs = 0): Promise<Buffer> {
    const { responses } = await this.request(fetchApi, 11, WireClient.fetchRequest(topic, offset, maxWaitMs));
    const answer = present(responses[0]?.partitions[0], 'the partition is answered');
    if (answer.errorCode !== 0) throw new Error(`the fetch failed: ${answer.errorCode}`);
    return Buffer.from(answer.records ?? []);
  }

  async #take(byteCount: number): Promise<Buffer> {
    while (this.#received.length < byteCount) {
      if (this.socket.destroyed) throw new Error('the broker ended the connection');
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
    const bytes = this.#received.subarray(0, byteCount);
    this.#received = this.#received.subarray(byteCount);
    return bytes;
  }
}
