import { describe, expect, it, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { alterClientQuotasApi, describeClientQuotasApi } from '../../../src/protocol/generated/index.ts';
import { BrokerHarness, versionsOf } from '../broker-harness.ts';

type Parts = Readonly<Record<string, string | null>>;
const entityOf = (parts: Parts) =>
  Object.entries(parts).map(([entityType, entityName]) => ({ entityType, entityName }));
const set = (key: string, value: number) => ({ key, value, remove: false });
const remove = (key: string) => ({ key, value: 0, remove: true });
const Match = { EXACT: 0, DEFAULT: 1, ANY: 2 };

class Quotas {
  readonly harness: BrokerHarness;
  readonly version: number;

  constructor(harness: BrokerHarness, version = 1) {
    this.harness = harness;
    this.version = version;
  }

  async alter(parts: Parts, ops: ReturnType<typeof set>[], validateOnly = false): Promise<number> {
    const entries = [{ entity: entityOf(parts), ops }];
    const response = await this.harness.request(alterClientQuotasApi, this.version, { entries, validateOnly });
    expect(response.entries).toHaveLength(1);
    return response.entries[0]!.errorCode;
  }

  /** Each entity that the filter takes, with its limits. */
  async find(components: [string, number, string | null][], strict = false): Promise<unknown[]> {
    const filter = components.map(([entityType, matchType, match]) => ({ entityType, matchType, match }));
    const request = { components: filter, strict };
    const { errorCode, entries } = await this.harness.request(describeClientQuotasApi, this.version, request);
    expect(errorCode).toBe(ErrorCode.NONE);
    return entries!.map(({ entity, values }) => [
      Object.fromEntries(entity.map(({ entityType, entityName }) => [entityType, entityName])),
      Object.fromEntries(values.map(({ key, value }) => [key, value])),
    ]);
  }
}

describe.each(versionsOf(alterClientQuotasApi))('client quotas, version %i', (version) => {
  it('are set, found, changed and removed', async () => {
    const quotas = new Quotas(await BrokerHarness.open(), version);
    expect(
      await quotas.alter({ 'client-id': 'a' }, [set('producer_byte_rate', 1000), set('request_percentage', 1.5)]),
    ).toBe(0);
    expect(await quotas.alter({ user: 'u', 'client-id': null }, [set('consumer_byte_rate', 5)])).toBe(0);
    const ofClient = ['client-id', Match.EXACT, 'a'] as [string, number, string];
    expect(await quotas.find([ofClient])).toEqual([
      [{ 'client-id': 'a' }, { producer_byte_rate: 1000, request_percentage: 1.5 }],
    ]);
    expect(await quotas.find([['user', Match.ANY, null]])).toEqual([
      [{ user: 'u', 'client-id': null }, { consumer_byte_rate: 5 }],
    ]);
    expect(await quotas.find([['user', Match.EXACT, 'u']], true)).toEqual([]);
    expect(await quotas.find([['client-id', Match.DEFAULT, null]])).toHaveLength(1);
    expect(await quotas.alter({ 'client-id': 'a' }, [remove('request_percentage')])).toBe(0);
    expect(await quotas.find([ofClient])).toEqual([[{ 'client-id': 'a' }, { producer_byte_rate: 1000 }]]);
    expect(await quotas.alter({ 'client-id': 'a' }, [remove('producer_byte_rate')], true)).toBe(0);
    expect(await quotas.find([ofClient])).toHaveLength(1);
    expect(await quotas.alter({ 'client-id': 'a' }, [remove('producer_byte_rate')])).toBe(0);
    expect(await quotas.find([ofClient])).toEqual([]);
  });
});

test('client quotas outlive a restart', async () => {
  const first = await BrokerHarness.open();
  await new Quotas(first).alter({ user: null, 'client-id': 'a=b' }, [set('controller_mutation_rate', 0.5)]);
  await first.broker.close();
  const second = new Quotas(await BrokerHarness.open({ store: first.store, seed: 2 }));
  expect(await second.find([['client-id', Match.EXACT, 'a=b']])).toEqual([
    [{ user: null, 'client-id': 'a=b' }, { controller_mutation_rate: 0.5 }],
  ]);
});

test.each<[string, Parts, ReturnType<typeof set>[]]>([
  ['a key that is none', { 'client-id': 'a' }, [set('no_such', 1)]],
  ['a type that is none', { planet: 'mars' }, [set('producer_byte_rate', 1)]],
  ['no entity', {}, [set('producer_byte_rate', 1)]],
  ['an empty name', { user: '' }, [set('producer_byte_rate', 1)]],
  ['zero', { user: 'u' }, [set('producer_byte_rate', 0)]],
  ['what is not a number', { user: 'u' }, [set('request_percentage', Number.NaN)]],
  ['a part of a byte', { user: 'u' }, [set('producer_byte_rate', 1.5)]],
  ['more than a long', { user: 'u' }, [set('producer_byte_rate', 1e19)]],
  ['an address with a user', { ip: '127.0.0.1', user: 'u' }, [set('connection_creation_rate', 1)]],
  ['an address that is none', { ip: '1.2.3.456' }, [set('connection_creation_rate', 1)]],
  ['bytes of an address', { ip: '::1' }, [set('producer_byte_rate', 1)]],
  ['a key twice', { user: 'u' }, [set('producer_byte_rate', 1), set('producer_byte_rate', 2)]],
])('a client quota is refused for %s', async (_what, parts, ops) => {
  const quotas = new Quotas(await BrokerHarness.open());
  expect(await quotas.alter(parts, ops)).toBe(ErrorCode.INVALID_REQUEST);
  expect(await quotas.find([])).toEqual([]);
});

test('long names from outside do not make a response that cannot be sent', async () => {
  const quotas = new Quotas(await BrokerHarness.open());
  const name = 'x'.repeat(32_000);
  expect(await quotas.alter({ [name]: name }, [set('producer_byte_rate', 1)])).toBe(ErrorCode.INVALID_REQUEST);
  expect(await quotas.alter({ ip: name }, [set('connection_creation_rate', 1)])).toBe(ErrorCode.INVALID_REQUEST);
  expect(await quotas.alter({ user: name }, [set(name, 1)])).toBe(ErrorCode.INVALID_REQUEST);
  expect(await quotas.alter({ user: name }, [set('producer_byte_rate', 1)])).toBe(ErrorCode.NONE);
});
