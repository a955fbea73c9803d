/** Settings whose text has a grammar: what is refused, by every way on which a setting comes. */

import { describe, expect, it } from 'vitest';
import { parseAddressCounts } from '../../src/broker/address-counts.ts';
import { BrokerConfig } from '../../src/broker/broker-config.ts';
import { parseTopicConfigs } from '../../src/broker/topic-config.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { incrementalAlterConfigsApi } from '../../src/protocol/generated/index.ts';
import { knownAssignors } from '../../src/broker/groups/consumer/target-assignment.ts';
import { BrokerHarness } from './broker-harness.ts';

const overrides = 'max.connections.per.ip.overrides';

describe('counts by address', () => {
  it.each([
    ['', []],
    [',', []],
    ['192.0.2.1:3', [['192.0.2.1', 3]]],
    ['192.0.2.1:3,', [['192.0.2.1', 3]]],
    [
      ' 192.0.2.1 : 0 ,2001:0DB8::1:4',
      [
        ['192.0.2.1', 0],
        ['2001:db8::1', 4],
      ],
    ],
    [
      'localhost:2147483647',
      [
        ['127.0.0.1', 2_147_483_647],
        ['::1', 2_147_483_647],
      ],
    ],
  ])('are read from %j', (text, counts) => {
    expect(parseAddressCounts(text)).toEqual({ counts: new Map(counts as [string, number][]), problem: null });
  });

  it.each([
    ['192.0.2.1', "'192.0.2.1' is no pair of an address and a count"],
    [':3', "'' is no IP address"],
    ['192.0.2.1:', "'' is no count"],
    ['192.0.2.1:-1', "'-1' is no count"],
    ['192.0.2.1:x', "'x' is no count"],
    ['192.0.2.1:2147483648', "'2147483648' is no count"],
    ['192.0.2.256:1', "'192.0.2.256' is no IP address"],
    ['example.org:1', "'example.org' is no IP address, and names of hosts but localhost are not looked up"],
    [',192.0.2.1:1', "'' is no pair"],
    ['192.0.2.1:1,,192.0.2.2:1', "'' is no pair"],
  ])('are not read from %j', (text, problem) => {
    expect(parseAddressCounts(text).problem).toContain(problem);
  });

  it('are those of the pairs that are such, beside others', () => {
    const { counts, problem } = parseAddressCounts('gateway.example:5, 192.0.2.1:10,192.0.2.2:x, ,192.0.2.3:1');
    expect([...counts]).toEqual([
      ['192.0.2.1', 10],
      ['192.0.2.3', 1],
    ]);
    expect(problem).toContain("'gateway.example' is no IP address");
  });

  it('are read in one pass, however many commas stand before a letter', () => {
    // What looks again from each comma on would take a quarter of an hour over it.
    expect(parseAddressCounts(`${','.repeat(400_000)}x`).problem).toContain("'' is no pair");
  });
});

describe('a text that does not parse', () => {
  it.each([
    [overrides, '192.0.2.1', '192.0.2.1:100'],
    ['listener.security.protocol.map', 'PLAINTEXT', 'INSIDE:PLAINTEXT, OUTSIDE:SASL_SSL'],
    ['listener.security.protocol.map', 'INSIDE:TELNET', 'INSIDE:SSL'],
    ['listener.security.protocol.map', 'INSIDE:PLAIN', 'INSIDE:plaintext,OUTSIDE:Sasl_Ssl'],
    ['group.consumer.assignors', 'org.example.Mine', 'org.example.Mine,range'],
    ['group.consumer.assignors', 'UniformAssignor', 'org.apache.kafka.coordinator.group.assignor.UniformAssignor'],
    ['millrace.allowed.origins', 'shop.example', 'https://shop.example,http://localhost:3000'],
    ['millrace.allowed.origins', 'file:///tmp', '*'],
  ])('is refused at the start for %s: %j', (name, wrong, right) => {
    expect(() => new BrokerConfig([[name, wrong]])).toThrow(`Invalid value ${wrong} for configuration ${name}: `);
    expect(new BrokerConfig([[name, right]]).setValue(name)).toBe(right);
  });

  it.each([
    ['4', '1', overrides, 'nonsense', '127.0.0.1:5'],
    ['4', '', overrides, '127.0.0.1:many', '127.0.0.1:5'],
    ['4', '1', 'listener.security.protocol.map', ':SSL', 'INSIDE:SSL'],
    ['2', 'orders', 'follower.replication.throttled.replicas', '0', '0:1,1:1'],
    ['2', 'orders', 'leader.replication.throttled.replicas', '*,0:1', '*'],
  ])('is refused of a client: resource type %s %j, %s=%j', async (type, resourceName, name, wrong, right) => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('orders');
    const set = async (value: string): Promise<number> => {
      const configs = [{ name, configOperation: 0, value }];
      const resources = [{ resourceType: Number(type), resourceName, configs }];
      const { responses } = await harness.request(incrementalAlterConfigsApi, 1, { resources });
      return responses[0]!.errorCode;
    };
    // As Kafka has it.
    const refusal = type === '2' ? ErrorCode.INVALID_CONFIG : ErrorCode.INVALID_REQUEST;
    expect(await set(wrong)).toBe(refusal);
    expect(await set(right)).toBe(ErrorCode.NONE);
    // What is refused leaves what was set.
    expect(await set(wrong)).toBe(refusal);
    const { topics, config } = harness.broker;
    expect(type === '2' ? topics.topic('orders')!.configs.get(name) : config.text(name)).toBe(right);
  });

  it('is left alone where an older release took it, while other settings are changed', async () => {
    const harness = await BrokerHarness.open();
    await harness.createTopic('orders');
    const { topics } = harness.broker;
    const throttled = 'leader.replication.throttled.replicas';
    const stored = new Map([[overrides, 'gateway.example:5']]);
    // As a log has it that an older release wrote.
    await topics.alterBrokerConfigs('1', '1', () => stored, false);
    (topics.topic('orders')!.configs as Map<string, string>).set(throttled, 'x');
    const set = async (type: number, resourceName: string, name: string, value: string): Promise<number> => {
      const resources = [{ resourceType: type, resourceName, configs: [{ name, configOperation: 0, value }] }];
      return (await harness.request(incrementalAlterConfigsApi, 1, { resources })).responses[0]!.errorCode;
    };
    expect(await set(4, '1', 'max.connections.per.ip', '100')).toBe(ErrorCode.NONE);
    expect(await set(2, 'orders', 'retention.ms', '1000')).toBe(ErrorCode.NONE);
    expect(harness.broker.config.text(overrides)).toBe('gateway.example:5');
    expect(topics.topic('orders')!.configs.get(throttled)).toBe('x');
    expect(await set(4, '1', overrides, 'gateway.example:6')).toBe(ErrorCode.INVALID_REQUEST);
    expect(await set(2, 'orders', throttled, 'y')).toBe(ErrorCode.INVALID_CONFIG);
  });

  it('may name the assignors by their classes, and is then asked for by their names', () => {
    const prefix = 'org.apache.kafka.coordinator.group.assignor.';
    const names = [`${prefix}RangeAssignor`, 'range', 'org.example.Mine', `${prefix}UniformAssignor`];
    expect(knownAssignors(names)).toEqual(['range', 'uniform']);
  });

  it.each(['', '*', '*,', '0:0', '0:1,12:345', '0:1,'])('is none for throttled replicas: %j', (text) => {
    expect(parseTopicConfigs([['leader.replication.throttled.replicas', text]])).toHaveProperty('configs');
  });

  it.each(['x', '0', '0:', ':1', '0:1:2', '-1:0', '*,*:1'])('is one for throttled replicas: %j', (text) => {
    expect(parseTopicConfigs([['leader.replication.throttled.replicas', text]])).toHaveProperty('problem');
  });
});
