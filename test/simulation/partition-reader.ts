/**
 * How simulated consumers read: where to begin, one fetch of one partition, and what an answer means. Single thread.
 * Consumers without a group and members of groups share it; it keeps the position, and records what was read.
 *
 * On a new connection it asks where the epoch of the last record that it read ends (KIP-320): a log that was cut by a
 * power cut and has grown again past the position would else be read on as if it were the same.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import {
  defaultFetchRequest,
  defaultFetchRequestTopicsPartitions,
  defaultListOffsetsRequest,
  defaultListOffsetsRequestTopicsPartitions,
  defaultOffsetForLeaderEpochRequest,
  defaultOffsetForLeaderEpochRequestTopicsPartitions,
  fetchApi,
  listOffsetsApi,
  offsetForLeaderEpochApi,
} from '../../src/protocol/generated/index.ts';
import { readRecords } from './read-records.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { TopicPartition } from './topic-ledger.ts';
import type { World } from './world.ts';

export const earliest = -2;
export const latest = -1;

export class PartitionReader {
  readonly target: TopicPartition;
  readonly #world: World;
  readonly #reader: string;
  /** -1 until it is known. */
  position = -1;
  /** What was read in one go up to the position, by offset. */
  readonly read = new Map<number, string>();
  /** The epoch of the last record that was read; -1 where there is none. */
  lastEpoch = -1;
  #lastReadAfterPowerCuts = 0;
  #validatedWith: SimulatedClient | null = null;

  /** `reader` names it in the history. */
  constructor(world: World, reader: string, target: TopicPartition) {
    this.#world = world;
    this.#reader = reader;
    this.target = target;
    world.readers.add(this);
  }

  get name(): string {
    return this.#reader;
  }

  /** The position has to be found anew. */
  forget(): void {
    this.position = -1;
    this.lastEpoch = -1;
    this.read.clear();
  }

  /** Goes on from `offset`. */
  seek(offset: number): void {
    this.position = offset;
    this.lastEpoch = -1;
    this.read.clear();
    this.#world.record({ kind: 'seek', log: this.target.log, consumer: this.#reader, offset });
  }

  /** Asks for the start or the end and goes on from there. False where there was no answer. */
  async seekTo(client: SimulatedClient, timestamp: number): Promise<boolean> {
    const { topic, partition, log } = this.target;
    const version = client.version(listOffsetsApi);
    const partitions = [{ ...defaultListOffsetsRequestTopicsPartitions(), partitionIndex: partition, timestamp }];
    const request = { ...defaultListOffsetsRequest(), replicaId: -1, topics: [{ name: topic.name, partitions }] };
    const response = await client.request(listOffsetsApi, request, version);
    const result = response?.topics[0]?.partitions[0];
    if (result === undefined) return false;
    if (result.errorCode !== ErrorCode.NONE) {
      this.#world.count(`list offsets: ${errorName(result.errorCode as ErrorCode)}`);
      return false;
    }
    if (timestamp === earliest) this.#startSeen(result.offset);
    this.#world.scheduler.note(`${this.#reader} ${log} seeks ${result.offset}`);
    this.seek(result.offset);
    return true;
  }

  /** Fetches once. Returns how many records came; -1 where the position has to be found anew or nothing came back. */
  async fetch(client: SimulatedClient): Promise<number> {
    if (this.#validatedWith !== client && !(await this.#validate(client))) return 0;
    const { topic, partition, log } = this.target;
    const { random } = this.#world.scheduler;
    const version = client.version(fetchApi, topic.needsIds ? 13 : 0);
    const maxBytes = 1 + random.below(4096);
    const partitions = [
      {
        ...defaultFetchRequestTopicsPartitions(),
        partition,
        fetchOffset: asOffset(this.position),
        partitionMaxBytes: maxBytes,
      },
    ];
    const request = {
      ...defaultFetchRequest(),
      replicaId: -1,
      maxWaitMs: random.below(200),
      minBytes: random.below(3) * 200,
      maxBytes: 1 + random.below(8192),
      topics: [{ topicId: topic.id, topic: topic.name, partitions }],
    };
    const response = await client.request(fetchApi, request, version);
    const result = response?.responses[0]?.partitions[0];
    if (response === null || result === undefined) return -1;
    if (result.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
      this.#world.count('offsets out of range');
      return -1;
    }
    if (result.errorCode !== ErrorCode.NONE) {
      const name = errorName(result.errorCode as ErrorCode);
      this.#world.count(`fetch: ${name}`);
      const isGone = name === 'UNKNOWN_TOPIC_ID' || name === 'UNKNOWN_TOPIC_OR_PARTITION';
      if (isGone && topic.state === 'there') this.#world.breakPromise(`${log} is not found by a fetch`);
      await this.#world.sleep(20, this.#reader);
      return -1;
    }
    if (result.logStartOffset >= 0) this.#startSeen(result.logStartOffset);
    const records = readRecords(result.records ?? new Uint8Array(0), asOffset(this.position));
    for (const { offset, leaderEpoch, value } of records) {
      this.#world.record({ kind: 'read', log, consumer: this.#reader, offset, leaderEpoch, value });
      this.position = offset + 1;
      this.lastEpoch = leaderEpoch;
      this.read.set(offset, value);
      this.#lastReadAfterPowerCuts = this.#world.powerCuts;
    }
    if (records.length > 0) this.#world.scheduler.note(`${this.#reader} ${log} reads up to ${this.position}`);
    return records.length;
  }

  /** Goes back to where the log parted from what was read, if it did. False where there was no answer. */
  async #validate(client: SimulatedClient): Promise<boolean> {
    const { topic, partition, log } = this.target;
    if (this.lastEpoch < 0 || topic.needsIds) return true;
    const { position, lastEpoch } = this;
    const partitions = [{ ...defaultOffsetForLeaderEpochRequestTopicsPartitions(), partition, leaderEpoch: lastEpoch }];
    const request = {
      ...defaultOffsetForLeaderEpochRequest(),
      replicaId: -1,
      topics: [{ topic: topic.name, partitions }],
    };
    const response = await client.request(offsetForLeaderEpochApi, request, client.version(offsetForLeaderEpochApi));
    const result = response?.topics[0]?.partitions[0];
    if (result === undefined || result.errorCode !== ErrorCode.NONE) return false;
    this.#validatedWith = client;
    this.#world.count('epochs validated');
    const { endOffset, leaderEpoch } = result;
    if (leaderEpoch === lastEpoch && endOffset >= position) return true;
    if (leaderEpoch > lastEpoch) {
      this.#world.breakPromise(
        `${this.#reader} asked ${log} for the end of epoch ${lastEpoch}, was told ${leaderEpoch}`,
      );
    }
    if (endOffset < 0 || endOffset >= position) return true;
    if (this.#world.powerCuts === this.#lastReadAfterPowerCuts) {
      this.#world.breakPromise(
        `${log}: epoch ${lastEpoch} ends at ${endOffset}, but ${this.#reader} read up to ${position}`,
      );
    }
    this.#world.count('cut logs noticed');
    this.seek(endOffset);
    return true;
  }

  #startSeen(offset: number): void {
    const { topic, log } = this.target;
    if (topic.mayExpire) this.#world.record({ kind: 'startMoved', log, offset });
  }
}
