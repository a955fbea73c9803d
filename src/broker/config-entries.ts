/**
 * Settings as CreateTopics and DescribeConfigs show them: the value that counts, where it comes from, and what stands
 * behind it. Any thread.
 */

import { present } from '../base/assert.ts';
import { brokerConfigByName, brokerConfigDefinitions, ConfigSource, type BrokerConfig } from './broker-config.ts';
import { clientMetricsDefinitions } from './client-metrics-config.ts';
import type { ConfigDefinition } from './config-definition.ts';
import { effectiveGroupValue, groupConfigDefinitions } from './group-config.ts';
import type { BrokerConfigDefinition } from './inherited-config-table.ts';
import type { LoggerLevels } from './logger-levels.ts';
import { topicConfigDefinitions } from './topic-config-table.ts';
import { effectiveTopicValue, topicConfigSynonyms, type TopicConfigs } from './topic-config.ts';

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
  /** Whether a running broker refuses to change it. */
  readonly isReadOnly: boolean;
  /** Strongest first; the first is the one that counts. */
  readonly synonyms: readonly ConfigSynonymValue[];
  readonly definition: ConfigDefinition;
}

/** The broker's settings that stand for one thing in several units, strongest first: each is a synonym of the others. */
const unitGroups: readonly (readonly string[])[] = [...topicConfigSynonyms.values()]
  .filter((synonyms) => synonyms.length > 1)
  .map((synonyms) => synonyms.map(({ name }) => name));

/** All settings of a topic. */
export function topicConfigEntries(configs: TopicConfigs, config: BrokerConfig): ConfigEntry[] {
  return topicConfigDefinitions.map((definition) => topicConfigEntry(definition, configs, config));
}

/** All settings of this broker, those that only a file or flag can set included. */
export function brokerConfigEntries(config: BrokerConfig): ConfigEntry[] {
  return brokerConfigDefinitions.map((definition) => {
    const { name } = definition;
    const names = unitGroups.find((group) => group.includes(name)) ?? [name];
    const values = valuesOf(names, config);
    // A value under another name is not this setting's, unless it comes behind one of its own.
    const start = values.findIndex((value) => value.name === name);
    const synonyms = start < 0 ? [] : values.slice(start);
    return brokerEntry(definition, config.text(name), synonyms);
  });
}

/** The settings that clients changed for all brokers of the cluster. */
export function clusterConfigEntries(changed: ReadonlyMap<string, string>): ConfigEntry[] {
  return [...changed].map(([name, value]) => {
    const definition = present(brokerConfigByName.get(name), 'only known settings are changed');
    return brokerEntry(definition, value, [{ name, value, source: ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG }]);
  });
}

/** All settings of a group, whether it exists or not; `configs` are its own. */
export function groupConfigEntries(configs: ReadonlyMap<string, string>, config: BrokerConfig): ConfigEntry[] {
  return groupConfigDefinitions.map((definition) => {
    const { name, inherits, default: byDefault } = definition;
    const inherited =
      inherits === null
        ? [{ name, value: byDefault ?? '', source: ConfigSource.DEFAULT_CONFIG }]
        : valuesOf([inherits], config);
    const own = configs.get(name);
    const synonyms =
      own === undefined ? inherited : [{ name, value: own, source: ConfigSource.DYNAMIC_GROUP_CONFIG }, ...inherited];
    const source = synonyms[0]?.source ?? ConfigSource.DEFAULT_CONFIG;
    const value = effectiveGroupValue(name, configs, config);
    return { name, value, source, isReadOnly: false, synonyms, definition };
  });
}

/** All settings of a subscription of client metrics, whether it exists or not; `configs` are its own. */
export function clientMetricsEntries(configs: ReadonlyMap<string, string>): ConfigEntry[] {
  return clientMetricsDefinitions.map((definition) => {
    const { name } = definition;
    const own = configs.get(name);
    const source = own === undefined ? ConfigSource.DEFAULT_CONFIG : ConfigSource.DYNAMIC_CLIENT_METRICS_CONFIG;
    const synonyms = own === undefined ? [] : [{ name, value: own, source }];
    return { name, value: own ?? definition.default, source, isReadOnly: false, synonyms, definition };
  });
}

/** The loggers that there are, with their levels. */
export function loggerEntries(levels: LoggerLevels): ConfigEntry[] {
  return levels.names().map((name) => ({
    name,
    value: levels.level(name),
    source: ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG,
    isReadOnly: false,
    synonyms: [],
    definition: { name, type: 'unknown', default: null, documentation: '' },
  }));
}

function topicConfigEntry(definition: ConfigDefinition, configs: TopicConfigs, config: BrokerConfig): ConfigEntry {
  const { name } = definition;
  const names = (topicConfigSynonyms.get(name) ?? []).map((synonym) => synonym.name);
  const values = valuesOf(names, config);
  // A default under a weaker name does not count: the topic's own default says the same in the topic's unit.
  const start = values.findIndex((value) => value.name === names[0] || value.source !== ConfigSource.DEFAULT_CONFIG);
  const inherited = start < 0 ? [] : values.slice(start);
  const own = configs.get(name);
  const synonyms =
    own === undefined ? inherited : [{ name, value: own, source: ConfigSource.DYNAMIC_TOPIC_CONFIG }, ...inherited];
  const source = synonyms[0]?.source ?? ConfigSource.DEFAULT_CONFIG;
  const value = effectiveTopicValue(name, configs, config.setValue);
  return { name, value, source, isReadOnly: false, synonyms, definition };
}

function brokerEntry(
  definition: BrokerConfigDefinition,
  value: string | null,
  synonyms: readonly ConfigSynonymValue[],
): ConfigEntry {
  const source = synonyms[0]?.source ?? ConfigSource.DEFAULT_CONFIG;
  return { name: definition.name, value, source, isReadOnly: definition.update === 'read-only', synonyms, definition };
}

/** What the broker has under these names, the strongest source first, within a source in the order of the names. */
function valuesOf(names: readonly string[], config: BrokerConfig): ConfigSynonymValue[] {
  const values: ConfigSynonymValue[] = [];
  for (const { name, text, source } of names.flatMap((name) => config.valuesOf(name))) {
    if (text !== null) values.push({ name, value: text, source });
  }
  // The numbers of the sources rise as their strength falls.
  return values.toSorted((a, b) => a.source - b.source);
}
