/**
 * A producer in a simulated run: sends batches in windows, several requests at a time, and retries what failed or was
 * not answered, in order. Single thread, under the scheduler.
 *
 *   window   seq 4 │ 5 │ 6   sent at once        answers:  4 unknown (cut) │ 5 unknown │ 6 unknown
 *   next     seq 4 │ 5 │ 6   the same bytes again, on a new connection
 *
 * An idempotent producer numbers its batches; one that does not know whether its last batches stand begins anew with a
 * fresh id only where the broker leaves no other way, and never sends those again. Values name the producer, its session
 * and a number that grows, so that a log's order can be judged.
 */

import { gzipSync } from 'node:zlib';
import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import {
  defaultInitProducerIdRequest,
  defaultProduceRequest,
  initProducerIdApi,
  produceApi,
  type ProduceRequest,
} from '../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { Compression } from '../../src/records/record-batch.ts';
import type { Durability } from '../../src/storage/partition-log.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { TopicPartition } from './topic-ledger.ts';
import type { World } from './world.ts';

export interface ProducerOptions {
  readonly name: string;
  readonly acks: -1 | 0 | 1;
  readonly isIdempotent: boolean;
  readonly compresses: boolean;
  /** Requests sent before any is answered, at most 5 as in Kafka's clients. */
  readonly window: number;
}

interface Batch {
  readonly target: TopicPartition;
  readonly values: readonly string[];
  readonly bytes: Uint8Array;
  readonly session: number;
  readonly firstSequence: number;
}

type Outcome = 'done' | 'retry' | 'give up' | 'new session';

const retriable = new Set<ErrorCode>([
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.NOT_ENOUGH_REPLICAS,
]);

export class ProducerActor {
  readonly #refused = new WeakSet<Batch>();
  readonly #world: World;
  readonly #options: ProducerOptions;
  #client: SimulatedClient | null = null;
  #producerId = -1;
  #producerEpoch = -1;
  #session = 0;
  #valueCount = 0;
  readonly #sequences = new Map<string, number>();
  /** What is to be sent again, in order. */
  #pending: Batch[] = [];

  constructor(world: World, options: ProducerOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Sends until the world ends and all that was sent has an outcome. */
  async run(): Promise<void> {
    const { random } = this.#world.scheduler;
    while (!this.#world.isEnding || this.#pending.length > 0) {
      if (this.#client?.isOpen !== true) this.#client = await this.#world.connect(this.#options.name);
      if (this.#options.isIdempotent && this.#producerId < 0 && !(await this.#initialize(this.#client))) {
        await this.#world.sleep(20, this.#options.name);
        continue;
      }
      const retried = this.#pending.length > 0;
      const batches = this.#pending.slice(0, this.#options.window);
      this.#pending = this.#pending.slice(batches.length);
      while (batches.length < this.#options.window && !this.#world.isEnding && random.chance(0.6)) {
        const batch = this.#nextBatch();
        if (batch === null) break;
        batches.push(batch);
      }
      await this.#sendWindow(this.#client, batches);
      const waitMs = random.below(this.#world.profile.thinkMs + 1) + (retried ? 5 : 0);
      await this.#world.sleep(waitMs, this.#options.name);
    }
    this.#client?.cut();
  }

  async #initialize(client: SimulatedClient): Promise<boolean> {
    const version = client.version(initProducerIdApi);
    const request = { ...defaultInitProducerIdRequest(), transactionalId: null, transactionTimeoutMs: 60_000 };
    const response = await client.request(initProducerIdApi, request, version);
    if (response === null || response.errorCode !== ErrorCode.NONE) return false;
    this.#world.topics.given(response.producerId);
    this.#producerId = response.producerId;
    this.#producerEpoch = response.producerEpoch;
    this.#session++;
    this.#sequences.clear();
    return true;
  }

  #nextBatch(): Batch | null {
    const { scheduler, topics, profile } = this.#world;
    const { random } = scheduler;
    const targets = topics.partitions();
    if (targets.length === 0) return null;
    const target = targets[random.below(targets.length)]!;
    const count = 1 + random.below(4);
    const firstSequence = this.#sequences.get(target.log) ?? 0;
    const { isIdempotent, compresses, name } = this.#options;
    const builder = new BatchBuilder(
      crc32c,
      isIdempotent
        ? { producerId: this.#producerId, producerEpoch: this.#producerEpoch, baseSequence: firstSequence }
        : {},
    );
    const values: string[] = [];
    for (let i = 0; i < count; i++) {
      const value = `${name}.${this.#session}.${++this.#valueCount}`.padEnd(random.below(profile.valueBytes), '~');
      values.push(value);
      const key = random.chance(0.5) ? Buffer.from(name) : null;
      builder.append({ key, value: Buffer.from(value, 'latin1'), timestampMs: scheduler.clock.nowMs() });
    }
    if (isIdempotent) this.#sequences.set(target.log, firstSequence + count);
    const bytes = compresses ? builder.sealCompressed(Compression.GZIP, gzipSync(builder.body)) : builder.seal();
    for (const value of values) {
      this.#world.record({ kind: 'send', log: target.log, value, durability: this.#durability(target), isIdempotent });
    }
    return { target, values, bytes, session: this.#session, firstSequence };
  }

  #durability({ topic }: TopicPartition): Durability {
    const { acks } = this.#options;
    if (acks === 0) return 'none';
    return acks === 1 || topic.syncsLater ? 'written' : 'synced';
  }

  async #sendWindow(client: SimulatedClient, batches: readonly Batch[]): Promise<void> {
    const requests = this.#requestsOf(batches);
    const outcomes = (await Promise.all(requests.map((request) => this.#send(client, request)))).flat();
    const troubled = new Set<string>();
    for (const [index, batch] of batches.entries()) {
      const { log } = batch.target;
      let outcome = this.#judge(batch, outcomes[index]!, troubled.has(log));
      if (batch.session !== this.#session || this.#producerId < 0) {
        if (this.#options.isIdempotent && outcome !== 'done') outcome = 'give up';
      }
      if (outcome !== 'done') troubled.add(log);
      if (outcome === 'retry') this.#retry(batch);
      if (outcome === 'give up') this.#world.count('batches given up');
      if (outcome === 'new session') this.#beginSession();
    }
  }

  #retry(batch: Batch): void {
    this.#world.count('retries');
    this.#pending.push(batch);
  }

  /** Whether what is pending stands is not known, so it is not sent under a new id. */
  #beginSession(): void {
    this.#world.count('new producer sessions');
    this.#producerId = -1;
    this.#pending = [];
  }

  /** The batches in the same order, each in a request of its own or with its neighbours, of which no two go to one log. */
  #requestsOf(batches: readonly Batch[]): Batch[][] {
    const { random } = this.#world.scheduler;
    const requests: Batch[][] = [];
    for (const batch of batches) {
      const last = requests.at(-1);
      const mayJoin = last?.every(
        ({ target }) => target.log !== batch.target.log && target.topic.needsIds === batch.target.topic.needsIds,
      );
      if (last !== undefined && mayJoin === true && random.chance(0.3)) last.push(batch);
      else requests.push([batch]);
    }
    return requests;
  }

  /** The error code that came back for each batch; null where none did. */
  async #send(client: SimulatedClient, batches: readonly Batch[]): Promise<(ErrorCode | null)[]> {
    const { acks, name } = this.#options;
    const version = client.version(produceApi, batches[0]!.target.topic.needsIds ? 13 : 0);
    const request: ProduceRequest = {
      ...defaultProduceRequest(),
      transactionalId: null,
      acks,
      timeoutMs: 3000,
      topicData: batches.map(({ target: { topic, partition }, bytes }) => ({
        name: topic.name,
        topicId: topic.id,
        partitionData: [{ index: partition, records: bytes }],
      })),
    };
    if (acks === 0) {
      client.tell(produceApi, request, version);
      return batches.map(() => ErrorCode.NONE);
    }
    const response = await client.request(produceApi, request, version);
    if (response === null) return batches.map(() => null);
    if (response.responses.length !== batches.length) {
      this.#world.breakPromise(
        `${name} asked for ${batches.length} topics and is told of ${response.responses.length}`,
      );
      return batches.map(() => null);
    }
    return batches.map((batch, index) => {
      const { errorCode, baseOffset } = response.responses[index]!.partitionResponses[0]!;
      this.#answered(batch, errorCode as ErrorCode, baseOffset);
      return errorCode as ErrorCode;
    });
  }

  #answered({ target: { log }, values }: Batch, errorCode: ErrorCode, baseOffset: number): void {
    this.#world.scheduler.note(
      `${this.#options.name} ${log} ${values[0]!.slice(0, 24)}: ${errorName(errorCode)} ${baseOffset}`,
    );
    if (errorCode !== ErrorCode.NONE || baseOffset < 0) return;
    for (const [index, value] of values.entries()) {
      this.#world.record({ kind: 'acknowledged', log, value, offset: baseOffset + index });
    }
  }

  #judge(batch: Batch, errorCode: ErrorCode | null, isTroubled: boolean): Outcome {
    const { name, isIdempotent, acks } = this.#options;
    if (errorCode === null) return isIdempotent || this.#world.scheduler.random.chance(0.7) ? 'retry' : 'give up';
    if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) return 'done';
    const { topic, log } = batch.target;
    this.#world.count(errorName(errorCode));
    if (retriable.has(errorCode)) this.#refused.add(batch);
    if (retriable.has(errorCode)) return isIdempotent || this.#world.scheduler.random.chance(0.7) ? 'retry' : 'give up';
    if (errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || errorCode === ErrorCode.UNKNOWN_TOPIC_ID) {
      if (topic.state === 'there') this.#world.breakPromise(`${name} is told that ${log} does not exist`);
      return 'give up';
    }
    if (errorCode === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER && isIdempotent) {
      if (isTroubled) return 'retry';
      // Nobody knows a producer whose first batch was refused, and whoever is not known may begin anywhere: a later batch
      // of its window slipped in before. Kafka takes it as well.
      if (batch.firstSequence === 0 && this.#refused.has(batch)) return 'new session';
      // What acks=1 promised may be lost in a power cut, and then the next sequence is none.
      if (acks === -1 && !topic.syncsLater) {
        this.#world.breakPromise(`${name} is told that sequence ${batch.firstSequence} of ${log} is out of order`);
      }
      return 'new session';
    }
    this.#world.breakPromise(`${name} gets ${errorName(errorCode)} for a batch to ${log}`);
    return 'give up';
  }
}
