/** What every door but Kafka's has in common: records on their way to the log, and one read of a partition for all its readers. */

import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { silentLogger } from '../src/base/logger.ts';
import { asOffset, type Offset } from '../src/base/numbers.ts';
import { BlockCache } from '../src/gateway/block-cache.ts';
import { type FeedRead, isProblem, PartitionFeed } from '../src/gateway/partition-feed.ts';
import { RecordBlock } from '../src/gateway/record-block.ts';
import { RecordPublisher } from '../src/gateway/record-publisher.ts';
import { BatchBuilder } from '../src/records/batch-builder.ts';
import { partitionOfKey } from '../src/records/murmur2.ts';
import { recordCountAt } from '../src/records/record-batch.ts';
import type { PartitionLog, ReadResult } from '../src/storage/partition-log.ts';
import { Turns } from '../src/storage/turns.ts';
import type { Benchmark } from './benchmark.ts';
import { InProcessBroker } from './in-process-broker.ts';
import { filledBuilder } from './material.ts';

const recordsPerRun = 1000;
const valueBytes = 100;
const keyedPartitions = 4;
const readers = 100;
const readBytes = 120 * 1024;
const written = { durability: 'written', origin: 'client' } as const;

export async function publishingBenchmarks(): Promise<Benchmark[]> {
  const broker = await InProcessBroker.open();
  const publisher = new RecordPublisher(broker.broker);
  return [
    await publishing(broker, publisher, 1),
    await publishing(broker, publisher, keyedPartitions),
    await sharedReading(broker),
  ];
}

/** From values, with keys where there are several partitions, to what was told of each. */
async function publishing(
  broker: InProcessBroker,
  publisher: RecordPublisher,
  partitionCount: number,
): Promise<Benchmark> {
  const { name } = await broker.newTopic(partitionCount);
  const rival = await broker.newTopic(partitionCount);
  const values = Array.from({ length: recordsPerRun }, (_, i) => new Uint8Array(valueBytes).fill(i));
  const keys =
    partitionCount === 1 ? null : Array.from({ length: recordsPerRun }, (_, i) => Buffer.from(`sensor-${i % 50}`));
  let told = 0;
  const listener = {
    stored: (_: number, count: number) => void (told += count),
    failed: (_: number, __: number, ___: number, message: string) => {
      throw new Error(message);
    },
  };
  const stream = publisher.openStream(listener, { durability: 'written' });
  const target = publisher.target(name);
  return {
    name: `${recordsPerRun} records of ${valueBytes} B ${keys === null ? 'without keys' : `with keys to ${partitionCount} partitions`}, published in a turn`,
    unit: 'records',
    unitsPerRun: recordsPerRun,
    bytesPerRun: recordsPerRun * valueBytes,
    contenders: [
      {
        name: 'RecordPublisher, PublishStream, PublishLane, and the log',
        async run() {
          told = 0;
          values.forEach((value, i) => {
            if (keys === null) stream.publishSlice(target, -1, value, 0, value.length);
            else stream.publish(target, -1, keys[i]!, value);
          });
          await broker.stepUntil(() => told === recordsPerRun);
          return told;
        },
      },
      {
        name: 'BatchBuilder for each partition, native CRC, and the log',
        async run() {
          let stored = 0;
          const timestampMs = Date.now();
          const builders = rival.logs.map(() => new BatchBuilder((bytes) => nativeCrc32c(bytes)));
          values.forEach((value, i) => {
            const key = keys === null ? null : keys[i]!;
            const partition = key === null ? 0 : partitionOfKey(key, partitionCount);
            builders[partition]!.append({ key, value, timestampMs });
          });
          builders.forEach((builder, partition) => {
            const { recordCount } = builder;
            if (recordCount === 0) return;
            rival.logs[partition]!.append(builder.seal(), written, ({ errorCode }) => {
              if (errorCode === 0) stored += recordCount;
            });
          });
          await broker.stepUntil(() => stored === recordsPerRun);
          return stored;
        },
      },
    ],
  };
}

/** A reader at a partition's end, which reads what comes. */
class TailReader {
  place = -1;
  readCount = 0;
  readonly #read: (offset: Offset) => FeedRead | Promise<FeedRead>;
  #offset: Offset;

  constructor(offset: Offset, read: (offset: Offset) => FeedRead | Promise<FeedRead>) {
    this.#offset = offset;
    this.#read = read;
  }

  advanced(): void {
    const found = this.#read(this.#offset);
    if (found === null) return;
    if (found instanceof Promise || isProblem(found)) throw new Error('What was written just now is not in the ring.');
    this.readCount += found.count;
    this.#offset = found.endOffset;
  }
}

/** Readers at the end of a partition, to which a batch comes. */
async function sharedReading(broker: InProcessBroker): Promise<Benchmark> {
  const batch = filledBuilder(valueBytes).seal();
  const count = recordCountAt(batch, 0);
  const shared = await newLog(broker);
  const alone = await newLog(broker);
  const inflate = (): null => null;
  const feed = new PartitionFeed(shared, {
    inflate,
    logger: silentLogger,
    cache: new BlockCache(),
    turns: new Turns(1),
    unused: () => {},
  });
  const ours = tailReaders((offset) => feed.read(offset, 'read_uncommitted'));
  const theirs = tailReaders((offset) => {
    if (offset === alone.highWatermark) return null;
    const found = alone.read({ offset, maxBytes: readBytes, minOneBatch: true, isolation: 'read_uncommitted' });
    return found instanceof Promise ? found.then(blockOf) : blockOf(found);

    function blockOf(result: ReadResult): RecordBlock {
      const { highWatermark, abortedTransactions } = result;
      const bytes = result.records.slice();
      result.release();
      return new RecordBlock('t', 0, offset, highWatermark, bytes, abortedTransactions, inflate);
    }
  });
  for (let i = 0; i < readers; i++) feed.use();
  for (const reader of theirs) alone.onAdvance(() => reader.advanced());
  const run = (log: PartitionLog, all: readonly TailReader[], begin: () => void) => async (): Promise<number> => {
    begin();
    for (const reader of all) reader.readCount = 0;
    log.append(batch, written, () => {});
    await broker.stepUntil(() => all.every(({ readCount }) => readCount === count));
    return readers * count;
  };
  return {
    name: `a batch of ${count} records read by ${readers} readers at the end of a partition`,
    unit: 'records',
    unitsPerRun: readers * count,
    bytesPerRun: readers * batch.length,
    contenders: [
      {
        name: 'PartitionFeed',
        run: run(shared, ours, () => {
          for (const reader of ours) feed.wait(reader);
        }),
      },
      { name: 'each reader for itself', run: run(alone, theirs, () => {}) },
    ],
  };
}

async function newLog(broker: InProcessBroker): Promise<PartitionLog> {
  const { logs } = await broker.newTopic();
  return logs[0]!;
}

function tailReaders(read: (offset: Offset) => FeedRead | Promise<FeedRead>): TailReader[] {
  return Array.from({ length: readers }, () => new TailReader(asOffset(0), read));
}
