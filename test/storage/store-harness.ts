/**
 * A local store over a real directory with its flush rounds in this thread, for tests: one that can be stopped cleanly
 * or abandoned as a kill -9 leaves it, and opened again.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import { silentLogger, type Logger } from '../../src/base/logger.ts';
import { asOffset, type Offset } from '../../src/base/numbers.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { FlushRound } from '../../src/flush/flush-round.ts';
import { Arena } from '../../src/memory/arena.ts';
import { FlushQueue } from '../../src/memory/flush-queue.ts';
import { blankSubmission, SubmissionKind } from '../../src/memory/flush-messages.ts';
import { buildBatch, type BatchOptions } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { batchSizeAt, lastOffsetAt } from '../../src/records/record-batch.ts';
import type { Compactor } from '../../src/storage/compactor.ts';
import type { FileSystem } from '../../src/storage/file-system.ts';
import type { FlushExecutor } from '../../src/storage/flush-executor.ts';
import { LocalLogStore } from '../../src/storage/local-log-store.ts';
import { defaultLogConfig, type LogConfig } from '../../src/storage/log-config.ts';
import { nodeFileSystem } from '../../src/storage/node-file-system.ts';
import type { AppendOptions, AppendResult, PartitionLog } from '../../src/storage/partition-log.ts';
import { segmentFileName } from '../../src/storage/segment-name.ts';

export const topicId = 'FQ0JpJ3yR5iTtAqp5Vbaqg';

/** Lets the store go on until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

/** The name of the log of the segment that begins at `offset`. */
export function segmentLog(offset: number): string {
  return segmentFileName(asOffset(offset), 'log');
}

/**
 * Runs flush rounds in this thread, one a turn of the event loop. Where nothing is left to do it leaves the files, as a
 * worker that goes to sleep, so that small groups are written in place.
 */
export class InlineExecutor implements FlushExecutor {
  abandoned = false;
  readonly #queues: FlushQueue[];
  readonly #rounds: FlushRound[];
  /** Whose files were left. */
  readonly #sleeping = new Set<number>();
  #held = false;
  #loop: Promise<void> = Promise.resolve();

  /** `clock` is what it times its syncs with; unless given all take no time. */
  constructor(arena: Arena, fileSystem: FileSystem, clock: Pick<Clock, 'monotonicMs'> = { monotonicMs: () => 0 }) {
    const { layout, memory } = arena;
    this.#queues = layout.queueAddresses.map((address) => new FlushQueue(memory.buffer, address, layout.queueCapacity));
    for (const queue of this.#queues) queue.files.take();
    this.#rounds = this.#queues.map(
      (queue) =>
        new FlushRound({
          queue,
          bytes: arena.bytes,
          ringAddress: layout.ringAddress,
          ringSizeBytes: layout.ringSizeBytes,
          fileSystem,
          nowMs: () => clock.monotonicMs(),
        }),
    );
  }

  /** While true, nothing that is submitted is taken, nor written in place. */
  set held(held: boolean) {
    this.#held = held;
    if (held) for (const index of this.#queues.keys()) this.#wake(index);
  }

  /** As a worker that ends by a defect. */
  fail: (error: Error) => void = () => {};

  start(completionsWait: (workerIndex: number) => void, failed: (error: Error, workerIndex: number) => void): void {
    this.fail = (error) => {
      this.abandoned = true;
      failed(error, 0);
    };
    this.#loop = this.#run(completionsWait).catch((error: unknown) => {
      // A process that died within a call of its disk throws out of it.
      if (!this.abandoned) throw error;
    });
  }

  async stop(): Promise<void> {
    for (const queue of this.#queues) {
      queue.push({ ...blankSubmission(), kind: SubmissionKind.STOP }, 0);
      queue.publish(1);
    }
    await this.#loop;
  }

  async #run(completionsWait: (workerIndex: number) => void): Promise<void> {
    while (!this.abandoned && !this.#rounds.every((round) => round.finished)) {
      for (const [index, round] of this.#rounds.entries()) {
        if (this.#held || round.idle) continue;
        this.#wake(index);
        round.take();
        round.write();
        round.publish();
        round.startSync();
        round.publish();
        completionsWait(index);
        if (!round.idle) continue;
        this.#sleeping.add(index);
        this.#queues[index]!.files.leave();
      }
      await setImmediate();
    }
    if (!this.abandoned) for (const round of this.#rounds) round.closeFiles();
  }

  #wake(index: number): void {
    if (this.#sleeping.delete(index)) this.#queues[index]!.files.take();
  }
}

export interface StoreHarnessOptions {
  readonly fileSystem?: FileSystem;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly ringSizeBytes?: number;
  readonly heapSizeBytes?: number;
  readonly compactor?: Compactor;
  readonly mayWait?: () => boolean;
}

/** One directory and the stores that were opened on it, one after the other. */
export class StoreHarness {
  readonly directory = mkdtempSync(join(tmpdir(), 'millrace-store-'));
  readonly options: StoreHarnessOptions;
  store!: LocalLogStore;
  executor!: InlineExecutor;
  arena!: Arena;

  constructor(options: StoreHarnessOptions = {}) {
    this.options = options;
  }

  async open(): Promise<LocalLogStore> {
    const { fileSystem = nodeFileSystem, clock = systemClock, logger = silentLogger } = this.options;
    const { ringSizeBytes, heapSizeBytes, compactor, mayWait } = this.options;
    this.arena = Arena.create({
      flushWorkerCount: 1,
      queueCapacity: 256,
      ringSizeBytes: ringSizeBytes ?? 32 * 1024 * 1024,
      scratchSizeBytes: 8 * 1024 * 1024,
      heapSizeBytes: heapSizeBytes ?? 8 * 1024 * 1024,
    });
    this.executor = new InlineExecutor(this.arena, fileSystem, this.options.clock);
    this.store = await LocalLogStore.open({
      directory: this.directory,
      fileSystem,
      clock,
      random: new SeededRandom(1),
      logger,
      arena: this.arena,
      executor: this.executor,
      ...(compactor === undefined ? {} : { compactor }),
      ...(mayWait === undefined ? {} : { mayWait }),
    });
    return this.store;
  }

  log(topic = 'orders', partition = 0, config: Partial<LogConfig> = {}): PartitionLog {
    return this.store.open(topic, topicId, partition, { ...defaultLogConfig, ...config });
  }

  /** As a kill -9 at a moment when nothing is under way leaves it. */
  abandon(): void {
    this.executor.abandoned = true;
  }

  remove(): void {
    this.executor.abandoned = true;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function batchOf(
  values: readonly string[],
  options: Partial<BatchOptions> = {},
  timestampMs = 1000,
): Uint8Array {
  return buildBatch(
    crc32c,
    values.map((value, i) => ({ key: null, value: Buffer.from(value), timestampMs: timestampMs + i })),
    options,
  );
}

export function append(
  log: PartitionLog,
  batch: Uint8Array,
  durability: AppendOptions['durability'] = 'synced',
): Promise<AppendResult> {
  return new Promise((resolve) => log.append(batch, { durability, origin: 'client' }, resolve));
}

/** The values of all records from `offset` on, with their offsets, as `offset:value`. */
export async function valuesFrom(log: PartitionLog, offset = 0, maxBytes = 1024 * 1024): Promise<string[]> {
  const values: string[] = [];
  let next = asOffset(offset);
  while (next < log.highWatermark) {
    const result = await log.read({ offset: next, maxBytes, minOneBatch: true, isolation: 'read_uncommitted' });
    if (result.errorCode !== 0 || result.records.length === 0) {
      throw new Error(`a read at ${next} gave error ${result.errorCode} and ${result.records.length} bytes`);
    }
    for (let at = 0; at < result.records.length;) {
      const size = batchSizeAt(result.records, at, result.records.length);
      const reader = new RecordReader(result.records, at, at + size);
      while (reader.next()) {
        if (reader.offset >= offset) values.push(`${reader.offset}:${Buffer.from(reader.value!).toString()}`);
      }
      // Compaction leaves batches whose last records, or all, are gone.
      next = (lastOffsetAt(result.records, at) + 1) as Offset;
      at += size;
    }
    result.release();
  }
  return values;
}
