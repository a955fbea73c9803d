/** What the client for browsers and Node does for each record that it sends, beside other clients of JavaScript. */

import { createRecordsBatch, murmur2 as platformaticMurmur2, type MessageRecord } from '@platformatic/kafka';
import { Partitioners } from 'kafkajs';
import { ProducerBatch } from '../src/client/producer-batch.ts';
import { partitionOfKey } from '../src/records/murmur2.ts';
import { recordCountAt } from '../src/records/record-batch.ts';
import { type Benchmark, repeated } from './benchmark.ts';
import { jsonValue } from './json-value.ts';

const batchBytes = 16 * 1024;
const timestampMs = 1_700_000_000_000;
const producer = { producerId: 7, producerEpoch: 0 } as const;
const keysPerRun = 256;
const partitionCount = 12;

export function clientBenchmarks(): Benchmark[] {
  return [...[100, 1024].map(batching), placing()];
}

/** From values to a batch with its producer and its CRC. */
function batching(valueBytes: number): Benchmark {
  const count = Math.floor(batchBytes / (valueBytes + 10));
  const values = Array.from({ length: count }, (_, i) => jsonValue(i, valueBytes));
  return {
    name: `${count} records of ${valueBytes} B made a batch of an idempotent producer`,
    unit: 'records',
    unitsPerRun: count,
    bytesPerRun: count * valueBytes,
    contenders: [
      {
        name: 'ProducerBatch',
        run() {
          const batch = new ProducerBatch(0);
          for (const value of values) batch.append({ key: null, value, timestampMs }, null);
          void batch.seal(null);
          batch.baseSequence = 0;
          return recordCountAt(batch.stamped(producer.producerId, producer.producerEpoch, false), 0);
        },
      },
      {
        name: '@platformatic/kafka',
        run() {
          const messages: MessageRecord[] = values.map((value) => ({
            topic: 't',
            value: Buffer.from(value.buffer, value.byteOffset, value.length),
            timestamp: BigInt(timestampMs),
          }));
          const options = { producerId: BigInt(producer.producerId), producerEpoch: producer.producerEpoch };
          return recordCountAt(createRecordsBatch(messages, options).buffer, 0);
        },
      },
    ],
  };
}

/** The partition of a key, as Kafka's Java client has it. */
function placing(): Benchmark {
  const keys = Array.from({ length: keysPerRun }, (_, i) => Buffer.from(`customer-${i * 7919}`));
  const partitioner = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: partitionCount }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 1,
    replicas: [1],
    isr: [1],
  }));
  return {
    name: `${keysPerRun} keys placed among ${partitionCount} partitions`,
    unit: 'calls',
    unitsPerRun: keysPerRun,
    bytesPerRun: 0,
    contenders: [
      { name: 'partitionOfKey', run: summed((key) => partitionOfKey(key, partitionCount), keys) },
      {
        name: 'kafkajs',
        run: summed((key) => partitioner({ topic: 't', partitionMetadata, message: { key, value: null } }), keys),
      },
      {
        name: '@platformatic/kafka',
        run: summed((key) => (platformaticMurmur2(key) & 0x7fff_ffff) % partitionCount, keys),
      },
    ],
  };
}

/** So that contenders have to agree about all keys. */
function summed(place: (key: Buffer) => number, keys: readonly Buffer[]): () => number {
  return () => {
    let sum = 0;
    repeated(keys.length, (i) => (sum += place(keys[i]!) * (i + 1)))();
    return sum;
  };
}
