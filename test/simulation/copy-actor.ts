/**
 * A transactional producer in a simulated run: copies a stream (copy-stream.ts) in transactions, in one of both
 * generations, beside others of the same transactional id that fence it and are fenced. Single thread.
 *
 *   init ─► resume where the group is ─► add, write, commit the offset ─► end ─► …
 *     ▲                                            │
 *     └── what is refused, or not answered and not tried again
 *
 * V1 adds partitions and offsets by requests of their own, V2 by its writes (KIP-890). Now and then one is too slow for
 * its timeout, repeats what was not answered, or goes on though it should know better.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import {
  addOffsetsToTxnApi,
  addPartitionsToTxnApi,
  defaultAddPartitionsToTxnRequest,
  defaultInitProducerIdRequest,
  defaultOffsetFetchRequest,
  defaultTxnOffsetCommitRequest,
  endTxnApi,
  initProducerIdApi,
  offsetFetchApi,
  produceApi,
  txnOffsetCommitApi,
} from '../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { copyPartitions, type CopyStream } from './copy-stream.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

export interface CopyOptions {
  readonly name: string;
  readonly stream: CopyStream;
  readonly isV2: boolean;
}

const transactionTimeoutMs = 600;
/** The answer to nothing: the connection ended first. */
const unanswered = null;

type Answer = ErrorCode | typeof unanswered;

/** Whatever is under way for the id ends by itself. */
const passing = new Set<Answer>([ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]);

export class CopyActor {
  readonly #world: World;
  readonly #options: CopyOptions;
  #client: SimulatedClient | null = null;
  #producerId = -1;
  #producerEpoch = -1;
  /** The next number; -1 where it is to be asked for. */
  #position = -1;
  readonly #sequences = new Map<number, number>();

  constructor(world: World, options: CopyOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** Copies until the world ends. */
  async run(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    while (!world.isEnding) {
      if (this.#position < 0 && !(await this.#begin())) {
        await world.sleep(5 + random.below(40), this.#options.name);
        continue;
      }
      if (!(await this.#copy())) this.#position = -1;
      await world.sleep(1 + random.below(world.profile.thinkMs), this.#options.name);
    }
    this.#client?.cut();
  }

  get #identity(): { transactionalId: string; producerId: number; producerEpoch: number } {
    const { stream } = this.#options;
    return { transactionalId: stream.name, producerId: this.#producerId, producerEpoch: this.#producerEpoch };
  }

  /** Takes the id over and finds out where the group is; false where it has to be tried again. */
  async #begin(): Promise<boolean> {
    const { stream } = this.#options;
    const { random } = this.#world.scheduler;
    const client = await this.#connected();
    const response = await client.request(
      initProducerIdApi,
      { ...defaultInitProducerIdRequest(), transactionalId: stream.name, transactionTimeoutMs },
      this.#version(initProducerIdApi, 0, 5),
    );
    if (response === null || response.errorCode !== ErrorCode.NONE) {
      if (response !== null) this.#world.count(`copy init: ${errorName(response.errorCode as ErrorCode)}`);
      return false;
    }
    this.#take(response);
    // Long enough now and then for another to be in the middle of a transaction of its own.
    if (random.chance(0.2)) await this.#world.sleep(random.below(500), this.#options.name);
    const topics = [{ name: stream.topicName, topicId: stream.topicId!, partitionIndexes: [0] }];
    const groups = [{ groupId: stream.group, memberId: null, memberEpoch: -1, topics }];
    const fetched = await client.request(
      offsetFetchApi,
      { ...defaultOffsetFetchRequest(), groups, requireStable: true },
      8 + random.below(3),
    );
    const found = fetched?.groups[0]?.topics[0]?.partitions[0];
    if (found === undefined || found.errorCode !== ErrorCode.NONE) {
      if (found !== undefined) this.#world.count(`copy resumes: ${errorName(found.errorCode as ErrorCode)}`);
      return false;
    }
    this.#position = Math.max(found.committedOffset, 0);
    stream.resumed(this.#position);
    this.#world.count('copies begun');
    return true;
  }

  /** One transaction; false where its producer has to begin anew. */
  async #copy(): Promise<boolean> {
    const world = this.#world;
    const { random } = world.scheduler;
    const { stream, isV2 } = this.#options;
    const byPartition = new Map<number, string[]>();
    const end = this.#position + 1 + random.below(5);
    for (let number = this.#position; number < end; number++) {
      const partition = random.below(copyPartitions);
      const values = byPartition.get(partition) ?? [];
      byPartition.set(partition, values);
      values.push(stream.value(number));
    }
    if (!isV2 && !(await this.#add([...byPartition.keys()]))) return false;
    for (const [partition, values] of byPartition) if (!(await this.#write(partition, values))) return false;
    // Longer than its time now and then: somebody else will have ended it by then.
    if (random.chance(0.03)) await world.sleep(transactionTimeoutMs * 2, this.#options.name);
    if (!(await this.#commitOffset(end))) return false;
    const committed = random.chance(0.8);
    if (!(await this.#end(committed))) return false;
    if (committed) {
      stream.committed(end);
      this.#position = end;
    }
    world.count(committed ? 'copies committed' : 'copies aborted');
    return true;
  }

  async #add(partitions: readonly number[]): Promise<boolean> {
    const { stream } = this.#options;
    const added = await this.#insist('add', async (client) => {
      const response = await client.request(
        addPartitionsToTxnApi,
        {
          ...defaultAddPartitionsToTxnRequest(),
          v3AndBelowTransactionalId: stream.name,
          v3AndBelowProducerId: this.#producerId,
          v3AndBelowProducerEpoch: this.#producerEpoch,
          v3AndBelowTopics: [{ name: stream.topicName, partitions: [...partitions] }],
        },
        this.#version(addPartitionsToTxnApi, 0, 3),
      );
      return response?.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode as ErrorCode | undefined;
    });
    if (!added) return false;
    return this.#insist('add offsets', async (client) => {
      const request = { ...this.#identity, groupId: stream.group };
      const response = await client.request(addOffsetsToTxnApi, request, this.#version(addOffsetsToTxnApi, 0, 4));
      return response?.errorCode as ErrorCode | undefined;
    });
  }

  async #write(partition: number, values: readonly string[]): Promise<boolean> {
    const { stream, isV2 } = this.#options;
    const { producerId, producerEpoch } = this.#identity;
    const baseSequence = this.#sequences.get(partition) ?? 0;
    this.#sequences.set(partition, baseSequence + values.length);
    const builder = new BatchBuilder(crc32c, { producerId, producerEpoch, baseSequence, transactional: true });
    const timestampMs = this.#world.scheduler.clock.nowMs();
    for (const value of values) builder.append({ key: null, value: Buffer.from(value, 'latin1'), timestampMs });
    const records = builder.seal();
    const version = this.#version(produceApi, isV2 ? 12 : 3, isV2 ? 13 : 11);
    return this.#insist('write', async (client) => {
      const topic = { topicId: stream.topicId!, name: stream.topicName };
      const topicData = [{ ...topic, partitionData: [{ index: partition, records }] }];
      const request = { transactionalId: stream.name, acks: -1, timeoutMs: 5000, topicData };
      const response = await client.request(produceApi, request, version);
      return response?.responses[0]?.partitionResponses[0]?.errorCode as ErrorCode | undefined;
    });
  }

  #commitOffset(offset: number): Promise<boolean> {
    const { stream, isV2 } = this.#options;
    const version = this.#version(txnOffsetCommitApi, isV2 ? 5 : 0, isV2 ? 6 : 4);
    const committed = {
      partitionIndex: 0,
      committedOffset: offset,
      committedLeaderEpoch: -1,
      committedMetadata: null,
    };
    return this.#insist('commit offset', async (client) => {
      const topics = [
        { topicId: version >= 6 ? stream.topicId! : zeroUuid, name: stream.topicName, partitions: [committed] },
      ];
      const request = { ...defaultTxnOffsetCommitRequest(), ...this.#identity, groupId: stream.group, topics };
      const response = await client.request(txnOffsetCommitApi, request, version);
      return response?.topics[0]?.partitions[0]?.errorCode as ErrorCode | undefined;
    });
  }

  #end(committed: boolean): Promise<boolean> {
    const { isV2 } = this.#options;
    const version = this.#version(endTxnApi, isV2 ? 5 : 0, isV2 ? 5 : 4);
    return this.#insist('end', async (client) => {
      const response = await client.request(endTxnApi, { ...this.#identity, committed }, version);
      if (isV2 && response?.errorCode === ErrorCode.NONE) this.#take(response);
      return response?.errorCode as ErrorCode | undefined;
    });
  }

  /** Sends a request until it is answered for good; false where the producer has to begin anew. */
  async #insist(what: string, send: (client: SimulatedClient) => Promise<ErrorCode | undefined>): Promise<boolean> {
    const world = this.#world;
    const { random } = world.scheduler;
    for (let attempts = 0; attempts < 20; attempts++) {
      const client = await this.#connected();
      const answer: Answer = (await send(client)) ?? unanswered;
      if (answer === ErrorCode.NONE) return true;
      world.count(`copy ${what}: ${answer === unanswered ? 'unanswered' : errorName(answer)}`);
      // What was not answered may have been done: the same again must not be done twice.
      const mayHelp =
        answer === unanswered || answer === ErrorCode.REQUEST_TIMED_OUT ? random.chance(0.6) : passing.has(answer);
      if (!mayHelp || world.isEnding) return false;
      await world.sleep(5 + random.below(20), this.#options.name);
    }
    return false;
  }

  async #connected(): Promise<SimulatedClient> {
    if (this.#client?.isOpen !== true) this.#client = await this.#world.connect(this.#options.name);
    return this.#client;
  }

  #take({ producerId, producerEpoch }: { producerId: number; producerEpoch: number }): void {
    if (producerId === this.#producerId && producerEpoch === this.#producerEpoch) return;
    this.#producerId = producerId;
    this.#producerEpoch = producerEpoch;
    this.#sequences.clear();
  }

  #version(api: Pick<ApiCodec, 'name'>, from: number, to: number): number {
    const version = from + this.#world.scheduler.random.below(to - from + 1);
    this.#world.scheduler.note(`${this.#options.name} uses ${api.name} ${version}`);
    return version;
  }
}
