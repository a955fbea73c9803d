/**
 * The state of one partition's log that its parts share: what is written, read, and kept. I/O thread, one per log.
 * `LogWriter` alone changes what appends change, `LogRetention` alone where the log begins. It decides nothing.
 */

import { ErrorCode } from '../base/error-code.ts';
import { firstOffset, type Offset } from '../base/numbers.ts';
import { abortedCountsOf, type AbortedCount } from './aborted-counts.ts';
import { AppendProgress, type Stage } from './append-progress.ts';
import type { Refusal } from './batch-check.ts';
import { LeaderEpochs } from './leader-epochs.ts';
import type { LogConfig } from './log-config.ts';
import { NamedProducers } from './named-producers.ts';
import type { Durability } from './partition-log.ts';
import type { PartitionState } from './partition-state.ts';
import { ProducerState } from './producer-state.ts';
import { RecentBatches } from './recent-batches.ts';
import { SegmentList } from './segment-list.ts';
import { partitionDirectoryName } from './segment-name.ts';
import type { StoreContext } from './store-context.ts';
import type { TailProgress, UnsettledTail } from './unsettled-tail.ts';

const noPaths: readonly string[] = [];

export class LogState {
  readonly context: StoreContext;
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  /** The partition's directory. */
  readonly directory: string;
  config: LogConfig;
  readonly segments: SegmentList;
  readonly epochs: LeaderEpochs;
  readonly progress: AppendProgress;
  readonly recent = new RecentBatches();
  #producers: ProducerState | null = null;
  #named: NamedProducers | null = null;
  logStartOffset: Offset;
  /** The end offset that the newest durable producer snapshot is named after; null where there is none. */
  producerSnapshot: Offset | null;
  /** Whether that snapshot has the file of the named producers beside it, as far as it was read. */
  hasNamedFile = false;
  /** Whether producers changed since that snapshot. */
  producersChanged = false;
  /** Paths of older snapshots, to be removed once the recovery points no longer name them. */
  staleSnapshots: readonly string[] = noPaths;
  /** Whether the epochs changed since their file was written. */
  epochsChanged = false;
  /** The recovery point should move though little was appended: segments wait for that to be deleted. */
  checkpointWanted = false;
  /** A compacted segment takes the place of others: none may be deleted until that is done. */
  isSwapping = false;
  /** A swap of segments failed half-way, so that what the directory holds is for the next start to find out. */
  needsRecovery = false;
  /** Bytes appended since a checkpoint was last asked for. */
  bytesSinceCheckpoint = 0;
  /** Whether the partition's directory does not say whose it is: a power cut took that, or the file is damaged. */
  needsMetadata: boolean;
  /** Everything below is on disk with all that is needed to go on from there. */
  recoveryPoint: Offset;
  /** Everything below has its index entries on disk, as `PartitionState.indexPoint`. */
  indexPoint: Offset;
  /** What the transaction indexes had when the recovery point was moved there. */
  abortedCounts: readonly AbortedCount[];
  /** The recovery point that is on disk, from which a start after a crash would go on. */
  savedRecoveryPoint: Offset;
  /** Whether counts of aborted transactions may stand beside the recovery point that is on disk. */
  hasSavedCounts: boolean;
  /** The segment that the worker certainly has as its active one, or a later one: what it told last. */
  confirmedSegment: Offset;
  /** Whether the partition's directory and its active segment's file are there. */
  hasFiles: boolean;
  /** The log's tail, until it is in the log's own files, durably; null where there is nothing to settle. */
  tail: TailProgress | null;
  /** Null while it takes writes; else the sentence that says why it does not. */
  refusal: string | null;
  /** Whether it takes none until someone decides, also after the next start. */
  isDamaged: boolean;

  constructor(context: StoreContext, known: PartitionState, topicId: string, config: LogConfig) {
    this.context = context;
    this.topic = known.topic;
    this.partition = known.partition;
    this.topicId = topicId;
    this.directory = `${context.directory}/${partitionDirectoryName(known.topic, known.partition)}`;
    this.config = config;
    this.segments = new SegmentList(known.segments);
    this.epochs = new LeaderEpochs(known.epochs);
    this.progress = new AppendProgress(known.endOffset);
    this.logStartOffset = known.logStartOffset;
    this.producerSnapshot = known.producerSnapshot;
    const { firstOpenTransaction = -1 } = known;
    if (firstOpenTransaction >= 0) this.producers.transactions.tell(firstOpenTransaction);
    this.recoveryPoint = known.recoveryPoint;
    this.indexPoint = known.indexPoint;
    this.abortedCounts = abortedCountsOf(known.segments);
    this.savedRecoveryPoint = known.recoveryPoint;
    this.hasSavedCounts = this.abortedCounts.length > 0;
    this.confirmedSegment = known.segments.at(-1)?.baseOffset ?? firstOffset;
    this.hasFiles = known.segments.length > 0;
    this.needsMetadata = this.hasFiles && known.topicId === null;
    this.tail = context.tails.of(partitionDirectoryName(known.topic, known.partition));
    this.refusal = known.refusal ?? context.refusal ?? this.#refusalOf(this.tail);
    this.isDamaged = known.refusal !== null;
  }

  // Most of many partitions have no producers that are remembered: what remembers them is made when it is first asked for.

  get producers(): ProducerState {
    return (this.#producers ??= new ProducerState());
  }

  get named(): NamedProducers {
    return (this.#named ??= new NamedProducers(this.context.names));
  }

  /** Everything before `endOffset` is in the file, and what producers sent there is not taken back any more. */
  settleProducers(endOffset: Offset): void {
    this.#producers?.settleUpTo(endOffset);
    this.#named?.settleUpTo(endOffset);
  }

  /** What producers sent from `endOffset` on was not written. */
  rollBackProducers(endOffset: Offset): void {
    this.#producers?.rollBackTo(endOffset);
    this.#named?.rollBackTo(endOffset);
  }

  /** Forgets those who have sent nothing for as long as the settings say. */
  expireProducers(nowMs: number): void {
    const { producerExpirationMs } = this.config;
    const ofKafka = this.#producers?.expire(nowMs, producerExpirationMs) ?? 0;
    const named = this.#named?.expire(nowMs, producerExpirationMs) ?? 0;
    if (ofKafka + named > 0) this.producersChanged = true;
  }

  /**
   * The offset after the last that was assigned. Where something is missing that was on disk, it is past what can be
   * read: whoever has read so far waits there, and does not take the log for one that never went on.
   */
  get endOffset(): Offset {
    const { end } = this.progress;
    return this.isDamaged && this.recoveryPoint > end ? this.recoveryPoint : end;
  }

  /** The tail, where nobody has made it durable in place yet. */
  get journaledTail(): UnsettledTail | null {
    return this.tail?.stage === 'journaled' ? this.tail.tail : null;
  }

  /** What consumers that read committed may read up to (exclusive). */
  get lastStableOffset(): Offset {
    const { highWatermark } = this.progress;
    const firstOffset = this.#producers?.transactions.firstUndecided(highWatermark) ?? -1;
    if (firstOffset < 0) return highWatermark;
    return Math.min(highWatermark, Math.max(firstOffset, this.logStartOffset)) as Offset;
  }

  /** The paths of `staleSnapshots`, which are the caller's to remove. */
  takeStaleSnapshots(): readonly string[] {
    const paths = this.staleSnapshots;
    this.staleSnapshots = noPaths;
    return paths;
  }

  /** What an append waits for that asks for `durability`. */
  stageOf(durability: Durability): Stage {
    return durability === 'synced' && this.config.syncPolicy === 'always' ? 'synced' : 'written';
  }

  /** Why what was appended will not become as durable as asked. */
  get lossRefusal(): Refusal {
    if (this.refusal !== null) {
      return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, message: this.refusal, recordErrors: [] };
    }
    const message = 'The partition was closed before the batch was written.';
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message, recordErrors: [] };
  }

  #refusalOf(tail: TailProgress | null): string | null {
    if (tail === null || tail.failure === null) return null;
    return `Partition ${this.partition} of ${this.topic} takes no writes: ${tail.failure}. Check the disk, then start the broker again.`;
  }

  /** What a clean stop writes down. */
  get known(): PartitionState {
    return {
      topic: this.topic,
      partition: this.partition,
      topicId: this.topicId,
      logStartOffset: this.logStartOffset,
      endOffset: this.progress.end,
      recoveryPoint: this.recoveryPoint,
      indexPoint: this.indexPoint,
      // A segment whose file could not be made yet is none.
      segments: this.hasFiles ? this.segments.all().map((segment) => segment.state) : [],
      epochs: this.epochs.starts,
      producerSnapshot: this.producerSnapshot,
      firstOpenTransaction: this.#producers?.transactions.firstOpen ?? -1,
      refusal: this.isDamaged ? this.refusal : null,
    };
  }
}
