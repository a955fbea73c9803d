/** A transactional producer as a test drives it: one request at a time, with the identity that the broker last gave. */

import { ErrorCode } from '../../../src/base/error-code.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import {
  addOffsetsToTxnApi,
  addPartitionsToTxnApi,
  describeTransactionsApi,
  endTxnApi,
  initProducerIdApi,
  offsetFetchApi,
  produceApi,
  type ProduceRequest,
  txnOffsetCommitApi,
  type DescribeTransactionsResponseTransactionStates,
  type EndTxnResponse,
  type InitProducerIdResponse,
} from '../../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../../src/records/batch-builder.ts';
import { crc32c } from '../../../src/records/crc32c.ts';
import type { BrokerHarness } from '../broker-harness.ts';

/** What the producer sends its requests with. */
export type ProducersWire = Pick<BrokerHarness, 'request' | 'send'>;
type Topic = Pick<TopicImage, 'id' | 'name'>;

export class TestProducer {
  harness: ProducersWire;
  readonly transactionalId: string;
  readonly isV2: boolean;
  producerId = -1;
  producerEpoch = -1;
  #sequence = 0;

  constructor(harness: ProducersWire, transactionalId: string, isV2 = true) {
    this.harness = harness;
    this.transactionalId = transactionalId;
    this.isV2 = isV2;
  }

  get identity(): { transactionalId: string; producerId: number; producerEpoch: number } {
    const { transactionalId, producerId, producerEpoch } = this;
    return { transactionalId, producerId, producerEpoch };
  }

  async init(timeoutMs = 60_000, goesOn = false): Promise<InitProducerIdResponse> {
    const { transactionalId, producerId, producerEpoch } = this;
    const response = await this.harness.request(initProducerIdApi, 5, {
      transactionalId,
      transactionTimeoutMs: timeoutMs,
      ...(goesOn ? { producerId, producerEpoch } : {}),
    });
    if (response.errorCode === ErrorCode.NONE) this.#take(response);
    return response;
  }

  async add(topic: Topic, ...partitions: number[]): Promise<ErrorCode> {
    const response = await this.harness.request(addPartitionsToTxnApi, 3, {
      v3AndBelowTransactionalId: this.transactionalId,
      v3AndBelowProducerId: this.producerId,
      v3AndBelowProducerEpoch: this.producerEpoch,
      v3AndBelowTopics: [{ name: topic.name, partitions }],
    });
    return response.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode as ErrorCode;
  }

  async addOffsets(groupId: string): Promise<ErrorCode> {
    const response = await this.harness.request(addOffsetsToTxnApi, 3, { ...this.identity, groupId });
    return response.errorCode as ErrorCode;
  }

  /** Writes one record; version 12 and up add the partition themselves. */
  write(topic: Topic, partition = 0, text = 'a record'): Promise<ErrorCode> {
    return this.writer(topic, partition, text)();
  }

  /** Gives one record the next number; each call of what this returns sends that same batch, as a client that tries again. */
  writer(topic: Topic, partition: number, text: string): () => Promise<ErrorCode> {
    const request = this.#produceOf(topic, [partition], text, -1);
    return async () => (await this.#produce(request))[0]!;
  }

  /** Writes one record to each of the partitions, in one request. */
  writeAll(topic: Topic, partitions: readonly number[]): Promise<ErrorCode[]> {
    return this.#produce(this.#produceOf(topic, partitions, 'a record', -1));
  }

  /** The same with acks=0. Rejects where the connection would be closed. */
  async writeUnasked(topic: Topic, partition = 0): Promise<void> {
    await this.harness.send(produceApi, this.isV2 ? 12 : 11, this.#produceOf(topic, [partition], 'a record', 0));
  }

  async #produce(request: ProduceRequest): Promise<ErrorCode[]> {
    const { responses } = await this.harness.request(produceApi, this.isV2 ? 12 : 11, request);
    return responses[0]!.partitionResponses.map(({ errorCode }) => errorCode as ErrorCode);
  }

  #produceOf(topic: Topic, partitions: readonly number[], text: string, acks: number): ProduceRequest {
    const { transactionalId, producerId, producerEpoch } = this;
    const options = { producerId, producerEpoch, baseSequence: this.#sequence++, transactional: true };
    const builder = new BatchBuilder(crc32c, options);
    builder.append({ key: null, value: Buffer.from(text), timestampMs: 0 });
    const records = builder.seal();
    const partitionData = partitions.map((index) => ({ index, records }));
    const topicData = [{ topicId: topic.id, name: topic.name, partitionData }];
    return { transactionalId, acks, timeoutMs: 10_000, topicData };
  }

  async commitOffset(groupId: string, topic: Topic, offset: number, partition = 0): Promise<ErrorCode> {
    const committed = {
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: -1,
      committedMetadata: 'mark',
    };
    const response = await this.harness.request(txnOffsetCommitApi, this.isV2 ? 5 : 4, {
      ...this.identity,
      groupId,
      topics: [{ topicId: topic.id, name: topic.name, partitions: [committed] }],
    });
    return response.topics[0]!.partitions[0]!.errorCode as ErrorCode;
  }

  async end(committed: boolean, identity = this.identity): Promise<EndTxnResponse> {
    const response = await this.harness.request(endTxnApi, this.isV2 ? 5 : 4, { ...identity, committed });
    if (this.isV2 && response.errorCode === ErrorCode.NONE) this.#take(response);
    return response;
  }

  async describe(): Promise<DescribeTransactionsResponseTransactionStates> {
    const transactionalIds = [this.transactionalId];
    const response = await this.harness.request(describeTransactionsApi, 0, { transactionalIds });
    return response.transactionStates[0]!;
  }

  #take({ producerId, producerEpoch }: { producerId: number; producerEpoch: number }): void {
    Object.assign(this, { producerId, producerEpoch });
    this.#sequence = 0;
  }
}

/** What OffsetFetch says of partition 0: [offset, error code]. */
export async function offsetOf(
  harness: ProducersWire,
  groupId: string,
  topic: Topic,
  requireStable = false,
): Promise<readonly [offset: number, errorCode: number]> {
  const topics = [{ topicId: topic.id, name: topic.name, partitionIndexes: [0] }];
  const groups = [{ groupId, memberId: null, memberEpoch: -1, topics }];
  const response = await harness.request(offsetFetchApi, 8, { groups, requireStable });
  const { committedOffset, errorCode } = response.groups[0]!.topics[0]!.partitions[0]!;
  return [committedOffset, errorCode];
}

/** Lets what is under way in this turn of the event loop come to its end. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
