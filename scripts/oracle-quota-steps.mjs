/**
 * The oracle's requests about client quotas, client telemetry and what resources have settings. Each scenario takes
 * back what it set.
 */

import {
  batchOf,
  create,
  hosted,
  newTopic,
  Operation,
  range,
  Resource,
  settled,
  timeoutMs,
} from './oracle-requests.mjs';

const Match = { EXACT: 0, DEFAULT: 1, ANY: 2 };

export async function clientQuotas(target) {
  const client = target.topic('client');
  const user = target.topic('user');
  const entityOf = (parts) => Object.entries(parts).map(([entityType, entityName]) => ({ entityType, entityName }));
  const set = (key, value) => ({ key, value, remove: false });
  const remove = (key) => ({ key, value: 0, remove: true });
  for (const version of range(0, 1)) {
    const alter = async (label, entries, validateOnly = false) => {
      await target.ask(`alter ${label}`, 49, version, {
        entries: entries.map(([parts, ...ops]) => ({ entity: entityOf(parts), ops })),
        validateOnly,
      });
      await settled();
    };
    const describe = (label, components, strict = false) =>
      target.ask(`describe ${label}`, 48, version, {
        components: components.map(([entityType, matchType, match = null]) => ({ entityType, matchType, match })),
        strict,
      });
    const clientIs = ['client-id', Match.EXACT, client];
    const userIs = ['user', Match.EXACT, user];
    await describe('none', [clientIs]);
    await alter('client', [[{ 'client-id': client }, set('producer_byte_rate', 1e6), set('consumer_byte_rate', 2e6)]]);
    await describe('client', [clientIs]);
    await describe('client, strictly', [clientIs], true);
    await alter('user', [[{ user }, set('request_percentage', 12.5), set('controller_mutation_rate', 3.25)]]);
    await alter('both', [[{ user, 'client-id': client }, set('producer_byte_rate', 5e5)]]);
    await alter('defaults', [
      [{ user: null }, set('producer_byte_rate', 7e8)],
      [{ 'client-id': null }, set('producer_byte_rate', 8e8)],
      [{ user: null, 'client-id': null }, set('producer_byte_rate', 9e8)],
      [{ user, 'client-id': null }, set('producer_byte_rate', 6e8)],
      [{ user: null, 'client-id': client }, set('producer_byte_rate', 5e8)],
    ]);
    await describe('user', [userIs]);
    await describe('user, strictly', [userIs], true);
    await describe('user and client', [userIs, clientIs]);
    await describe('user and client, strictly', [userIs, clientIs], true);
    await describe('default user', [['user', Match.DEFAULT]]);
    await describe('default user, strictly', [['user', Match.DEFAULT]], true);
    await describe('default client', [['client-id', Match.DEFAULT]]);
    await describe('default both', [
      ['user', Match.DEFAULT],
      ['client-id', Match.DEFAULT],
    ]);
    await describe('user, any client', [userIs, ['client-id', Match.ANY]]);
    await describe('any user of the client', [['user', Match.ANY], clientIs]);
    await describe('default user of the client', [['user', Match.DEFAULT], clientIs]);
    await alter('dry', [[{ 'client-id': client }, set('producer_byte_rate', 42)]], true);
    await alter('unknown key', [[{ 'client-id': client }, set('no_such', 1)]]);
    await alter('unknown type', [[{ planet: 'mars' }, set('producer_byte_rate', 1)]]);
    await alter('empty type', [[{ '': 'mars' }, set('producer_byte_rate', 1)]]);
    await alter('empty entity', [[{}, set('producer_byte_rate', 1)]]);
    await alter('empty name', [[{ 'client-id': '' }, set('producer_byte_rate', 1)]]);
    await alter('zero', [[{ 'client-id': client }, set('producer_byte_rate', 0)]]);
    await alter('below zero', [[{ 'client-id': client }, set('producer_byte_rate', -1)]]);
    await alter('fraction', [[{ 'client-id': client }, set('producer_byte_rate', 1.5)]]);
    await alter('not a number', [[{ 'client-id': client }, set('producer_byte_rate', Number.NaN)]]);
    await alter('infinite', [[{ 'client-id': client }, set('producer_byte_rate', Infinity)]]);
    await alter('huge', [[{ 'client-id': client }, set('producer_byte_rate', 1e19)]]);
    await alter('infinite percentage', [[{ 'client-id': client }, set('request_percentage', Infinity)]]);
    await alter('connections of a client', [[{ 'client-id': client }, set('connection_creation_rate', 5)]]);
    await alter('connections of an address', [[{ ip: '192.0.2.9' }, set('connection_creation_rate', 5)]]);
    await alter('fraction of connections', [[{ ip: '192.0.2.9' }, set('connection_creation_rate', 5.5)]]);
    await alter('bytes of an address', [[{ ip: '192.0.2.9' }, set('producer_byte_rate', 5)]]);
    await alter('address and user', [[{ ip: '192.0.2.9', user }, set('connection_creation_rate', 5)]]);
    await alter('no address', [[{ ip: 'not an address!' }, set('connection_creation_rate', 5)]]);
    await alter('default address', [[{ ip: null }, set('connection_creation_rate', 2147483647)]]);
    await alter('twice', [
      [{ 'client-id': client }, set('producer_byte_rate', 1)],
      [{ 'client-id': client }, set('producer_byte_rate', 2)],
    ]);
    await alter('key twice', [[{ 'client-id': client }, set('producer_byte_rate', 1), set('producer_byte_rate', 2)]]);
    await alter('type twice', []);
    await alter('one bad', [
      [{ 'client-id': client }, set('consumer_byte_rate', 3e6)],
      [{ 'client-id': client, user: '' }, set('consumer_byte_rate', 3e6)],
    ]);
    await alter('nothing to do', [[{ 'client-id': client }]]);
    await describe('after refusals', [clientIs]);
    await describe('address', [['ip', Match.EXACT, '192.0.2.9']]);
    await describe('default address', [['ip', Match.DEFAULT]]);
    await describe('address and user', [['ip', Match.EXACT, '192.0.2.9'], userIs]);
    await describe('unknown type', [['planet', Match.EXACT, 'mars']]);
    await describe('empty type', [['', Match.EXACT, 'mars']]);
    await describe('type twice', [clientIs, clientIs]);
    await describe('unknown match', [['client-id', 9, client]]);
    await describe('exact without name', [['client-id', Match.EXACT, null]]);
    await describe('default with name', [['client-id', Match.DEFAULT, client]]);
    await describe('nothing, strictly', [], true);
    await alter('remove one', [[{ 'client-id': client }, remove('consumer_byte_rate')]]);
    await describe('one removed', [clientIs], true);
    await alter('remove what is not there', [[{ 'client-id': `${client}-2` }, remove('consumer_byte_rate')]]);
    await alter('remove unknown', [[{ 'client-id': client }, remove('no_such')]]);
    await alter('away', [
      [{ 'client-id': client }, remove('producer_byte_rate'), remove('request_percentage')],
      [{ 'client-id': client }, remove('connection_creation_rate')],
      [{ user }, remove('request_percentage'), remove('controller_mutation_rate')],
      [{ user, 'client-id': client }, remove('producer_byte_rate')],
      [{ user: null }, remove('producer_byte_rate')],
      [{ 'client-id': null }, remove('producer_byte_rate')],
      [{ user: null, 'client-id': null }, remove('producer_byte_rate')],
      [{ user, 'client-id': null }, remove('producer_byte_rate')],
      [{ user: null, 'client-id': client }, remove('producer_byte_rate')],
      [{ ip: '192.0.2.9' }, remove('connection_creation_rate')],
      [{ ip: null }, remove('connection_creation_rate')],
    ]);
    await alter('rest away', [[{ 'client-id': client }, remove('producer_byte_rate'), remove('request_percentage')]]);
    await describe('away', [clientIs]);
    await describe('all away', [['user', Match.ANY]]);
  }
}

export async function listConfigResources(target) {
  const name = target.topic('metrics');
  const alter = (label, resourceType, resourceName, configs) =>
    target.ask(label, 44, 1, {
      resources: [
        {
          resourceType,
          resourceName,
          configs: configs.map(([config, configOperation, value]) => ({ name: config, configOperation, value })),
        },
      ],
    });
  await target.ask('metrics before', 74, 0, {});
  await alter('metrics set', Resource.CLIENT_METRICS, name, [
    ['interval.ms', Operation.SET, '5000'],
    ['metrics', Operation.SET, 'org.apache.kafka.producer.'],
    ['match', Operation.SET, 'client_id=no-such-client'],
  ]);
  await alter('group set', Resource.GROUP, name, [['consumer.session.timeout.ms', Operation.SET, '50000']]);
  await settled();
  await target.ask('metrics', 74, 0, {});
  await target.ask('metrics by type', 74, 1, { resourceTypes: [Resource.CLIENT_METRICS] });
  await target.ask('groups', 74, 1, { resourceTypes: [Resource.GROUP] });
  await target.ask('brokers', 74, 1, { resourceTypes: [Resource.BROKER, Resource.BROKER_LOGGER] });
  for (const type of [0, 1, 3, 99, -1]) await target.ask(`type ${type}`, 74, 1, { resourceTypes: [type] });
  await target.ask('type twice', 74, 1, { resourceTypes: [Resource.GROUP, Resource.GROUP] });
  await alter('metrics away', Resource.CLIENT_METRICS, name, [
    ['interval.ms', Operation.DELETE, null],
    ['metrics', Operation.DELETE, null],
    ['match', Operation.DELETE, null],
  ]);
  await alter('group away', Resource.GROUP, name, [['consumer.session.timeout.ms', Operation.DELETE, null]]);
  await settled();
  await target.ask('metrics after', 74, 0, {});
}

/** What clients feel of their quotas. Throttle times follow from Kafka's windows: the first second counts as ten. */
export async function throttling(target) {
  const topic = target.topic('throttled');
  await create(target, 'before', [newTopic(topic)]);
  await hosted(target, topic);
  const limit = async (client, key, value) => {
    const op = { key, value: value ?? 0, remove: value === null };
    const entity = [{ entityType: 'client-id', entityName: client }];
    await target.ask(`${value === null ? 'unlimit' : 'limit'} ${key}`, 49, 1, { entries: [{ entity, ops: [op] }] });
    await settled();
  };
  const producing = (sizeBytes) => ({
    acks: -1,
    timeoutMs,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: batchOf(['x'.repeat(sizeBytes)]) }] }],
  });
  const named = (name) => {
    const client = target.topic(name);
    return [client, target.asOther(client)];
  };

  const [producer, askProducer] = named('producer');
  await askProducer('produce without a limit', 0, 9, producing(14_000));
  await limit(producer, 'producer_byte_rate', 1000);
  await askProducer('produce within the limit', 0, 9, producing(500));
  await askProducer('produce above the limit', 0, 9, producing(12_000));
  await askProducer('produce once the limit lets it', 0, 9, producing(10));
  await limit(producer, 'producer_byte_rate', null);

  const fetching = (maxBytes) => ({
    replicaId: -1,
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [
      {
        topic,
        partitions: [
          {
            partition: 0,
            currentLeaderEpoch: -1,
            fetchOffset: 0,
            lastFetchedEpoch: -1,
            logStartOffset: -1,
            partitionMaxBytes: maxBytes,
          },
        ],
      },
    ],
    forgottenTopicsData: [],
    rackId: '',
  });
  const [consumer, askConsumer] = named('consumer');
  const withoutRecords = (ask) => async (label, version, fields) => {
    const { responses, throttleTimeMs } = await ask(label, 1, version, fields);
    return { responses, throttleTimeMs };
  };
  await limit(consumer, 'consumer_byte_rate', 1000);
  await withoutRecords(askConsumer)('fetch above the limit', 11, fetching(1_000_000));
  await limit(consumer, 'consumer_byte_rate', 1_000_000);
  await withoutRecords(askConsumer)('fetch within the limit', 11, fetching(1_000_000));
  await limit(consumer, 'consumer_byte_rate', null);

  const [busy, askBusy] = named('busy');
  await limit(busy, 'request_percentage', 0.000001);
  await askBusy('metadata above the limit', 3, 9, { topics: [] });
  await limit(busy, 'request_percentage', null);
  await askBusy('metadata without a limit', 3, 9, { topics: [] });

  for (const version of [5, 7]) {
    const [maker, askMaker] = named(`maker-${version}`);
    const making = (label, topics, validateOnly = false) =>
      askMaker(label, 19, version, { topics, timeoutMs, validateOnly });
    await limit(maker, 'controller_mutation_rate', 2);
    await making('create as much as the burst and more', [newTopic(target.topic(`made-${version}`), 24)]);
    await making('create above the limit', [newTopic(target.topic(`more-${version}`), 1)]);
    await askMaker(`delete above the limit ${version}`, 20, version === 5 ? 4 : 5, {
      topicNames: [target.topic(`made-${version}`)],
      timeoutMs,
    });
    await askMaker(`grow above the limit ${version}`, 37, version === 5 ? 2 : 3, {
      topics: [{ name: topic, count: version, assignments: null }],
      timeoutMs,
      validateOnly: false,
    });
    await limit(maker, 'controller_mutation_rate', null);
  }
}
