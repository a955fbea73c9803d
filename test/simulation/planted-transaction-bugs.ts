/**
 * Bugs of transactions, planted between the broker and its store or disk. Any thread.
 */

import { ErrorCode } from '../../src/base/error-code.ts';
import type { Offset } from '../../src/base/numbers.ts';
import { stateLogTopics } from '../../src/broker/topic-name.ts';
import { writeInt16, writeInt32 } from '../../src/records/big-endian.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import {
  attributesAt,
  batchField,
  isTransactional,
  producerEpochAt,
  producerIdAt,
} from '../../src/records/record-batch.ts';
import type { FileDescriptor, OpenMode } from '../../src/storage/file-system.ts';
import type {
  AppendListener,
  AppendOptions,
  PartitionLog,
  ReadOptions,
  ReadResult,
} from '../../src/storage/partition-log.ts';
import { EarlyAnswers, inLogs, onlyIn, type ExpectedBug } from './planted-bug.ts';
import { WrappedFileSystem } from './wrapped-file-system.ts';
import { WrappedPartitionLog } from './wrapped-log-store.ts';

/** Markers are answered, and not written. */
class NoMarkers extends WrappedPartitionLog {
  override appendMarker(...[, listener]: Parameters<PartitionLog['appendMarker']>): void {
    const { endOffset: baseOffset, logStartOffset } = this;
    const none = { errorCode: ErrorCode.NONE, logAppendTimeMs: -1, errorMessage: null, recordErrors: [] };
    listener({ ...none, baseOffset, logStartOffset });
  }
}

/** A transaction that is aborted is committed in one partition. */
class WrongMarkers extends WrappedPartitionLog {
  override appendMarker(...[marker, listener]: Parameters<PartitionLog['appendMarker']>): void {
    super.appendMarker({ ...marker, outcome: this.partition === 0 ? 'commit' : marker.outcome }, listener);
  }
}

/** Readers of committed records are not told what was aborted. */
class NoAbortedTransactions extends WrappedPartitionLog {
  override read(options: ReadOptions): ReadResult | Promise<ReadResult> {
    const forget = (result: ReadResult): ReadResult => ({
      ...result,
      abortedTransactions: result.abortedTransactions === null ? null : [],
      release: () => result.release(),
    });
    const result = super.read(options);
    return result instanceof Promise ? result.then(forget) : forget(result);
  }
}

/** Transactions that are open hold nobody back. */
class NothingOpen extends WrappedPartitionLog {
  override get lastStableOffset(): Offset {
    return this.inner.highWatermark;
  }

  override read(options: ReadOptions): ReadResult | Promise<ReadResult> {
    if (options.isolation === 'read_uncommitted') return super.read(options);
    const stable = (result: ReadResult): ReadResult => ({
      ...result,
      lastStableOffset: result.highWatermark,
      abortedTransactions: [],
      release: () => result.release(),
    });
    const result = super.read({ ...options, isolation: 'read_uncommitted' });
    return result instanceof Promise ? result.then(stable) : stable(result);
  }

  override availableBytes(offset: Offset): number {
    return super.availableBytes(offset, 'read_uncommitted');
  }
}

/** The last batch of a transaction that has ended comes once more, and is taken as the next one's. */
class LateWrites extends WrappedPartitionLog {
  readonly #last = new Map<number, Uint8Array>();

  override append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    if (isTransactional(attributesAt(batch, 0))) this.#last.set(producerIdAt(batch, 0), batch.slice());
    super.append(batch, options, listener);
  }

  override appendMarker(...[marker, listener]: Parameters<PartitionLog['appendMarker']>): void {
    super.appendMarker(marker, listener);
    const late = this.#last.get(marker.producerId);
    this.#last.delete(marker.producerId);
    if (late === undefined || producerEpochAt(late, 0) === marker.producerEpoch) return;
    writeInt16(late, batchField.producerEpoch, marker.producerEpoch);
    writeInt32(late, batchField.baseSequence, 0);
    writeInt32(late, batchField.crc, crc32c(late.subarray(batchField.attributes)));
    super.append(late, { durability: 'written', origin: 'client' }, () => {});
  }
}

/** Transaction indexes are written, and lost when their process ends. */
class ForgottenAborts extends WrappedFileSystem {
  readonly #written = new Set<string>();

  override open(path: string, mode: OpenMode): FileDescriptor {
    if (path.endsWith('.txnindex') && mode !== 'read') this.#written.add(path);
    return super.open(path, mode);
  }

  override list(path: string): string[] {
    const isKept = (name: string): boolean => !name.endsWith('.txnindex') || this.#written.has(`${path}/${name}`);
    return super.list(path).filter(isKept);
  }

  override sizeAt(path: string): number | null {
    return path.endsWith('.txnindex') && !this.#written.has(path) ? null : super.sizeAt(path);
  }
}

export const transactionBugs: readonly ExpectedBug[] = [
  {
    name: 'commits of transactions answered before the sync',
    store: inLogs(onlyIn(stateLogTopics.transactions, (log) => new EarlyAnswers(log))),
    // What was told and then lost leaves a transaction that nobody remembers, and so nobody ends.
    found: /^copy.*(was committed up to|is committed, but|still open)/,
    profile: { copies: 2, copiersPerStream: 2, powerCutChance: 1, crashEveryMs: 150, maxDiskMs: 40, maxNetworkMs: 1 },
  },
  {
    name: 'markers that are not written',
    store: inLogs((log) => new NoMarkers(log)),
    found: /^copy.*(still open|missing)/,
    profile: { copies: 1 },
  },
  {
    name: 'markers that say otherwise',
    store: inLogs((log) => new WrongMarkers(log)),
    found: /^copy.*(is committed, but|both committed|stands behind)/,
    profile: { copies: 1 },
  },
  {
    name: 'aborted transactions that readers are not told of',
    store: inLogs((log) => new NoAbortedTransactions(log)),
    found: /^copy.*(was read as committed, and|is not what is)/,
    profile: { copies: 1 },
  },
  {
    name: 'open transactions that hold nobody back',
    store: inLogs((log) => new NothingOpen(log)),
    found: /^copy.*(was read as committed, and|now as)/,
    profile: { copies: 1 },
  },
  {
    name: 'writes of ended transactions that are taken late',
    store: inLogs((log) => new LateWrites(log)),
    found: /^copy.*(both committed|stands behind|missing)/,
    profile: { copies: 1 },
  },
  {
    name: 'transaction indexes that a crash takes',
    fileSystem: (inner) => new ForgottenAborts(inner),
    found: /^copy.*(cannot be read as committed|was read as committed|is not what is|now as)/,
    profile: { copies: 2, groups: 0 },
  },
];
