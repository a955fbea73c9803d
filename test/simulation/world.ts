/**
 * Everything around the broker in a simulated run: the disk and its crashes, the process that runs on it, the network,
 * the history that the checker judges, and what was counted. Single thread, under the scheduler.
 *
 *   actors ── connect ──► process ──► disk
 *               │            │ crash: killed, the disk is what a kill or a power cut leaves, a new process over it
 *               └─ history, broken promises, counts
 *
 * It does not decide when anything happens; actors do.
 */

import type { Arena } from '../../src/memory/arena.ts';
import { tailsName } from '../../src/storage/tail-journal.ts';
import type { HistoryEvent } from './anomaly-checker.ts';
import { BrokerProcess, dataPath, type BrokerProcessOptions } from './broker-process.ts';
import { CommitLedger } from './commit-ledger.ts';
import { failDisk } from './fault-actor.ts';
import { OwnershipLedger } from './ownership-ledger.ts';
import type { PartitionReader } from './partition-reader.ts';
import type { Profile } from './profile.ts';
import type { Scheduler } from './scheduler.ts';
import { SimulatedClient } from './simulated-client.ts';
import { SimulatedConnection } from './simulated-connection.ts';
import { SimulatedFileSystem } from './simulated-file-system.ts';
import { TopicLedger } from './topic-ledger.ts';

export interface WorldOptions {
  readonly scheduler: Scheduler;
  readonly arena: Arena;
  readonly profile: Profile;
  readonly wraps: BrokerProcessOptions['wraps'];
}

export type CrashKind = 'kill' | 'powerCut';

/** Looks at a process that has just been started, before any client does. */
export type StartListener = (process: BrokerProcess) => Promise<void>;

const settings = [
  // What names a deleted topic would bring it back.
  ['auto.create.topics.enable', 'false'],
  ['log.retention.check.interval.ms', '400'],
  ['group.initial.rebalance.delay.ms', '20'],
  ['group.min.session.timeout.ms', '200'],
  ['group.consumer.session.timeout.ms', '1000'],
  ['group.consumer.heartbeat.interval.ms', '500'],
  ['group.consumer.assignment.interval.ms', '50'],
  ['group.streams.min.session.timeout.ms', '1000'],
  ['group.streams.session.timeout.ms', '1000'],
  ['group.streams.min.heartbeat.interval.ms', '100'],
  ['group.streams.heartbeat.interval.ms', '100'],
  ['group.streams.assignment.interval.ms', '50'],
  ['group.streams.initial.rebalance.delay.ms', '100'],
  ['group.streams.num.standby.replicas', '1'],
  ['group.share.min.session.timeout.ms', '1000'],
  ['group.share.session.timeout.ms', '1000'],
  ['group.share.min.heartbeat.interval.ms', '100'],
  ['group.share.heartbeat.interval.ms', '100'],
  ['group.share.assignment.interval.ms', '50'],
  ['group.share.min.record.lock.duration.ms', '1000'],
  ['group.share.record.lock.duration.ms', '1000'],
  ['group.share.delivery.count.limit', '10'],
  ['log.cleaner.backoff.ms', '100'],
  ['offsets.retention.check.interval.ms', '1000'],
  ['transaction.abort.timed.out.transaction.cleanup.interval.ms', '200'],
] as const;

export class World {
  readonly scheduler: Scheduler;
  readonly profile: Profile;
  readonly history: HistoryEvent[] = [];
  /** Promises broken that are not the checker's to find. */
  readonly broken: string[] = [];
  readonly counts = new Map<string, number>();
  /** All that ever read. */
  readonly readers = new Set<PartitionReader>();
  readonly topics: TopicLedger;
  readonly commits: CommitLedger;
  readonly ownership = new OwnershipLedger();
  /** Called whenever a process ends. */
  readonly onEnd = new Set<() => void>();
  /** Set once actors are to come to an end. */
  isEnding = false;
  /** Set while failures may come; without it a start that fails is a broken promise. */
  disksFail = true;
  onStart: StartListener = async () => {};
  readonly #options: WorldOptions;
  #disk: SimulatedFileSystem;
  #process: BrokerProcess | null = null;
  #starting: BrokerProcess | null = null;
  #clients: SimulatedClient[] = [];
  #waiting: (() => void)[] = [];
  #hasDefect = false;

  constructor(options: WorldOptions) {
    const { scheduler, profile } = options;
    this.#options = options;
    this.scheduler = scheduler;
    this.profile = profile;
    this.topics = new TopicLedger((message) => this.breakPromise(message));
    this.commits = new CommitLedger((message) => this.breakPromise(message));
    this.#disk = new SimulatedFileSystem({
      completions: scheduler,
      random: scheduler.random,
      directWrites: profile.directWrites,
    });
    this.#disk.shortWriteChance = profile.shortWriteChance;
  }

  get disk(): SimulatedFileSystem {
    return this.#disk;
  }

  /** The process that serves; null while there is none. */
  get process(): BrokerProcess | null {
    return this.#process;
  }

  /** Power cuts so far, and kills after which the page cache was lost. */
  get powerCuts(): number {
    return this.counts.get('powerCut') ?? 0;
  }

  /** Whether a defect ended the run early. */
  get hasDefect(): boolean {
    return this.#hasDefect;
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  breakPromise(message: string): void {
    this.scheduler.note(`BROKEN: ${message}`);
    this.broken.push(message);
  }

  record(event: HistoryEvent): void {
    this.history.push(event);
    if (event.kind === 'send') this.count(`sent, ${event.durability}`);
    else if (event.kind !== 'scan') this.count(event.kind === 'acknowledged' ? 'acknowledged' : event.kind);
  }

  sleep(delayMs: number, label = 'sleep'): Promise<void> {
    return new Promise((resolve) => {
      this.scheduler.schedule(label, delayMs, resolve);
    });
  }

  /** A wait whose mean is `meanMs`, whole milliseconds; Infinity stays. */
  drawMs(meanMs: number): number {
    return Number.isFinite(meanMs) ? 1 + this.scheduler.random.below(2 * meanMs) : meanMs;
  }

  /** Resolves once a process serves. */
  async serving(): Promise<BrokerProcess> {
    for (;;) {
      if (this.#process?.isAlive === true) return this.#process;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** A connection to the broker, after a wait for it where it is down. */
  async connect(name: string): Promise<SimulatedClient> {
    let process = await this.serving();
    // Somebody else who waited for it may have ended it by now.
    while (!process.isAlive) process = await this.serving();
    const { scheduler, profile } = this;
    const connection = new SimulatedConnection({ scheduler, name, maxLatencyMs: profile.maxNetworkMs });
    process.accept(connection);
    this.count('connections');
    const client = new SimulatedClient(name, scheduler, connection, (message) => this.breakPromise(message));
    this.#clients = [...this.#clients.filter(({ isOpen }) => isOpen), client];
    return client;
  }

  /** Those that were connected last and may be still. */
  get clients(): readonly SimulatedClient[] {
    return this.#clients.filter(({ isOpen }) => isOpen);
  }

  /** Starts a process over the disk as it is, again and again until one serves. */
  async start(): Promise<void> {
    let mayFail = this.disksFail;
    while (!this.#hasDefect) {
      const process = this.#newProcess();
      this.#starting = process;
      if (mayFail && Number.isFinite(this.profile.diskFaultEveryMs) && this.scheduler.random.chance(0.3))
        failDisk(this);
      if (mayFail && this.#mayDieWhileStarting()) process.fileSystem.dieIn(1 + this.scheduler.random.below(40));
      try {
        await process.start();
        if (!process.isAlive) return;
        process.fileSystem.survive();
        this.#disk.clearFailures();
        await this.onStart(process);
        if (!process.isAlive) return;
      } catch (error) {
        // Whoever ended it starts the next one.
        if (!process.isAlive) return;
        const { message } = error as Error;
        this.count('starts that failed');
        if (!mayFail) {
          this.breakPromise(`a start over a healthy disk failed: ${message}\n${(error as Error).stack ?? ''}`);
          this.#hasDefect = true;
          return;
        }
        this.scheduler.note(`start failed: ${message}`);
        this.#end(process, 'kill');
        // The next one finds a disk that is whole.
        mayFail = false;
        this.#disk.capacityBytes = Number.MAX_SAFE_INTEGER;
        await this.sleep(20, 'restart');
        continue;
      }
      this.#starting = null;
      this.#process = process;
      this.count('starts');
      this.scheduler.note('serving');
      if (process.store.refusal !== null) void this.#startWithRoom(process);
      for (const resolve of this.#waiting.splice(0)) resolve();
      return;
    }
  }

  /** Ends the process and starts another one after a moment. Nothing happens where none serves. */
  crash(kind: CrashKind): void {
    const process = this.#process ?? this.#starting;
    if (process?.isAlive !== true) return;
    this.#end(process, kind);
    void this.#startLater();
  }

  /** Stops the process as an operator would. */
  async stop(): Promise<void> {
    const process = await this.serving();
    this.#process = null;
    await process.stop();
    this.record({ kind: 'kill' });
    this.count('clean stops');
    this.#disk = this.#disk.kill();
  }

  /** An operator makes room and starts a process again that could only read. */
  async #startWithRoom(process: BrokerProcess): Promise<void> {
    this.count('starts that only read');
    await this.sleep(this.scheduler.random.below(2000), 'room');
    this.#disk.capacityBytes = Number.MAX_SAFE_INTEGER;
    if (this.#process === process) this.crash(this.scheduler.random.chance(0.5) ? 'kill' : 'powerCut');
  }

  async #startLater(): Promise<void> {
    await this.sleep(this.scheduler.random.below(50), 'restart');
    // Should something in it throw, nobody else would hear of it.
    await this.start().catch((error: unknown) => this.#defect(error as Error));
  }

  #newProcess(): BrokerProcess {
    const { scheduler, arena, wraps, profile } = this.#options;
    const process: BrokerProcess = new BrokerProcess({
      scheduler,
      arena,
      wraps,
      settings,
      disk: this.#disk,
      maxFlushStepMs: profile.maxFlushStepMs,
      directFromBytes: profile.directFromBytes,
      loneChance: profile.loneChance,
      loneSynced: () => this.count('lone syncs'),
      died: () => {
        this.count('deaths within a call');
        // Not within the call: what the process still does must find its disk as it was.
        scheduler.schedule('death', 0, () => {
          this.#end(process, scheduler.random.chance(profile.powerCutChance) ? 'powerCut' : 'kill');
          void this.#startLater();
        });
      },
      defect: (error) => this.#defect(error),
    });
    return process;
  }

  #mayDieWhileStarting(): boolean {
    const { profile, scheduler } = this;
    return this.disksFail && Number.isFinite(profile.crashEveryMs) && scheduler.random.chance(0.1);
  }

  #end(process: BrokerProcess, kind: CrashKind): void {
    process.kill();
    this.#process = null;
    this.#starting = null;
    const { random } = this.scheduler;
    const before = this.#disk;
    // After a failed sync the page cache shows what the disk lacks, until memory runs short.
    if (kind === 'kill' && before.failedSyncs > 0 && random.chance(0.5)) {
      before.evictCleanPages();
      this.count('page cache dropped');
      this.record({ kind: 'powerCut' });
    } else this.record({ kind });
    this.#disk = kind === 'powerCut' ? before.powerCut(random) : before.kill();
    this.#disk.shortWriteChance = this.profile.shortWriteChance;
    if (this.#disk.sizeAt(`${dataPath}/${tailsName}`) !== null) this.count(`${kind} with unsettled tails`);
    this.commits.crashed();
    for (const listener of this.onEnd) listener();
  }

  #defect(error: Error): void {
    this.breakPromise(`a defect: ${error.stack ?? error.message}`);
    this.#hasDefect = true;
  }
}
