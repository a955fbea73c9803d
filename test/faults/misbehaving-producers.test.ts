/**
 * Transactions of which each step once goes wrong on its way, over real sockets: sent twice, answered to nobody, cut off,
 * left half sent over a connection that stays open, or delivered once more when the producer has gone on. What is committed
 * is there once, what is aborted never, and a producer beside it does not notice.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../../src/base/assert.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import {
  addOffsetsToTxnApi,
  addPartitionsToTxnApi,
  apiVersionsApi,
  endTxnApi,
  fetchApi,
  initProducerIdApi,
  produceApi,
  txnOffsetCommitApi,
} from '../../src/protocol/generated/index.ts';
import { CommittedBatches } from '../../src/records/committed-batches.ts';
import { batchSizeAt } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { defaultRequest, encodeRequest } from '../broker/broker-harness.ts';
import { offsetOf, type ProducersWire, TestProducer } from '../broker/transactions/test-producer.ts';
import { WireClient } from '../program/wire-client.ts';
import { BrokerInProcess } from './broker-in-process.ts';

type AnyRequest = Readonly<Record<string, unknown>>;

/** How one request comes to the broker, and which answer its sender sees. */
type Delivery = <Response>(wire: TroubledWire, send: Sending<Response>) => Promise<Response>;

interface Sending<Response> {
  readonly over: (client: WireClient) => Promise<Response>;
  readonly frame: () => Uint8Array;
}

const deliveries: Readonly<Record<string, Delivery>> = {
  async 'is sent twice at once'(wire, { over }) {
    const [first, second] = await Promise.all([over(await wire.connect()), over(await wire.connect())]);
    return newer(first, second);
  },
  async 'is answered to nobody'(wire, { over }) {
    await over(await wire.connect());
    return over(await wire.connect());
  },
  async 'is cut off with its connection'(wire, { over }) {
    const lost = await wire.connect();
    over(lost).catch(() => {});
    lost.socket.destroySoon();
    // What was cut off has come to the broker, or never does: it would be a new producer, were it served last.
    const next = await wire.connect();
    await next.request(apiVersionsApi, 0, defaultRequest(apiVersionsApi));
    return over(next);
  },
  async 'is half sent over a connection that stays open'(wire, { over, frame }) {
    const bytes = frame();
    const size = Buffer.alloc(4);
    size.writeInt32BE(bytes.length);
    (await wire.connect()).socket.write(Buffer.concat([size, bytes.subarray(0, bytes.length / 2)]));
    return over(await wire.connect());
  },
};

/** Of two answers the one of the newer epoch, or that is no error. */
function newer<Response>(first: Response, second: Response): Response {
  const [a, b] = [first, second] as unknown as { errorCode?: number; producerEpoch?: number }[];
  if (a!.producerEpoch !== undefined) return a!.producerEpoch > b!.producerEpoch! ? first : second;
  return (b!.errorCode ?? 0) === 0 ? second : first;
}

/** Delivers the requests of one key in some other way than the others, which go over one connection. */
class TroubledWire implements ProducersWire {
  readonly #port: number;
  readonly #troubled: number;
  /** Null: as it should, and once more behind the request after it. */
  readonly #delivery: Delivery | null;
  readonly #clients: WireClient[] = [];
  #steady: WireClient | null = null;
  #late: (() => Promise<unknown>) | null = null;

  constructor(port: number, troubled: number, delivery: Delivery | null) {
    this.#port = port;
    this.#troubled = troubled;
    this.#delivery = delivery;
  }

  async request<Request, Response>(
    api: ApiCodec<Request, Response>,
    version: number,
    fields: Partial<Request> = {},
  ): Promise<Response> {
    const request = { ...defaultRequest(api as unknown as ApiCodec<AnyRequest>), ...fields } as Request;
    const over = (client: WireClient): Promise<Response> => client.request(api, version, request);
    this.#steady ??= await this.connect();
    const isTroubled = api.apiKey === this.#troubled;
    if (isTroubled && this.#delivery !== null) {
      const frame = (): Uint8Array =>
        encodeRequest(api as unknown as ApiCodec<AnyRequest>, version, request as AnyRequest);
      return this.#delivery(this, { over, frame });
    }
    const late = this.#late;
    this.#late = null;
    const response = await over(this.#steady);
    await late?.();
    if (isTroubled) this.#late = async () => over(await this.connect());
    return response;
  }

  send(): Promise<void> {
    throw new Error('every step is answered');
  }

  async connect(): Promise<WireClient> {
    const client = await WireClient.connect(this.#port);
    this.#clients.push(client);
    return client;
  }

  close(): void {
    for (const { socket } of this.#clients) socket.destroy();
  }
}

const retriable = new Set<ErrorCode>([ErrorCode.CONCURRENT_TRANSACTIONS]);

/** Takes the step until it is done; what else it may come to is a failure. */
async function done(step: () => Promise<ErrorCode>): Promise<void> {
  for (;;) {
    const errorCode = await step();
    if (errorCode === ErrorCode.NONE) return;
    expect(retriable, `error ${errorCode}`).toContain(errorCode);
    await sleep(5);
  }
}

interface Topic {
  readonly id: typeof zeroUuid;
  readonly name: string;
}

/** Four transactions of one record and one offset each, of which the second is aborted. */
async function transact(producer: TestProducer, topic: Topic, group: string): Promise<void> {
  await done(async () => (await producer.init()).errorCode as ErrorCode);
  for (const [n, committed] of [true, false, true, true].entries()) {
    if (!producer.isV2) await done(() => producer.add(topic, 0));
    // What has to come again, as it came while the last transaction was being completed, is the same batch.
    await done(producer.writer(topic, 0, `t${n}`));
    if (!producer.isV2) await done(() => producer.addOffsets(group));
    await done(() => producer.commitOffset(group, topic, 5 + n));
    await done(async () => (await producer.end(committed)).errorCode as ErrorCode);
  }
}

/** All that readers of what is committed get, once no transaction is open. */
async function committedIn(client: WireClient, { name }: Topic): Promise<string[]> {
  const values: string[] = [];
  for (let offset = 0, end = -1; offset !== end;) {
    const request = { ...WireClient.fetchRequest(name, offset, 0), isolationLevel: 1 };
    const { responses } = await client.request(fetchApi, 11, request);
    const partition = present(responses[0]?.partitions[0], 'the partition is answered');
    expect(partition.errorCode).toBe(ErrorCode.NONE);
    // The markers of what ended last may be under way.
    if (partition.lastStableOffset !== partition.highWatermark) await sleep(5);
    else end = partition.highWatermark;
    const bytes = partition.records ?? new Uint8Array(0);
    const batches = new CommittedBatches(partition.abortedTransactions);
    for (let at = 0, size = 0; (size = batchSizeAt(bytes, at, bytes.length)) > 0; at += size) {
      const isHidden = batches.hides(bytes, at, size);
      const reader = new RecordReader(bytes, at, at + size);
      while (reader.next()) {
        offset = reader.offset + 1;
        if (!isHidden) values.push(Buffer.from(reader.value ?? []).toString('latin1'));
      }
    }
  }
  return values;
}

let broker: BrokerInProcess;
let client: WireClient;
let count = 0;

beforeAll(async () => {
  broker = await BrokerInProcess.start();
  client = await WireClient.connect(broker.kafkaPort);
});

afterAll(async () => {
  client.socket.destroy();
  expect(broker.errors).toEqual([]);
  expect(broker.defects).toEqual([]);
  await broker[Symbol.asyncDispose]();
});

async function keepsWhole(isV2: boolean, troubled: number, delivery: Delivery | null): Promise<void> {
  const topic = { id: zeroUuid, name: `topic-${++count}` };
  await client.createTopic(topic.name);
  const wire = new TroubledWire(broker.kafkaPort, troubled, delivery);
  const steady = new TroubledWire(broker.kafkaPort, -1, null);
  try {
    const bystander = new TestProducer(steady, `bystander-${count}`);
    await done(async () => (await bystander.init()).errorCode as ErrorCode);
    await done(bystander.writer(topic, 0, 'first'));
    await transact(new TestProducer(wire, `id-${count}`, isV2), topic, `group-${count}`);
    await done(bystander.writer(topic, 0, 'last'));
    await done(async () => (await bystander.end(true)).errorCode as ErrorCode);
    expect(await committedIn(client, topic)).toEqual(['first', 't0', 't2', 't3', 'last']);
    expect(await offsetOf(steady, `group-${count}`, topic)).toEqual([8, ErrorCode.NONE]);
  } finally {
    wire.close();
    steady.close();
  }
}

const classic = {
  InitProducerId: initProducerIdApi.apiKey,
  AddPartitionsToTxn: addPartitionsToTxnApi.apiKey,
  Produce: produceApi.apiKey,
  AddOffsetsToTxn: addOffsetsToTxnApi.apiKey,
  TxnOffsetCommit: txnOffsetCommitApi.apiKey,
  EndTxn: endTxnApi.apiKey,
};
/** Partitions and groups are added by what is written to them. */
const { AddPartitionsToTxn: _partitions, AddOffsetsToTxn: _offsets, ...second } = classic;

/**
 * Steps that may come once more when the producer has gone on. An InitProducerId is a new producer whenever it comes; the
 * first generation has nothing to tell an end or an offset of the last transaction from one of the next (KIP-890).
 */
const mayComeLate = {
  classic: new Set(['AddPartitionsToTxn', 'Produce', 'AddOffsetsToTxn']),
  second: new Set(['Produce', 'TxnOffsetCommit', 'EndTxn']),
};

describe.each([
  ['classic', classic],
  ['second', second],
] as const)('of a transaction of the %s generation', (generation, steps) => {
  for (const [name, key] of Object.entries(steps)) {
    for (const [what, delivery] of Object.entries(deliveries)) {
      it(`each ${name} that ${what} does no harm`, () => keepsWhole(generation === 'second', key, delivery));
    }
    if (!mayComeLate[generation].has(name)) continue;
    it(`each ${name} that comes once more, late, does no harm`, () => keepsWhole(generation === 'second', key, null));
  }
});
