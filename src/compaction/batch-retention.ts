/**
 * What stays of one batch, by Kafka's rules for compaction. Of whoever runs the compaction.
 *
 *   records of aborted transactions     go
 *   a marker                            stays until nothing of its transaction is there; then it gets a delete horizon, and goes
 *                                       once that has passed
 *   a record                            stays while it is the newest of its key; without a key it goes
 *   a tombstone that is the newest      the batch gets a delete horizon when it is first cleaned, and goes once that has passed
 *   a batch of which nothing stays      goes, but is kept empty where it is its producer's last, or the last of its segment
 *
 * The delete horizon stands in the batch's base timestamp, and attribute bit 6 says so (KIP-534). A batch of which all
 * stays is copied as it is; another is written again with the codec that it had. Offsets never change.
 */

import type { Address, Offset } from '../base/numbers.ts';
import { RetainFlag, retainResult } from '../memory/core.ts';
import {
  attributeBit,
  attributesAt,
  baseTimestampAt,
  batchHeaderSizeBytes,
  type Compression,
  compressionOf,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffsetAt,
  producerEpochAt,
  producerIdAt,
  recordCountAt,
} from '../records/record-batch.ts';
import { RecordReader } from '../records/record-reader.ts';
import { readControlRecord } from '../records/transaction-marker.ts';
import { defaultCompressionLevels, deflateBatch } from '../storage/batch-deflater.ts';
import { inflateBatch } from '../storage/batch-inflater.ts';
import type { CompactionPlan, LastOfProducer } from '../storage/compactor.ts';
import type { CompactionMemory, Region } from './compaction-memory.ts';
import type { ControlContent, TransactionsSeen } from './transactions-seen.ts';

const keepTimestamp = -1;

/** Where a batch's records lie as plain bytes: in the batch itself, or inflated. Null where they do not inflate. */
export function plainRecords(memory: CompactionMemory, batch: Address, sizeBytes: number): Region | null {
  const { arena, plain } = memory;
  const attributes = attributesAt(arena.bytes, batch);
  const address = (batch + batchHeaderSizeBytes) as Address;
  const bodyBytes = sizeBytes - batchHeaderSizeBytes;
  if (compressionOf(attributes) === 0) return { address, sizeBytes: bodyBytes };
  if (recordCountAt(arena.bytes, batch) === 0) return { address: plain.address, sizeBytes: 0 };
  const inflated = inflateBatch(arena, attributes, address, bodyBytes, plain.address, plain.sizeBytes);
  return inflated < 0 ? null : { address: plain.address, sizeBytes: inflated };
}

export function controlContentOf({ arena }: CompactionMemory, batch: Address, sizeBytes: number): ControlContent {
  const reader = new RecordReader(arena.bytes, batch, batch + sizeBytes);
  return reader.next() ? (readControlRecord(reader)?.outcome ?? 'other') : 'gone';
}

/** What was made of a batch. */
export interface Retained {
  /** At the target; 0 where nothing stays. */
  sizeBytes: number;
  removedRecords: number;
  /** Whether it is byte for byte as it was. */
  isSame: boolean;
}

export class BatchRetention {
  readonly #memory: CompactionMemory;
  readonly #plan: CompactionPlan;
  readonly #knownEnd: Offset;
  readonly #transactions: TransactionsSeen;
  readonly #producers: ReadonlyMap<number, LastOfProducer>;
  readonly #retained: Retained = { sizeBytes: 0, removedRecords: 0, isSame: true };

  /** The memory's key map knows the newest of all keys before `knownEnd`. */
  constructor(memory: CompactionMemory, plan: CompactionPlan, knownEnd: Offset, transactions: TransactionsSeen) {
    this.#memory = memory;
    this.#plan = plan;
    this.#knownEnd = knownEnd;
    this.#transactions = transactions;
    this.#producers = new Map(plan.producers.map((producer) => [producer.producerId, producer]));
  }

  /**
   * Writes at `target` what stays of the batch of `sizeBytes` at `batch`; `groupEnd` is where the segment ends that it goes
   * to. The result is valid until the next call; null where the batch's records cannot be read.
   */
  retain(batch: Address, sizeBytes: number, groupEnd: Offset, target: Address): Retained | null {
    const { arena } = this.#memory;
    const { bytes } = arena;
    const attributes = attributesAt(bytes, batch);
    const lastOffset = lastOffsetAt(bytes, batch);
    const producerId = producerIdAt(bytes, batch);
    const isMarker = isControl(attributes);
    const isSpent = isMarker
      ? this.#transactions.isSpent(producerId, lastOffset, controlContentOf(this.#memory, batch, sizeBytes))
      : this.#transactions.isAborted(producerId, lastOffset, isTransactional(attributes));
    const horizonMs = (attributes & attributeBit.deleteHorizon) === 0 ? null : baseTimestampAt(bytes, batch);
    const hasPassed = horizonMs !== null && horizonMs <= this.#plan.nowMs;
    const last = producerId < 0 ? undefined : this.#lastOf(producerId, attributes, lastOffset, batch);
    const keepsEmpty = last !== undefined || lastOffset + 1 === groupEnd;
    const recordCount = recordCountAt(bytes, batch);
    if (recordCount === 0 || (isSpent && (!isMarker || hasPassed))) {
      return this.#withoutRecords(batch, sizeBytes, recordCount, keepsEmpty, target);
    }
    if (isMarker) {
      if (!isSpent || horizonMs !== null) return this.#asItWas(batch, sizeBytes, target);
      const body = { address: (batch + batchHeaderSizeBytes) as Address, sizeBytes: sizeBytes - batchHeaderSizeBytes };
      return this.#rewrite(batch, body, recordCount, 0, 0, target);
    }
    const plain = plainRecords(this.#memory, batch, sizeBytes);
    if (plain === null) return null;
    const flags = (hasPassed ? RetainFlag.DROP_TOMBSTONES : 0) | (last?.isNamed === true ? RetainFlag.KEEP_LAST : 0);
    if (!this.#select(batch, plain, recordCount, this.#knownEnd, flags, keepTimestamp)) return null;
    const kept = this.#result(retainResult.recordCount);
    if (kept === 0) return this.#withoutRecords(batch, sizeBytes, recordCount, keepsEmpty, target);
    const needsHorizon = horizonMs === null && this.#result(retainResult.tombstones) > 0;
    if (kept === recordCount && !needsHorizon) return this.#asItWas(batch, sizeBytes, target);
    if (needsHorizon) return this.#rewrite(batch, plain, recordCount, this.#knownEnd, flags, target);
    return this.#encode(batch, recordCount, keepTimestamp, target);
  }

  /** The producer, where the batch is what says where it goes on. */
  #lastOf(producerId: number, attributes: number, lastOffset: number, batch: Address): LastOfProducer | undefined {
    const last = this.#producers.get(producerId);
    if (last === undefined) return undefined;
    if (last.lastOffset >= 0) return last.lastOffset === lastOffset ? last : undefined;
    const isEpochs = isControl(attributes) && producerEpochAt(this.#memory.arena.bytes, batch) === last.producerEpoch;
    return isEpochs ? last : undefined;
  }

  #asItWas(batch: Address, sizeBytes: number, target: Address): Retained {
    this.#memory.arena.core.copyBytes(target, batch, sizeBytes);
    return this.#made(sizeBytes, 0, true);
  }

  #withoutRecords(
    batch: Address,
    sizeBytes: number,
    recordCount: number,
    keepsEmpty: boolean,
    target: Address,
  ): Retained {
    if (!keepsEmpty) return this.#made(0, recordCount, false);
    if (recordCount === 0) return this.#asItWas(batch, sizeBytes, target);
    const { arena } = this.#memory;
    // Its transaction is decided, and its marker may go before it: whoever reads the log must not take it for an open one.
    const original = attributesAt(arena.bytes, batch);
    const gone = attributeBit.compressionMask | attributeBit.deleteHorizon;
    const attributes = original & ~(isControl(original) ? gone : gone | attributeBit.transactional);
    arena.core.encodeRetainedHeader(target, batch, 0, 0, attributes, keepTimestamp, 0);
    return this.#made(batchHeaderSizeBytes, recordCount, false);
  }

  /** As `#encode`, with a delete horizon, to which the records' timestamps become relative. */
  #rewrite(
    batch: Address,
    plain: Region,
    recordCount: number,
    knownEnd: number,
    flags: number,
    target: Address,
  ): Retained | null {
    const horizonMs = this.#plan.nowMs + this.#plan.deleteRetentionMs;
    if (!this.#select(batch, plain, recordCount, knownEnd, flags, horizonMs)) return null;
    return this.#encode(batch, recordCount, horizonMs, target);
  }

  /** Writes the batch with the records that were selected; `horizonMs` -1 leaves its base timestamp. */
  #encode(batch: Address, recordCount: number, horizonMs: number, target: Address): Retained {
    const { arena, kept, table, result } = this.#memory;
    const original = attributesAt(arena.bytes, batch);
    const attributes = horizonMs === keepTimestamp ? original : original | attributeBit.deleteHorizon;
    const bodyBytes = deflateBatch(
      arena,
      compressionOf(original) as Compression,
      defaultCompressionLevels,
      kept.address,
      this.#result(retainResult.sizeBytes),
      (target + batchHeaderSizeBytes) as Address,
      table,
    );
    const newest = isLogAppendTime(original) ? 0 : result + retainResult.maxTimestamp;
    const count = this.#result(retainResult.recordCount);
    arena.core.encodeRetainedHeader(target, batch, bodyBytes, count, attributes, horizonMs, newest);
    return this.#made(batchHeaderSizeBytes + bodyBytes, recordCount - count, false);
  }

  /** Copies the records that stay; false where one does not parse, or there is no room for them. */
  #select(batch: Address, plain: Region, count: number, knownEnd: number, flags: number, horizonMs: number): boolean {
    const { arena, kept, map, result } = this.#memory;
    const status = arena.core.retainRecords(
      batch,
      plain.address,
      plain.sizeBytes,
      count,
      knownEnd,
      flags,
      horizonMs,
      map,
      kept.address,
      kept.sizeBytes,
      result,
    );
    return status === 0;
  }

  #result(field: number): number {
    return this.#memory.arena.view.getInt32(this.#memory.result + field, true);
  }

  #made(sizeBytes: number, removedRecords: number, isSame: boolean): Retained {
    const retained = this.#retained;
    retained.sizeBytes = sizeBytes;
    retained.removedRecords = removedRecords;
    retained.isSame = isSame;
    return retained;
  }
}
