import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BrokerConfig } from '../../src/broker/broker-config.ts';
import { topicConfigDefinitions } from '../../src/broker/topic-config-table.ts';
import {
  effectiveTopicValue,
  parseTopicConfigs,
  topicConfigSynonyms,
  topicLogConfig,
} from '../../src/broker/topic-config.ts';
import { brokerConfigByName } from '../../src/broker/broker-config.ts';
import { configNumber, parseConfigValue, type ConfigDefinition } from '../../src/broker/config-definition.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';

interface Fact {
  readonly name: string;
  readonly type: string;
  readonly default: string;
  readonly valid: string;
}

function factsOf(file: string): Fact[] {
  const lines = readFileSync(new URL(`facts/${file}`, import.meta.url), 'utf8')
    .split('\n')
    .slice(1);
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', type = '', byDefault = '', valid = ''] = line.split('\t');
      return { name, type, default: byDefault, valid };
    });
}

function boundsText(definition: ConfigDefinition): string {
  const { min, max, besides, choices, ignoresCase, mayBeEmpty, type } = definition;
  if (mayBeEmpty === false) return `non-empty ${type === 'list' ? 'list' : 'string'}`;
  if (choices !== undefined) return `${ignoresCase === true ? '(case insensitive) ' : ''}[${choices.join(', ')}]`;
  if (min === undefined) return '';
  return `[${min},...${max === undefined ? '' : `,${max}`}]${besides === undefined ? '' : ` or ${besides}`}`;
}

describe('the tables against facts about Kafka', () => {
  test('every topic setting of Kafka stands in the table with type, default and bounds', () => {
    const facts = factsOf('kafka-4.4-topic-configs.tsv');
    expect(facts.length).toBeGreaterThan(30);
    const ours = topicConfigDefinitions.filter(({ name }) => !name.startsWith('millrace.'));
    expect(ours.map(({ name }) => name)).toEqual(facts.map(({ name }) => name));
    for (const [i, fact] of facts.entries()) {
      const definition = ours[i]!;
      const valid = fact.valid.startsWith('[partitionId]') ? '' : fact.valid;
      expect([fact.name, definition.type, definition.default, boundsText(definition)]).toEqual([
        fact.name,
        fact.type,
        fact.default,
        valid,
      ]);
    }
  });

  test('every broker setting carries Kafka’s type, default and bounds, but for what Millrace fixes', () => {
    const ownDefaults = new Set(['node.id', 'process.roles', 'log.dir']);
    const toldWhereSet = new Set([
      'follower.replication.throttled.rate',
      'leader.replication.throttled.rate',
      'replica.alter.log.dirs.io.max.bytes.per.second',
    ]);
    const facts = new Map(factsOf('kafka-4.4-broker-configs.tsv').map((fact) => [fact.name, fact]));
    for (const definition of brokerConfigByName.values()) {
      if (definition.name.startsWith('millrace.') || toldWhereSet.has(definition.name)) continue;
      const fact = facts.get(definition.name);
      expect(fact, definition.name).toBeDefined();
      expect([definition.name, definition.type, boundsText(definition)]).toEqual([
        definition.name,
        fact!.type,
        fact!.valid === 'non-null string' ? '' : fact!.valid,
      ]);
      if (ownDefaults.has(definition.name) || fact!.default === '(required)') continue;
      expect([definition.name, definition.default ?? 'null']).toEqual([definition.name, fact!.default]);
    }
    expect([...facts.keys()].filter((name) => !brokerConfigByName.has(name))).toEqual([]);
  });

  test('every synonym is a broker setting', () => {
    for (const synonyms of topicConfigSynonyms.values()) {
      for (const { name } of synonyms) expect(brokerConfigByName.has(name), name).toBe(true);
    }
  });

  test('every default passes its own check unchanged', () => {
    for (const definition of [...topicConfigDefinitions, ...brokerConfigByName.values()]) {
      // What Kafka leaves empty by default though nobody may set it to nothing.
      if (definition.default === null || (definition.default === '' && definition.mayBeEmpty === false)) continue;
      expect(parseConfigValue(definition, definition.default)).toEqual({ text: definition.default });
    }
  });
});

describe('parseTopicConfigs', () => {
  const problemOf = (name: string, text: string | null): string => {
    const parsed = parseTopicConfigs([[name, text]]);
    return 'problem' in parsed ? parsed.problem : 'taken';
  };

  test('takes values in the form that Kafka prints', () => {
    const parsed = parseTopicConfigs([
      ['retention.ms', ' +0100 '],
      ['cleanup.policy', 'compact , delete'],
      ['preallocate', 'TRUE'],
      ['min.cleanable.dirty.ratio', '1'],
    ]);
    expect('configs' in parsed && Object.fromEntries(parsed.configs)).toEqual({
      'retention.ms': '100',
      'cleanup.policy': 'compact,delete',
      preallocate: 'true',
      'min.cleanable.dirty.ratio': '1.0',
    });
  });

  test.each([
    ['no.such', '1', 'Unknown topic config name: no.such'],
    ['retention.ms', null, 'Null value not supported for topic configs: retention.ms'],
    ['retention.ms', '-2', 'Invalid value -2 for configuration retention.ms: Value must be at least -1'],
    ['retention.ms', '9223372036854775808', 'Not a number of type LONG'],
    ['segment.bytes', '2147483648', 'Not a number of type INT'],
    ['segment.bytes', '1.5', 'Not a number of type INT'],
    ['segment.bytes', '', 'Not a number of type INT'],
    ['compression.lz4.level', '18', 'Value must be no more than 17'],
    ['compression.gzip.level', '0', 'Value must be at least 1'],
    ['compression.gzip.level', '-1', 'taken'],
    ['cleanup.policy', 'compact,shred', 'String must be one of: compact, delete'],
    ['cleanup.policy', 'delete,delete', 'taken'],
    ['preallocate', 'yes', 'Expected value to be either true or false'],
    ['min.cleanable.dirty.ratio', 'NaN', 'Not a number of type DOUBLE'],
    ['min.cleanable.dirty.ratio', '1.1', 'Value must be no more than 1'],
    ['message.timestamp.type', 'createtime', 'String must be one of: CreateTime, LogAppendTime'],
    ['millrace.sync', 'never', 'String must be one of: always, interval'],
    ['remote.storage.enable', 'true', 'Tiered storage is disabled'],
  ])('%s=%s: %s', (name, text, expected) => {
    expect(problemOf(name, text)).toContain(expected);
  });

  test('refuses a shortest compaction lag above the longest', () => {
    const parsed = parseTopicConfigs([
      ['min.compaction.lag.ms', '10'],
      ['max.compaction.lag.ms', '9'],
    ]);
    expect(parsed).toHaveProperty('problem', expect.stringContaining('conflict topic config setting'));
  });
});

describe('topicLogConfig', () => {
  test('gives the storage’s defaults where nothing is set', () => {
    expect(topicLogConfig(new Map())).toEqual(defaultLogConfig);
  });

  test('decodes what the topic sets', () => {
    const parsed = parseTopicConfigs([
      ['cleanup.policy', 'compact'],
      ['retention.bytes', '-5'],
      ['millrace.sync', 'interval'],
      ['message.timestamp.type', 'LogAppendTime'],
      ['segment.ms', '9223372036854775807'],
    ]);
    expect('configs' in parsed && topicLogConfig(parsed.configs)).toMatchObject({
      deletePolicy: false,
      compactPolicy: true,
      retentionBytes: -1,
      syncPolicy: 'interval',
      timestampType: 'LogAppendTime',
      segmentMs: Number.MAX_SAFE_INTEGER,
    });
  });

  test('lets the broker stand in, in its own units, strongest name first', () => {
    const hours = new BrokerConfig([['log.retention.hours', '2']]);
    expect(topicLogConfig(new Map(), hours.setValue).retentionMs).toBe(7_200_000);
    const minutes = new BrokerConfig([
      ['log.retention.hours', '2'],
      ['log.retention.minutes', '3'],
    ]);
    expect(topicLogConfig(new Map(), minutes.setValue).retentionMs).toBe(180_000);
    const unbounded = new BrokerConfig([['log.retention.hours', '-1']]);
    expect(topicLogConfig(new Map(), unbounded.setValue).retentionMs).toBe(-1);
    expect(effectiveTopicValue('retention.ms', new Map([['retention.ms', '7']]), hours.setValue)).toBe('7');
  });
});

describe('configNumber', () => {
  test.each([
    ['9223372036854775807', Number.MAX_SAFE_INTEGER],
    ['-9223372036854775808', Number.MIN_SAFE_INTEGER],
    ['0.5', 0.5],
    ['42', 42],
  ])('%s is %d', (text, value) => {
    expect(configNumber(text)).toBe(value);
  });
});
