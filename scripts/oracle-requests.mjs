/** What the oracle's scenarios have in common: values, topics and batches as requests have them. */

import { BatchBuilder } from '../dist/records/batch-builder.js';
import { crc32c } from '../dist/records/crc32c.js';
import { attributesAt, baseOffsetAt, batchSizeAt, recordCountAt } from '../dist/records/record-batch.js';

export const Resource = { TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8, CLIENT_METRICS: 16, GROUP: 32 };
export const Operation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 };
export const timeoutMs = 30_000;
export const zeroUuid = 'A'.repeat(22);

export const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** What `settled` waits for, which is the broker's business. */
export const pace = { settle: async () => {} };

/** Kafka takes over what was changed some time after it has answered. */
export const settled = () => pace.settle();

export const newTopic = (name, numPartitions = 1, configs = {}, more = {}) => ({
  name,
  numPartitions,
  replicationFactor: 1,
  assignments: [],
  configs: Object.entries(configs).map(([config, value]) => ({ name: config, value })),
  ...more,
});

export const create = (target, label, topics, version = 7, validateOnly = false) =>
  target.ask(label, 19, version, { topics, timeoutMs, validateOnly });

/** A batch as a producer sends it; `change` may then damage it. */
export function batchOf(texts, change = () => {}, options = {}) {
  const builder = new BatchBuilder(crc32c, options);
  for (const text of texts) builder.append({ key: null, value: Buffer.from(text), timestampMs: 1_700_000_000_000 });
  const batch = builder.seal();
  change(batch);
  return batch;
}

/** Resolves once the broker leads all partitions of the topics: Kafka opens its logs some time after it has answered. */
export async function hosted(target, ...topics) {
  for (const name of topics) {
    for (let tries = 0; tries < 200; tries++) {
      const described = await target.peek(3, 9, {
        topics: [{ name, topicId: zeroUuid }],
        allowAutoTopicCreation: false,
      });
      const partitions = described.topics[0].partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        timestamp: -1,
      }));
      if (partitions.length === 0) {
        await settled();
        continue;
      }
      const answer = await target.peek(2, 1, { replicaId: -1, topics: [{ name, partitions }] });
      const led = answer.topics[0].partitions.filter(({ errorCode }) => errorCode === 0);
      if (led.length > 0 && led.length === partitions.length) break;
      await settled();
    }
  }
}

/** What a Fetch says of its one partition; of the batches, what does not depend on who wrote them when. */
export function fetchedPart({ responses: [{ partitions }] = [{ partitions: [] }] }) {
  return partitions.map(({ records, ...partition }) => {
    const batches = [];
    for (let at = 0, size = 0; (size = batchSizeAt(records ?? [], at, records?.length ?? 0)) > 0; at += size) {
      batches.push([baseOffsetAt(records, at), attributesAt(records, at), recordCountAt(records, at)].join(' '));
    }
    return { ...partition, records: batches };
  });
}
