/**
 * The producer of a compacted stream (keyed-stream.ts): small batches of keys, tombstones among them, one request
 * in flight, acks=all, sent again until it is answered. Idempotent: what compaction must keep of it shows at once,
 * because a forgotten sequence is one that is out of order. Single thread.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import {
  defaultInitProducerIdRequest,
  defaultProduceRequest,
  initProducerIdApi,
  produceApi,
} from '../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import type { KeyedStream } from './keyed-stream.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

/** Of keys that are written often there is always a newer record; what became of the others is seen. */
const busyKeys = 6;
const quietKeys = 24;
const quietChance = 0.3;
const tombstoneChance = 0.2;
const allReplicas = -1;

interface Batch {
  readonly bytes: Uint8Array;
  readonly numbers: ReadonlyMap<string, number>;
}

export class KeyedActor {
  readonly #world: World;
  readonly #stream: KeyedStream;
  #producerId = -1;
  #producerEpoch = -1;
  #sequence = 0;
  #number = 0;

  constructor(world: World, stream: KeyedStream) {
    this.#world = world;
    this.#stream = stream;
  }

  /** Sends until the world ends and all that was sent is answered. */
  async run(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    const { name } = this.#stream;
    let client: SimulatedClient | null = null;
    let batch: Batch | null = null;
    while (!world.isEnding || batch !== null) {
      if (client?.isOpen !== true) client = await world.connect(name);
      if (this.#producerId < 0 && !(await this.#initialize(client))) {
        await world.sleep(20, name);
        continue;
      }
      batch ??= this.#nextBatch();
      const errorCode = await this.#send(client, batch);
      if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
        for (const [key, number] of batch.numbers) this.#stream.acknowledged(key, number);
        world.count('keyed batches');
        batch = null;
      } else if (errorCode !== null && !retriable.has(errorCode)) {
        world.breakPromise(`${name}: the producer gets ${errorName(errorCode)} at ${this.#sequence}`);
        batch = null;
      }
      await world.sleep(batch === null ? random.below(world.profile.thinkMs / 4 + 1) : 20, name);
    }
    client?.cut();
  }

  async #initialize(client: SimulatedClient): Promise<boolean> {
    const request = { ...defaultInitProducerIdRequest(), transactionalId: null, transactionTimeoutMs: 60_000 };
    const response = await client.request(initProducerIdApi, request, client.version(initProducerIdApi));
    if (response === null || response.errorCode !== ErrorCode.NONE) return false;
    this.#world.topics.given(response.producerId);
    this.#producerId = response.producerId;
    this.#producerEpoch = response.producerEpoch;
    return true;
  }

  /** Each key once, so that a batch that stands has no order of its own. */
  #nextBatch(): Batch {
    const { scheduler, profile } = this.#world;
    const { random } = scheduler;
    const isQuiet = random.chance(quietChance);
    const keyCount = isQuiet ? quietKeys : busyKeys;
    const first = random.below(keyCount);
    const count = 1 + random.below(3);
    const [producerId, producerEpoch, baseSequence] = [this.#producerId, this.#producerEpoch, this.#sequence];
    const builder = new BatchBuilder(crc32c, { producerId, producerEpoch, baseSequence });
    const numbers = new Map<string, number>();
    for (let i = 0; i < count; i++) {
      const key = `${isQuiet ? 'quiet' : 'k'}${(first + i) % keyCount}`;
      const number = this.#number++;
      const isTombstone = random.chance(tombstoneChance);
      const text = `#${number}`.padEnd(random.below(profile.valueBytes), '~');
      const value = isTombstone ? null : Buffer.from(text, 'latin1');
      builder.append({ key: Buffer.from(key), value, timestampMs: scheduler.clock.nowMs() });
      this.#stream.sent(key, number, isTombstone);
      numbers.set(key, number);
    }
    this.#sequence += count;
    return { bytes: builder.seal(), numbers };
  }

  /** Null where no answer came. */
  async #send(client: SimulatedClient, { bytes }: Batch): Promise<ErrorCode | null> {
    const { topicId, topicName: name } = this.#stream;
    const partitionData = [{ index: 0, records: bytes }];
    const request = {
      ...defaultProduceRequest(),
      transactionalId: null,
      acks: allReplicas,
      timeoutMs: 3000,
      topicData: [{ name, topicId: topicId!, partitionData }],
    };
    const response = await client.request(produceApi, request, client.version(produceApi));
    return (response?.responses[0]?.partitionResponses[0]?.errorCode as ErrorCode | undefined) ?? null;
  }
}

const retriable = new Set<ErrorCode>([
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.NOT_ENOUGH_REPLICAS,
]);
