/** What a fetch looks up and notes beside the records: its session, and the memory that its response takes. */

import { systemClock } from '../src/base/clock.ts';
import { systemRandom } from '../src/base/random.ts';
import { zeroUuid } from '../src/base/uuid.ts';
import { FetchMemory } from '../src/broker/fetch-memory.ts';
import { FetchPartition, FetchSessionCache, nextSessionEpoch, partitionKey } from '../src/broker/fetch-session.ts';
import {
  defaultFetchResponseResponsesPartitions,
  type FetchResponseResponsesPartitions,
} from '../src/protocol/generated/index.ts';
import { type Benchmark, repeated } from './benchmark.ts';

const partitionCount = 100;
const topic = 'page-views';
const fetchesPerRun = 64;
const mebibyte = 1024 * 1024;

export function fetchStateBenchmarks(): Benchmark[] {
  return [sessionBenchmark(), memoryBenchmark()];
}

/** In one of many partitions something is new, which is all that the client is told. */
function sessionBenchmark(): Benchmark {
  const cache = new FetchSessionCache(1000, systemClock, systemRandom);
  const partitions = new Map<string, FetchPartition>();
  for (let index = 0; index < partitionCount; index++) {
    const key = partitionKey(topic, index);
    partitions.set(key, new FetchPartition(topic, zeroUuid, key, index));
  }
  const session = cache.create(partitions, false)!;
  const told = new Map<string, string>();
  const ours = responses();
  const rivals = responses();
  for (const [index, { key }] of [...partitions.values()].entries()) {
    partitions.get(key)!.tell(ours[index]!);
    told.set(key, toldOf(rivals[index]!));
  }
  return {
    name: `a fetch of a session of ${partitionCount} partitions, one of them changed`,
    unit: 'calls',
    unitsPerRun: 1,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'FetchSessionCache, FetchPartition',
        run() {
          ours[partitionCount >>> 1]!.highWatermark++;
          const found = cache.get(session.id)!;
          const changed: FetchPartition[] = [];
          for (const partition of found.partitions.values()) {
            if (partition.tell(ours[partition.index]!)) changed.push(partition);
          }
          for (const partition of changed) found.moveToEnd(partition);
          found.epoch = nextSessionEpoch(found.epoch);
          cache.touch(found);
          return changed.length;
        },
      },
      {
        name: 'a Map of what was told, as text',
        run() {
          rivals[partitionCount >>> 1]!.highWatermark++;
          let changed = 0;
          for (let index = 0; index < partitionCount; index++) {
            const key = `${index}/${topic}`;
            const now = toldOf(rivals[index]!);
            if (told.get(key) === now) continue;
            told.set(key, now);
            changed++;
          }
          return changed;
        },
      },
    ],
  };
}

function responses(): FetchResponseResponsesPartitions[] {
  return Array.from({ length: partitionCount }, (_, partitionIndex) => ({
    ...defaultFetchResponseResponsesPartitions(),
    partitionIndex,
    highWatermark: 1000,
    logStartOffset: 0,
  }));
}

function toldOf({ errorCode, highWatermark, logStartOffset }: FetchResponseResponsesPartitions): string {
  return `${errorCode} ${highWatermark} ${logStartOffset}`;
}

function memoryBenchmark(): Benchmark {
  const memory = new FetchMemory(systemClock);
  const holder = { id: 1, drop: () => {} };
  const usedBytes = mebibyte / 2;
  const held = new Map<number, number>();
  return {
    name: 'memory for a fetch of up to 1 MiB: reserved, settled, given back',
    unit: 'calls',
    unitsPerRun: fetchesPerRun,
    bytesPerRun: 0,
    contenders: [
      {
        name: 'FetchMemory',
        run: repeated(fetchesPerRun, () => {
          const grant = memory.reserve(holder, mebibyte)!;
          grant.settle(usedBytes);
          const sizeBytes = grant.sizeBytes;
          grant.release();
          return sizeBytes;
        }),
      },
      {
        name: 'a Map by connection alone',
        run: repeated(fetchesPerRun, () => {
          held.set(holder.id, (held.get(holder.id) ?? 0) + mebibyte);
          held.set(holder.id, held.get(holder.id)! - mebibyte + usedBytes);
          const sizeBytes = held.get(holder.id)!;
          held.delete(holder.id);
          return sizeBytes;
        }),
      },
    ],
  };
}
