/** What the oracle's scenarios have in common: values, topics and batches as requests have them. */

import { BatchBuilder } from '../dist/records/batch-builder.js';
import { crc32c } from '../dist/records/crc32c.js';

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

/** Resolves once the broker leads partition 0 of the topic: Kafka opens its logs some time after it has answered. */
export async function hosted(target, ...topics) {
  for (const name of topics) {
    for (let tries = 0; tries < 200; tries++) {
      const partitions = [{ partitionIndex: 0, timestamp: -1 }];
      const answer = await target.peek(2, 1, { replicaId: -1, topics: [{ name, partitions }] });
      if (answer.topics[0].partitions[0].errorCode === 0) break;
      await settled();
    }
  }
}
