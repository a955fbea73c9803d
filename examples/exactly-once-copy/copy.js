/**
 * Copies one topic to another, each record exactly once, though this program and the broker may be killed at any moment:
 * records and the group's position are committed together, in one transaction.
 *
 *   node examples/exactly-once-copy/copy.js ws://127.0.0.1:8080/kafka FROM TO
 *
 * Start several with names of their own (a fourth argument), and they share the partitions.
 */

import { Client, Consumer, TransactionalProducer } from 'millrace/client';

const [url = 'ws://127.0.0.1:8080/kafka', from = 'orders', to = 'orders-copied', name = 'copier'] =
  process.argv.slice(2);
const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort());

while (!stopping.signal.aborted) {
  try {
    await copy();
  } catch (error) {
    // Whatever it was: what was not committed is taken back, and the next attempt goes on where the group is.
    console.error(`${name}: ${error instanceof Error ? error.message : error}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function copy() {
  const client = new Client({ url });
  const consumer = new Consumer(client, {
    topics: [from],
    group: `${to}-copiers`,
    // A static member: started again after a kill, it has its partitions back at once.
    groupInstanceId: name,
    autoCommit: false,
    signal: stopping.signal,
  });
  const producer = new TransactionalProducer(client, {
    transactionalId: `${to}-${name}`,
    transactionTimeoutMs: 10_000,
  });
  try {
    // Ends what the one before left open; the group's position may be in it.
    await producer.init();
    for await (const records of consumer.batches()) {
      await producer.begin();
      for (const { partition, key, value, headers } of records) {
        const full = producer.enqueue({ topic: to, partition, key, value, headers });
        if (full !== undefined) await full;
      }
      await producer.sendOffsets(consumer);
      await producer.commit();
      console.log(`${name}: ${records.length} records`);
    }
  } finally {
    await consumer.close();
    await producer.close();
    await client.close();
  }
}
