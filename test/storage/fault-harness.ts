/**
 * A local store over a simulated disk that fails, fills up, dies within a call or loses its power, under a clock that
 * the test moves; and what was acknowledged, against which everything that is read is held.
 */

import { expect } from 'vitest';
import { setImmediate } from 'node:timers/promises';
import { silentLogger } from '../../src/base/logger.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { InThreadCompactor } from '../../src/compaction/in-thread-compactor.ts';
import { Arena } from '../../src/memory/arena.ts';
import { openDataDirectory } from '../../src/storage/data-directory.ts';
import type { FileSystem } from '../../src/storage/file-system.ts';
import { LocalLogStore, type LocalLogStoreOptions } from '../../src/storage/local-log-store.ts';
import { defaultLogConfig, type LogConfig } from '../../src/storage/log-config.ts';
import type { AppendOptions, AppendResult, PartitionLog } from '../../src/storage/partition-log.ts';
import { verifyDirectory } from '../../src/verify/verify-directory.ts';
import { ManualClock } from '../broker/manual-clock.ts';
import { MortalFileSystem, ProcessDied } from '../simulation/mortal-file-system.ts';
import { SimulatedFileSystem } from '../simulation/simulated-file-system.ts';
import { append, batchOf, InlineExecutor, topicId, valuesFrom } from './store-harness.ts';

const directory = '/data';
const turnsMax = 2000;

export const smallSegments: Partial<LogConfig> = {
  segmentBytes: 600,
  indexIntervalBytes: 150,
  fileDeleteDelayMs: 1000,
  // The records' times are far from the clock's.
  retentionMs: -1,
  producerExpirationMs: Number.MAX_SAFE_INTEGER,
};

const verifyArena = Arena.create({
  flushWorkerCount: 1,
  queueCapacity: 2,
  ringSizeBytes: 64,
  scratchSizeBytes: 2 * 1024 * 1024,
  heapSizeBytes: 2 * 1024 * 1024,
});

export class FaultHarness {
  readonly clock = new ManualClock();
  readonly random: SeededRandom;
  readonly storeOptions: Partial<LocalLogStoreOptions>;
  readonly ringSizeBytes: number;
  disk: SimulatedFileSystem;
  mortal!: MortalFileSystem;
  store!: LocalLogStore;
  executor!: InlineExecutor;
  died = false;
  /** The how-manieth changing call of the next process on the disk does not return; null: it lives. */
  lastCall: number | null = null;

  constructor(seed = 1, ringSizeBytes = 256 * 1024, storeOptions: Partial<LocalLogStoreOptions> = {}) {
    this.random = new SeededRandom(seed);
    this.ringSizeBytes = ringSizeBytes;
    this.storeOptions = storeOptions;
    const completions = { complete: (_label: string, callback: () => void) => void globalThis.setImmediate(callback) };
    this.disk = new SimulatedFileSystem({ completions, random: this.random });
    openDataDirectory(this.disk, directory, 1, this.random);
  }

  async open(): Promise<LocalLogStore> {
    this.died = false;
    const arena = Arena.create({
      flushWorkerCount: 1,
      queueCapacity: 256,
      ringSizeBytes: this.ringSizeBytes,
      scratchSizeBytes: 1024 * 1024,
      heapSizeBytes: 1024 * 1024,
    });
    let ended: (error: Error) => void = () => {};
    // What a dead process waits for never comes.
    const death = new Promise<never>((_, reject) => (ended = reject));
    death.catch(() => {});
    this.mortal = new MortalFileSystem(this.disk, this.random, () => {
      this.died = true;
      // Whatever the dead process still tries has no effect.
      this.kill();
      ended(new ProcessDied('the process died while it started'));
    });
    if (this.lastCall !== null) this.mortal.dieIn(this.lastCall);
    this.lastCall = null;
    const fileSystem: FileSystem = this.mortal;
    this.executor = new InlineExecutor(arena, fileSystem);
    const opening = LocalLogStore.open({
      directory,
      fileSystem,
      clock: this.clock,
      random: this.random,
      logger: silentLogger,
      arena,
      executor: this.executor,
      compactor: new InThreadCompactor(fileSystem, this.random),
      ...this.storeOptions,
    });
    this.store = await Promise.race([opening, death]);
    return this.store;
  }

  log(partition = 0, config: Partial<LogConfig> = smallSegments): PartitionLog {
    return this.store.open('orders', topicId, partition, { ...defaultLogConfig, ...config });
  }

  /** The process ends where it is; the page cache stays. */
  kill(): void {
    this.executor.abandoned = true;
    this.disk = this.disk.kill();
  }

  /** The power ends. */
  powerCut(): void {
    this.executor.abandoned = true;
    this.disk = this.disk.powerCut(this.random);
  }

  /** Lets the event loop turn until `reached`. */
  async until(reached: () => boolean): Promise<void> {
    for (let turn = 0; !reached(); turn++) {
      if (turn === turnsMax) throw new Error('what was waited for did not come');
      await setImmediate();
    }
  }

  async turns(count = 30): Promise<void> {
    for (let i = 0; i < count; i++) await setImmediate();
  }

  /** Lets `ms` pass in steps, with time for what falls due. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      this.clock.advance(Math.min(250, ms - passed));
      await this.turns(12);
    }
  }

  /** Nothing that verify calls damage is on the disk. */
  async expectSound(what = ''): Promise<void> {
    const report = await verifyDirectory({ directory, fileSystem: this.disk, arena: verifyArena });
    expect(
      report.findings.filter(({ severity }) => severity === 'damage'),
      what,
    ).toEqual([]);
  }
}

/** What one partition's producers were told, and what they tried. */
export class Ledger {
  readonly attempted = new Set<string>();
  /** Values by offset, and whether they survive a power cut. */
  readonly acknowledged = new Map<number, { value: string; synced: boolean }>();
  #next = 0;

  /** Appends one batch of `count` new values and notes what came of it. */
  async append(
    log: PartitionLog,
    durability: AppendOptions['durability'] = 'synced',
    count = 1,
    producer?: { readonly id: number; next: number },
  ): Promise<AppendResult> {
    const values = Array.from({ length: count }, () => `value ${this.#next++}`);
    for (const value of values) this.attempted.add(value);
    const options =
      producer === undefined ? {} : { producerId: producer.id, producerEpoch: 0, baseSequence: producer.next };
    const result = await append(log, batchOf(values, options, 1000 + ((this.#next * 37) % 500)), durability);
    if (result.errorCode === ErrorCode.NONE && durability !== 'none') {
      if (producer !== undefined) producer.next += count;
      for (const [i, value] of values.entries()) {
        this.acknowledged.set(result.baseOffset + i, { value, synced: durability === 'synced' });
      }
    }
    return result;
  }

  /** What a power cut may have taken is no longer expected. */
  forgetUnsynced(): void {
    for (const [offset, { synced }] of this.acknowledged) if (!synced) this.acknowledged.delete(offset);
  }

  /** Everything acknowledged is there at its offset, and nothing that nobody sent, from the log's start on without gaps. */
  async expectIn(log: PartitionLog, what = ''): Promise<void> {
    const read = (await valuesFrom(log, log.logStartOffset, 700)).map((line) => {
      const colon = line.indexOf(':');
      return { offset: Number(line.slice(0, colon)), value: line.slice(colon + 1) };
    });
    expect(
      read.map(({ offset }) => offset),
      what,
    ).toEqual(Array.from({ length: log.highWatermark - log.logStartOffset }, (_, i) => log.logStartOffset + i));
    const byOffset = new Map(read.map(({ offset, value }) => [offset, value]));
    for (const [offset, { value }] of this.acknowledged) {
      if (offset >= log.logStartOffset) expect(byOffset.get(offset), `${what}, offset ${offset}`).toBe(value);
    }
    for (const { value } of read) expect(this.attempted.has(value), `${what}, ${value}`).toBe(true);
    expect(new Set(byOffset.values()).size, `${what}: nothing is there twice`).toBe(byOffset.size);
    expect(log.endOffset).toBeGreaterThanOrEqual(asOffset(log.highWatermark));
  }
}
