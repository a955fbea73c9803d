import { expect, test } from 'vitest';
import { silentLogger, type LogFields } from '../../../src/base/logger.ts';
import { BrokerConfig } from '../../../src/broker/broker-config.ts';
import { AddressBounds } from '../../../src/broker/quotas/address-bounds.ts';

function bounds(settings: Record<string, string>): AddressBounds {
  return new AddressBounds(new BrokerConfig([['node.id', '1'], ...Object.entries(settings)]), silentLogger);
}

test('an address has its own bound, however it is written, and else that of all', () => {
  const overrides = '192.0.2.1:3, 2001:0DB8::1 : 4,localhost:5';
  const some = bounds({ 'max.connections.per.ip': '100', 'max.connections.per.ip.overrides': overrides });
  const addresses = ['192.0.2.1', '2001:db8::1', '127.0.0.1', '::1', '192.0.2.2'];
  expect(addresses.map((address) => some.largestCount(address))).toEqual([3, 4, 5, 5, 100]);
});

test('a bound of any address is one', () => {
  expect(bounds({}).limitsAny).toBe(false);
  expect(bounds({ 'max.connections.per.ip': '9' }).limitsAny).toBe(true);
  expect(bounds({ 'max.connections.per.ip.overrides': '192.0.2.1:0' }).limitsAny).toBe(true);
});

test('of what an older release let be set the pairs that are such count, and a warning names the others', () => {
  const config = new BrokerConfig([['node.id', '1']]);
  const warnings: LogFields[] = [];
  const some = new AddressBounds(config, { ...silentLogger, warn: (fields) => void warnings.push(fields) });
  const set = (text: string): void =>
    config.setDynamic(new Map([['max.connections.per.ip.overrides', text]]), new Map());
  set('192.0.2.1');
  expect(some.limitsAny).toBe(false);
  set('gateway.example:5,192.0.2.1:10');
  expect(some.largestCount('192.0.2.1')).toBe(10);
  expect(some.limitsAny).toBe(true);
  expect(warnings.map(({ problem }) => problem)).toEqual([
    expect.stringContaining("'192.0.2.1' is no pair"),
    expect.stringContaining("'gateway.example' is no IP address"),
  ]);
});
