/**
 * The broker: what its handlers and coordinators share. I/O thread.
 * `Broker.open` reads the metadata log, which alone decides what exists, has orphaned directories removed, and keeps
 * retention going until `close`. It does not know sockets (server/) nor how requests look (dispatcher.ts).
 */

import { present } from '../base/assert.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { DeadlineLists } from '../base/deadline-lists.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { ErrorCode, errorName } from '../base/error-code.ts';
import type { LevelledLog, Logger } from '../base/logger.ts';
import type { RandomSource } from '../base/random.ts';
import { metadataTopicUuid, type Uuid } from '../base/uuid.ts';
import type { LogStore, PartitionLog } from '../storage/partition-log.ts';
import { allowAll, type Authorizer } from './authorizer.ts';
import type { BrokerConfig } from './broker-config.ts';
import { FetchMemory } from './fetch-memory.ts';
import { FetchSessionCache } from './fetch-session.ts';
import { FetchTurns } from './fetch-turns.ts';
import { FetchWaits } from './fetch-wait.ts';
import { GroupCoordinator } from './groups/group-coordinator.ts';
import type { KeyedRecord } from './keyed-batch.ts';
import { LinearPatterns } from './linear-patterns.ts';
import { LoggerLevels } from './logger-levels.ts';
import { LogCleaner } from './log-cleaner.ts';
import { MetadataImage, producerIdsRecord, type TopicImage } from './metadata-image.ts';
import { producerIdBlockSize, ProducerIds } from './producer-ids.ts';
import { ProduceTurns } from './produce-turns.ts';
import { ClientQuotas } from './quotas/client-quotas.ts';
import { ConnectionRates } from './quotas/connection-rates.ts';
import { ShareSessions } from './share/share-session.ts';
import { StateLog, stateLogConfig, type KeyedState } from './state-log.ts';
import { ClientTelemetry } from './telemetry/client-telemetry.ts';
import { TopicCatalog, type ChangeResult } from './topic-catalog.ts';
import { isStateLogTopic, stateLogTopics, type StateLogTopic } from './topic-name.ts';
import { TransactionCoordinator } from './transactions/transaction-coordinator.ts';

export interface BrokerOptions {
  readonly store: LogStore;
  readonly config: BrokerConfig;
  /** As the data directory says. */
  readonly clusterId: string;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** What its lines go through, where clients may change the level. */
  readonly levelledLog?: LevelledLog;
  /** Who may do what; everybody everything unless given. */
  readonly authorizer?: Authorizer;
  /** What fetched records may take between the logs and the clients, in bytes; 256 MiB unless given. */
  readonly fetchMemoryBytes?: number;
}

/** A partition that a request named. */
export interface FoundPartition {
  readonly topic: TopicImage;
  readonly log: PartitionLog;
}

const stateLogIds: Readonly<Record<StateLogTopic, Uuid>> = {
  [stateLogTopics.metadata]: metadataTopicUuid,
  [stateLogTopics.groups]: `${'A'.repeat(21)}g` as Uuid,
  [stateLogTopics.transactions]: `${'A'.repeat(21)}w` as Uuid,
};

const unchanged: ChangeResult = { errorCode: ErrorCode.NONE, message: null };

export class Broker {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  readonly store: LogStore;
  readonly config: BrokerConfig;
  readonly authorizer: Authorizer;
  readonly loggerLevels: LoggerLevels;
  readonly topics: TopicCatalog;
  readonly producerIds: ProducerIds;
  readonly fetchSessions: FetchSessionCache;
  readonly fetchMemory: FetchMemory;
  readonly fetchTurns: FetchTurns;
  readonly fetchWaits: FetchWaits;
  readonly produceTurns: ProduceTurns;
  /** Of Produce requests that are not answered. */
  readonly produceDeadlines: DeadlineLists;
  readonly shareSessions: ShareSessions;
  readonly quotas: ClientQuotas;
  readonly connectionRates: ConnectionRates;
  readonly telemetry: ClientTelemetry;
  /** Compiles clients' regular expressions. */
  readonly patterns: LinearPatterns;
  readonly #cleaner: LogCleaner;
  readonly #stateLogs: StateLog[] = [];
  readonly #image = new MetadataImage();
  #metadataLog: StateLog | null = null;
  #groups: GroupCoordinator | null = null;
  #transactions: TransactionCoordinator | null = null;
  #retentionTimer: Timer | null = null;
  #retention: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(options: BrokerOptions) {
    this.clusterId = options.clusterId;
    this.nodeId = options.config.number('node.id');
    this.clock = options.clock;
    this.random = options.random;
    this.logger = options.logger;
    this.store = options.store;
    this.config = options.config;
    this.loggerLevels = new LoggerLevels(options.levelledLog ?? null);
    this.authorizer = options.authorizer ?? allowAll;
    this.topics = new TopicCatalog({
      image: this.#image,
      store: options.store,
      config: options.config,
      random: options.random,
      logger: options.logger,
      write: (records) => present(this.#metadataLog, 'the metadata log is open').append(records),
    });
    this.producerIds = new ProducerIds(() => this.#claimProducerIds());
    const sessionSlots = options.config.number('max.incremental.fetch.session.cache.slots');
    this.fetchSessions = new FetchSessionCache(sessionSlots, options.clock, options.random);
    this.fetchMemory = new FetchMemory(options.clock, options.fetchMemoryBytes);
    this.fetchTurns = new FetchTurns(options.clock);
    this.patterns = new LinearPatterns(options.clock, options.logger);
    this.telemetry = new ClientTelemetry({
      patterns: this.patterns,
      subscriptions: this.#image.clientMetrics,
      config: options.config,
      store: options.store,
      clock: options.clock,
      random: options.random,
    });
    this.quotas = new ClientQuotas(this.#image.quotas, options.config, options.clock);
    this.connectionRates = new ConnectionRates(this.#image.quotas, options.config, options.clock);
    this.fetchWaits = new FetchWaits(options.clock, this.topics);
    this.produceTurns = new ProduceTurns(options);
    this.produceDeadlines = new DeadlineLists(options.clock);
    this.shareSessions = new ShareSessions({
      maxSessions: () => options.config.number('group.share.max.share.sessions'),
      ended: ({ groupId, memberId }) => void this.#groups?.sharePartitions.releaseAll(groupId, memberId),
    });
    const { store, config, clock } = options;
    this.#cleaner = new LogCleaner({ store, config, clock, openLogs: () => this.topics.openCompacted() });
  }

  /** Reads the metadata log. Rejects with `EnvironmentError` where it cannot be read or a newer Millrace wrote it. */
  static async open(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options);
    const image = broker.#image;
    broker.#metadataLog = await broker.openStateLog(stateLogTopics.metadata, image);
    broker.config.setDynamic(image.brokerConfigs(String(broker.nodeId)), image.brokerConfigs(''));
    options.store.discardOrphans((topic, topicId, partition) => broker.#exists(topic, topicId, partition));
    broker.#openDamaged();
    broker.#groups = await GroupCoordinator.open(broker);
    broker.#transactions = await TransactionCoordinator.open(broker);
    broker.#scheduleRetention();
    broker.#cleaner.start();
    return broker;
  }

  /** The log of all that `changeMetadata` and the catalog of topics write. */
  get metadataLog(): PartitionLog {
    return present(this.#metadataLog, 'the metadata log is open').log;
  }

  /** The coordinator of all groups. */
  get groups(): GroupCoordinator {
    return present(this.#groups, 'the broker is open');
  }

  /** The coordinator of all transactions. */
  get transactions(): TransactionCoordinator {
    return present(this.#transactions, 'the broker is open');
  }

  /** The leader epoch that Metadata, Fetch and ListOffsets agree on. */
  get leaderEpoch(): number {
    return this.store.leaderEpoch;
  }

  /** The partitions that take no writes at the moment, those of coordinators among them. */
  refusing(): PartitionLog[] {
    const all = [...this.#stateLogs.map(({ log }) => log), ...this.topics.openLogs()];
    return all.filter(({ refusal }) => refusal !== null);
  }

  /**
   * Changes what the metadata log keeps, after all changes before it. `change` looks at the image as it is then and gives
   * the records to write, or what refuses them.
   */
  changeMetadata(change: (image: MetadataImage) => readonly KeyedRecord[] | ChangeResult): Promise<ChangeResult> {
    return this.topics.inTurn(async () => {
      const records = change(this.#image);
      if ('errorCode' in records) return records;
      if (records.length === 0) return unchanged;
      const metadataLog = present(this.#metadataLog, 'the metadata log is open');
      return { errorCode: await metadataLog.append(records), message: null };
    });
  }

  /** Where a client's names lead: by topic id where there is one, else by name. Null where there is no such thing. */
  findPartition(topic: TopicImage | null, partition: number): FoundPartition | null {
    const log = topic === null ? null : this.topics.partition(topic, partition);
    return topic === null || log === null ? null : { topic, log };
  }

  /** Opens the log behind a coordinator's state and reads it into `state`. */
  async openStateLog(topic: StateLogTopic, state: KeyedState): Promise<StateLog> {
    const log = this.store.open(topic, stateLogIds[topic], 0, stateLogConfig);
    const { store, clock, logger } = this;
    const stateLog = await StateLog.load({ log, store, clock, logger, state });
    this.#stateLogs.push(stateLog);
    return stateLog;
  }

  /**
   * Answers whoever waits for something to come, with what there is; from here on nobody waits. A stop begins with it, so
   * that connections can end.
   */
  stopWaiting(): void {
    this.fetchWaits.stop();
    this.#groups?.close();
    this.#transactions?.close();
  }

  /** Stops the timers, waits for changes under way and closes the store: all is flushed, and the stop is clean. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.stopWaiting();
    this.#cleaner.close();
    this.#retentionTimer?.cancel();
    await this.#retention;
    await this.topics.inTurn(async () => {});
    for (const stateLog of this.#stateLogs) await stateLog.settled();
    try {
      await this.store.close();
    } finally {
      this.produceDeadlines.close();
    }
  }

  #exists(topic: string, topicId: string | null, partition: number): boolean {
    if (isStateLogTopic(topic)) return partition === 0;
    const known = this.#image.topic(topic);
    // A directory whose id cannot be read is kept: it may be the topic's, and deleting it could not be undone.
    return known !== null && partition < known.partitionCount && (topicId === null || topicId === known.id);
  }

  /** So that whoever asks what takes no writes need not open everything. */
  #openDamaged(): void {
    if (this.store.refusal !== null) {
      for (const topic of this.#image.topics()) {
        for (let partition = 0; partition < topic.partitionCount; partition++) this.topics.partition(topic, partition);
      }
    }
    for (const { topic, topicId, partition } of this.store.damaged()) {
      const known = this.topics.topic(topic);
      if (known !== null && (topicId === null || topicId === known.id)) this.topics.partition(known, partition);
    }
  }

  #claimProducerIds(): Promise<number> {
    return this.topics.inTurn(async () => {
      const first = this.#image.nextProducerId;
      const metadataLog = present(this.#metadataLog, 'the metadata log is open');
      const errorCode = await metadataLog.append([producerIdsRecord(first + producerIdBlockSize)]);
      if (errorCode === ErrorCode.NONE) return first;
      const message = `A block of producer ids could not be written to the metadata log: ${errorName(errorCode)}.`;
      throw new EnvironmentError(EnvironmentErrorCode.IO_FAILED, message);
    });
  }

  #scheduleRetention(): void {
    this.#retentionTimer = this.clock.setTimer(this.config.number('log.retention.check.interval.ms'), () => {
      this.#retention = this.#enforceRetention().finally(() => {
        if (!this.#closed) this.#scheduleRetention();
      });
    });
  }

  async #enforceRetention(): Promise<void> {
    for (const topic of [...this.#image.topics()]) {
      for (let partition = 0; partition < topic.partitionCount && !this.#closed; partition++) {
        // The topic may have been deleted meanwhile; then its logs are closed.
        if (this.#image.topicById(topic.id) === null) break;
        const log = present(this.topics.partition(topic, partition), 'a topic has its partitions');
        try {
          const deleted = await log.enforceRetention();
          if (deleted > 0) {
            this.logger.info({ topic: topic.name, partition, segments: deleted }, 'Old segments were deleted.');
          }
        } catch (error) {
          this.logger.error({ topic: topic.name, partition, error }, 'Retention could not be enforced.');
        }
      }
    }
  }
}
