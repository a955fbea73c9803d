/**
 * What a reader of committed records sees of a log, as Kafka's clients read it; and what it has to see, by going through
 * the whole log from its start and taking each transaction for what its marker says.
 */

import { expect } from 'vitest';
import { asOffset } from '../../src/base/numbers.ts';
import { CommittedBatches } from '../../src/records/committed-batches.ts';
import {
  attributesAt,
  baseOffsetAt,
  batchSizeAt,
  isControl,
  isTransactional,
  lastOffsetAt,
  producerIdAt,
} from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { readControlRecord } from '../../src/records/transaction-marker.ts';
import type { IsolationLevel, PartitionLog } from '../../src/storage/partition-log.ts';

interface Place {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly sizeBytes: number;
}

/** All batches that `isolation` lets be read from `offset` on, with whether a reader of committed records sees them. */
async function batchesFrom(
  log: PartitionLog,
  offset: number,
  maxBytes: number,
  isolation: IsolationLevel,
): Promise<(Place & { readonly isHidden: boolean })[]> {
  const found: (Place & { isHidden: boolean })[] = [];
  let next = asOffset(offset);
  const end = (): number => (isolation === 'read_committed' ? log.lastStableOffset : log.highWatermark);
  while (next < end()) {
    const result = await log.read({ offset: next, maxBytes, minOneBatch: true, isolation });
    expect(result.errorCode).toBe(0);
    if (result.records.length === 0) throw new Error(`nothing was read at ${next}, before ${end()}`);
    const bytes = Uint8Array.from(result.records);
    const committed = new CommittedBatches(result.abortedTransactions);
    for (let at = 0; at < bytes.length;) {
      const sizeBytes = batchSizeAt(bytes, at, bytes.length);
      found.push({ bytes, at, sizeBytes, isHidden: committed.hides(bytes, at, sizeBytes) });
      next = asOffset(lastOffsetAt(bytes, at) + 1);
      at += sizeBytes;
    }
    result.release();
  }
  return found;
}

function recordsOf({ bytes, at, sizeBytes }: Place): RecordReader[] {
  const reader = new RecordReader(bytes, at, at + sizeBytes);
  const records: RecordReader[] = [];
  while (reader.next()) records.push(Object.assign(Object.create(reader) as RecordReader, { offset: reader.offset }));
  return records;
}

function offsetsOf(place: Place, from: number): number[] {
  return recordsOf(place)
    .map(({ offset }) => offset as number)
    .filter((offset) => offset >= from);
}

/** The offsets of the records that a reader of committed records gets from `offset` on. */
export async function committedOffsets(log: PartitionLog, offset: number, maxBytes: number): Promise<number[]> {
  const batches = await batchesFrom(log, offset, maxBytes, 'read_committed');
  return batches.filter(({ isHidden }) => !isHidden).flatMap((batch) => offsetsOf(batch, offset));
}

export interface ExpectedReads {
  readonly committed: number[];
  readonly aborted: number[];
  readonly open: number[];
  readonly lastStableOffset: number;
}

/** What has to be seen of the log from its start to its high watermark. */
export async function expectedReads(log: PartitionLog): Promise<ExpectedReads> {
  const start = log.logStartOffset;
  const open = new Map<number, { firstOffset: number; offsets: number[] }>();
  const committed: number[] = [];
  const aborted: number[] = [];
  for (const batch of await batchesFrom(log, start, 500, 'read_uncommitted')) {
    const attributes = attributesAt(batch.bytes, batch.at);
    const producerId = producerIdAt(batch.bytes, batch.at);
    const offsets = offsetsOf(batch, start);
    if (isControl(attributes)) {
      const reader = new RecordReader(batch.bytes, batch.at, batch.at + batch.sizeBytes);
      reader.next();
      const isCommit = readControlRecord(reader)?.outcome === 'commit';
      (isCommit ? committed : aborted).push(...(open.get(producerId)?.offsets ?? []));
      open.delete(producerId);
    } else if (isTransactional(attributes)) {
      const transaction = open.get(producerId) ?? { firstOffset: baseOffsetAt(batch.bytes, batch.at), offsets: [] };
      transaction.offsets.push(...offsets);
      open.set(producerId, transaction);
    } else committed.push(...offsets);
  }
  const undecided = [...open.values()];
  const firstOpen = Math.min(log.highWatermark, ...undecided.map(({ firstOffset }) => firstOffset));
  const lastStableOffset = Math.max(firstOpen, start);
  return {
    committed: committed.filter((offset) => offset < lastStableOffset).toSorted((a, b) => a - b),
    aborted,
    open: undecided.flatMap(({ offsets }) => offsets),
    lastStableOffset,
  };
}

/** A reader of committed records sees what is committed and nothing else, wherever it begins and however much it takes. */
export async function expectCommittedReads(log: PartitionLog, what: string): Promise<void> {
  const expected = await expectedReads(log);
  expect(log.lastStableOffset, `${what}: last stable offset`).toBe(expected.lastStableOffset);
  const middle = Math.floor((log.logStartOffset + log.lastStableOffset) / 2);
  for (const [from, maxBytes] of [
    [log.logStartOffset, 1],
    [log.logStartOffset, 100_000],
    [middle, 400],
  ] as const) {
    expect(await committedOffsets(log, from, maxBytes), `${what}: from ${from}, ${maxBytes} bytes a read`).toEqual(
      expected.committed.filter((offset) => offset >= from),
    );
  }
}
