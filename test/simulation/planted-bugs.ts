/**
 * Bugs that brokers have had, planted between the broker and its store or disk, to show that a run finds each. Nothing
 * in `src/` knows of them. Any thread.
 */

import { ErrorCode } from '../../src/base/error-code.ts';
import { asOffset, type Offset } from '../../src/base/numbers.ts';
import { stateLogTopics } from '../../src/broker/topic-name.ts';
import { writeInt16, writeInt32, writeInt64 } from '../../src/records/big-endian.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import {
  attributesAt,
  batchField,
  batchSizeAt,
  isTransactional,
  producerEpochAt,
  producerIdAt,
} from '../../src/records/record-batch.ts';
import type { CompactionPlan, CompactionRun, CompactionSettings, Compactor } from '../../src/storage/compactor.ts';
import { directBlockBytes, type FileDescriptor, type OpenMode } from '../../src/storage/file-system.ts';
import type {
  AppendListener,
  AppendOptions,
  LogStore,
  PartitionLog,
  ReadOptions,
  ReadResult,
} from '../../src/storage/partition-log.ts';
import { encodeProducerSnapshot } from '../../src/storage/producer-snapshot.ts';
import type { Profile } from './profile.ts';
import type { PlantedBug } from './simulation.ts';
import { WrappedFileSystem } from './wrapped-file-system.ts';
import { WrappedLogStore, WrappedPartitionLog } from './wrapped-log-store.ts';

/** A planted bug, and what of a run's problems shows that it was found. */
export interface ExpectedBug extends PlantedBug {
  readonly found: RegExp;
  /** What runs have to be like for it to be met soon. */
  readonly profile?: Partial<Profile>;
}

function inLogs(wrap: (log: PartitionLog) => PartitionLog): (store: LogStore) => LogStore {
  return (store) => new WrappedLogStore(store, wrap);
}

/** acks=all is answered, and read, as soon as it is written. */
class EarlyAnswers extends WrappedPartitionLog {
  override append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    super.append(batch, { ...options, durability: options.durability === 'none' ? 'none' : 'written' }, listener);
  }
}

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

class NoDirectorySyncs extends WrappedFileSystem {
  override syncDirectory(): void {}

  override async syncDirectoryLater(): Promise<void> {}
}

/** The disk says that it has synced, and has not. */
class NoSyncs extends WrappedFileSystem {
  override async syncLater(): Promise<void> {}
}

/** The store raises its leader epoch for this run, and the disk keeps the old one. */
class ForgottenEpochs extends WrappedFileSystem {
  override rename(from: string, to: string): void {
    if (to.endsWith('leader-epoch') && this.inner.sizeAt(to) !== null) this.inner.remove(from);
    else super.rename(from, to);
  }
}

/** Producer snapshots read as if there had been no producers. */
class EmptySnapshots extends WrappedFileSystem {
  readonly #empty = encodeProducerSnapshot([]);
  readonly #snapshots = new Set<FileDescriptor>();

  override open(path: string, mode: OpenMode): FileDescriptor {
    const file = super.open(path, mode);
    if (path.endsWith('.snapshot') && mode === 'read') this.#snapshots.add(file);
    else this.#snapshots.delete(file);
    return file;
  }

  override sizeOf(file: FileDescriptor): number {
    return this.#snapshots.has(file) ? this.#empty.length : super.sizeOf(file);
  }

  override read(file: FileDescriptor, target: Uint8Array, position: number): number {
    if (!this.#snapshots.has(file)) return super.read(file, target, position);
    const part = this.#empty.subarray(position, position + target.length);
    target.set(part);
    return part.length;
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

/** Blocks that are written again past the page cache lose what they held. */
class ForgottenBlocks extends WrappedFileSystem {
  readonly #direct = new Set<FileDescriptor>();

  override openDirect(path: string): FileDescriptor | null {
    const file = super.openDirect(path);
    if (file !== null) this.#direct.add(file);
    return file;
  }

  override close(file: FileDescriptor): void {
    this.#direct.delete(file);
    super.close(file);
  }

  override write(file: FileDescriptor, sources: readonly Uint8Array[], position: number): number {
    if (!this.#direct.has(file)) return super.write(file, sources, position);
    const held = new Uint8Array(directBlockBytes);
    const heldBytes = this.inner.read(file, held, position);
    const source = Uint8Array.from(sources[0]!);
    if (heldBytes > 0) source.fill(0, 0, held.findLastIndex((byte) => byte !== 0) + 1);
    return super.write(file, [source], position);
  }
}

/** What is to be cut off the end of a log stays. */
class NoTruncation extends WrappedFileSystem {
  readonly #logs = new Set<FileDescriptor>();

  override open(path: string, mode: OpenMode): FileDescriptor {
    const file = super.open(path, mode);
    if (path.endsWith('.log')) this.#logs.add(file);
    else this.#logs.delete(file);
    return file;
  }

  override truncate(file: FileDescriptor, sizeBytes: number): void {
    if (!this.#logs.has(file)) super.truncate(file, sizeBytes);
  }
}

/** Compaction takes tombstones away at once, whatever the topic says. */
class HastyTombstones implements Compactor {
  readonly #inner: Compactor;

  constructor(inner: Compactor) {
    this.#inner = inner;
  }

  begin(plan: CompactionPlan, settings: CompactionSettings): Promise<CompactionRun> {
    const later = plan.nowMs + 365 * 24 * 3_600_000;
    return this.#inner.begin({ ...plan, deleteRetentionMs: 0, nowMs: later }, settings);
  }
}

/** What compaction writes is not synced before it takes the place of what it was made of. */
class UnsyncedCleaning extends WrappedFileSystem {
  readonly #cleaned = new Set<FileDescriptor>();

  override open(path: string, mode: OpenMode): FileDescriptor {
    const file = super.open(path, mode);
    if (path.includes('.cleaned')) this.#cleaned.add(file);
    else this.#cleaned.delete(file);
    return file;
  }

  override sync(file: FileDescriptor): void {
    if (!this.#cleaned.has(file)) super.sync(file);
  }

  override async syncLater(file: FileDescriptor): Promise<void> {
    if (!this.#cleaned.has(file)) await super.syncLater(file);
  }
}

/** Segments that a cleaned one was made of stay beside it. */
class NothingReplaced extends WrappedFileSystem {
  override rename(from: string, to: string): void {
    if (!/keyed.*\.log\.deleted$/.test(to)) super.rename(from, to);
  }

  override remove(path: string): void {
    if (!/keyed.*\.log(\.deleted)?$/.test(path)) super.remove(path);
  }
}

/** Compaction is said to be done, and nothing is. */
class NoCompaction extends WrappedLogStore {
  override compactDirtiest(): Promise<boolean> {
    return Promise.resolve(false);
  }
}

const onlyIn =
  (topic: string, wrap: (log: PartitionLog) => PartitionLog): ((log: PartitionLog) => PartitionLog) =>
  (log) =>
    log.topic === topic ? wrap(log) : log;

/** The bugs that the store's own interfaces allow to plant. */
export const plantedBugs: readonly ExpectedBug[] = [
  {
    name: 'acks=all answered before the sync',
    store: inLogs((log) => new EarlyAnswers(log)),
    found: /^lost-acknowledged/,
  },
  { name: 'syncs that do nothing', fileSystem: (inner) => new NoSyncs(inner), found: /^lost-acknowledged/ },
  { name: 'directories are not synced', fileSystem: (inner) => new NoDirectorySyncs(inner), found: /lost-ack|gone/ },
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
  },
  { name: 'reads that skip', store: inLogs((log) => new SkippingReads(log)), found: /^skip/ },
  {
    name: 'commits answered before the sync',
    store: inLogs(onlyIn(stateLogTopics.groups, (log) => new EarlyAnswers(log))),
    found: /resumes at/,
  },
  {
    name: 'members of consumer groups told before the sync',
    store: inLogs(onlyIn(stateLogTopics.groups, (log) => new EarlyAnswers(log))),
    found: /^two members have/,
    profile: {
      groups: 0,
      reconciling: 4,
      powerCutChance: 1,
      crashEveryMs: 150,
      maxDiskMs: 40,
      maxNetworkMs: 1,
    },
  },
  {
    name: 'topics created before the sync',
    store: inLogs(onlyIn(stateLogTopics.metadata, (log) => new EarlyAnswers(log))),
    found: /is gone/,
  },
  { name: 'records that are not deleted', store: inLogs((log) => new NoDeletion(log)), found: /begins at/ },
  {
    name: 'a leader epoch that is not raised',
    fileSystem: (inner) => new ForgottenEpochs(inner),
    found: /^epoch-offset-reused/,
    // What was read and not synced has to be lost, and its offset read again: many write and read little, nobody else.
    profile: {
      powerCutChance: 1,
      crashEveryMs: 150,
      maxDiskMs: 40,
      maxFlushStepMs: 15,
      maxNetworkMs: 1,
      thinkMs: 20,
      runMs: 3200,
      topics: 1,
      producers: 4,
      consumers: 3,
      groups: 0,
      named: 0,
      publishers: 0,
      reconciling: 0,
      copies: 0,
      keyed: 0,
    },
  },
  {
    name: 'logs left without a word',
    queue: (inner) => {
      inner.files.leaveLog = () => {};
      return inner;
    },
    found: /^(lost|two-values|duplicate|a defect: Error: EBADF)/,
    profile: { segmentBytes: 2048, topics: 3 },
  },
  { name: 'producers forgotten at a start', fileSystem: (inner) => new EmptySnapshots(inner), found: /^duplicate/ },
  {
    name: 'blocks written again without what they held',
    fileSystem: (inner) => new ForgottenBlocks(inner),
    found: /^(lost|two-values|unreadable)/,
    profile: { directFromBytes: 1, directWrites: 'taken' },
  },
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
  {
    name: 'tombstones that compaction takes at once',
    compactor: (inner) => new HastyTombstones(inner),
    found: /^keyed.*is the newest, but/,
    profile: {
      keyed: 1,
      groups: 0,
      copies: 0,
      crashEveryMs: 1000,
      thinkMs: 80,
      runMs: 3200,
      segmentBytes: 2048,
      valueBytes: 400,
    },
  },
  {
    name: 'cleaned segments that are not synced',
    fileSystem: (inner) => new UnsyncedCleaning(inner),
    found: /keyed/,
    profile: { keyed: 1, groups: 0, copies: 0, powerCutChance: 1, crashEveryMs: 200, segmentBytes: 2048, runMs: 3200 },
  },
  {
    name: 'segments that stay beside what they were compacted into',
    fileSystem: (inner) => new NothingReplaced(inner),
    found: /keyed/,
    profile: { keyed: 1, groups: 0, copies: 0, segmentBytes: 2048, runMs: 3200 },
  },
  {
    name: 'compaction that does nothing',
    store: (inner) => new NoCompaction(inner, (log) => log),
    found: /^keyed.*records are there/,
    profile: { keyed: 1, groups: 0, copies: 0, segmentBytes: 2048, runMs: 3200 },
  },
  {
    name: 'torn ends that are not cut off',
    fileSystem: (inner) => new NoTruncation(inner),
    found: /^(lost|two-values|duplicate)/,
    profile: { powerCutChance: 1, crashEveryMs: 150, valueBytes: 400, thinkMs: 20, runMs: 3200 },
  },
];
