/** Compacting a log of which half the records were replaced: from its files to the files that take their place, in memory. */

import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { asOffset } from '../src/base/numbers.ts';
import { systemRandom } from '../src/base/random.ts';
import { Compaction } from '../src/compaction/compaction.ts';
import { BatchBuilder } from '../src/records/batch-builder.ts';
import { batchSizeAt } from '../src/records/record-batch.ts';
import { RecordReader } from '../src/records/record-reader.ts';
import type { CompactionPlan, CompactionSettings } from '../src/storage/compactor.ts';
import { MemoryFileSystem } from '../src/storage/memory-file-system.ts';
import { segmentFileName } from '../src/storage/segment-name.ts';
import type { Benchmark } from './benchmark.ts';

const directory = '/log';
const batchBytes = 16 * 1024;
const logBytes = 4 * 1024 * 1024;
const fileSystemBytes = 64 * 1024 * 1024;
const timestampMs = 1_700_000_000_000;
const mebibyte = 1024 * 1024;
/** Kafka's defaults, but for memory that nothing here needs. */
const settings: CompactionSettings = {
  mapBytes: 4 * mebibyte,
  loadFactor: 0.9,
  bufferBytes: 512 * 1024,
  maxBytesPerSecond: Infinity,
  maxBatchBytes: mebibyte,
};

export function compactionBenchmarks(): Benchmark[] {
  return [100, 1024].map(compacting);
}

function compacting(valueBytes: number): Benchmark {
  const { log, records } = logOf(valueBytes);
  const fileSystem = new MemoryFileSystem(fileSystemBytes);
  fileSystem.makeDirectory(directory);
  writeFile(fileSystem, segmentFileName(asOffset(0), 'log'), log);
  const segment = { baseOffset: asOffset(0), endOffset: asOffset(records), sizeBytes: log.length };
  const plan: CompactionPlan = {
    directory,
    segments: [segment],
    firstDirtyOffset: asOffset(0),
    nowMs: timestampMs,
    deleteRetentionMs: 0,
    aborted: [],
    producers: [],
  };
  return {
    name: `${log.length >>> 20} MiB of records of ${valueBytes} B compacted to half of them`,
    unit: 'records',
    unitsPerRun: records,
    bytesPerRun: log.length,
    contenders: [
      {
        name: 'Compaction',
        run() {
          const compaction = new Compaction(fileSystem, systemRandom, plan, settings);
          ended(compaction.readKeys());
          return records - ended(compaction.clean([segment])).removedRecords;
        },
      },
      { name: 'JavaScript over a Map, batches built anew', run: () => compactInJavaScript(fileSystem, log) },
    ],
  };
}

function ended<T>(steps: Generator<number, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Each key twice, the first half of the log once. */
function logOf(valueBytes: number): { readonly log: Uint8Array; readonly records: number } {
  const perBatch = Math.floor(batchBytes / (valueBytes + 24));
  const batches = Math.floor(logBytes / batchBytes / 2) * 2;
  const records = perBatch * batches;
  const parts = Array.from({ length: batches }, (_, i) => {
    const builder = new BatchBuilder((bytes) => nativeCrc32c(bytes), { baseOffset: i * perBatch });
    for (let k = 0; k < perBatch; k++) {
      const key = Buffer.from(`key-${(i * perBatch + k) % (records / 2)}`);
      builder.append({ key, value: new Uint8Array(valueBytes).fill(k), timestampMs });
    }
    return builder.seal();
  });
  return { log: Buffer.concat(parts), records };
}

function compactInJavaScript(fileSystem: MemoryFileSystem, log: Uint8Array): number {
  const newest = new Map<string, number>();
  for (const batch of batchesOf(log)) {
    const reader = new RecordReader(batch, 0, batch.length);
    while (reader.next()) newest.set(Buffer.from(reader.key!).toString('latin1'), reader.offset);
  }
  let kept = 0;
  const output: Uint8Array[] = [];
  for (const batch of batchesOf(log)) {
    const builder = new BatchBuilder((bytes) => nativeCrc32c(bytes));
    const reader = new RecordReader(batch, 0, batch.length);
    while (reader.next()) {
      const { key, value, offset } = reader;
      if (newest.get(Buffer.from(key!).toString('latin1')) === offset) builder.append({ key, value, timestampMs });
    }
    kept += builder.recordCount;
    if (builder.recordCount > 0) output.push(builder.seal());
  }
  writeFile(fileSystem, 'javascript', Buffer.concat(output));
  return kept;
}

function* batchesOf(log: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < log.length;) {
    const sizeBytes = batchSizeAt(log, at, log.length);
    yield log.subarray(at, at + sizeBytes);
    at += sizeBytes;
  }
}

function writeFile(fileSystem: MemoryFileSystem, name: string, bytes: Uint8Array): void {
  const file = fileSystem.open(`${directory}/${name}`, 'create');
  fileSystem.write(file, [bytes], 0);
  fileSystem.close(file);
}
