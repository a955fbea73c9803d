/** Waits for topics to be led: Kafka answers that one was created, or opens its port, before it leads the partitions. */

import type { KafkaAdmin } from './kafka-admin.ts';

const slowestLeaderMs = 180_000;
const pollMs = 20;

/** Resolves once every partition of `topic` tells its end offset; throws what it last said where that takes too long. */
export async function untilLed(admin: KafkaAdmin, topic: string, partitionCount: number): Promise<void> {
  const endMs = performance.now() + slowestLeaderMs;
  for (;;) {
    try {
      await admin.endOffsets(topic, partitionCount);
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, pollMs);
    });
  }
}
