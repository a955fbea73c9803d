/**
 * Reads everything that a broker's logs hold, past all clients, and holds it against what was promised. Single thread;
 * nothing else may go on meanwhile.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import { asOffset } from '../../src/base/numbers.ts';
import type { PartitionLog } from '../../src/storage/partition-log.ts';
import type { SeenRecord } from './anomaly-checker.ts';
import type { BrokerProcess } from './broker-process.ts';
import { readRecords } from './read-records.ts';
import { partitionsOf } from './topic-ledger.ts';
import type { World } from './world.ts';

/** Scans every topic that exists into the history. */
export async function scanLogs(world: World, { broker }: BrokerProcess): Promise<void> {
  world.topics.check((id) => broker.topics.topicById(id) !== null);
  for (const topic of world.topics.all) {
    const image = broker.topics.topicById(topic.id);
    if (image === null) continue;
    for (const { partition, log } of partitionsOf(topic)) {
      const found = broker.topics.partition(image, partition);
      if (found === null) {
        world.breakPromise(`${log} is gone`);
        continue;
      }
      let records: SeenRecord[] | string;
      let startOffset: number;
      do {
        // Retention goes on meanwhile.
        startOffset = found.logStartOffset;
        records = await readAll(found);
      } while (found.logStartOffset !== startOffset);
      if (typeof records === 'string') {
        world.breakPromise(`${log} cannot be read: ${records}`);
        continue;
      }
      if (topic.mayExpire) world.record({ kind: 'startMoved', log, offset: startOffset });
      world.topics.startFound(log, startOffset);
      world.record({ kind: 'scan', log, startOffset, records });
      world.count('scans');
      checkOrder(world, log, records);
      checkReaders(world, log, found, records);
    }
  }
}

/** Everything up to the high watermark, or why it cannot be read. */
async function readAll(log: PartitionLog): Promise<SeenRecord[] | string> {
  const records: SeenRecord[] = [];
  let offset = log.logStartOffset;
  while (offset < log.highWatermark) {
    const result = await log.read({ offset, maxBytes: 16_384, minOneBatch: true, isolation: 'read_uncommitted' });
    try {
      if (result.errorCode !== ErrorCode.NONE) return `${errorName(result.errorCode)} at ${offset}`;
      const read = readRecords(result.records, offset);
      if (read.length === 0) return `nothing comes at ${offset}, below the high watermark ${log.highWatermark}`;
      records.push(...read);
      offset = asOffset(read.at(-1)!.offset + 1);
    } finally {
      result.release();
    }
  }
  return records;
}

/**
 * Where a reader would not notice that its log was cut, because the epoch it read last is said to reach its position,
 * the log holds all that it read. Topics that only ids name have no such question.
 */
function checkReaders(world: World, log: string, found: PartitionLog, records: readonly SeenRecord[]): void {
  const held = new Map(records.map(({ offset, value }) => [offset, value]));
  for (const reader of world.readers) {
    if (reader.target.log !== log || reader.target.topic.needsIds || reader.lastEpoch < 0) continue;
    const { leaderEpoch, endOffset } = found.endOffsetForEpoch(reader.lastEpoch);
    if (leaderEpoch !== reader.lastEpoch || endOffset < reader.position) continue;
    world.count('readers compared');
    for (const [offset, value] of reader.read) {
      if (offset < found.logStartOffset || held.get(offset) === value) continue;
      world.breakPromise(
        `${log} @${offset}: ${reader.name} read ${value} in epoch ${leaderEpoch} and is told that it ends at ${endOffset}`,
      );
      break;
    }
  }
}

/** What an idempotent producer sent in one session stands in the order in which it was sent. */
function checkOrder(world: World, log: string, records: readonly SeenRecord[]): void {
  const last = new Map<string, number>();
  for (const { value, offset } of records) {
    const match = /^(idempotent\d+\.\d+)\.(\d+)/.exec(value);
    if (match === null) continue;
    const session = match[1]!;
    const number = Number(match[2]);
    if (number <= (last.get(session) ?? 0))
      world.breakPromise(`${log} @${offset}: ${match[0]} stands after ${last.get(session)}`);
    last.set(session, number);
  }
}
