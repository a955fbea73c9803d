/**
 * The topics: which exist, their logs, and every change to them. I/O thread.
 * Changes run one after the other: each is checked against the image, its records are synced to the metadata log, and
 * only then the image changes and the caller hears of it. Logs are opened when they are first asked for.
 * It does not serve requests (handlers/) nor check a topic's name and settings for what other topics do not decide.
 */

import { assert } from '../base/assert.ts';
import { ErrorCode, errorName } from '../base/error-code.ts';
import { Listeners } from '../base/listeners.ts';
import type { Logger } from '../base/logger.ts';
import type { RandomSource } from '../base/random.ts';
import { randomUuid, type Uuid } from '../base/uuid.ts';
import type { LogConfig } from '../storage/log-config.ts';
import type { LogStore, PartitionLog } from '../storage/partition-log.ts';
import type { BrokerConfig } from './broker-config.ts';
import type { KeyedRecord } from './keyed-batch.ts';
import {
  brokerConfigRecord,
  topicRecord,
  topicRemovedRecord,
  type MetadataImage,
  type TopicImage,
} from './metadata-image.ts';
import { parseTopicConfigs, topicLogConfig } from './topic-config.ts';
import { isStateLogTopic, problemOfTopicName } from './topic-name.ts';

/** What a change came to; `message` says what a person should know, null where the code says it all. */
export interface ChangeResult {
  readonly errorCode: ErrorCode;
  readonly message: string | null;
}

export interface TopicSpec {
  readonly name: string;
  /** -1: as many as `num.partitions` says. */
  readonly partitionCount: number;
  /** -1: as `default.replication.factor` says, at most what one node can do. */
  readonly replicationFactor: number;
  readonly configs: Iterable<readonly [name: string, text: string | null]>;
}

export interface CreatedTopic extends ChangeResult {
  /** The topic as it was, or with `validateOnly` would be, created; null after an error. */
  readonly topic: TopicImage | null;
}

export interface TopicCatalogOptions {
  readonly image: MetadataImage;
  readonly store: LogStore;
  readonly config: BrokerConfig;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** Syncs records to the metadata log and applies them to the image. */
  readonly write: (records: readonly KeyedRecord[]) => Promise<ErrorCode>;
}

/** As many partitions as one request may create, as in Kafka. */
export const maxPartitionsPerRequest = 10_000;
/** As many partitions as all topics together may have; each costs descriptors and memory once it is used. */
const maxPartitions = 200_000;

const done: ChangeResult = { errorCode: ErrorCode.NONE, message: null };

/** A topic of which a log is open. */
interface OpenTopic {
  /** By partition. */
  readonly logs: (PartitionLog | undefined)[];
  /** One for all of them: a topic may have thousands. */
  config: LogConfig;
}

export class TopicCatalog {
  readonly #options: TopicCatalogOptions;
  readonly #open = new Map<Uuid, OpenTopic>();
  readonly #deletionListeners = new Listeners<TopicImage>();
  readonly #growthListeners = new Listeners<TopicImage>();
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: TopicCatalogOptions) {
    this.#options = options;
  }

  get image(): MetadataImage {
    return this.#options.image;
  }

  topic(name: string): TopicImage | null {
    return this.#options.image.topic(name);
  }

  topicById(id: Uuid): TopicImage | null {
    return this.#options.image.topicById(id);
  }

  /** The log of a partition, opened where it is not yet; null where the topic has no such partition. */
  partition(topic: TopicImage, partition: number): PartitionLog | null {
    if (partition < 0 || partition >= topic.partitionCount) return null;
    let open = this.#open.get(topic.id);
    if (open === undefined) this.#open.set(topic.id, (open = { logs: [], config: this.#logConfigOf(topic) }));
    return (open.logs[partition] ??= this.#options.store.open(topic.name, topic.id, partition, open.config));
  }

  /** Why a partition takes no writes; null where it does. One that is not opened does: damaged ones are, at the start. */
  refusal(topic: TopicImage, partition: number): string | null {
    return this.#open.get(topic.id)?.logs[partition]?.refusal ?? null;
  }

  /** Opens the logs of all topics that are compacted. */
  openCompacted(): void {
    for (const topic of this.image.topics()) {
      if (!this.#logConfigOf(topic).compactPolicy) continue;
      for (let partition = 0; partition < topic.partitionCount; partition++) this.partition(topic, partition);
    }
  }

  /** The logs that were opened so far. */
  *openLogs(): Generator<PartitionLog> {
    for (const { logs } of this.#open.values()) for (const log of logs) if (log !== undefined) yield log;
  }

  /** Calls `listener` whenever a topic no longer exists; returns how to stop it. */
  onDeleted(listener: (topic: TopicImage) => void): () => void {
    return this.#deletionListeners.add(listener);
  }

  /** Calls `listener` whenever a topic was created or got more partitions; returns how to stop it. */
  onGrown(listener: (topic: TopicImage) => void): () => void {
    return this.#growthListeners.add(listener);
  }

  /** Runs `change` after all changes before it; for whatever else writes the metadata log. */
  inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#lastChange.then(change, change);
    // Whoever asked hears of a failure; the next in turn runs all the same.
    this.#lastChange = turn.catch(() => {});
    return turn;
  }

  /**
   * Creates a topic, or with `validateOnly` only says whether it could be. Errors as Kafka gives them. `problemOf` is
   * called in turn and may refuse to have so many partitions made.
   */
  create(
    spec: TopicSpec,
    validateOnly = false,
    problemOf: (partitionCount: number) => ChangeResult | null = () => null,
  ): Promise<CreatedTopic> {
    return this.inTurn(async () => {
      const checked = this.#check(spec);
      if ('errorCode' in checked) return { ...checked, topic: null };
      const problem = problemOf(checked.partitionCount);
      if (problem !== null) return { ...problem, topic: null };
      if (validateOnly) return { ...done, topic: checked };
      const errorCode = await this.#options.write([topicRecord(checked)]);
      if (errorCode !== ErrorCode.NONE) return { errorCode, message: null, topic: null };
      this.#options.logger.info(
        { topic: checked.name, topicId: checked.id, partitions: checked.partitionCount },
        'A topic was created.',
      );
      this.#growthListeners.tell(checked);
      return { ...done, topic: checked };
    });
  }

  /** Deletes a topic and its logs. */
  delete(id: Uuid): Promise<ChangeResult> {
    return this.inTurn(async () => {
      const topic = this.topicById(id);
      if (topic === null)
        return { errorCode: ErrorCode.UNKNOWN_TOPIC_ID, message: 'This server does not host this topic ID.' };
      return this.#delete([topic]);
    });
  }

  /** Deletes all topics and their logs, in one go. */
  deleteAll(): Promise<ChangeResult> {
    return this.inTurn(async () => this.#delete([...this.image.topics()]));
  }

  async #delete(topics: readonly TopicImage[]): Promise<ChangeResult> {
    if (topics.length === 0) return done;
    const logs = topics.flatMap((topic) =>
      Array.from({ length: topic.partitionCount }, (_, partition) => this.partition(topic, partition)),
    );
    const errorCode = await this.#options.write(topics.map(({ name }) => topicRemovedRecord(name)));
    if (errorCode !== ErrorCode.NONE) return { errorCode, message: null };
    for (const topic of topics) {
      this.#open.delete(topic.id);
      this.#deletionListeners.tell(topic);
    }
    for (const log of logs) if (log !== null) await this.#destroy(log);
    for (const { name, id } of topics) {
      this.#options.logger.info({ topic: name, topicId: id }, 'A topic was deleted.');
    }
    return done;
  }

  /** The topic is gone, whatever the disk says: a start removes what is left of it. */
  async #destroy(log: PartitionLog): Promise<void> {
    try {
      await log.destroy();
    } catch (error) {
      const { topic, partition } = log;
      this.#options.logger.error(
        { topic, partition, error },
        'A deleted partition could not be set aside; the next start tries again.',
      );
    }
  }

  /** Gives a topic more partitions. `problemOf` is called in turn and may refuse to have so many added. */
  addPartitions(
    name: string,
    partitionCount: number,
    validateOnly: boolean,
    problemOf: (added: number) => ChangeResult | null = () => null,
  ): Promise<ChangeResult> {
    return this.inTurn(async () => {
      const topic = this.topic(name);
      if (topic === null) return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: null };
      const { partitionCount: before } = topic;
      if (partitionCount === before) return invalidPartitions(`Topic already has ${before} partition(s).`);
      if (partitionCount < before) {
        return invalidPartitions(
          `The topic ${name} currently has ${before} partition(s); ${partitionCount} would not be an increase.`,
        );
      }
      const added = partitionCount - before;
      const problem = this.#problemOfCount(added) ?? problemOf(added);
      if (problem !== null) return problem;
      if (validateOnly) return done;
      const grown = { ...topic, partitionCount };
      const errorCode = await this.#options.write([topicRecord(grown)]);
      if (errorCode === ErrorCode.NONE) this.#growthListeners.tell(grown);
      return { errorCode, message: null };
    });
  }

  /** Replaces a topic's own settings by what `change` makes of them; it may refuse with a sentence. */
  alterConfigs(
    name: string,
    change: (configs: Map<string, string | null>) => string | null,
    validateOnly: boolean,
  ): Promise<ChangeResult> {
    return this.inTurn(async () => {
      const topic = this.topic(name);
      if (topic === null) {
        return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `The topic '${name}' does not exist.` };
      }
      const wanted = new Map<string, string | null>(topic.configs);
      const refusal = change(wanted);
      if (refusal !== null) return invalidConfig(refusal);
      const parsed = parseTopicConfigs(wanted, this.#options.config.setValue, topic.configs);
      if ('problem' in parsed) return invalidConfig(parsed.problem);
      if (validateOnly) return done;
      const errorCode = await this.#options.write([topicRecord({ ...topic, configs: parsed.configs })]);
      if (errorCode === ErrorCode.NONE) this.#updateOpenLogs(name);
      return { errorCode, message: null };
    });
  }

  /**
   * Replaces the changed broker settings of a node (its id) or of all nodes (an empty text). `configs` is called in
   * turn and gives the checked settings, or a sentence that refuses.
   */
  alterBrokerConfigs(
    node: string,
    nodeId: string,
    configs: (before: ReadonlyMap<string, string>) => ReadonlyMap<string, string> | string,
    validateOnly: boolean,
  ): Promise<ChangeResult> {
    return this.inTurn(async () => {
      const { image, config } = this.#options;
      const after = configs(image.brokerConfigs(node));
      // Kafka answers so for brokers, though INVALID_CONFIG would say it better.
      if (typeof after === 'string') return { errorCode: ErrorCode.INVALID_REQUEST, message: after };
      if (validateOnly) return done;
      const errorCode = await this.#options.write([brokerConfigRecord(node, after)]);
      if (errorCode !== ErrorCode.NONE) return { errorCode, message: null };
      config.setDynamic(image.brokerConfigs(nodeId), image.brokerConfigs(''));
      for (const topic of image.topics()) this.#updateOpenLogs(topic.name);
      return done;
    });
  }

  #updateOpenLogs(name: string): void {
    const topic = this.topic(name);
    const open = topic === null ? undefined : this.#open.get(topic.id);
    if (topic === null || open === undefined) return;
    open.config = this.#logConfigOf(topic);
    for (const log of open.logs) log?.updateConfig(open.config);
  }

  #logConfigOf({ configs }: TopicImage): LogConfig {
    return topicLogConfig(configs, this.#options.config.setValue);
  }

  #check(spec: TopicSpec): TopicImage | ChangeResult {
    const { image, config, random } = this.#options;
    const { name } = spec;
    const problem = problemOfTopicName(name);
    if (problem !== null) return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message: problem };
    if (isStateLogTopic(name)) {
      return { errorCode: ErrorCode.INVALID_REQUEST, message: `Creation of internal topic ${name} is prohibited.` };
    }
    if (image.topic(name) !== null) {
      return { errorCode: ErrorCode.TOPIC_ALREADY_EXISTS, message: `Topic '${name}' already exists.` };
    }
    const other = image.collidingTopic(name);
    if (other !== null) {
      const message = `Topic '${name}' collides with existing topic: ${other}`;
      return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message };
    }
    if (spec.replicationFactor < -1 || spec.replicationFactor === 0) {
      return invalidReplication('Replication factor must be larger than 0, or -1 to use the default value.');
    }
    if (spec.replicationFactor > 1) {
      return invalidReplication(
        `Unable to replicate the partition ${spec.replicationFactor} time(s): The target replication factor of ` +
          `${spec.replicationFactor} cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.`,
      );
    }
    if (spec.partitionCount < -1 || spec.partitionCount === 0) {
      return invalidPartitions('Number of partitions was set to an invalid non-positive value.');
    }
    const partitionCount = spec.partitionCount === -1 ? config.number('num.partitions') : spec.partitionCount;
    const tooMany = this.#problemOfCount(partitionCount);
    if (tooMany !== null) return tooMany;
    const parsed = parseTopicConfigs(spec.configs, config.setValue);
    if ('problem' in parsed) return invalidConfig(parsed.problem);
    return { name, id: randomUuid(random), partitionCount, configs: parsed.configs };
  }

  #problemOfCount(added: number): ChangeResult | null {
    assert(added > 0, 'partitions are added');
    if (added <= maxPartitionsPerRequest && this.image.partitionCount + added <= maxPartitions) return null;
    const message =
      added > maxPartitionsPerRequest
        ? 'Excessively large number of partitions per request.'
        : `The broker holds at most ${maxPartitions} partitions.`;
    return { errorCode: ErrorCode.POLICY_VIOLATION, message };
  }
}

/** The message that goes with a code where nothing better is known. */
export function messageOf(result: ChangeResult): string | null {
  return result.message ?? (result.errorCode === ErrorCode.NONE ? null : errorName(result.errorCode));
}

/** What answers who may not do that with the topic. */
export const forbiddenTopic: ChangeResult = {
  errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
  message: 'Authorization failed.',
};

/** What refuses a change to a client that has made too many lately (KIP-599). */
export const quotaExceeded: ChangeResult = {
  errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED,
  message: 'The throttling quota has been exceeded.',
};

function invalidConfig(message: string): ChangeResult {
  return { errorCode: ErrorCode.INVALID_CONFIG, message };
}

function invalidPartitions(message: string): ChangeResult {
  return { errorCode: ErrorCode.INVALID_PARTITIONS, message };
}

function invalidReplication(message: string): ChangeResult {
  return { errorCode: ErrorCode.INVALID_REPLICATION_FACTOR, message };
}
