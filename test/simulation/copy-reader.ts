/**
 * Reads a copied stream (copy-stream.ts) over the protocol as Kafka's clients read committed records, while producers
 * write and things break: stops at the last stable offset, and leaves out what the fetch calls aborted. Single thread.
 *
 * What was read once is decided: nothing is shown later that was not there, nothing goes, and at the end it is what the
 * markers in the log say. That holds through power cuts too, because markers are synced before consumers see them.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import {
  defaultFetchRequest,
  defaultFetchRequestTopicsPartitions,
  defaultListOffsetsRequest,
  defaultListOffsetsRequestTopicsPartitions,
  fetchApi,
  listOffsetsApi,
} from '../../src/protocol/generated/index.ts';
import { CommittedBatches } from '../../src/records/committed-batches.ts';
import { batchSizeAt, lastOffsetAt } from '../../src/records/record-batch.ts';
import { copyPartitions, type CopyStream } from './copy-stream.ts';
import { readRecords } from './read-records.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

const firstVersionWithLevels = 4;
const firstListVersionWithLevels = 2;
const readCommitted = 1;
const latest = -1;

export class CopyReader {
  readonly #world: World;
  readonly #name: string;
  readonly #stream: CopyStream;
  readonly #positions: number[] = Array.from({ length: copyPartitions }, () => 0);

  constructor(world: World, name: string, stream: CopyStream) {
    this.#world = world;
    this.#name = name;
    this.#stream = stream;
  }

  /** Reads until the world ends. */
  async run(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    let client: SimulatedClient | null = null;
    while (!world.isEnding) {
      if (client?.isOpen !== true) client = await world.connect(this.#name);
      const partition = random.below(copyPartitions);
      if (random.chance(0.1)) this.#positions[partition] = random.below(this.#positions[partition]! + 1);
      if (random.chance(0.1)) await this.#checkEnd(client, partition);
      await this.#fetch(client, partition);
      await world.sleep(random.below(30), this.#name);
    }
    client?.cut();
  }

  async #fetch(client: SimulatedClient, partition: number): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    const position = this.#positions[partition]!;
    const { topicId, topicName: topic } = this.#stream;
    const partitions = [
      {
        ...defaultFetchRequestTopicsPartitions(),
        partition,
        fetchOffset: asOffset(position),
        partitionMaxBytes: 1 + random.below(2048),
      },
    ];
    const request = {
      ...defaultFetchRequest(),
      replicaId: -1,
      isolationLevel: readCommitted,
      maxWaitMs: random.below(200),
      minBytes: random.below(2),
      maxBytes: 8192,
      topics: [{ topicId: topicId!, topic, partitions }],
    };
    const response = await client.request(fetchApi, request, client.version(fetchApi, firstVersionWithLevels));
    const result = response?.responses[0]?.partitions[0];
    if (result === undefined) return;
    if (result.errorCode !== ErrorCode.NONE) {
      world.count(`copy reads: ${errorName(result.errorCode as ErrorCode)}`);
      return;
    }
    const bytes = result.records ?? new Uint8Array(0);
    const committed = new CommittedBatches(result.abortedTransactions ?? []);
    let next = position;
    for (let at = 0, size = 0; (size = batchSizeAt(bytes, at, bytes.length)) > 0; at += size) {
      const end = lastOffsetAt(bytes, at) + 1;
      if (end > result.lastStableOffset) {
        world.breakPromise(
          `${this.#name} reads ${topic}-${partition} up to ${end}, past the last stable offset ${result.lastStableOffset}`,
        );
      }
      const isHidden = committed.hides(bytes, at, size);
      const records = isHidden ? [] : readRecords(bytes.subarray(at, at + size), asOffset(next));
      this.#stream.readAsCommitted(partition, next, end, records);
      next = Math.max(next, end);
    }
    if (next > position) world.count('copies read');
    this.#positions[partition] = next;
  }

  /** The end that is told for committed records is not before what was read of them. */
  async #checkEnd(client: SimulatedClient, partition: number): Promise<void> {
    const { topicName: name } = this.#stream;
    const readUpTo = this.#positions[partition]!;
    const asked = {
      ...defaultListOffsetsRequestTopicsPartitions(),
      partitionIndex: partition,
      timestamp: latest,
    };
    const response = await client.request(
      listOffsetsApi,
      {
        ...defaultListOffsetsRequest(),
        replicaId: -1,
        isolationLevel: readCommitted,
        topics: [{ name, partitions: [asked] }],
      },
      client.version(listOffsetsApi, firstListVersionWithLevels),
    );
    const result = response?.topics[0]?.partitions[0];
    if (result === undefined || result.errorCode !== ErrorCode.NONE || result.offset >= readUpTo) return;
    this.#world.breakPromise(`${name}-${partition} ends at ${result.offset}, and ${this.#name} read up to ${readUpTo}`);
  }
}
