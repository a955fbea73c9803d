/**
 * Produce of batches that take long, through pipelines as doors have them, over a store whose preparer holds each batch
 * until the test lets it go: who waits meanwhile, and who does not.
 */

import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { BrokerConfig } from '../../src/broker/broker-config.ts';
import { Broker } from '../../src/broker/broker.ts';
import { Dispatcher } from '../../src/broker/dispatcher.ts';
import { handlers } from '../../src/broker/handlers/index.ts';
import type { TopicImage } from '../../src/broker/metadata-image.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import {
  addPartitionsToTxnApi,
  endTxnApi,
  initProducerIdApi,
  produceApi,
  type ProduceRequest,
  type ProduceResponseResponsesPartitionResponses,
} from '../../src/protocol/generated/index.ts';
import { decodeResponseHeader } from '../../src/protocol/headers.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { BatchBuilder, type BatchOptions } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { batchSizeAt, Compression } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { AssemblyBudget } from '../../src/server/assembly-budget.ts';
import { DoorConnection } from '../../src/server/connection.ts';
import { RequestPipeline } from '../../src/server/request-pipeline.ts';
import { HeldPreparer } from '../storage/held-preparer.ts';
import { StoreHarness, until } from '../storage/store-harness.ts';
import { defaultRequest, encodeRequest } from './broker-harness.ts';
import { settle } from './transactions/test-producer.ts';

const latest = produceApi.stableVersion;
const noTransactionsV2 = 11;
const sizePrefixBytes = 4;
const open: Surroundings[] = [];

afterEach(async () => {
  for (const surroundings of open.splice(0)) await surroundings.close();
});

/** A connection whose requests are sent one behind the other, whatever was answered. */
class Client {
  readonly door: DoorConnection;
  readonly #pipeline: RequestPipeline;
  readonly #waiting: ((frame: Uint8Array) => void)[] = [];
  #correlationId = 0;

  constructor(id: number, dispatcher: Dispatcher, budget: AssemblyBudget) {
    const address = { advertisedHost: 'broker', advertisedPort: 9092, clientHost: 'client' };
    this.door = new DoorConnection({ id, listener: 'test', ...address });
    const transport = {
      write: (parts: readonly Uint8Array[], sent: () => void): boolean => {
        let bytes = Buffer.concat(parts);
        sent();
        while (bytes.length > 0) {
          const end = sizePrefixBytes + bytes.readInt32BE(0);
          this.#waiting.shift()!(bytes.subarray(sizePrefixBytes, end));
          bytes = bytes.subarray(end);
        }
        return true;
      },
      pauseReading: () => {},
      resumeReading: () => {},
      end: () => {},
      destroy: () => {},
    };
    const limits = { largestFrameBytes: 1024 * 1024, requestsInFlight: 8 };
    this.#pipeline = new RequestPipeline(this.door, dispatcher, transport, budget, limits, silentLogger, systemClock);
  }

  request<Request, Response>(
    api: ApiCodec<Request, Response>,
    version: number,
    fields: Partial<Request>,
  ): Promise<Response> {
    const frame = this.#frameOf(api, version, fields);
    return new Promise((resolve) => {
      this.#waiting.push((bytes) => {
        const reader = new Reader(bytes);
        decodeResponseHeader(reader, api, version);
        resolve(api.decodeResponse(reader, version));
      });
      this.#pipeline.receive(frame);
    });
  }

  /** The same where no answer comes. */
  sendUnasked<Request>(api: ApiCodec<Request>, version: number, fields: Partial<Request>): void {
    this.#pipeline.receive(this.#frameOf(api, version, fields));
  }

  close(): void {
    this.#pipeline.closed();
  }

  #frameOf<Request>(api: ApiCodec<Request>, version: number, fields: Partial<Request>): Uint8Array {
    const frame = encodeRequest(api, version, { ...defaultRequest(api), ...fields }, ++this.#correlationId);
    const prefixed = Buffer.alloc(sizePrefixBytes + frame.length);
    prefixed.writeInt32BE(frame.length, 0);
    prefixed.set(frame, sizePrefixBytes);
    return prefixed;
  }
}

class Surroundings {
  /** What is compressed as the topic asks takes no time; all else does. */
  readonly preparer = new HeldPreparer({ inflatedBytes: 1000, compressionMs: 0 });
  readonly harness = new StoreHarness({ preparer: this.preparer });
  readonly budget = new AssemblyBudget({ limitBytes: 1024 * 1024, largestFrameBytes: 1024 * 1024, clock: systemClock });
  broker!: Broker;
  dispatcher!: Dispatcher;
  topic!: TopicImage;
  #clients = 0;
  #isClosed = false;

  static async open(): Promise<Surroundings> {
    const surroundings = new Surroundings();
    open.push(surroundings);
    const { harness } = surroundings;
    surroundings.broker = await Broker.open({
      store: await harness.open(),
      config: new BrokerConfig([['node.id', '1']]),
      clusterId: 'AAAAAAAAAAAAAAAAAAAtest',
      clock: systemClock,
      random: new SeededRandom(1),
      logger: silentLogger,
    });
    surroundings.dispatcher = new Dispatcher(surroundings.broker, handlers);
    const configs = [['compression.type', 'zstd']] as const;
    const spec = { name: 'slow', partitionCount: 2, replicationFactor: 1, configs };
    expect((await surroundings.broker.topics.create(spec)).errorCode).toBe(ErrorCode.NONE);
    surroundings.topic = surroundings.broker.topics.topic('slow')!;
    return surroundings;
  }

  connect(): Client {
    return new Client(++this.#clients, this.dispatcher, this.budget);
  }

  /** What consumers find in the partition, as `offset:value`. */
  async values(partition = 0): Promise<string[]> {
    const log = this.broker.topics.partition(this.topic, partition)!;
    await log.sync();
    const read = await log.read({
      offset: asOffset(0),
      maxBytes: 1024 * 1024,
      minOneBatch: true,
      isolation: 'read_uncommitted',
    });
    const values: string[] = [];
    const { records } = read;
    for (let at = 0, sizeBytes = 0; at < records.length; at += sizeBytes) {
      sizeBytes = batchSizeAt(records, at, records.length);
      const reader = new RecordReader(records, at, at + sizeBytes, this.harness.store.inflate(records, at, sizeBytes));
      while (reader.next()) values.push(`${reader.offset}:${Buffer.from(reader.value!).toString()}`);
    }
    read.release();
    return values;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.broker.close();
    this.harness.remove();
  }
}

interface Batch {
  readonly text: string;
  readonly partition?: number;
  readonly options?: BatchOptions;
  /** Compressed as the topic asks, so that it takes no time. */
  readonly isQuick?: boolean;
}

/** A frame of zstd with one block, which is stored as it is. */
function zstdRaw(body: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(9 + body.length + 3);
  frame.writeUInt32LE(0xfd2fb528, 0);
  frame[4] = 0xa0;
  frame.writeUInt32LE(body.length, 5);
  frame.writeUIntLE((body.length << 3) | 1, 9, 3);
  frame.set(body, 12);
  return frame;
}

function sealed({ text, options = {}, isQuick = false }: Batch): Uint8Array {
  const builder = new BatchBuilder(crc32c, options);
  builder.append({ key: null, value: Buffer.from(text), timestampMs: Date.now() });
  return isQuick ? builder.sealCompressed(Compression.ZSTD, zstdRaw(builder.body.slice())) : builder.seal();
}

function requestOf(topic: TopicImage, batches: readonly Batch[], rest: Partial<ProduceRequest> = {}): ProduceRequest {
  const partitionData = batches.map((batch) => ({ index: batch.partition ?? 0, records: sealed(batch) }));
  const topicData = [{ topicId: topic.id, name: topic.name, partitionData }];
  return { transactionalId: null, acks: -1, timeoutMs: 10_000, topicData, ...rest };
}

type Answer = readonly [code: ErrorCode, baseOffset: number];

async function produce(client: Client, request: ProduceRequest, version = latest): Promise<Answer[]> {
  const { responses } = await client.request(produceApi, version, request);
  const all: ProduceResponseResponsesPartitionResponses[] = responses.flatMap((each) => each.partitionResponses);
  return all.map(({ errorCode, baseOffset }) => [errorCode as ErrorCode, baseOffset]);
}

const quick = (text: string): Batch => ({ text, isQuick: true });

describe('while a batch of one client is compressed', () => {
  test('others are answered, in the same partition as well, and nothing of its own connection is served', async () => {
    const surroundings = await Surroundings.open();
    const { topic, preparer, broker } = surroundings;
    const [slow, other] = [surroundings.connect(), surroundings.connect()];
    const events: string[] = [];
    const note =
      (name: string) =>
      (answer: Answer[]): void =>
        void events.push(`${name} ${answer.join(' ')}`);
    const first = produce(slow, requestOf(topic, [{ text: 'slow' }])).then(note('slow'));
    const behind = produce(slow, requestOf(topic, [quick('behind')])).then(note('behind'));
    await until(() => preparer.held !== null);
    expect(slow.door.isMuted).toBe(true);
    expect(broker.produceTurns.heldBytes).toBeGreaterThan(0);
    await produce(other, requestOf(topic, [quick('other')])).then(note('other'));
    await produce(other, requestOf(topic, [{ ...quick('elsewhere'), partition: 1 }])).then(note('elsewhere'));
    expect(events).toEqual(['other 0,0', 'elsewhere 0,0']);
    preparer.letGo();
    await Promise.all([first, behind]);
    expect(events.slice(2)).toEqual(['slow 0,1', 'behind 0,2']);
    expect(slow.door.isMuted).toBe(false);
    expect(broker.produceTurns.heldBytes).toBe(0);
  });

  test('the rest of its request waits, and is appended in its order', async () => {
    const surroundings = await Surroundings.open();
    const { topic, preparer } = surroundings;
    const client = surroundings.connect();
    const batches = [
      quick('a'),
      { text: 'b' },
      { ...quick('c'), partition: 1 },
      { text: 'd', partition: 1 },
      quick('e'),
    ];
    const answer = produce(client, requestOf(topic, batches));
    for (let i = 0; i < 2; i++) {
      await until(() => preparer.held !== null);
      preparer.letGo();
    }
    expect(await answer).toEqual([0, 1, 0, 1, 2].map((offset) => [ErrorCode.NONE, offset]));
    expect(await surroundings.values(0)).toHaveLength(3);
  });

  test('five requests of an idempotent producer are under way, and all are stored once and in order', async () => {
    const surroundings = await Surroundings.open();
    const { topic, preparer, broker } = surroundings;
    const client = surroundings.connect();
    const { producerId, producerEpoch } = await client.request(initProducerIdApi, 5, {
      transactionalId: null,
      transactionTimeoutMs: 60_000,
    });
    const requests = [0, 1, 2, 3, 4].map((baseSequence) => {
      const options = { producerId, producerEpoch, baseSequence };
      return requestOf(topic, [{ text: `record ${baseSequence}`, options, isQuick: baseSequence !== 1 }]);
    });
    const answers = requests.map((request) => produce(client, request));
    await until(() => preparer.held !== null);
    // The client loses patience, and sends all again over another connection, as a client does.
    const again = surroundings.connect();
    expect(await produce(again, requests[0]!)).toEqual([[ErrorCode.NONE, 0]]);
    const secondTime = produce(again, requests[1]!);
    expect(again.door.isMuted).toBe(true);
    preparer.letGo();
    expect((await Promise.all(answers)).flat()).toEqual([0, 1, 2, 3, 4].map((offset) => [ErrorCode.NONE, offset]));
    await until(() => preparer.held !== null);
    preparer.letGo();
    expect(await secondTime).toEqual([[ErrorCode.NONE, 1]]);
    expect(await surroundings.values()).toEqual([0, 1, 2, 3, 4].map((i) => `${i}:record ${i}`));
    expect(broker.produceTurns.heldBytes).toBe(0);
  });

  test('its time may run out, and its records count all the same', async () => {
    const surroundings = await Surroundings.open();
    const { topic, preparer } = surroundings;
    const client = surroundings.connect();
    const answer = await produce(client, requestOf(topic, [{ text: 'late' }], { timeoutMs: 1 }));
    expect(answer).toEqual([[ErrorCode.REQUEST_TIMED_OUT, -1]]);
    expect(client.door.isMuted).toBe(true);
    preparer.letGo();
    expect(await produce(client, requestOf(topic, [quick('next')]))).toEqual([[ErrorCode.NONE, 1]]);
    expect(await surroundings.values()).toEqual(['0:late', '1:next']);
  });

  test('its connection may end: nothing of it is done any more, and nothing is kept from that moment on', async () => {
    const surroundings = await Surroundings.open();
    const { topic, preparer, broker } = surroundings;
    const client = surroundings.connect();
    void produce(client, requestOf(topic, [{ text: 'a' }, { text: 'b', partition: 1 }]));
    await until(() => preparer.held !== null);
    client.close();
    await settle();
    expect([broker.produceTurns.heldBytes, broker.produceTurns.longCount]).toEqual([0, 0]);
    preparer.letGo();
    await settle();
    expect(preparer.held).toBeNull();
    expect([...(await surroundings.values(0)), ...(await surroundings.values(1))]).toEqual([]);
  });

  test('the connection of one that waits for its turn may end, and what it keeps is given back', async () => {
    const surroundings = await Surroundings.open();
    const { topic, preparer, broker } = surroundings;
    const [first, second] = [surroundings.connect(), surroundings.connect()];
    const answer = produce(first, requestOf(topic, [{ text: 'first' }]));
    await until(() => preparer.held !== null);
    const { heldBytes } = broker.produceTurns;
    void produce(second, requestOf(topic, [{ text: 'second'.repeat(100) }, { text: 'third' }]));
    expect(broker.produceTurns.heldBytes).toBeGreaterThan(heldBytes + 600);
    second.close();
    await settle();
    expect([broker.produceTurns.heldBytes, broker.produceTurns.longCount]).toEqual([heldBytes, 1]);
    preparer.letGo();
    expect(await answer).toEqual([[ErrorCode.NONE, 0]]);
    await settle();
    expect(preparer.count).toBe(1);
    expect(await surroundings.values()).toEqual(['0:first']);
  });

  test('so many requests may have one prepared, and the next is asked to come again', async () => {
    const surroundings = await Surroundings.open();
    const { topic, preparer, broker } = surroundings;
    const most = 256;
    const waiting = Array.from({ length: most }, (_, i) =>
      produce(surroundings.connect(), requestOf(topic, [{ text: `${i}` }])),
    );
    await until(() => broker.produceTurns.longCount === most);
    // Where one batch is refused, one behind it in its partition is not taken, for it would come before.
    const late = requestOf(topic, [{ text: 'late' }, quick('behind'), { ...quick('elsewhere'), partition: 1 }]);
    expect(await produce(surroundings.connect(), late)).toEqual([
      [ErrorCode.REQUEST_TIMED_OUT, -1],
      [ErrorCode.REQUEST_TIMED_OUT, -1],
      [ErrorCode.NONE, 0],
    ]);
    preparer.isQuick = true;
    preparer.letGo();
    const answers = (await Promise.all(waiting)).flat();
    expect(answers).toEqual(Array.from({ length: most }, (_, i) => [ErrorCode.NONE, i]));
    expect([broker.produceTurns.heldBytes, broker.produceTurns.longCount]).toEqual([0, 0]);
  });

  test('one with acks=0 closes its connection where it is refused', async () => {
    const surroundings = await Surroundings.open();
    const { topic, preparer } = surroundings;
    const client = surroundings.connect();
    client.sendUnasked(produceApi, latest, requestOf(topic, [{ text: 'kept' }], { acks: 0 }));
    await until(() => preparer.held !== null);
    preparer.letGo();
    await until(() => !client.door.isMuted);
    const long = { text: 'refused', options: { producerId: 1, producerEpoch: 0, baseSequence: -1 } };
    client.sendUnasked(produceApi, latest, requestOf(topic, [long], { acks: 0 }));
    await until(() => preparer.held !== null);
    preparer.letGo();
    await until(() => !client.door.open);
    expect(await surroundings.values()).toEqual(['0:kept']);
  });

  test('the broker may be closed: it is refused, and all that stands behind it', async () => {
    const surroundings = await Surroundings.open();
    const { topic, preparer } = surroundings;
    const log = surroundings.broker.topics.partition(topic, 0)!;
    const answer = produce(surroundings.connect(), requestOf(topic, [{ text: 'a' }, quick('b'), { text: 'c' }]));
    await until(() => preparer.held !== null);
    await surroundings.broker.close();
    expect(await answer).toEqual([0, 1, 2].map(() => [ErrorCode.NOT_LEADER_OR_FOLLOWER, -1]));
    expect(log.endOffset).toBe(0);
    await surroundings.close();
  });
});

describe('a transactional batch that takes long', () => {
  const transactionalId = 'id';

  async function begun(version: number) {
    const surroundings = await Surroundings.open();
    const { topic } = surroundings;
    const client = surroundings.connect();
    const producer = await client.request(initProducerIdApi, 5, { transactionalId, transactionTimeoutMs: 60_000 });
    const { producerId, producerEpoch } = producer;
    let baseSequence = 0;
    const request = (batches: readonly Batch[]): ProduceRequest => {
      const options = { producerId, producerEpoch, baseSequence: baseSequence++, transactional: true };
      const owned = batches.map((batch) => ({ ...batch, options }));
      return requestOf(topic, owned, { transactionalId });
    };
    const write = (batch: Batch, sender = client): Promise<Answer[]> => produce(sender, request([batch]), version);
    const add = async (): Promise<void> => {
      const { resultsByTopicV3AndBelow } = await client.request(addPartitionsToTxnApi, 3, {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: topic.name, partitions: [0, 1] }],
      });
      const { resultsByPartition } = resultsByTopicV3AndBelow[0]!;
      expect(resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode)).toEqual([0, 0]);
    };
    const end = async (committed: boolean, sender = client): Promise<void> => {
      const ended = { transactionalId, producerId, producerEpoch, committed };
      const { errorCode } = await sender.request(endTxnApi, version >= 12 ? 5 : 4, ended);
      expect(errorCode).toBe(ErrorCode.NONE);
    };
    if (version < 12) await add();
    return { surroundings, client, request, write, end };
  }

  test.each([noTransactionsV2, latest])(
    'is let in and appended, and those behind it after it (version %i)',
    async (version) => {
      const { surroundings, client, write, end } = await begun(version);
      const { preparer, broker } = surroundings;
      const answers = [write({ text: 'a' }), write(quick('b')), write({ text: 'c' }), write(quick('d'))];
      for (let i = 0; i < 2; i++) {
        await until(() => preparer.held !== null);
        expect(client.door.isMuted).toBe(true);
        preparer.letGo();
      }
      expect((await Promise.all(answers)).flat()).toEqual([0, 1, 2, 3].map((offset) => [ErrorCode.NONE, offset]));
      await end(true);
      await until(() => surroundings.broker.topics.partition(surroundings.topic, 0)!.lastStableOffset === 5);
      expect(client.door.isMuted).toBe(false);
      expect([broker.produceTurns.heldBytes, broker.transactions.admission.heldBytes]).toEqual([0, 0]);
    },
  );

  test.each([noTransactionsV2, latest])(
    'is refused where the transaction ends meanwhile (version %i)',
    async (version) => {
      const { surroundings, client, write, end } = await begun(version);
      const { preparer, broker } = surroundings;
      expect(await write(quick('before'))).toEqual([[ErrorCode.NONE, 0]]);
      const late = write({ text: 'late' });
      await until(() => preparer.held !== null);
      const other = surroundings.connect();
      await end(false, other);
      const log = broker.topics.partition(surroundings.topic, 0)!;
      await until(() => log.lastStableOffset === 2);
      preparer.letGo();
      const [[errorCode]] = (await late) as [Answer];
      expect(errorCode).not.toBe(ErrorCode.NONE);
      expect(log.endOffset).toBe(2);
      expect(client.door.isMuted).toBe(false);
      expect([broker.produceTurns.heldBytes, broker.transactions.admission.heldBytes]).toEqual([0, 0]);
    },
  );

  test('is forgotten with its connection', async () => {
    const { surroundings, client, write } = await begun(noTransactionsV2);
    const { preparer, broker } = surroundings;
    void write({ text: 'a' });
    await until(() => preparer.held !== null);
    client.close();
    await settle();
    expect([broker.produceTurns.heldBytes, broker.transactions.admission.heldBytes]).toEqual([0, 0]);
    preparer.letGo();
    await settle();
    expect(broker.topics.partition(surroundings.topic, 0)!.endOffset).toBe(0);
  });

  test.each([noTransactionsV2, latest])(
    'is stored before the next of its request is prepared (version %i)',
    async (version) => {
      const { surroundings, client, request } = await begun(version);
      const { preparer, broker, topic } = surroundings;
      const [first, second] = [0, 1].map((partition) => broker.topics.partition(topic, partition)!);
      const answer = produce(client, request([{ text: 'a' }, { text: 'b', partition: 1 }]), version);
      await until(() => preparer.held !== null);
      preparer.letGo();
      await until(() => preparer.count === 2);
      expect([first!.endOffset, second!.endOffset]).toEqual([1, 0]);
      preparer.letGo();
      expect(await answer).toEqual([0, 1].map(() => [ErrorCode.NONE, 0]));
    },
  );
});
