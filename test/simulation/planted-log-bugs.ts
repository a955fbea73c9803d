/**
 * Bugs of a log that is written and read, planted between the broker and its store. Any thread.
 */

import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset, type Offset } from '../../src/base/numbers.ts';
import { stateLogTopics } from '../../src/broker/topic-name.ts';
import { writeInt16, writeInt32, writeInt64 } from '../../src/records/big-endian.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { batchField, batchSizeAt } from '../../src/records/record-batch.ts';
import type {
  AppendListener,
  AppendOptions,
  PartitionLog,
  ReadOptions,
  ReadResult,
} from '../../src/storage/partition-log.ts';
import { EarlyAnswers, inLogs, onlyIn, type ExpectedBug } from './planted-bug.ts';
import { WrappedPartitionLog } from './wrapped-log-store.ts';

/** acks=all is answered in time, but consumers are given it before. */
class EarlyReads extends WrappedPartitionLog {
  override append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    if (options.durability !== 'synced') {
      super.append(batch, options, listener);
      return;
    }
    super.append(batch, { ...options, durability: 'written' }, (result) => {
      const failed = { ...result, errorCode: ErrorCode.KAFKA_STORAGE_ERROR, baseOffset: asOffset(-1) };
      this.inner.sync().then(
        () => listener(result),
        () => listener(failed),
      );
    });
  }
}

/** Batches lose the number that their producer gave them. */
class NoSequences extends WrappedPartitionLog {
  override append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    const bare = batch.slice();
    writeInt64(bare, batchField.producerId, -1);
    writeInt16(bare, batchField.producerEpoch, -1);
    writeInt32(bare, batchField.baseSequence, -1);
    writeInt32(bare, batchField.crc, crc32c(bare.subarray(batchField.attributes)));
    super.append(bare, options, listener);
  }
}

/** Nobody looks at the numbers of named producers. */
class NoNumbers extends WrappedPartitionLog {
  override append(batch: Uint8Array, { named: _, ...options }: AppendOptions, listener: AppendListener): void {
    super.append(batch, options, listener);
  }

  override lastNumberOf(): number {
    return -1;
  }
}

/** Named producers are told that a number is stored, or is the last, before it is on disk. */
class EarlyConfirmations extends WrappedPartitionLog {
  override confirm(...[name, number, , listener]: Parameters<PartitionLog['confirm']>): void {
    super.confirm(name, number, 'none', listener);
  }

  override resume(...[name, epoch, , listener]: Parameters<PartitionLog['resume']>): void {
    super.resume(name, epoch, 'none', listener);
  }
}

class OffsetsOffByOne extends WrappedPartitionLog {
  override append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    super.append(batch, options, (result) => {
      const { errorCode, baseOffset } = result;
      listener(errorCode === ErrorCode.NONE ? { ...result, baseOffset: asOffset(baseOffset + 1) } : result);
    });
  }
}

/** Now and then a read leaves its first batch out. */
class SkippingReads extends WrappedPartitionLog {
  #reads = 0;

  override read(options: ReadOptions): ReadResult | Promise<ReadResult> {
    const result = super.read(options);
    return result instanceof Promise ? result.then((found) => this.#skip(found)) : this.#skip(result);
  }

  #skip(result: ReadResult): ReadResult {
    const first = batchSizeAt(result.records, 0, result.records.length);
    if (first <= 0 || first === result.records.length || ++this.#reads % 5 !== 0) return result;
    return { ...result, records: result.records.subarray(first), release: () => result.release() };
  }
}

/** DeleteRecords is answered, and nothing is done. */
class NoDeletion extends WrappedPartitionLog {
  override async deleteRecordsBefore(offset: Offset): Promise<{ errorCode: ErrorCode; lowWatermark: Offset }> {
    return { errorCode: ErrorCode.NONE, lowWatermark: offset };
  }
}

export const logBugs: readonly ExpectedBug[] = [
  {
    name: 'acks=all answered before the sync',
    store: inLogs((log) => new EarlyAnswers(log)),
    found: /^lost-acknowledged/,
  },
  { name: 'sequences are not checked', store: inLogs((log) => new NoSequences(log)), found: /^duplicate/ },
  {
    name: 'numbers of named producers are not checked',
    store: inLogs((log) => new NoNumbers(log)),
    found: /^duplicate.*named/,
    profile: { named: 3 },
  },
  {
    name: 'named producers told before the sync',
    store: inLogs((log) => new EarlyConfirmations(log)),
    found: /^(lost-acknowledged.*named|named.* was acknowledged)/,
    profile: {
      named: 4,
      powerCutChance: 1,
      crashEveryMs: 100,
      cutConnectionEveryMs: 20,
      maxDiskMs: 40,
      maxNetworkMs: 1,
    },
  },
  { name: 'offsets off by one', store: inLogs((log) => new OffsetsOffByOne(log)), found: /^two-values/ },
  {
    name: 'a high watermark past unsynced acks=all',
    store: inLogs((log) => new EarlyReads(log)),
    found: /^lost-read/,
    profile: { consumers: 2, powerCutChance: 1, crashEveryMs: 100, maxDiskMs: 40, maxNetworkMs: 1 },
  },
  { name: 'reads that skip', store: inLogs((log) => new SkippingReads(log)), found: /^skip/ },
  {
    name: 'topics created before the sync',
    store: inLogs(onlyIn(stateLogTopics.metadata, (log) => new EarlyAnswers(log))),
    found: /is gone/,
  },
  { name: 'records that are not deleted', store: inLogs((log) => new NoDeletion(log)), found: /begins at/ },
];
