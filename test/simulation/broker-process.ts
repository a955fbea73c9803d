/**
 * One life of the broker in a simulation: store, broker, dispatcher and pipelines over a simulated disk, all of whose
 * steps the scheduler runs. It ends by `stop`, by `kill`, or within a call of the file system. Single thread.
 *
 *   SimulatedConnection ─► RequestPipeline ─► Dispatcher ─► Broker ─► LogStore ─► flush rounds
 *                                                                       └─ MortalFileSystem ─► planted bug ─► disk
 *
 * A process that has ended is not heard of again: its timers do not fire, its flush rounds do not step, its promises
 * stay open. What is on the disk is the world's to hand to the next process.
 */

import type { Clock, Timer } from '../../src/base/clock.ts';
import type { LogFields, Logger } from '../../src/base/logger.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { BrokerConfig } from '../../src/broker/broker-config.ts';
import { Broker } from '../../src/broker/broker.ts';
import { Dispatcher } from '../../src/broker/dispatcher.ts';
import { handlers } from '../../src/broker/handlers/index.ts';
import { InThreadCompactor } from '../../src/compaction/in-thread-compactor.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { Arena } from '../../src/memory/arena.ts';
import type { FlushQueue } from '../../src/memory/flush-queue.ts';
import { AssemblyBudget } from '../../src/server/assembly-budget.ts';
import { DoorConnection } from '../../src/server/connection.ts';
import { RequestPipeline } from '../../src/server/request-pipeline.ts';
import { makeDataDirectory, openDataDirectory } from '../../src/storage/data-directory.ts';
import type { Compactor } from '../../src/storage/compactor.ts';
import type { FileSystem } from '../../src/storage/file-system.ts';
import { LocalLogStore } from '../../src/storage/local-log-store.ts';
import type { LogStore } from '../../src/storage/partition-log.ts';
import { LoneSyncWatch } from './lone-sync-watch.ts';
import { MortalFileSystem } from './mortal-file-system.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedConnection } from './simulated-connection.ts';
import type { SimulatedFileSystem } from './simulated-file-system.ts';
import { SimulatedFlushExecutor } from './simulated-flush-executor.ts';

/** What stands between the broker and what it runs on; a planted bug sits here. */
export interface ProcessWraps {
  fileSystem(inner: FileSystem): FileSystem;
  store(inner: LogStore): LogStore;
  /** The flush workers' ends of their queues. */
  queue(inner: FlushQueue): FlushQueue;
  compactor(inner: Compactor): Compactor;
  clock(inner: Clock): Clock;
}

export interface BrokerProcessOptions {
  readonly scheduler: Scheduler;
  readonly arena: Arena;
  readonly disk: SimulatedFileSystem;
  readonly wraps: ProcessWraps;
  /** Broker settings as a file would give them. */
  readonly settings: readonly (readonly [name: string, text: string])[];
  /** The longest that one step of a flush round waits, in virtual milliseconds. */
  readonly maxFlushStepMs: number;
  /** Groups from so many bytes on are written past the page cache. */
  readonly directFromBytes: number;
  /** The chance that a client counts as the only one there, each time that this matters. */
  readonly loneChance: number;
  /** The I/O thread synced a log itself. */
  readonly loneSynced: () => void;
  /** The process died in a call of the file system. */
  readonly died: () => void;
  /** A flush worker ended by a defect, or an event of the process threw. */
  readonly defect: (error: Error) => void;
}

export const dataPath = 'data';
const largestFrameBytes = 256 * 1024;

export class BrokerProcess {
  readonly fileSystem: MortalFileSystem;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly logger: Logger;
  readonly #options: BrokerProcessOptions;
  readonly #executor: SimulatedFlushExecutor;
  readonly #connections = new Set<SimulatedConnection>();
  readonly #budget: AssemblyBudget;
  #store: LogStore | null = null;
  #broker: Broker | null = null;
  #dispatcher: Dispatcher | null = null;
  #gateway: Gateway | null = null;
  /** Resolves once it has ended, whatever way. */
  readonly ended: Promise<void>;
  #end: () => void = () => {};
  #isAlive = true;
  #connectionCount = 0;

  constructor(options: BrokerProcessOptions) {
    const { scheduler, arena, disk, wraps } = options;
    this.#options = options;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.random = new SeededRandom(scheduler.random.nextUint32());
    const fates = new SeededRandom(scheduler.random.nextUint32());
    this.fileSystem = new MortalFileSystem(wraps.fileSystem(disk), fates, () => {
      this.kill();
      options.died();
    });
    this.clock = wraps.clock(this.#ownClock());
    this.logger = this.#ownLogger();
    this.#executor = new SimulatedFlushExecutor({
      scheduler,
      arena,
      fileSystem: this.fileSystem,
      maxStepMs: options.maxFlushStepMs,
      wrapQueue: (inner) => wraps.queue(inner),
      directFromBytes: options.directFromBytes,
    });
    this.#budget = new AssemblyBudget({ limitBytes: 1024 * 1024, largestFrameBytes, clock: this.clock });
    // A new process finds its memory empty.
    arena.bytes.fill(0, arena.layout.queueAddresses[0]!);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get store(): LogStore {
    if (this.#store === null) throw new Error('the process has no store yet');
    return this.#store;
  }

  get broker(): Broker {
    if (this.#broker === null) throw new Error('the process has no broker yet');
    return this.#broker;
  }

  get gateway(): Gateway {
    if (this.#gateway === null) throw new Error('the process has no gateway yet');
    return this.#gateway;
  }

  /** Opens all that the broker is made of. Rejects where the disk does not let it, or where it died meanwhile. */
  async start(): Promise<void> {
    const { arena, wraps, settings, scheduler, loneChance, loneSynced, defect } = this.#options;
    const { fileSystem, clock, random, logger } = this;
    const loneSyncs = new LoneSyncWatch(fileSystem, loneSynced);
    const config = new BrokerConfig(settings);
    const nodeId = config.number('node.id');
    makeDataDirectory(fileSystem, dataPath, nodeId);
    const directory = openDataDirectory(fileSystem, dataPath, nodeId, random);
    const store = await LocalLogStore.open({
      directory: directory.path,
      fileSystem: loneSyncs,
      clock,
      random,
      logger,
      arena,
      executor: this.#executor,
      compactor: wraps.compactor(this.#compactor()),
      mayWait: () => loneSyncs.expect(scheduler.random.chance(loneChance)),
      onDefect: (error) => {
        if (this.#isAlive) defect(error);
      },
    });
    this.#store = wraps.store(store);
    const { clusterId } = directory;
    this.#broker = await Broker.open({ store: this.#store, config, clusterId, clock, random, logger });
    this.#dispatcher = new Dispatcher(this.#broker, handlers);
    this.#gateway = new Gateway(this.#broker);
  }

  /** Takes a client's connection in. The process has been started and is alive. */
  accept(connection: SimulatedConnection): void {
    const { clock, logger } = this;
    if (this.#dispatcher === null || !this.#isAlive) throw new Error('the process does not serve');
    const door = new DoorConnection({
      id: ++this.#connectionCount,
      listener: 'simulated',
      advertisedHost: 'broker',
      advertisedPort: 9092,
      clientHost: 'client',
    });
    const pipeline = new RequestPipeline(
      door,
      this.#dispatcher,
      connection,
      this.#budget,
      { largestFrameBytes, requestsInFlight: 8 },
      logger,
      clock,
    );
    this.#connections.add(connection);
    connection.attach({
      receive: (chunk) => this.#run(() => pipeline.receive(chunk)),
      drained: () => this.#run(() => pipeline.drained()),
      closed: () => {
        this.#connections.delete(connection);
        this.#run(() => pipeline.closed());
      },
    });
  }

  /** Stops as on SIGTERM: whoever is connected is cut off, all is flushed. */
  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    this.gateway.close();
    await this.broker.close();
    this.#isAlive = false;
    this.#end();
    this.#executor.end();
  }

  /** Ends at once. The disk is left as it is. */
  kill(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#executor.end();
    for (const connection of this.#connections) connection.lost();
    this.#end();
  }

  /** Has `callback` done in the process, where it is alive. */
  within(callback: () => void): void {
    this.#run(callback);
  }

  /** Runs an event of this process; where it died in it, what came out does not matter. */
  #run(callback: () => void): void {
    if (!this.#isAlive) return;
    try {
      callback();
    } catch (error) {
      if (this.#isAlive) this.#options.defect(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #compactor(): Compactor {
    const { scheduler } = this.#options;
    const turn = (): Promise<void> =>
      new Promise((resolve) => scheduler.schedule('compaction', scheduler.random.below(3), () => this.#run(resolve)));
    return new InThreadCompactor(this.fileSystem, this.random, turn);
  }

  #ownClock(): Clock {
    const { clock } = this.#options.scheduler;
    return {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      heardMs: () => clock.heardMs(),
      attend: () => clock.attend(),
      setTimer: (delayMs, callback): Timer => clock.setTimer(delayMs, () => this.#run(callback)),
      afterTurn: (callback) => clock.afterTurn(() => this.#run(callback)),
    };
  }

  #ownLogger(): Logger {
    const { scheduler } = this.#options;
    const note = (level: string, fields: LogFields, sentence: string): void => {
      if (!this.#isAlive) return;
      const told = Object.entries(fields).map(([name, value]) => `${name}=${describe(value)}`);
      scheduler.note(`${level}: ${sentence} ${told.join(' ')}`);
    };
    return {
      debug: () => {},
      info: (fields, sentence) => note('info', fields, sentence),
      warn: (fields, sentence) => note('warn', fields, sentence),
      error: (fields, sentence) => note('error', fields, sentence),
    };
  }
}

function describe(value: unknown): string {
  if (value instanceof Error) return value.message;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
