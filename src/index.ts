/**
 * Embedding: `startBroker` runs a whole broker inside a process, the program's own included. I/O thread.
 *
 *   options → ports looked at → directory made, locked, opened → store → broker → doors
 *             └─ refusals up to here leave everything as it was     └─ opened only when there is somebody to serve
 *
 * With `storage: 'memory'` the directory is one of a file system in memory, written by this thread; all else is the same.
 * A start that fails undoes what it began; `close` ends everything in the opposite order.
 */

import { resolve as resolvePath } from 'node:path';
import { assert, present } from './base/assert.ts';
import { systemClock } from './base/clock.ts';
import { EnvironmentError, EnvironmentErrorCode, systemErrorCode } from './base/environment-error.ts';
import { ErrorCode } from './base/error-code.ts';
import { silentLogger, type LevelledLog, type Logger } from './base/logger.ts';
import { systemRandom } from './base/random.ts';
import { BrokerConfig } from './broker/broker-config.ts';
import { Broker } from './broker/broker.ts';
import { Dispatcher } from './broker/dispatcher.ts';
import { handlers } from './broker/handlers/index.ts';
import { checkOptions, type BrokerOptions, type CheckedOptions } from './config.ts';
import { WorkerCompactor } from './compaction/worker-compactor.ts';
import type { DirectWriting } from './flush/way-of-writing.ts';
import { WorkerExecutor } from './flush/worker-executor.ts';
import { BrokerError } from './gateway/broker-error.ts';
import {
  EmbeddedClient,
  type ProducedRecord,
  type ProduceOptions,
  type RecordPlace,
  type TopicOptions,
} from './gateway/embedded-client.ts';
import { Gateway } from './gateway/gateway.ts';
import type { ConsumedRecord, ConsumeOptions } from './gateway/record-iterator.ts';
import { Arena, defaultArenaOptions, type ArenaOptions } from './memory/arena.ts';
import { CountingLogger } from './program/counting-logger.ts';
import type { DoorAddress } from './program/door-address.ts';
import { Doors } from './program/doors.ts';
import { metricsOf } from './program/metrics.ts';
import { ActiveClients } from './server/active-clients.ts';
import { DescriptorShares, softDescriptorLimit } from './server/descriptor-shares.ts';
import { lockDirectory } from './server/directory-lock.ts';
import { loadNativePart, type NativePart } from './server/http-server.ts';
import { probePort } from './server/port-probe.ts';
import { formatVersion, makeDataDirectory, openDataDirectory, type DataDirectory } from './storage/data-directory.ts';
import type { FileSystem } from './storage/file-system.ts';
import type { Compactor } from './storage/compactor.ts';
import type { FlushExecutor } from './storage/flush-executor.ts';
import { LocalLogStore } from './storage/local-log-store.ts';
import { deviceRandom, nodeFileSystem } from './storage/node-file-system.ts';
import { releaseVersion } from './version.ts';

export { EnvironmentError, EnvironmentErrorCode } from './base/environment-error.ts';
export type { LogFields, Logger } from './base/logger.ts';
export type { BrokerOptions } from './config.ts';
export { BrokerError } from './gateway/broker-error.ts';
export type { ProducedRecord, ProduceOptions, RecordPlace, TopicOptions } from './gateway/embedded-client.ts';
export type { ConsumedRecord, ConsumeOptions } from './gateway/record-iterator.ts';
export type { StartPosition } from './gateway/record-reader.ts';
export type { DoorAddress } from './program/door-address.ts';
export type { RecordHeader } from './records/record-reader.ts';
export { bytes, json, text, type Serializer } from './records/serializers.ts';

export interface StartOptions extends Omit<BrokerOptions, 'kafka' | 'http'> {
  /** As for the program; `false` is `off`. With memory as storage any free port is taken unless one is given. */
  readonly kafka?: string | false;
  readonly http?: string | false;
  /**
   * `disk`, the default, or `memory`: then everything is gone with the broker, which starts in milliseconds, never waits
   * for a new member of a group, and can be `reset`.
   */
  readonly storage?: 'disk' | 'memory';
  /** How much `memory` holds, in bytes; beyond, nothing is taken, as on a full disk. Default: 1 GiB. */
  readonly memoryBytes?: number;
  /** Hears what the broker has to say; default: nobody does. */
  readonly logger?: Logger;
  /** Whose level clients may see and change; default: they see no logger. */
  readonly levelledLog?: LevelledLog;
  /**
   * Whether nothing but the broker runs in this thread, as in the program: then it may wait for the disk itself while one
   * client alone is there, who is answered the sooner. Default: no, so that the disk holds nothing else of the process up.
   */
  readonly ownsThread?: boolean;
  /** Hears that a part of the broker failed by a defect: it writes nothing any more, and should be closed. */
  readonly onDefect?: (error: Error) => void;
}

/** A broker that serves. `await using broker = await startBroker()` closes it at the end of the block. */
export interface RunningBroker extends AsyncDisposable {
  /** Where each door listens, with its real port; null where it is shut. */
  readonly kafka: DoorAddress | null;
  readonly http: DoorAddress | null;
  /** Its whole path; with memory as storage the one in memory. */
  readonly dataDirectory: string;
  /** Whether this start made it. */
  readonly createdDataDirectory: boolean;
  readonly clusterId: string;
  readonly nodeId: number;
  /** The release, such as `0.1.0`. */
  readonly version: string;
  /** Why HTTP and WebSocket are not there though nobody switched them off, as a sentence; else null. */
  readonly missingHttp: string | null;

  // Once the broker was closed these reject, and `consume` throws, with `BrokerError` BROKER_NOT_AVAILABLE.

  /** Creates a topic. Rejects with `BrokerError`, such as TOPIC_ALREADY_EXISTS. */
  createTopic(name: string, options?: TopicOptions): Promise<void>;
  /** Deletes a topic and its records. Rejects with `BrokerError` UNKNOWN_TOPIC_OR_PARTITION where there is none. */
  deleteTopic(name: string): Promise<void>;
  /**
   * Produces records without a socket, in order, and resolves with the place of each. Rejects with `BrokerError`, which
   * names those that were not stored.
   */
  produce<K = string | Uint8Array, V = string | Uint8Array>(
    topic: string,
    records: readonly ProducedRecord<K, V>[],
    options?: ProduceOptions<K, V>,
  ): Promise<RecordPlace[]>;
  /** The records of a topic without a socket, for `for await`: from the first on and as they come. */
  consume<K = Uint8Array, V = Uint8Array>(
    topic: string,
    options?: ConsumeOptions<K, V>,
  ): AsyncIterableIterator<ConsumedRecord<K, V>> & AsyncDisposable;
  /**
   * Deletes all topics, groups and changed settings, so that the next test begins with nothing. Connections and ports stay.
   * Only with memory as storage.
   */
  reset(): Promise<void>;
  /** Ends connections, has everything on disk, and gives the directory up. Doing so twice does nothing. */
  close(): Promise<void>;
}

/** Where the logs are, and who writes them. */
interface Storage {
  readonly fileSystem: FileSystem;
  readonly arena: ArenaOptions;
  executor(arena: Arena, fileSystem: FileSystem, config: BrokerConfig): FlushExecutor;
  compactor(fileSystem: FileSystem): Compactor;
}

/** Of a broker in memory: what it uses of it grows with what is written, up to this and the records. */
const memoryArena: ArenaOptions = {
  flushWorkerCount: 1,
  queueCapacity: 1024,
  ringSizeBytes: 16 * 1024 * 1024,
  scratchSizeBytes: 16 * 1024 * 1024,
  heapSizeBytes: 32 * 1024 * 1024,
};
const memoryDirectory = '/memory';
/** When the bound on open files is looked at, after the start. */
const lookAfterMs = 50;
const defaultMemoryBytes = 1024 ** 3;
/** For a broker in memory, unless they are given: nothing is gained by waiting for more members. */
const memorySettings = { 'group.initial.rebalance.delay.ms': '0' };

/**
 * Starts a broker; resolves once it serves. Rejects with an `EnvironmentError` whose message says what was wrong and
 * what to do: CONFIG_INVALID, NATIVE_PART_MISSING, ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, the DATA_DIRECTORY_ codes,
 * DATA_CORRUPT, DISK_FULL, IO_FAILED.
 */
export async function startBroker(options: StartOptions = {}): Promise<RunningBroker> {
  const checked = checkOptions(brokerOptions(options), options.kafka !== false || options.http !== false);
  const undo = new Undo();
  try {
    const logger = new CountingLogger(options.logger ?? silentLogger);
    return await start(checked, options, logger, undo);
  } catch (error) {
    // Why the start failed is what the user has to know, also where something could not be undone.
    await undo.all().catch((failure: unknown) => {
      options.logger?.error({ error: failure }, 'A start that failed could not be undone wholly.');
    });
    throw error;
  }
}

function brokerOptions({ kafka, http, storage, settings, data, ...rest }: StartOptions): BrokerOptions {
  const inMemory = storage === 'memory';
  const doorOf = (given: string | false | undefined) =>
    given === false ? 'off' : (given ?? (inMemory ? '127.0.0.1:0' : undefined));
  const [kafkaDoor, httpDoor] = [doorOf(kafka), doorOf(http)];
  const directory = inMemory ? memoryDirectory : data;
  return {
    ...rest,
    ...(kafkaDoor === undefined ? {} : { kafka: kafkaDoor }),
    ...(httpDoor === undefined ? {} : { http: httpDoor }),
    ...(directory === undefined ? {} : { data: directory }),
    settings: { ...(inMemory ? memorySettings : {}), ...settings },
  };
}

/** What only memory as storage needs is loaded for that alone. */
async function storageFor({ storage = 'disk', memoryBytes = defaultMemoryBytes }: StartOptions): Promise<Storage> {
  if (storage === 'memory') {
    const [{ MemoryFileSystem }, { InThreadExecutor }, { InThreadCompactor }] = await Promise.all([
      import('./storage/memory-file-system.ts'),
      import('./flush/in-thread-executor.ts'),
      import('./compaction/in-thread-compactor.ts'),
    ]);
    return {
      fileSystem: new MemoryFileSystem(memoryBytes),
      arena: memoryArena,
      executor: (arena, fileSystem) => new InThreadExecutor(arena, fileSystem),
      compactor: (fileSystem) => new InThreadCompactor(fileSystem, systemRandom),
    };
  }
  return {
    fileSystem: nodeFileSystem,
    arena: defaultArenaOptions,
    executor: (arena, _fileSystem, config) => {
      const directWriting = config.text('millrace.direct.writes') as DirectWriting;
      return new WorkerExecutor({ arena, directWriting, workerUrl: compiledUrl('flush/flush-task.js') });
    },
    compactor: () => new WorkerCompactor(compiledUrl('compaction/compaction-task.js')),
  };
}

/** What has been begun and must be ended, the latest first. */
class Undo {
  readonly #steps: (() => Promise<void>)[] = [];
  #done: Promise<void> | null = null;

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Runs every step, also where one fails; then rejects with the first failure. */
  all(): Promise<void> {
    this.#done ??= this.#all();
    return this.#done;
  }

  async #all(): Promise<void> {
    const failures: unknown[] = [];
    for (const step of this.#steps.toReversed()) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}

async function start(
  checked: CheckedOptions,
  options: StartOptions,
  logger: CountingLogger,
  undo: Undo,
): Promise<RunningBroker> {
  const inMemory = options.storage === 'memory';
  const storage = await storageFor(options);
  const config = new BrokerConfig(checked.settings);
  const nodeId = config.number('node.id');
  const httpNecessary = checked.httpNecessary && options.http !== undefined;
  const native = checked.http === null ? null : await nativePart(httpNecessary || checked.kafka === null);
  const missingHttp = native instanceof EnvironmentError ? native.message : null;
  const addresses = { kafka: checked.kafka, http: missingHttp === null ? checked.http : null };
  const probes = [addresses.kafka, addresses.http].map((address) =>
    address === null ? null : probePort(address.host, address.port),
  );
  for (const problem of await Promise.all(probes)) if (problem !== null) throw problem;
  const directory = inMemory
    ? openDataDirectory(storage.fileSystem, checked.dataDirectory, nodeId, systemRandom)
    : await takeDirectory(resolvePath(checked.dataDirectory), nodeId, undo);
  const { olderFormat, format } = directory;
  if (olderFormat !== null) {
    logger.info(
      { olderFormat, format },
      'The data directory was of an older format and has this one now: older releases refuse it.',
    );
  }
  for (const name of config.inertNames) logger.warn({ name }, 'A setting of Kafka that was given has no effect here.');
  const clients = new ActiveClients(systemClock);
  const opening = { ...options, clients };
  const { broker, store, arena, descriptors } = await openBroker(directory, storage, config, logger, undo, opening);
  const gateway = new Gateway(broker);
  undo.add(async () => gateway.close());
  const version = releaseVersion();
  const doors: Doors = await Doors.open({
    ...addresses,
    advertisedKafka: checked.advertisedKafka,
    advertisedHttp: checked.advertisedHttp,
    native: native instanceof EnvironmentError ? null : native,
    service: new Dispatcher(broker, handlers),
    gateway,
    version,
    config,
    descriptors,
    clients,
    throttleMs: (clientHost) => broker.connectionRates.throttleMs(clientHost),
    waitMs: () => broker.connectionRates.waitMs(),
    logger,
    troubles: () =>
      broker
        .refusing()
        .map(({ topic, partition }) => `Partition ${partition} of ${topic} takes no writes: see the log.`),
    metrics: metricsOf(() => ({
      broker,
      version,
      doors,
      log: logger,
      address: present(
        told(doors.kafka, checked.advertisedKafka) ?? told(doors.http, checked.advertisedHttp),
        'a door is open',
      ),
      ring: { capacityBytes: arena.layout.ringSizeBytes, pendingBytes: () => store.pendingBytes },
      recovery: store.recovery,
    })),
  });
  undo.add(() => doors.close());
  undo.add(async () => broker.stopWaiting());
  let isClosed = false;
  const close = (): Promise<void> => {
    isClosed = true;
    return undo.all();
  };
  const client = new EmbeddedClient(gateway);
  const opened = (): EmbeddedClient => {
    if (isClosed) throw new BrokerError(ErrorCode.BROKER_NOT_AVAILABLE, 'The broker was closed; start another one.');
    return client;
  };
  // It takes milliseconds, which the first clients need not wait for.
  systemClock.setTimer(lookAfterMs, () => descriptors.look());
  return {
    kafka: doors.kafka,
    http: doors.http,
    dataDirectory: directory.path,
    createdDataDirectory: directory.created,
    clusterId: directory.clusterId,
    nodeId,
    version,
    missingHttp,
    createTopic: async (name, topicOptions) => opened().createTopic(name, topicOptions),
    deleteTopic: async (name) => opened().deleteTopic(name),
    produce: async (topic, records, produceOptions) => opened().produce(topic, records, produceOptions),
    consume: (topic, consumeOptions) => opened().consume(topic, consumeOptions),
    reset: async () => {
      assert(inMemory, 'only a broker with memory as storage is reset: it deletes everything');
      return opened().reset();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What clients of a door are told to use, where it is open. */
function told(door: DoorAddress | null, advertised: DoorAddress | null): DoorAddress | null {
  return door === null ? null : (advertised ?? door);
}

/** uWebSockets.js, or, where a start may go on without it, why it is missing. */
async function nativePart(necessary: boolean): Promise<NativePart | EnvironmentError> {
  try {
    return await loadNativePart();
  } catch (error) {
    if (necessary || !(error instanceof EnvironmentError)) throw error;
    return error;
  }
}

/** Makes, locks and opens the data directory at `path`. */
async function takeDirectory(path: string, nodeId: number, undo: Undo): Promise<DataDirectory> {
  makeDataDirectory(nodeFileSystem, path, nodeId);
  const lock = await lockDirectory(nodeFileSystem, path, deviceRandom);
  undo.add(() => lock.release());
  return openDataDirectory(nodeFileSystem, path, nodeId, deviceRandom);
}

async function openBroker(
  { path, clusterId, format }: DataDirectory,
  { fileSystem, arena: arenaOptions, executor: executorOf, compactor }: Storage,
  config: BrokerConfig,
  logger: Logger,
  undo: Undo,
  { onDefect = () => {}, levelledLog, ownsThread = false, clients }: StartOptions & { readonly clients: ActiveClients },
): Promise<{ broker: Broker; store: LocalLogStore; arena: Arena; descriptors: DescriptorShares }> {
  const arena = Arena.create(arenaOptions);
  const executor = executorOf(arena, fileSystem, config);
  undo.add(() => executor.stop());
  const shared = { clock: systemClock, random: systemRandom, logger };
  const storage = { directory: path, fileSystem, arena, executor, compactor: compactor(fileSystem), onDefect };
  const isMarked = format === formatVersion;
  const onOpenLogs = (count: number): void => descriptors.logsAre(count);
  const mayWait = (): boolean => ownsThread && clients.mayWait();
  const store = await explainingFailures(path, () =>
    LocalLogStore.open({ ...storage, ...shared, isMarked, onOpenLogs, mayWait }),
  );
  undo.add(() => store.close());
  const descriptors = new DescriptorShares({
    softLimit: softDescriptorLimit,
    limitFiles: (files, readers) => store.limitOpenFiles(files, readers),
  });
  const broker = await explainingFailures(path, () =>
    Broker.open({ store, config, clusterId, ...(levelledLog === undefined ? {} : { levelledLog }), ...shared }),
  );
  undo.add(() => broker.close());
  return { broker, store, arena, descriptors };
}

/** A worker's compiled task; this file stands beside its folder in src/ as well as in dist/. */
function compiledUrl(path: string): URL {
  const fromSource = import.meta.url.endsWith('.ts');
  return new URL(fromSource ? `../dist/${path}` : `./${path}`, import.meta.url);
}

/** Runs `action`; what the system refuses becomes a sentence about the directory. */
async function explainingFailures<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const code = systemErrorCode(error);
    if (error instanceof EnvironmentError || code === null) throw error;
    throw new EnvironmentError(
      code === 'ENOSPC' || code === 'EDQUOT' ? EnvironmentErrorCode.DISK_FULL : EnvironmentErrorCode.IO_FAILED,
      `What is in the data directory ${path} cannot be opened (${(error as Error).message}): the system refuses it, so see to its rights, its disk and the room on it.`,
      error,
    );
  }
}
