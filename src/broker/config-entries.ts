/**
 * Settings as CreateTopics and DescribeConfigs show them: the value that counts, where it comes from, and what stands
 * behind it. Any thread.
 */

import { ConfigSource, type BrokerConfig } from './broker-config.ts';
import { topicConfigDefinitions } from './topic-config-table.ts';
import { effectiveTopicValue, topicConfigSynonyms, type TopicConfigs } from './topic-config.ts';
import type { ConfigDefinition } from './config-definition.ts';

/** A place where a setting has a value; synonyms come with their own names and units. */
export interface ConfigSynonymValue {
  readonly name: string;
  readonly value: string;
  readonly source: ConfigSource;
}

export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null;
  readonly source: ConfigSource;
  /** Strongest first; the first is the one that counts. */
  readonly synonyms: readonly ConfigSynonymValue[];
  readonly definition: ConfigDefinition;
}

/** All settings of a topic. */
export function topicConfigEntries(configs: TopicConfigs, config: BrokerConfig): ConfigEntry[] {
  return topicConfigDefinitions.map((definition) => topicConfigEntry(definition, configs, config));
}

/** One setting of a topic. */
export function topicConfigEntry(
  definition: ConfigDefinition,
  configs: TopicConfigs,
  config: BrokerConfig,
): ConfigEntry {
  const { name } = definition;
  const synonyms: ConfigSynonymValue[] = [];
  const own = configs.get(name);
  if (own !== undefined) synonyms.push({ name, value: own, source: ConfigSource.DYNAMIC_TOPIC_CONFIG });
  const inherited = topicConfigSynonyms.get(name) ?? [];
  const values = inherited.flatMap((synonym) => config.valuesOf(synonym.name));
  // What was set under a weaker name still wins over the default under a stronger one.
  const ranked = [
    ...values.filter(({ source }) => source !== ConfigSource.DEFAULT_CONFIG),
    ...values.filter(({ source }) => source === ConfigSource.DEFAULT_CONFIG),
  ];
  for (const { name: synonym, text, source } of ranked) {
    if (text !== null) synonyms.push({ name: synonym, value: text, source });
  }
  const source = synonyms[0]?.source ?? ConfigSource.DEFAULT_CONFIG;
  return { name, value: effectiveTopicValue(name, configs, config.setValue), source, synonyms, definition };
}
