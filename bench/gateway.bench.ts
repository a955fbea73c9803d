/** What the doors that are not Kafka's add to a record on its way in, and take off it on its way out. */

import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { createRecordsBatch, Reader, readRecordsBatch, type MessageRecord } from '@platformatic/kafka';
import { firstOffset } from '../src/base/numbers.ts';
import { BatchEncoder } from '../src/gateway/batch-encoder.ts';
import { RecordBlock, type FrameFormat } from '../src/gateway/record-block.ts';
import { ScanFlag } from '../src/memory/core.ts';
import { BatchBuilder } from '../src/records/batch-builder.ts';
import { batchSizeAt, recordCountAt } from '../src/records/record-batch.ts';
import { BufferPool } from '../src/storage/buffer-pool.ts';
import { type Benchmark, repeated } from './benchmark.ts';
import { arena, filledBuilder, outputAddress, readAll, reserved } from './material.ts';

const batchBytes = 128 * 1024;
const timestampMs = 1_700_000_000_000;
const readersPerRun = 100;

export function gatewayBenchmarks(): Benchmark[] {
  return [...[100, 1024].flatMap((valueBytes) => [encoding(valueBytes), decoding(valueBytes)]), sharing()];
}

/** From values to a batch that lies in the ring with its CRC. */
function encoding(valueBytes: number): Benchmark {
  const count = Math.floor(batchBytes / (valueBytes + 12));
  const values = Array.from({ length: count }, (_, i) => new Uint8Array(valueBytes).fill(i));
  const buffers = new BufferPool();
  const address = reserved(batchBytes * 2);
  const sealInRing = (batch: Uint8Array, flags: number): number => {
    arena.copyIn(batch, address);
    return arena.core.scanBatches(address, batch.length, outputAddress, 1, batch.length, flags);
  };
  return {
    name: `${count} records of ${valueBytes} B into a batch in the ring`,
    unit: 'records',
    unitsPerRun: count,
    bytesPerRun: count * valueBytes,
    contenders: [
      {
        name: 'BatchEncoder, CRC in the ring',
        run() {
          const encoder = new BatchEncoder(buffers, batchBytes * 2);
          for (const value of values) encoder.append(null, value, 0, value.length, timestampMs);
          const rows = sealInRing(encoder.finish(), ScanFlag.CONTIGUOUS | ScanFlag.SEAL);
          encoder.release();
          return rows;
        },
      },
      {
        name: 'BatchBuilder, native CRC, checked in the ring',
        run() {
          const builder = new BatchBuilder((bytes) => nativeCrc32c(bytes));
          for (const value of values) builder.append({ key: null, value, timestampMs });
          return sealInRing(builder.seal(), ScanFlag.CONTIGUOUS);
        },
      },
      {
        name: '@platformatic/kafka, checked in the ring',
        run() {
          const messages: MessageRecord[] = values.map((value) => ({
            topic: 't',
            value: Buffer.from(value.buffer, value.byteOffset, value.length),
            timestamp: BigInt(timestampMs),
          }));
          return sealInRing(createRecordsBatch(messages, {}).buffer, ScanFlag.CONTIGUOUS);
        },
      },
    ],
  };
}

/** From a batch to the values of its records. */
function decoding(valueBytes: number): Benchmark {
  const batch = filledBuilder(valueBytes, batchBytes).seal();
  const count = recordCountAt(batch, 0);
  const noInflation = (): null => null;
  return {
    name: `${count} records of ${valueBytes} B read, with all values`,
    unit: 'records',
    unitsPerRun: count,
    bytesPerRun: batch.length,
    contenders: [
      {
        name: 'RecordBlock',
        run() {
          const block = new RecordBlock('t', 0, firstOffset, firstOffset, batch, null, noInflation);
          let bytes = 0;
          for (let i = 0; i < block.count; i++) bytes += block.valueAt(i)!.length;
          return bytes;
        },
      },
      {
        name: '@platformatic/kafka',
        run() {
          let bytes = 0;
          for (const { value } of readRecordsBatch(Reader.from(Buffer.from(batch.buffer, 0, batch.length))).records) {
            bytes += value!.length;
          }
          return bytes;
        },
      },
    ],
  };
}

/** What a hundred readers of one block cost: each gets a frame of all its records. */
function sharing(): Benchmark {
  const batch = filledBuilder(100, batchBytes).seal();
  const format: FrameFormat<string> = {
    encode: (block, from, to) =>
      Array.from({ length: to - from }, (_, i) => Buffer.from(block.valueAt(from + i)!).toString()).join('\n'),
  };
  const blockOf = (): RecordBlock => new RecordBlock('t', 0, firstOffset, firstOffset, batch, null, () => null);
  return {
    name: `a frame for each of ${readersPerRun} readers`,
    unit: 'records',
    unitsPerRun: readersPerRun * readAll(batch),
    bytesPerRun: readersPerRun * batchSizeAt(batch, 0, batch.length),
    contenders: [
      {
        name: 'one block, one frame',
        run() {
          const block = blockOf();
          return repeated(readersPerRun, () => block.frame(format).length)();
        },
      },
      { name: 'a block each, a frame each', run: repeated(readersPerRun, () => blockOf().frame(format).length) },
    ],
  };
}
