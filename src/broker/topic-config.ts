/**
 * The settings of a topic: Kafka 4.4's table with `millrace.sync` added, and how texts become a `LogConfig`. Any thread.
 * A topic's own value wins; without one the broker's setting of a related name (its synonym) counts, then the default.
 * It does not know where values are kept (metadata-image.ts), nor enforces what they say (storage/).
 */

import { present } from '../base/assert.ts';
import { Compression } from '../records/record-batch.ts';
import type { LogConfig } from '../storage/log-config.ts';
import {
  configList,
  configNumber,
  definitionsByName,
  parseConfigValue,
  type ConfigDefinition,
} from './config-definition.ts';
import { topicConfigDefinitions } from './topic-config-table.ts';

/** A setting of the broker that stands in for a topic's, and the milliseconds (or ones) in its unit. */
export interface ConfigSynonym {
  readonly name: string;
  readonly factor: number;
}

/** A topic's own settings, as checked texts. */
export type TopicConfigs = ReadonlyMap<string, string>;

/** What the broker says where a topic does not; null where neither file nor change set it. */
export type BrokerValue = (name: string) => string | null;

export const topicConfigByName = definitionsByName(topicConfigDefinitions);

const hourMs = 3_600_000;
/** Of the broker's setting `producer.id.expiration.ms`, which no topic has. */
const producerExpirationMs = '86400000';
/** `producer` is none of them. */
const compressionByName: Readonly<Record<string, Compression>> = {
  uncompressed: Compression.NONE,
  gzip: Compression.GZIP,
  snappy: Compression.SNAPPY,
  lz4: Compression.LZ4,
  zstd: Compression.ZSTD,
};
const noConfigs: TopicConfigs = new Map();
const once = (name: string): readonly ConfigSynonym[] => [{ name, factor: 1 }];

/** The broker's names for a topic's settings, strongest first. */
export const topicConfigSynonyms: ReadonlyMap<string, readonly ConfigSynonym[]> = new Map([
  ['cleanup.policy', once('log.cleanup.policy')],
  ['compression.gzip.level', once('compression.gzip.level')],
  ['compression.lz4.level', once('compression.lz4.level')],
  ['compression.type', once('compression.type')],
  ['compression.zstd.level', once('compression.zstd.level')],
  ['delete.retention.ms', once('log.cleaner.delete.retention.ms')],
  ['file.delete.delay.ms', once('log.segment.delete.delay.ms')],
  ['flush.messages', once('log.flush.interval.messages')],
  ['flush.ms', [...once('log.flush.interval.ms'), ...once('log.flush.scheduler.interval.ms')]],
  ['index.interval.bytes', once('log.index.interval.bytes')],
  ['max.compaction.lag.ms', once('log.cleaner.max.compaction.lag.ms')],
  ['max.decompressed.message.bytes', once('max.decompressed.message.bytes')],
  ['max.message.bytes', once('message.max.bytes')],
  ['message.timestamp.after.max.ms', once('log.message.timestamp.after.max.ms')],
  ['message.timestamp.before.max.ms', once('log.message.timestamp.before.max.ms')],
  ['message.timestamp.type', once('log.message.timestamp.type')],
  ['millrace.sync', once('millrace.sync')],
  ['min.cleanable.dirty.ratio', once('log.cleaner.min.cleanable.ratio')],
  ['min.compaction.lag.ms', once('log.cleaner.min.compaction.lag.ms')],
  ['min.insync.replicas', once('min.insync.replicas')],
  ['preallocate', once('log.preallocate')],
  ['retention.bytes', once('log.retention.bytes')],
  [
    'retention.ms',
    [
      { name: 'log.retention.ms', factor: 1 },
      { name: 'log.retention.minutes', factor: 60_000 },
      { name: 'log.retention.hours', factor: hourMs },
    ],
  ],
  ['segment.bytes', once('log.segment.bytes')],
  ['segment.index.bytes', once('log.index.size.max.bytes')],
  [
    'segment.jitter.ms',
    [
      { name: 'log.roll.jitter.ms', factor: 1 },
      { name: 'log.roll.jitter.hours', factor: hourMs },
    ],
  ],
  [
    'segment.ms',
    [
      { name: 'log.roll.ms', factor: 1 },
      { name: 'log.roll.hours', factor: hourMs },
    ],
  ],
  ['unclean.leader.election.enable', once('unclean.leader.election.enable')],
]);

/** Checked settings, or the sentence that says what is wrong with the first that is. */
export type ParsedTopicConfigs = { readonly configs: Map<string, string> } | { readonly problem: string };

/**
 * Checks a topic's settings as a client sent them, each alone and then together. `brokerValue` serves the comparison
 * with what the topic inherits. What is as it was in `before` is not checked alone again: an older release may have taken it,
 * and who changes another setting did not touch it.
 */
export function parseTopicConfigs(
  entries: Iterable<readonly [name: string, text: string | null]>,
  brokerValue: BrokerValue = () => null,
  before: TopicConfigs = noConfigs,
): ParsedTopicConfigs {
  const configs = new Map<string, string>();
  for (const [name, text] of entries) {
    const definition = topicConfigByName.get(name);
    if (definition === undefined) return { problem: `Unknown topic config name: ${name}` };
    if (text === null) return { problem: `Null value not supported for topic configs: ${name}` };
    const parsed = text === before.get(name) ? { text } : parseConfigValue(definition, text);
    if ('problem' in parsed) return parsed;
    configs.set(name, parsed.text);
  }
  const problem = problemTogether(configs, brokerValue);
  return problem === null ? { configs } : { problem };
}

/** The text that counts for one setting of a topic: its own, else the broker's, else the default. */
export function effectiveTopicValue(name: string, configs: TopicConfigs, brokerValue: BrokerValue): string {
  return configs.get(name) ?? inheritedTopicValue(name, brokerValue);
}

/** The text that counts where the topic itself says nothing. */
export function inheritedTopicValue(name: string, brokerValue: BrokerValue): string {
  for (const synonym of topicConfigSynonyms.get(name) ?? []) {
    const text = brokerValue(synonym.name);
    if (text !== null) return scaledText(text, synonym.factor);
  }
  return present(definitionOf(name).default, 'every topic setting has a default');
}

/** Decodes what the storage needs of a topic's settings. */
export function topicLogConfig(configs: TopicConfigs, brokerValue: BrokerValue = () => null): LogConfig {
  const text = (name: string): string => effectiveTopicValue(name, configs, brokerValue);
  const number = (name: string): number => configNumber(text(name));
  const policies = configList(text('cleanup.policy'));
  return {
    segmentBytes: number('segment.bytes'),
    segmentMs: number('segment.ms'),
    segmentJitterMs: number('segment.jitter.ms'),
    segmentIndexBytes: number('segment.index.bytes'),
    indexIntervalBytes: number('index.interval.bytes'),
    retentionMs: number('retention.ms'),
    // Kafka takes every negative size for "without bound".
    retentionBytes: Math.max(-1, number('retention.bytes')),
    deletePolicy: policies.includes('delete'),
    compactPolicy: policies.includes('compact'),
    minCleanableRatio: number('min.cleanable.dirty.ratio'),
    minCompactionLagMs: number('min.compaction.lag.ms'),
    maxCompactionLagMs: number('max.compaction.lag.ms'),
    deleteRetentionMs: number('delete.retention.ms'),
    maxMessageBytes: number('max.message.bytes'),
    maxDecompressedBytes: number('max.decompressed.message.bytes'),
    fileDeleteDelayMs: number('file.delete.delay.ms'),
    compression: compressionByName[text('compression.type')] ?? null,
    compressionLevels: { gzip: number('compression.gzip.level'), zstd: number('compression.zstd.level') },
    timestampType: text('message.timestamp.type') === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime',
    timestampBeforeMaxMs: number('message.timestamp.before.max.ms'),
    timestampAfterMaxMs: number('message.timestamp.after.max.ms'),
    flushMessages: number('flush.messages'),
    flushMs: number('flush.ms'),
    producerExpirationMs: configNumber(brokerValue('producer.id.expiration.ms') ?? producerExpirationMs),
    syncPolicy: text('millrace.sync') === 'interval' ? 'interval' : 'always',
  };
}

/** `text` counted in `factor`; a negative one means "without bound" in every unit. */
function scaledText(text: string, factor: number): string {
  if (factor === 1) return text;
  const value = BigInt(text);
  return value < 0n ? '-1' : (value * BigInt(factor)).toString();
}

function definitionOf(name: string): ConfigDefinition {
  return present(topicConfigByName.get(name), 'the setting is in the table');
}

function problemTogether(configs: TopicConfigs, brokerValue: BrokerValue): string | null {
  const effective = (name: string): number => configNumber(effectiveTopicValue(name, configs, brokerValue));
  const minLagMs = effective('min.compaction.lag.ms');
  const maxLagMs = effective('max.compaction.lag.ms');
  if (minLagMs > maxLagMs) {
    return `conflict topic config setting min.compaction.lag.ms (${minLagMs}) > max.compaction.lag.ms (${maxLagMs})`;
  }
  if (configs.get('remote.storage.enable') === 'true') {
    return 'Invalid value true for configuration remote.storage.enable: Tiered storage is disabled on this broker';
  }
  return null;
}
