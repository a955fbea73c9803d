/**
 * The oracle's requests that show and change settings. Each scenario takes back what it changed of the broker's.
 */

import { create, newTopic, Operation, range, Resource, settled } from './oracle-requests.mjs';

const describe = (target, label, version, resources, more = {}) =>
  target.ask(label, 32, version, {
    resources: resources.map(([resourceType, resourceName, configurationKeys = null]) => ({
      resourceType,
      resourceName,
      configurationKeys,
    })),
    ...more,
  });

export async function describeConfigs(target) {
  const name = target.topic('configs');
  const node = String(target.nodeId);
  await create(target, 'before', [newTopic(name, 1, { 'retention.ms': '1000', 'cleanup.policy': 'compact' })]);
  for (const version of range(1, 4)) {
    const ask = (label, resources, more) => describe(target, label, version, resources, more);
    const documented = { includeSynonyms: true, includeDocumentation: version >= 3 };
    await ask('topic', [[Resource.TOPIC, name]]);
    await ask('topic with all', [[Resource.TOPIC, name]], documented);
    await ask('topic, some keys', [[Resource.TOPIC, name, ['retention.ms', 'no.such', 'retention.ms']]]);
    await ask('topic, no keys', [[Resource.TOPIC, name, []]]);
    await ask('missing topic', [[Resource.TOPIC, target.topic('none')]]);
    await ask('bad topic', [[Resource.TOPIC, 'a b']]);
    await ask('empty topic', [[Resource.TOPIC, '']]);
    await ask('broker', [[Resource.BROKER, node]]);
    await ask('broker with all', [[Resource.BROKER, node]], documented);
    await ask('broker, some keys', [[Resource.BROKER, node, ['log.retention.ms', 'num.io.threads']]], documented);
    await ask('all brokers', [[Resource.BROKER, '']], documented);
    await ask('other broker', [[Resource.BROKER, String(target.nodeId + 1)]]);
    await ask('no broker', [[Resource.BROKER, 'x']]);
    await ask('loggers of none', [[Resource.BROKER_LOGGER, '']]);
    await ask('loggers of another', [[Resource.BROKER_LOGGER, String(target.nodeId + 1)]]);
    await ask('loggers', [[Resource.BROKER_LOGGER, node]], documented);
    await ask('metrics', [[Resource.CLIENT_METRICS, 'none']], documented);
    await ask('metrics of none', [[Resource.CLIENT_METRICS, '']]);
    await ask('group', [[Resource.GROUP, 'none']], documented);
    await ask('group, a key', [[Resource.GROUP, 'none', ['consumer.session.timeout.ms']]], documented);
    await ask('group of none', [[Resource.GROUP, '']]);
    for (const type of [0, 1, 3, 99, -1]) await ask(`type ${type}`, [[type, name]]);
    await ask('twice', [
      [Resource.TOPIC, name, ['retention.ms']],
      [Resource.TOPIC, name, ['retention.ms']],
    ]);
    await ask('nothing', []);
  }
}

export async function alterConfigs(target) {
  const node = String(target.nodeId);
  for (const version of range(0, 2)) {
    const name = target.topic(`alter-${version}`);
    await create(target, `before ${version}`, [newTopic(name, 1, { 'retention.ms': '1000' })]);
    const alter = async (label, resources, validateOnly = false) => {
      await target.ask(label, 33, version, {
        resources: resources.map(([resourceType, resourceName, configs]) => ({
          resourceType,
          resourceName,
          configs: configs.map(([config, value]) => ({ name: config, value })),
        })),
        validateOnly,
      });
      await settled();
      const type = resources[0]?.[0];
      if (type === Resource.TOPIC && resources[0][1] === name)
        await describe(target, `after ${label} ${version}`, 4, [[Resource.TOPIC, name]]);
    };
    await alter('validate', [[Resource.TOPIC, name, [['segment.bytes', '1048576']]]], true);
    await alter('replace', [[Resource.TOPIC, name, [['segment.bytes', '1048576']]]]);
    await alter('bad value', [[Resource.TOPIC, name, [['segment.bytes', 'x']]]]);
    await alter('unknown', [[Resource.TOPIC, name, [['no.such', '1']]]]);
    await alter('null', [[Resource.TOPIC, name, [['segment.bytes', null]]]]);
    await alter('same twice', [
      [
        Resource.TOPIC,
        name,
        [
          ['segment.bytes', '1048577'],
          ['segment.bytes', '1048578'],
        ],
      ],
    ]);
    await alter('all away', [[Resource.TOPIC, name, []]]);
    await alter('resource twice', [
      [Resource.TOPIC, name, []],
      [Resource.TOPIC, name, []],
    ]);
    await alter('missing', [[Resource.TOPIC, target.topic('none'), [['segment.bytes', '1048576']]]]);
    await alter('bad topic', [[Resource.TOPIC, 'a b', [['segment.bytes', '1048576']]]]);
    await alter('empty topic', [[Resource.TOPIC, '', [['segment.bytes', '1048576']]]]);
    await alter('nothing', []);
    for (const type of [0, 1, 3, 99]) await alter(`type ${type}`, [[type, name, [['a', 'b']]]]);
    await alter('loggers', [[Resource.BROKER_LOGGER, node, [['root', 'INFO']]]]);
    await alter('broker', [[Resource.BROKER, node, [['log.retention.ms', '7200000']]]]);
    await describe(target, `after broker ${version}`, 4, [[Resource.BROKER, node, ['log.retention.ms']]], {
      includeSynonyms: true,
    });
    await alter('broker, read-only', [[Resource.BROKER, node, [['num.partitions', '3']]]]);
    await alter('broker, bad value', [[Resource.BROKER, node, [['log.retention.ms', 'x']]]]);
    await alter('broker, unknown', [[Resource.BROKER, node, [['no.such', 'x']]]]);
    await alter('broker, null', [[Resource.BROKER, node, [['log.retention.ms', null]]]]);
    await alter('broker, away', [[Resource.BROKER, node, []]]);
    await alter('other broker', [[Resource.BROKER, String(target.nodeId + 1), [['log.retention.ms', '1']]]]);
    await alter('all brokers', [[Resource.BROKER, '', [['log.retention.ms', '7200000']]]]);
    await describe(target, `after all brokers ${version}`, 4, [[Resource.BROKER, node, ['log.retention.ms']]], {
      includeSynonyms: true,
    });
    await alter('all brokers, away', [[Resource.BROKER, '', []]]);
  }
}

export async function incrementalAlterConfigs(target) {
  const node = String(target.nodeId);
  for (const version of range(0, 1)) {
    const name = target.topic(`incremental-${version}`);
    await create(target, `before ${version}`, [newTopic(name, 1, { 'retention.ms': '1000' })]);
    const alter = (label, resources, validateOnly = false) =>
      target.ask(label, 44, version, {
        resources: resources.map(([resourceType, resourceName, configs]) => ({
          resourceType,
          resourceName,
          configs: configs.map(([config, configOperation, value]) => ({ name: config, configOperation, value })),
        })),
        validateOnly,
      });
    const topic = async (label, ...configs) => {
      await alter(label, [[Resource.TOPIC, name, configs]]);
      await settled();
      await describe(target, `after ${label} ${version}`, 4, [[Resource.TOPIC, name]], { includeSynonyms: true });
    };
    await alter('validate', [[Resource.TOPIC, name, [['segment.bytes', Operation.SET, '1048576']]]], true);
    await alter('validate bad', [[Resource.TOPIC, name, [['segment.bytes', Operation.SET, 'x']]]], true);
    await topic('set', ['segment.bytes', Operation.SET, '1048576'], ['retention.ms', Operation.SET, '5']);
    await topic('delete', ['retention.ms', Operation.DELETE, null]);
    await topic('delete with value', ['retention.ms', Operation.DELETE, '7']);
    await topic('delete unknown', ['no.such', Operation.DELETE, null]);
    await topic('set unknown', ['no.such', Operation.SET, '1']);
    await topic('append', ['cleanup.policy', Operation.APPEND, 'compact']);
    await topic('append again', ['cleanup.policy', Operation.APPEND, 'compact']);
    await topic('append two', ['cleanup.policy', Operation.APPEND, 'compact,delete']);
    await topic('append bad', ['cleanup.policy', Operation.APPEND, 'burn']);
    await topic('subtract', ['cleanup.policy', Operation.SUBTRACT, 'delete']);
    await topic('subtract missing', ['cleanup.policy', Operation.SUBTRACT, 'delete']);
    await topic('subtract last', ['cleanup.policy', Operation.SUBTRACT, 'compact']);
    await topic('set policy empty', ['cleanup.policy', Operation.SET, '']);
    await topic('delete policy', ['cleanup.policy', Operation.DELETE, '']);
    await topic('append number', ['segment.bytes', Operation.APPEND, '1']);
    await topic('subtract number', ['segment.bytes', Operation.SUBTRACT, '1']);
    await topic('append unknown', ['no.such', Operation.APPEND, '1']);
    await topic('append null', ['cleanup.policy', Operation.APPEND, null]);
    await topic('set null', ['segment.bytes', Operation.SET, null]);
    await topic('operation 4', ['segment.bytes', 4, '1']);
    await topic('operation -1', ['segment.bytes', -1, '1']);
    await topic('set twice', ['segment.bytes', Operation.SET, '1048577'], ['segment.bytes', Operation.SET, '1048578']);
    await topic('one bad of two', ['segment.bytes', Operation.SET, '1048577'], ['retention.ms', Operation.SET, 'x']);
    await topic(
      'spaces',
      ['retention.ms', Operation.SET, ' 77 '],
      ['cleanup.policy', Operation.SET, ' compact , delete '],
    );
    await topic('lags', ['min.compaction.lag.ms', Operation.SET, '10'], ['max.compaction.lag.ms', Operation.SET, '5']);
    await topic('nothing');
    const set = [['segment.bytes', Operation.SET, '1048576']];
    await alter('twice', [
      [Resource.TOPIC, name, set],
      [Resource.TOPIC, name, set],
    ]);
    await alter('missing', [[Resource.TOPIC, target.topic('none'), set]]);
    await alter('bad topic', [[Resource.TOPIC, 'a b', set]]);
    await alter('empty topic', [[Resource.TOPIC, '', set]]);
    for (const type of [0, 1, 3, 99]) await alter(`type ${type}`, [[type, name, set]]);
    await alter('good and bad', [
      [Resource.TOPIC, name, set],
      [Resource.TOPIC, target.topic('none'), set],
    ]);
    await alter('no resources', []);
    const broker = async (label, brokerName, ...configs) => {
      await alter(label, [[Resource.BROKER, brokerName, configs]]);
      await settled();
      const keys = ['log.retention.ms', 'log.cleanup.policy', 'message.max.bytes', 'min.insync.replicas'];
      await describe(target, `after ${label} ${version}`, 4, [[Resource.BROKER, node, keys]], {
        includeSynonyms: true,
      });
    };
    await broker('broker', node, ['log.retention.ms', Operation.SET, '7200000']);
    await describe(target, `topic after broker ${version}`, 4, [[Resource.TOPIC, name, ['retention.ms']]], {
      includeSynonyms: true,
    });
    await broker('all brokers', '', ['log.retention.ms', Operation.SET, '7300000']);
    await describe(target, `topic after all brokers ${version}`, 4, [[Resource.TOPIC, name, ['retention.ms']]], {
      includeSynonyms: true,
    });
    await describe(target, `dynamic defaults ${version}`, 4, [[Resource.BROKER, '']], { includeSynonyms: true });
    await broker('broker, delete', node, ['log.retention.ms', Operation.DELETE, null]);
    await broker('all brokers, delete', '', ['log.retention.ms', Operation.DELETE, null]);
    await broker('broker, append', node, ['log.cleanup.policy', Operation.APPEND, 'compact']);
    await broker('broker, subtract', node, ['log.cleanup.policy', Operation.SUBTRACT, 'delete']);
    await broker('broker, delete policy', node, ['log.cleanup.policy', Operation.DELETE, null]);
    await broker('broker, read-only', node, ['num.partitions', Operation.SET, '3']);
    await broker('broker, delete read-only', node, ['num.partitions', Operation.DELETE, null]);
    await broker('all brokers, read-only', '', ['num.partitions', Operation.SET, '3']);
    await broker('broker, bad value', node, ['message.max.bytes', Operation.SET, 'x']);
    await broker('broker, out of bounds', node, ['message.max.bytes', Operation.SET, '-1']);
    await broker('all brokers, bad value', '', ['message.max.bytes', Operation.SET, 'x']);
    await broker('broker, unknown', node, ['no.such', Operation.SET, '3']);
    await broker('broker, delete unknown', node, ['no.such', Operation.DELETE, null]);
    await broker('broker, append number', node, ['message.max.bytes', Operation.APPEND, '3']);
    await broker('broker, append unknown', node, ['no.such', Operation.APPEND, '3']);
    await broker('broker, null', node, ['message.max.bytes', Operation.SET, null]);
    await broker('broker, operation 9', node, ['message.max.bytes', 9, '1']);
    await broker('other broker', String(target.nodeId + 1), ['log.retention.ms', Operation.SET, '7200000']);
    await broker('no broker', 'x', ['log.retention.ms', Operation.SET, '7200000']);
    await broker('min isr of broker', node, ['min.insync.replicas', Operation.SET, '1']);
    await broker('min isr of all', '', ['min.insync.replicas', Operation.SET, '1']);
    await broker('min isr of broker, delete', node, ['min.insync.replicas', Operation.DELETE, null]);
    await broker('min isr of all, delete', '', ['min.insync.replicas', Operation.DELETE, null]);
    await alter('broker, validate', [[Resource.BROKER, node, [['log.retention.ms', Operation.SET, '5']]]], true);
    await alter('loggers, validate', [[Resource.BROKER_LOGGER, node, [['root', Operation.SET, 'INFO']]]], true);
    await alter('loggers, bad level', [[Resource.BROKER_LOGGER, node, [['root', Operation.SET, 'LOUD']]]], true);
    await alter('loggers, unknown', [[Resource.BROKER_LOGGER, node, [['no.such', Operation.SET, 'INFO']]]], true);
    await alter('loggers, append', [[Resource.BROKER_LOGGER, node, [['root', Operation.APPEND, 'INFO']]]], true);
    await alter('loggers, delete root', [[Resource.BROKER_LOGGER, node, [['root', Operation.DELETE, null]]]], true);
    await alter(
      'loggers of another',
      [[Resource.BROKER_LOGGER, String(target.nodeId + 1), [['root', Operation.SET, 'INFO']]]],
      true,
    );
    await alter('loggers of none', [[Resource.BROKER_LOGGER, '', [['root', Operation.SET, 'INFO']]]], true);
    await alter('loggers of x', [[Resource.BROKER_LOGGER, 'x', [['root', Operation.SET, 'INFO']]]], true);
    await alter('group', [[Resource.GROUP, 'g', [['consumer.session.timeout.ms', Operation.SET, '50000']]]], true);
    await alter('group, unknown', [[Resource.GROUP, 'g', [['no.such', Operation.SET, '5']]]], true);
    await alter(
      'group, empty',
      [[Resource.GROUP, '', [['consumer.session.timeout.ms', Operation.SET, '50000']]]],
      true,
    );
    await alter('metrics', [[Resource.CLIENT_METRICS, 'm', [['interval.ms', Operation.SET, '1000']]]], true);
    await alter('metrics, empty', [[Resource.CLIENT_METRICS, '', [['interval.ms', Operation.SET, '1000']]]], true);
  }
}

/** Settings whose texts have a grammar. */
export async function alterGrammars(target) {
  const name = target.topic('grammars');
  const node = String(target.nodeId);
  await create(target, 'before', [newTopic(name, 1)]);
  const set = (label, resourceType, resourceName, config, value) => {
    const configs = [{ name: config, configOperation: value === null ? Operation.DELETE : Operation.SET, value }];
    return target.ask(label, 44, 1, { resources: [{ resourceType, resourceName, configs }], validateOnly: false });
  };
  for (const side of ['follower', 'leader']) {
    const config = `${side}.replication.throttled.replicas`;
    for (const value of ['*', '0:1', '0:1,1:1', '0:1,', '', 'x', '0', '0:', ':1', '0:1:2', '-1:1', '*,0:1', '0:1,x']) {
      await set(`${config} ${value}`, Resource.TOPIC, name, config, value);
    }
    await describe(target, `after ${config}`, 4, [[Resource.TOPIC, name, [config]]]);
  }
  const overrides = 'max.connections.per.ip.overrides';
  for (const resource of [node, '']) {
    for (const value of ['', '192.0.2.1:5', '192.0.2.1:5,', ' 192.0.2.1 : 5 , 2001:db8::1:7', '192.0.2.1']) {
      await set(`${overrides} of ${resource} ${value}`, Resource.BROKER, resource, overrides, value);
    }
    for (const value of ['192.0.2.1:', '192.0.2.1:x', ',192.0.2.1:1', '192.0.2.1:1,,192.0.2.2:1', '192.0.2.1:1,x']) {
      await set(`${overrides} of ${resource} ${value}`, Resource.BROKER, resource, overrides, value);
    }
    await settled();
    await describe(target, `after ${overrides} of ${resource}`, 4, [[Resource.BROKER, node, [overrides]]]);
    await set(`delete ${overrides} of ${resource}`, Resource.BROKER, resource, overrides, null);
  }
}
