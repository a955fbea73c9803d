/**
 * How long a broker in memory takes inside a process, as tests use it: the first start, which loads the code, those after
 * it, a `reset` of what a test left, and a `close`. In milliseconds, of each round.
 */

import { startBroker } from '../dist/index.js';

/** What a test leaves to a `reset`. */
const topicCount = 5;
const partitionCount = 3;
const recordCount = 1000;

/** Runs in this process, which has not started a broker before. */
export async function measureEmbedded(rounds) {
  const first = await timed(() => startBroker({ storage: 'memory' }));
  await first.result.close();
  const starts = [];
  const resets = [];
  const closes = [];
  for (let round = 0; round < rounds; round++) {
    const start = await timed(() => startBroker({ storage: 'memory' }));
    const broker = start.result;
    starts.push(start.ms);
    await fill(broker);
    resets.push((await timed(() => broker.reset())).ms);
    // It is as new.
    await fill(broker);
    closes.push((await timed(() => broker.close())).ms);
  }
  return { firstMs: first.ms, startMs: starts, resetMs: resets, closeMs: closes };
}

async function fill(broker) {
  const records = Array.from({ length: recordCount }, (_, i) => ({ key: String(i), value: 'x'.repeat(100) }));
  for (let i = 0; i < topicCount; i++) {
    await broker.createTopic(`topic-${i}`, { partitions: partitionCount });
    await broker.produce(`topic-${i}`, records);
  }
}

async function timed(step) {
  const startMs = performance.now();
  const result = await step();
  return { result, ms: performance.now() - startMs };
}
