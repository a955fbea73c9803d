/** What load runs ask of a broker beside the load: topics, producers, where logs end. Any thread. */

import { setTimeout } from 'node:timers/promises';
import { ErrorCode } from '../../src/base/error-code.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import {
  createPartitionsApi,
  createTopicsApi,
  defaultCreatePartitionsRequest,
  defaultCreateTopicsRequest,
  defaultDeleteTopicsRequest,
  defaultFindCoordinatorRequest,
  defaultIncrementalAlterConfigsRequest,
  defaultInitProducerIdRequest,
  defaultListOffsetsRequest,
  defaultOffsetFetchRequest,
  deleteTopicsApi,
  findCoordinatorApi,
  incrementalAlterConfigsApi,
  initProducerIdApi,
  listOffsetsApi,
  offsetFetchApi,
} from '../../src/protocol/generated/index.ts';
import { WireClient } from '../../test/program/wire-client.ts';
import type { Doors } from './server-under-test.ts';

const latestTimestamp = -1;
const createTimeoutMs = 120_000;
const slowestCoordinatorMs = 60_000;
const pollMs = 50;
/** Apache Kafka makes no more than 10,000 records of its metadata log in one request. */
const partitionsAtOnce = 5000;
/** Of IncrementalAlterConfigs. */
const topicResource = 2;
const setOperation = 0;

export class KafkaAdmin {
  readonly #client: WireClient;

  private constructor(client: WireClient) {
    this.#client = client;
  }

  static async connect({ kafka }: Doors): Promise<KafkaAdmin> {
    if (kafka === undefined) throw new Error('The broker has no door for Kafka over TCP.');
    return new KafkaAdmin(await WireClient.connect(kafka.port));
  }

  close(): void {
    this.#client.socket.destroy();
  }

  async createTopic(
    name: string,
    numPartitions: number,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const topic = {
      name,
      numPartitions: Math.min(numPartitions, partitionsAtOnce),
      replicationFactor: 1,
      assignments: [],
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    };
    const request = { ...defaultCreateTopicsRequest(), topics: [topic], timeoutMs: createTimeoutMs };
    const [answer] = (await this.#client.request(createTopicsApi, 5, request)).topics;
    if (answer?.errorCode !== 0) {
      throw new Error(`The topic ${name} was not created: error ${answer?.errorCode}, ${answer?.errorMessage}`);
    }
    for (let count = partitionsAtOnce; count < numPartitions;) {
      count = Math.min(count + partitionsAtOnce, numPartitions);
      await this.#growTopic(name, count);
    }
  }

  /** Their files may go later than the answer comes. */
  async deleteTopics(topicNames: string[]): Promise<void> {
    const request = { ...defaultDeleteTopicsRequest(), topicNames, timeoutMs: createTimeoutMs };
    for (const { name, errorCode } of (await this.#client.request(deleteTopicsApi, 4, request)).responses) {
      if (errorCode !== 0) throw new Error(`The topic ${name} was not deleted: error ${errorCode}`);
    }
  }

  /** Gives the topic's settings other values. */
  async alterTopic(name: string, values: Readonly<Record<string, string>>): Promise<void> {
    const configs = Object.entries(values).map(([key, value]) => ({ name: key, configOperation: setOperation, value }));
    const resources = [{ resourceType: topicResource, resourceName: name, configs }];
    const request = { ...defaultIncrementalAlterConfigsRequest(), resources };
    const [answer] = (await this.#client.request(incrementalAlterConfigsApi, 0, request)).responses;
    if (answer?.errorCode !== 0) {
      throw new Error(`${name} was not altered: error ${answer?.errorCode}, ${answer?.errorMessage}`);
    }
  }

  async #growTopic(name: string, count: number): Promise<void> {
    const topics = [{ name, count, assignments: null }];
    const request = { ...defaultCreatePartitionsRequest(), topics, timeoutMs: createTimeoutMs };
    const [answer] = (await this.#client.request(createPartitionsApi, 1, request)).results;
    if (answer?.errorCode !== 0) {
      throw new Error(`The topic ${name} did not get ${count} partitions: error ${answer?.errorCode}`);
    }
  }

  /** Kafka has its block of ids given by its controller, and none until that has answered. */
  async newProducer(): Promise<{ readonly producerId: number; readonly producerEpoch: number }> {
    const request = { ...defaultInitProducerIdRequest(), transactionalId: null, transactionTimeoutMs: 60_000 };
    const endMs = performance.now() + slowestCoordinatorMs;
    for (;;) {
      const answer = await this.#client.request(initProducerIdApi, 1, request);
      if (answer.errorCode === 0) return answer;
      const isLoading = answer.errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
      if (!isLoading || performance.now() > endMs)
        throw new Error(`No producer id was given: error ${answer.errorCode}`);
      await setTimeout(pollMs);
    }
  }

  /** Resolves once commits of `groupId` are taken: Kafka makes the topic that they are kept in when a coordinator is asked for. */
  async untilCoordinated(groupId: string): Promise<void> {
    const endMs = performance.now() + slowestCoordinatorMs;
    for (;;) {
      const errorCode = await this.#coordinatorError(groupId);
      if (errorCode === 0) return;
      if (performance.now() > endMs) throw new Error(`The group ${groupId} has no coordinator: error ${errorCode}`);
      await setTimeout(pollMs);
    }
  }

  /** Of its coordinator, which may still read what it holds, or of asking for it. */
  async #coordinatorError(groupId: string): Promise<number> {
    const found = await this.#client.request(findCoordinatorApi, 2, {
      ...defaultFindCoordinatorRequest(),
      key: groupId,
      keyType: 0,
    });
    if (found.errorCode !== 0) return found.errorCode;
    const fetched = await this.#client.request(offsetFetchApi, 5, {
      ...defaultOffsetFetchRequest(),
      groupId,
      topics: [],
    });
    return fetched.errorCode;
  }

  /** The offset behind the last record that consumers see, of each partition. */
  async endOffsets(topic: string, partitionCount: number): Promise<number[]> {
    const partitions = Array.from({ length: partitionCount }, (_, partitionIndex) => ({
      partitionIndex,
      currentLeaderEpoch: -1,
      timestamp: latestTimestamp,
    }));
    const request = {
      ...defaultListOffsetsRequest(),
      replicaId: -1,
      topics: [{ name: topic, topicId: zeroUuid, partitions }],
    };
    const offsets = Array.from({ length: partitionCount }, () => 0);
    for (const answer of (await this.#client.request(listOffsetsApi, 5, request)).topics[0]?.partitions ?? []) {
      if (answer.errorCode !== 0) throw new Error(`Offsets of ${topic} were not given: error ${answer.errorCode}`);
      offsets[answer.partitionIndex] = answer.offset;
    }
    return offsets;
  }
}
