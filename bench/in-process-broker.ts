/**
 * A whole broker in this thread, without sockets and without a disk, whose flush rounds run when they are told to: what it
 * takes is the code between a door and the file system, and nothing else. I/O thread and flush worker in one.
 *
 *   frame ─► Dispatcher ─► log: ring, scan, indexes ─► flush round ─► files in memory, whose records go nowhere
 *
 * What is written to logs of records is forgotten, so that any number of appends may be timed; `keepsRecords` keeps it, for
 * what is read from files.
 */

import { present } from '../src/base/assert.ts';
import { systemClock } from '../src/base/clock.ts';
import { silentLogger } from '../src/base/logger.ts';
import { systemRandom } from '../src/base/random.ts';
import { BrokerConfig } from '../src/broker/broker-config.ts';
import { Broker } from '../src/broker/broker.ts';
import { Dispatcher } from '../src/broker/dispatcher.ts';
import { handlers } from '../src/broker/handlers/index.ts';
import { FlushRound } from '../src/flush/flush-round.ts';
import { Arena } from '../src/memory/arena.ts';
import { blankSubmission, SubmissionKind } from '../src/memory/flush-messages.ts';
import { FlushQueue } from '../src/memory/flush-queue.ts';
import type { ApiCodec } from '../src/protocol/api-codec.ts';
import { encodeRequestHeader, isFlexible } from '../src/protocol/headers.ts';
import { Writer } from '../src/protocol/writer.ts';
import { DoorConnection } from '../src/server/connection.ts';
import type { FileDescriptor, OpenMode } from '../src/storage/file-system.ts';
import type { FlushExecutor } from '../src/storage/flush-executor.ts';
import { LocalLogStore } from '../src/storage/local-log-store.ts';
import { MemoryFileSystem } from '../src/storage/memory-file-system.ts';
import type { PartitionLog } from '../src/storage/partition-log.ts';

const mebibyte = 2 ** 20;
const fileSystemBytes = 256 * mebibyte;
/** What its topics' names begin with. */
const topicPrefix = 'bench';
const directory = '/data';
/** More than anything here takes that ends at all. */
const mostSteps = 1000;

/** Forgets what is written to the logs of its topics, but their sizes. */
class ForgettingFileSystem extends MemoryFileSystem {
  readonly #forgotten = new Set<FileDescriptor>();

  override open(path: string, mode: OpenMode): FileDescriptor {
    const descriptor = super.open(path, mode);
    if (path.endsWith('.log') && path.includes(`/${topicPrefix}`)) this.#forgotten.add(descriptor);
    return descriptor;
  }

  override close(descriptor: FileDescriptor): void {
    this.#forgotten.delete(descriptor);
    super.close(descriptor);
  }

  override write(descriptor: FileDescriptor, sources: readonly Uint8Array[], position: number): number {
    if (!this.#forgotten.has(descriptor)) return super.write(descriptor, sources, position);
    let sizeBytes = 0;
    for (const source of sources) sizeBytes += source.length;
    return sizeBytes;
  }
}

/** Rounds after each submission until it is `isStepped`, and when it is told to from then on. */
class SteppedExecutor implements FlushExecutor {
  isStepped = false;
  readonly #queue: FlushQueue;
  readonly #round: FlushRound;
  #completionsWait: (workerIndex: number) => void = () => {};
  #isScheduled = false;

  constructor(arena: Arena, fileSystem: MemoryFileSystem) {
    const { layout, memory, bytes } = arena;
    const { ringAddress, ringSizeBytes, queueCapacity } = layout;
    this.#queue = new FlushQueue(memory.buffer, layout.queueAddresses[0]!, queueCapacity);
    // Nothing is written in place: the rounds are a part of what is timed.
    this.#queue.files.take();
    this.#round = new FlushRound({ queue: this.#queue, bytes, ringAddress, ringSizeBytes, fileSystem });
  }

  start(completionsWait: (workerIndex: number) => void): void {
    this.#completionsWait = completionsWait;
  }

  submitted(): void {
    if (this.isStepped || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.step();
      void this.#round.syncUnderWay?.then(() => this.submitted());
    });
  }

  step(): void {
    this.write();
    this.complete();
  }

  /** The flush worker's part. */
  write(): void {
    this.#round.take();
    this.#round.write();
    this.#round.publish();
    this.#round.startSync(true);
    this.#round.publish();
  }

  /** The I/O thread's. */
  complete(): void {
    this.#completionsWait(0);
  }

  async stop(): Promise<void> {
    this.#queue.push({ ...blankSubmission(), kind: SubmissionKind.STOP }, 0);
    this.#queue.publish(1);
    while (!this.#round.finished) {
      this.step();
      await this.#round.syncUnderWay;
    }
    this.#round.closeFiles();
  }
}

export class InProcessBroker {
  readonly arena: Arena;
  readonly broker: Broker;
  readonly dispatcher: Dispatcher;
  readonly connection: DoorConnection;
  readonly #executor: SteppedExecutor;
  /** What waits for the end of the turn. */
  readonly #turnEnds: (() => void)[];
  #topics = 0;

  private constructor(arena: Arena, broker: Broker, executor: SteppedExecutor, turnEnds: (() => void)[]) {
    this.arena = arena;
    this.broker = broker;
    this.dispatcher = new Dispatcher(broker, handlers);
    this.#executor = executor;
    this.#turnEnds = turnEnds;
    this.connection = new DoorConnection({
      id: 1,
      listener: 'kafka',
      advertisedHost: 'localhost',
      advertisedPort: 9092,
      clientHost: 'localhost',
    });
  }

  static async open({ keepsRecords = false }: { readonly keepsRecords?: boolean } = {}): Promise<InProcessBroker> {
    const arena = Arena.create({
      flushWorkerCount: 1,
      queueCapacity: 1024,
      ringSizeBytes: 64 * mebibyte,
      scratchSizeBytes: 16 * mebibyte,
      heapSizeBytes: 64 * mebibyte,
    });
    const fileSystem = new (keepsRecords ? MemoryFileSystem : ForgettingFileSystem)(fileSystemBytes);
    fileSystem.makeDirectory(directory);
    const executor = new SteppedExecutor(arena, fileSystem);
    const turnEnds: (() => void)[] = [];
    const afterTurn = (callback: () => void): void => {
      if (executor.isStepped) turnEnds.push(callback);
      else setImmediate(callback);
    };
    const common = { clock: { ...systemClock, afterTurn }, random: systemRandom, logger: silentLogger };
    const store = await LocalLogStore.open({ ...common, directory, fileSystem, arena, executor });
    const config = new BrokerConfig([['node.id', '1']]);
    const broker = await Broker.open({ ...common, store, config, clusterId: 'bench' });
    return new InProcessBroker(arena, broker, executor, turnEnds);
  }

  /** A new topic of so many partitions, which is open; from then on rounds run when `step` has them run. */
  async newTopic(partitionCount = 1): Promise<{ readonly name: string; readonly logs: readonly PartitionLog[] }> {
    this.#executor.isStepped = false;
    const name = `${topicPrefix}-${this.#topics++}`;
    const { topic } = await this.broker.topics.create({ name, partitionCount, replicationFactor: 1, configs: [] });
    this.#executor.isStepped = true;
    const logs = Array.from({ length: partitionCount }, (_, partition) =>
      present(this.broker.topics.partition(present(topic, 'the topic is new'), partition), 'it has the partition'),
    );
    return { name, logs };
  }

  /** Writes what was submitted, as a flush worker does. */
  write(): void {
    this.#executor.write();
  }

  /** Has the broker hear of what was written. */
  complete(): void {
    this.#executor.complete();
  }

  /** Does what was put off until the turn of the event loop has ended. */
  endTurn(): void {
    for (const callback of this.#turnEnds.splice(0)) callback();
  }

  /** Both `write` and `complete`, of all that was appended so far. */
  async step(): Promise<void> {
    // What a turn appends is submitted at its end, in a microtask.
    await Promise.resolve();
    this.#executor.step();
  }

  /** Ends turns and steps until `isDone`; throws where that does not come. */
  async stepUntil(isDone: () => boolean): Promise<void> {
    for (let steps = 0; !isDone(); steps++) {
      if (steps > mostSteps) throw new Error('What is measured comes to no end.');
      this.endTurn();
      await this.step();
    }
  }
}

/** A request as it travels, without its size prefix; `fields` are all of it. */
export function requestFrame<Request>(api: ApiCodec<Request>, apiVersion: number, fields: Request): Buffer {
  const writer = new Writer(false);
  const header = { apiKey: api.apiKey, apiVersion, correlationId: 1, clientId: 'bench' };
  encodeRequestHeader(writer, header, isFlexible(api, apiVersion));
  api.encodeRequest(writer, fields, apiVersion);
  return Buffer.concat(writer.finish());
}

/** With its size prefix. */
export function prefixed(frame: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(frame.length);
  return Buffer.concat([size, frame]);
}
