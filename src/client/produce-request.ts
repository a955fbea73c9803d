/** One Produce request of a producer, with a batch a partition, and where its answer says what. Any thread. */

import {
  type ProduceResponse,
  type ProduceResponseResponsesPartitionResponses,
  produceClientApi,
} from '../protocol/generated/00-produce.ts';
import { zeroUuid } from '../base/uuid.ts';
import type { Connection } from './connection.ts';
import type { PartitionQueue } from './partition-queue.ts';
import type { ProducerBatch } from './producer-batch.ts';

/** A batch that goes out, as `bytes`. */
export interface Sent {
  readonly queue: PartitionQueue;
  readonly batch: ProducerBatch;
  readonly bytes: Uint8Array;
}

/** Topics go by name up to here. */
const newestProduce = 12;

/** Sends it. Resolves with undefined once it is sent, with acks=0. Rejects as `Connection.request` does. */
export function requestProduce(
  connection: Connection,
  sent: readonly Sent[],
  options: { readonly acks: number; readonly transactionalId: string | null; readonly timeoutMs: number },
): Promise<ProduceResponse | undefined> {
  const topics = new Map<string, { index: number; records: Uint8Array }[]>();
  for (const { queue, bytes } of sent) {
    const partition = { index: queue.partition, records: bytes };
    const others = topics.get(queue.topic);
    if (others === undefined) topics.set(queue.topic, [partition]);
    else others.push(partition);
  }
  const topicData = [...topics].map(([name, partitionData]) => ({ topicId: zeroUuid, name, partitionData }));
  // The broker gives up by itself; only where it does not, the connection is to blame.
  const waiting = { maxVersion: newestProduce, unanswered: options.acks === 0, timeoutMs: options.timeoutMs * 1.2 };
  return connection.request(produceClientApi, { ...options, topicData }, waiting);
}

/** What the answer says of the queue's partition, if anything. */
export function answerFor(
  { topic, partition }: PartitionQueue,
  { responses }: ProduceResponse,
): ProduceResponseResponsesPartitionResponses | undefined {
  return responses.find(({ name }) => name === topic)?.partitionResponses.find(({ index }) => index === partition);
}
