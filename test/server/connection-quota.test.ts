/** The bounds on connections: which one refuses, and that both may change. */

import { expect, it } from 'vitest';
import { ConnectionQuota } from '../../src/server/connection-quota.ts';

it('names the bound that is reached, of all connections first', () => {
  const quota = new ConnectionQuota({ largestCount: () => 3, largestCountPerAddress: () => 2 });
  quota.add('192.0.2.1');
  expect(quota.refusal('192.0.2.1')).toBeNull();
  quota.add('192.0.2.1');
  expect(quota.refusal('192.0.2.1')).toBe('max.connections.per.ip');
  expect(quota.refusal('192.0.2.2')).toBeNull();
  quota.add('192.0.2.2');
  expect(quota.refusal('192.0.2.2')).toBe('max.connections');
  expect(quota.count).toBe(3);
});

it('has room again once a connection has ended', () => {
  const quota = new ConnectionQuota({ largestCount: () => 2, largestCountPerAddress: () => 1 });
  quota.add('192.0.2.1');
  quota.add('192.0.2.2');
  quota.remove('192.0.2.1');
  expect(quota.refusal('192.0.2.2')).toBe('max.connections.per.ip');
  expect(quota.refusal('192.0.2.1')).toBeNull();
  expect(() => quota.remove('192.0.2.1')).toThrow('a connection is removed once');
});

it('follows its bounds as they change', () => {
  let largest = 1;
  const quota = new ConnectionQuota({ largestCount: () => largest, largestCountPerAddress: () => 10 });
  quota.add('192.0.2.1');
  expect(quota.refusal('192.0.2.1')).toBe('max.connections');
  largest = 2;
  expect(quota.refusal('192.0.2.1')).toBeNull();
});

it('counts requests over HTTP for their address, beside connections', () => {
  const quota = new ConnectionQuota({ largestCount: () => 10, largestCountPerAddress: () => 2 });
  expect(quota.limitsAddresses).toBe(true);
  quota.add('192.0.2.1');
  expect(quota.beginRequest('192.0.2.1')).toBe(true);
  expect(quota.beginRequest('192.0.2.1')).toBe(false);
  expect(quota.refusal('192.0.2.1')).toBe('max.connections.per.ip');
  expect(quota.beginRequest('192.0.2.2')).toBe(true);
  // The connection below each was counted when it came.
  expect(quota.count).toBe(1);
  quota.endRequest('192.0.2.1');
  expect(quota.beginRequest('192.0.2.1')).toBe(true);
  quota.endRequest('192.0.2.1');
  expect(() => {
    quota.endRequest('192.0.2.1');
    quota.endRequest('192.0.2.1');
  }).toThrow('a connection is removed once');
});

it('looks at no address where there is no bound for one', () => {
  const quota = new ConnectionQuota({ largestCount: () => 10, largestCountPerAddress: () => 2 ** 31 - 1 });
  expect(quota.limitsAddresses).toBe(false);
});
