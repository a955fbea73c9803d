import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { BrokerConfig, brokerConfigByName } from '../../src/broker/broker-config.ts';
import { checkedClientMetrics, parseMatch } from '../../src/broker/client-metrics-config.ts';
import { checkedGroupConfigs, effectiveGroupValue, groupConfigDefinitions } from '../../src/broker/group-config.ts';
import { LinearPatterns } from '../../src/broker/linear-patterns.ts';

const config = new BrokerConfig();

test('every setting of a group of Kafka stands in the table with type and default', () => {
  const facts = readFileSync(new URL('facts/kafka-4.4-group-configs.tsv', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t').slice(0, 3));
  const ours = groupConfigDefinitions.map(({ name, type, default: byDefault }) => [name, type, byDefault ?? 'null']);
  expect(ours).toEqual(facts);
  for (const { inherits, atLeast, atMost } of groupConfigDefinitions) {
    for (const name of [inherits, atLeast, atMost]) {
      if (typeof name === 'string') expect(brokerConfigByName.has(name), name).toBe(true);
    }
  }
});

test('a group has what the broker says unless it says something itself', () => {
  const broker = new BrokerConfig([['group.consumer.session.timeout.ms', '50000']]);
  expect(effectiveGroupValue('consumer.session.timeout.ms', new Map(), broker)).toBe('50000');
  const own = new Map([['consumer.session.timeout.ms', '46000']]);
  expect(effectiveGroupValue('consumer.session.timeout.ms', own, broker)).toBe('46000');
  expect(effectiveGroupValue('streams.assignor.name', new Map(), broker)).toBe('sticky');
});

test.each([
  ['consumer.session.timeout.ms', '1'],
  ['consumer.session.timeout.ms', '60001'],
  ['consumer.heartbeat.interval.ms', 'x'],
  ['share.auto.offset.reset', 'nearest'],
  ['share.auto.offset.reset', 'by_duration:P'],
  ['share.auto.offset.reset', 'by_duration:-P1D'],
  ['share.delivery.count.limit', '11'],
  ['streams.num.standby.replicas', '3'],
  ['share.isolation.level', 'none'],
  ['no.such', '1'],
])('a group is refused %s=%s', (name, value) => {
  expect(checkedGroupConfigs(new Map([[name, value]]), config)).toEqual(expect.any(String));
});

test.each([
  ['share.auto.offset.reset', 'by_duration:P1DT2H3M4.5S'],
  ['share.auto.offset.reset', 'earliest'],
  ['streams.num.standby.replicas', '2'],
  ['streams.rack.aware.assignment.tags', 'zone,cluster'],
])('a group takes %s=%s', (name, value) => {
  expect(checkedGroupConfigs(new Map([[name, value]]), config)).toEqual(new Map([[name, value]]));
});

describe('subscriptions of client metrics', () => {
  const patterns = new LinearPatterns(systemClock, silentLogger);
  beforeAll(() => patterns.ready());

  test.each([
    ['interval.ms', '99'],
    ['interval.ms', '3600001'],
    ['interval.ms', ''],
    ['match', 'client_id'],
    ['match', 'client_id=a['],
    ['match', 'nobody=x'],
    ['no.such', '1'],
  ])('are refused %s=%s', (name, value) => {
    expect(checkedClientMetrics(new Map([[name, value]]), patterns)).toMatchObject({ errorCode: expect.any(Number) });
  });

  test('match whole texts, the last pattern of a name counts', () => {
    const matched = parseMatch('client_id=x,client_software_name=apache.*,client_id=b[0-9]+', patterns);
    expect(matched?.map(({ name }) => name)).toEqual(['client_id', 'client_software_name']);
    const [clientId] = matched!;
    expect(['b1', 'b', 'ab1', 'b1c'].map((text) => clientId!.pattern.matches(text))).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});
