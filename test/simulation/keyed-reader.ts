/**
 * Reads a compacted stream (keyed-stream.ts) again and again from its begin to its end, while the log is written and
 * compacted and things break. Single thread.
 * The end is where the log ends when the reader comes there: what it finds missing may have been replaced by a record that
 * was written while it read.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import {
  defaultFetchRequest,
  defaultFetchRequestTopicsPartitions,
  fetchApi,
} from '../../src/protocol/generated/index.ts';
import { type KeyedRecord, type KeyedStream, readKeyedRecords } from './keyed-stream.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

/** A topic by its name, and a high watermark in the answer. */
const firstVersion = 4;

export class KeyedReader {
  readonly #world: World;
  readonly #stream: KeyedStream;
  readonly #name: string;
  #client: SimulatedClient | null = null;

  constructor(world: World, stream: KeyedStream) {
    this.#world = world;
    this.#stream = stream;
    this.#name = `${stream.name}.reader`;
  }

  /** Reads until the world ends. */
  async run(): Promise<void> {
    const world = this.#world;
    while (!world.isEnding) {
      await this.#pass();
      await world.sleep(world.scheduler.random.below(100), this.#name);
    }
    this.#client?.cut();
  }

  /** One pass, which a cut connection does not end. */
  async #pass(): Promise<void> {
    const world = this.#world;
    const { clock, random } = world.scheduler;
    const promised = this.#stream.promised();
    const startedMs = clock.monotonicMs();
    const records: KeyedRecord[] = [];
    let position = 0;
    for (let end = Infinity; position < end;) {
      if (world.isEnding) return;
      const found = await this.#fetch(position);
      if (found === null) {
        await world.sleep(20, this.#name);
        continue;
      }
      end = found.highWatermark;
      records.push(...found.records);
      position = found.nextOffset;
      if (random.chance(0.2)) await world.sleep(random.below(30), this.#name);
    }
    world.count('keyed passes');
    this.#stream.checkPass(this.#name, records, promised, clock.monotonicMs() - startedMs);
  }

  async #fetch(position: number) {
    const world = this.#world;
    const { random } = world.scheduler;
    if (this.#client?.isOpen !== true) this.#client = await world.connect(this.#name);
    const { topicId, topicName: topic } = this.#stream;
    const partitions = [
      {
        ...defaultFetchRequestTopicsPartitions(),
        partition: 0,
        fetchOffset: asOffset(position),
        partitionMaxBytes: 1 + random.below(2048),
      },
    ];
    const request = {
      ...defaultFetchRequest(),
      replicaId: -1,
      maxWaitMs: random.below(50),
      minBytes: 0,
      maxBytes: 4096,
      topics: [{ topicId: topicId!, topic, partitions }],
    };
    const response = await this.#client.request(fetchApi, request, this.#client.version(fetchApi, firstVersion));
    const result = response?.responses[0]?.partitions[0];
    if (result === undefined) return null;
    if (result.errorCode !== ErrorCode.NONE) {
      world.count(`keyed reads: ${errorName(result.errorCode as ErrorCode)}`);
      if (result.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
        world.breakPromise(`${this.#name}: offset ${position} is out of range in a log that deletes nothing`);
      }
      return null;
    }
    return { ...readKeyedRecords(result.records ?? new Uint8Array(0), position), highWatermark: result.highWatermark };
  }
}
