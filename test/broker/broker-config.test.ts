import { expect, test } from 'vitest';
import { BrokerConfig, ConfigSource } from '../../src/broker/broker-config.ts';

test('gives defaults where nothing is set', () => {
  const config = new BrokerConfig();
  expect(config.number('num.partitions')).toBe(1);
  expect(config.boolean('auto.create.topics.enable')).toBe(true);
  expect(config.text('log.retention.ms')).toBeNull();
  expect(config.setValue('num.partitions')).toBeNull();
});

test('lets a change for this node win over one for all nodes, and that over the start', () => {
  const config = new BrokerConfig([['message.max.bytes', '1']]);
  config.setDynamic(new Map([['message.max.bytes', '3']]), new Map([['message.max.bytes', '2']]));
  expect(config.number('message.max.bytes')).toBe(3);
  expect(config.valuesOf('message.max.bytes').map(({ text, source }) => [text, source])).toEqual([
    ['3', ConfigSource.DYNAMIC_BROKER_CONFIG],
    ['2', ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG],
    ['1', ConfigSource.STATIC_BROKER_CONFIG],
    ['1048588', ConfigSource.DEFAULT_CONFIG],
  ]);
  config.setDynamic(new Map(), new Map());
  expect(config.number('message.max.bytes')).toBe(1);
});

test('refuses a value that is not allowed, by name, and collects names it does not know', () => {
  expect(() => new BrokerConfig([['num.partitions', '0']])).toThrow(
    'Invalid value 0 for configuration num.partitions: Value must be at least 1.',
  );
  expect(new BrokerConfig([['zookeeper.connect', 'x']]).unknownNames).toEqual(['zookeeper.connect']);
});
