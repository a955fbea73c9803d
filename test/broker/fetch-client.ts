/**
 * A client that fetches from a broker over a log store in memory, for tests of Fetch: it names topics by name or by id as
 * the version wants it, and can keep a response instead of having it sent.
 */

import { expect } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import type { TopicImage } from '../../src/broker/metadata-image.ts';
import {
  defaultFetchRequestTopicsPartitions,
  fetchApi,
  type FetchRequest,
  type FetchRequestTopicsPartitions,
  type FetchResponse,
  type FetchResponseResponsesPartitions,
} from '../../src/protocol/generated/index.ts';
import type { PartitionLog } from '../../src/storage/partition-log.ts';
import { batchOf, BrokerHarness, encodeRequest, type HarnessOptions } from './broker-harness.ts';
import type { MemoryLog } from './memory-log-store.ts';

export const firstVersionWithIds = 13;
export const newest = fetchApi.stableVersion;

/** A partition as a test names it; what is left out has the defaults of a consumer. */
export type AskedPartition = Partial<FetchRequestTopicsPartitions> & { readonly topic?: TopicImage };

export class FetchClient {
  readonly harness: BrokerHarness;
  readonly topic: TopicImage;

  private constructor(harness: BrokerHarness, topic: TopicImage) {
    this.harness = harness;
    this.topic = topic;
  }

  /** With a topic `events` of `partitionCount` partitions. */
  static async open(partitionCount = 1, options: HarnessOptions = {}): Promise<FetchClient> {
    const harness = await BrokerHarness.open(options);
    return new FetchClient(harness, await harness.createTopic('events', partitionCount));
  }

  log(partition = 0, topic = this.topic): MemoryLog {
    return this.harness.broker.topics.partition(topic, partition) as MemoryLog;
  }

  /** Appends one batch with a record of each text; gives its size in bytes. */
  append(partition: number, texts: readonly string[], topic = this.topic): number {
    const batch = batchOf(texts);
    this.log(partition, topic).append(batch, { durability: 'written', origin: 'client' }, ({ errorCode }) => {
      expect(errorCode).toBe(ErrorCode.NONE);
    });
    return batch.length;
  }

  fields(version: number, asked: readonly AskedPartition[], fields: Partial<FetchRequest> = {}): Partial<FetchRequest> {
    const topics = asked.map(({ topic = this.topic, ...partition }) => ({
      ...namesOf(version, topic),
      partitions: [{ ...defaultFetchRequestTopicsPartitions(), partitionMaxBytes: 1024 * 1024, ...partition }],
    }));
    return { minBytes: 1, topics, ...fields };
  }

  fetch(version: number, asked: readonly AskedPartition[], fields: Partial<FetchRequest> = {}): Promise<FetchResponse> {
    return this.harness.request(fetchApi, version, this.fields(version, asked, fields));
  }

  /** Fetches one partition and gives its answer. */
  async fetchOne(
    version: number,
    asked: AskedPartition = {},
    fields: Partial<FetchRequest> = {},
  ): Promise<FetchResponseResponsesPartitions> {
    const response = await this.fetch(version, [asked], fields);
    expect(response.errorCode).toBe(ErrorCode.NONE);
    return answersOf(response)[0]!;
  }

  forgotten(version: number, partitions: readonly number[]): Partial<FetchRequest> {
    return { forgottenTopicsData: [{ ...namesOf(version, this.topic), partitions: [...partitions] }] };
  }

  /** Fetches as over a connection that does not take the response yet; gives how it leaves. */
  async fetchAndHold(
    asked: readonly AskedPartition[],
    fields: Partial<FetchRequest> = {},
    connection = this.harness.connection,
  ): Promise<() => void> {
    const frame = encodeRequest(fetchApi, newest, this.fields(newest, asked, fields));
    const chunks = await this.harness.dispatcher.serve(frame, connection);
    return () => this.harness.dispatcher.released(chunks!);
  }
}

export function answersOf(response: FetchResponse): FetchResponseResponsesPartitions[] {
  return response.responses.flatMap(({ partitions }) => partitions);
}

/** Partition and bytes of records of each answer, in order. */
export function sizesOf(response: FetchResponse): [partition: number, sizeBytes: number][] {
  return answersOf(response).map(({ partitionIndex, records }) => [partitionIndex, records?.length ?? -1]);
}

/** Has `log` answer reads later, as from a file; where `held` is given they wait in it until they are called. */
export function readLater(log: PartitionLog, held?: (() => void)[]): void {
  const read = log.read.bind(log);
  log.read = async (options) => {
    if (held !== undefined) {
      await new Promise<void>((resolve) => {
        held.push(resolve);
      });
    }
    return read(options);
  };
}

/** Lets what was set off settle; whether `promise` is done then. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const mark = (): void => {
    settled = true;
  };
  promise.then(mark, mark);
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  return settled;
}

function namesOf(version: number, { id, name }: TopicImage): { topic: string; topicId: TopicImage['id'] } {
  const withIds = version >= firstVersionWithIds;
  return { topic: withIds ? '' : name, topicId: withIds ? id : zeroUuid };
}
