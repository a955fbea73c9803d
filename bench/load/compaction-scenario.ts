/**
 * How fast a log of keyed records is compacted, the whole way on a real disk: from the change of the topic's policy, which
 * makes its log due, until cleaned segments stand in the place of all and that is written down. The server has just
 * started then, so that the most memory it takes beyond what it had is the compaction's: the map of keys, as large as
 * `log.cleaner.dedupe.buffer.size` at most, and a thread. Where the map has no room for all keys, several runs read the
 * log, which counts once. Main thread.
 */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Figures, ResultRow } from './figures.ts';
import { KafkaAdmin } from './kafka-admin.ts';
import { KeyedLog } from './keyed-log.ts';
import { judgedRoundsOf, rowOf } from './produce-case.ts';
import { sumOf } from './process-usage.ts';
import { alternate } from './rounds.ts';
import { type RowFloor, withFloors } from './row-floors.ts';
import { type Scenario, type ScenarioContext, sizeName } from './scenario.ts';
import { ServerUnderTest } from './server-under-test.ts';

const topic = 'load';
/** Of the data directory. */
const checkpointName = 'cleaner-offset-checkpoint';
/** The cleaner looks so often; so much of a round may be waiting. */
const backoffMs = 20;
const pollMs = 5;
const longestMs = 120_000;
/** Kafka's default, and one that has no room for all keys of the largest records. */
const usualMapBytes = 128 * 2 ** 20;
const smallMapBytes = 8 * 2 ** 20;
const leastBytesPerSecond = 100e6;
/** What a compaction takes beside its map: a thread of JavaScript, batches on their way, and what V8 has not freed yet. */
const mostBesideMapBytes = 64 * 2 ** 20;

async function round(context: ScenarioContext, log: KeyedLog, mapBytes: number): Promise<Figures> {
  const kind = context.millrace({
    'log.cleaner.backoff.ms': String(backoffMs),
    'log.cleaner.dedupe.buffer.size': String(mapBytes),
  });
  await using server = await ServerUnderTest.start(kind, context.dataParent);
  const admin = await KafkaAdmin.connect(server.doors);
  await admin.createTopic(topic, 1, { 'segment.bytes': String(context.sizes.compactedSegmentBytes) });
  admin.close();
  await log.write(server.doors, topic);
  await server.stop();
  await server.start();
  const compacting = await KafkaAdmin.connect(server.doors);
  const { endOffset, sizeBytes } = endedSegments(server);
  const [cpuBefore, { rssBytes }] = [sumOf(server.cpuTime), server.memory];
  const startedMs = performance.now();
  // However little is dirty is compacted: what one run leaves for want of room is the next one's.
  await compacting.alterTopic(topic, { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0' });
  await untilCompacted(server, endOffset, startedMs);
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  const cpuSeconds = sumOf(server.cpuTime) - cpuBefore;
  const { peakRssBytes } = server.memory;
  compacting.close();
  await log.check(server.doors, topic, endOffset);
  return {
    recordsPerSecond: endOffset / elapsedSeconds,
    bytesPerSecond: sizeBytes / elapsedSeconds,
    brokerCpuSecondsPerGb: (cpuSeconds * 1e9) / sizeBytes,
    addedRssMb: (peakRssBytes - rssBytes) / 1e6,
  };
}

/** What may be compacted: all but the last segment. */
function endedSegments({ directory }: ServerUnderTest): { readonly endOffset: number; readonly sizeBytes: number } {
  const folder = join(directory, 'data', `${topic}-0`);
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .toSorted();
  const sizeBytes = names.slice(0, -1).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  if (sizeBytes === 0) throw new Error('No segment has ended, so that nothing would be compacted.');
  return { endOffset: Number.parseInt(names.at(-1)!, 10), sizeBytes };
}

async function untilCompacted({ directory }: ServerUnderTest, endOffset: number, startedMs: number): Promise<void> {
  while (compactedEnd(join(directory, 'data', checkpointName)) !== endOffset) {
    if (performance.now() - startedMs > longestMs) throw new Error(`The log was not compacted in ${longestMs} ms.`);
    await new Promise((resolve) => {
      setTimeout(resolve, pollMs);
    });
  }
}

/** As far as the topic's log is compacted; -1 where nothing was written down. */
function compactedEnd(path: string): number {
  if (!existsSync(path)) return -1;
  const match = new RegExp(`^${topic} 0 (\\d+)$`, 'm').exec(readFileSync(path, 'utf8'));
  return match === null ? -1 : Number(match[1]);
}

export const compactionScenario: Scenario = {
  name: 'compaction',
  title: 'a log of keyed records, half as many keys as records, compacted from its files to those in their place',
  async run(context): Promise<ResultRow[]> {
    const { recordBytes, compactedBytes } = context.sizes;
    const rows: ResultRow[] = [];
    for (const valueBytes of recordBytes) {
      let log: KeyedLog | null = null;
      const isLargest = valueBytes === Math.max(...recordBytes);
      for (const mapBytes of isLargest ? [usualMapBytes, smallMapBytes] : [usualMapBytes]) {
        const what = `${sizeName(valueBytes)}, at most ${sizeName(mapBytes)} for keys`;
        if (!context.includes(what)) continue;
        context.note(`compaction: ${what}`);
        const made = (log ??= new KeyedLog(valueBytes, compactedBytes));
        const contender = { name: context.millrace().name, round: () => round(context, made, mapBytes) };
        const [result] = await alternate([contender], judgedRoundsOf(context));
        const floors: readonly RowFloor[] = [
          { figure: 'bytesPerSecond', atLeast: leastBytesPerSecond },
          { figure: 'addedRssMb', atMost: (mapBytes + mostBesideMapBytes) / 1e6 },
        ];
        rows.push(withFloors(rowOf('compaction', { what }, result!), floors, context.machine.commit));
      }
    }
    return rows;
  },
};
