/**
 * Runs Kafka's command-line tools against an Apache Kafka and a Millrace, command by command, and compares what they print.
 *
 *   npm run test:kafka-tools [-- --only TEXT] [--kafka HOST:PORT --millrace HOST:PORT] [--show]
 *
 * Addresses, ids, times and directories are made equal first, and lines compared whatever their order. What differs for a
 * reason is named in `expected`. The end is 1 where anything else differs. `--show` prints what both say.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { kafkaCommandsClassPath } from '../build/bench/peers/kafka-jars.js';

const { values } = parseArgs({
  options: {
    kafka: { type: 'string' },
    millrace: { type: 'string' },
    only: { type: 'string', default: '' },
    show: { type: 'boolean', default: false },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'kafka-tools-'));
const fileOf = (name, content) => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
};
const partition = (topic, index, more) => ({ topic, partition: index, ...more });
const toItself = fileOf('to-itself.json', { version: 1, partitions: [partition('tools', 0, { replicas: [1] })] });
const elsewhere = fileOf('elsewhere.json', { version: 1, partitions: [partition('tools', 0, { replicas: [2] })] });
const toMove = fileOf('to-move.json', { version: 1, topics: [{ topic: 'tools' }] });
const toDelete = fileOf('to-delete.json', { version: 1, partitions: [partition('tools', 0, { offset: 0 })] });
const beyondEnd = fileOf('beyond-end.json', { version: 1, partitions: [partition('tools', 0, { offset: 9 })] });

const tool = (name) => `org.apache.kafka.tools.${name}`;
const configs = 'kafka.admin.ConfigCommand';
const topics = tool('TopicCommand');
const groups = tool('consumer.group.ConsumerGroupCommand');
const reassign = tool('reassign.ReassignPartitionsCommand');
const broker = ['--entity-type', 'brokers', '--entity-name', '1'];
const client = ['--entity-type', 'clients', '--entity-name', 'tools'];

/** In order: [class, arguments]. The address is put before them, as the tool wants it. */
const commands = [
  [topics, '--create', '--topic', 'tools', '--partitions', '2', '--config', 'retention.ms=1000'],
  [topics, '--create', '--topic', 'tools'],
  [topics, '--create', '--topic', 'a b'],
  [topics, '--create', '--topic', 'wide', '--replication-factor', '2'],
  [topics, '--create', '--topic', 'odd', '--config', 'retention.ms=x'],
  [topics, '--list'],
  [topics, '--describe', '--topic', 'tools'],
  [topics, '--describe', '--topic', 'none'],
  [topics, '--alter', '--topic', 'tools', '--partitions', '3'],
  [topics, '--alter', '--topic', 'tools', '--partitions', '2'],
  [topics, '--describe', '--under-replicated-partitions'],
  [configs, '--describe', '--topic', 'tools'],
  [configs, '--alter', '--topic', 'tools', '--add-config', 'segment.ms=9000', '--delete-config', 'retention.ms'],
  [configs, '--alter', '--topic', 'tools', '--add-config', 'no.such=1'],
  [configs, '--describe', '--topic', 'tools', '--all'],
  [configs, '--describe', ...broker],
  [configs, '--describe', ...broker, '--all'],
  [configs, '--alter', ...broker, '--add-config', 'log.retention.ms=7200000'],
  [configs, '--alter', ...broker, '--add-config', 'num.partitions=7'],
  [configs, '--describe', ...broker],
  [configs, '--alter', '--entity-type', 'brokers', '--entity-default', '--add-config', 'message.max.bytes=2000000'],
  [configs, '--describe', '--entity-type', 'brokers', '--entity-default'],
  [configs, '--alter', ...broker, '--delete-config', 'log.retention.ms'],
  [configs, '--alter', '--entity-type', 'brokers', '--entity-default', '--delete-config', 'message.max.bytes'],
  [configs, '--alter', ...client, '--add-config', 'producer_byte_rate=1048576,request_percentage=200'],
  [configs, '--describe', ...client],
  [configs, '--describe', '--entity-type', 'users', '--entity-default'],
  [configs, '--alter', ...client, '--delete-config', 'producer_byte_rate,request_percentage'],
  [
    configs,
    '--alter',
    '--entity-type',
    'groups',
    '--entity-name',
    'g',
    '--add-config',
    'consumer.session.timeout.ms=50000',
  ],
  [configs, '--describe', '--entity-type', 'groups', '--entity-name', 'g'],
  [configs, '--describe', '--entity-type', 'groups'],
  [configs, '--alter', '--entity-type', 'users', '--entity-name', 'u', '--add-config', 'SCRAM-SHA-256=[password=p]'],
  [configs, '--describe', '--entity-type', 'users', '--entity-name', 'u'],
  [tool('LogDirsCommand'), '--describe', '--topic-list', 'tools'],
  [reassign, '--execute', '--reassignment-json-file', toItself],
  [reassign, '--verify', '--reassignment-json-file', toItself],
  [reassign, '--execute', '--reassignment-json-file', elsewhere],
  [reassign, '--generate', '--topics-to-move-json-file', toMove, '--broker-list', '1'],
  [reassign, '--cancel', '--reassignment-json-file', toItself],
  [reassign, '--list'],
  [tool('LeaderElectionCommand'), '--election-type', 'preferred', '--all-topic-partitions'],
  [tool('LeaderElectionCommand'), '--election-type', 'unclean', '--topic', 'tools', '--partition', '0'],
  [tool('LeaderElectionCommand'), '--election-type', 'preferred', '--topic', 'none', '--partition', '0'],
  [tool('FeatureCommand'), 'describe'],
  [tool('FeatureCommand'), 'upgrade', '--feature', 'transaction.version=2'],
  [tool('FeatureCommand'), 'downgrade', '--feature', 'transaction.version=1', '--dry-run'],
  [tool('FeatureCommand'), 'upgrade', '--feature', 'transaction.version=9'],
  [tool('MetadataQuorumCommand'), 'describe', '--status'],
  [tool('MetadataQuorumCommand'), 'describe', '--replication'],
  [tool('ClientMetricsCommand'), '--alter', '--name', 'm', '--metrics', 'org.apache.kafka.', '--interval', '5000'],
  [tool('ClientMetricsCommand'), '--describe', '--name', 'm'],
  [tool('ClientMetricsCommand'), '--list'],
  [tool('ClientMetricsCommand'), '--delete', '--name', 'm'],
  [tool('DeleteRecordsCommand'), '--offset-json-file', toDelete],
  [tool('DeleteRecordsCommand'), '--offset-json-file', beyondEnd],
  [groups, '--list'],
  [groups, '--describe', '--group', 'none'],
  [groups, '--reset-offsets', '--group', 'reset', '--topic', 'tools', '--to-earliest', '--execute'],
  [groups, '--list', '--state'],
  [groups, '--describe', '--group', 'reset'],
  [groups, '--describe', '--group', 'reset', '--state'],
  [groups, '--describe', '--group', 'reset', '--members'],
  [groups, '--delete-offsets', '--group', 'reset', '--topic', 'tools'],
  [groups, '--delete', '--group', 'reset'],
  [groups, '--delete', '--group', 'none'],
  [tool('GroupsCommand'), '--list'],
  [tool('TransactionsCommand'), 'list'],
  [tool('AclCommand'), '--list'],
  [tool('DelegationTokenCommand'), '--describe', '--command-config', fileOf('empty.properties', '')],
  [tool('BrokerApiVersionsCommand')],
  [tool('ClusterTool'), 'cluster-id'],
  [tool('ClusterTool'), 'list-endpoints'],
  [tool('ClusterTool'), 'unregister', '--id', '9'],
  [topics, '--delete', '--topic', 'tools'],
  [topics, '--delete', '--topic', 'tools'],
];

/** Lines of either that may stand alone: the command, the line, and why. */
const expected = [
  [/ConfigCommand/, /millrace\./, 'settings of ours'],
  [
    /ConfigCommand .*brokers.*--all/,
    /(listener|advertised|quorum\.voters|log\.dir|process\.roles|node\.id|broker\.id)/,
    'given at the start',
  ],
  [/ConfigCommand/, /min\.insync\.replicas/, 'Kafka sets min.insync.replicas for the cluster (KIP-966)'],
  [/ConfigCommand/, /log\.(remote|local)\./, 'no tiered storage'],
  [/BrokerApiVersions/, /GetTelemetrySubscriptions|PushTelemetry/, 'telemetry is always taken here'],
  [/MetadataQuorum/, /Epoch|Offset|<node>|Lag|Voters|^1 /, 'the log is another'],
  [/FeatureCommand describe/, /Epoch/, 'counted from another start'],
];

/** What a tool says, without what must differ. */
function said(file, args, address) {
  const atTheEnd =
    file.endsWith('ClusterTool') || file.endsWith('FeatureCommand') || file.endsWith('MetadataQuorumCommand');
  const bootstrap = ['--bootstrap-server', address];
  const all = file.endsWith('ClusterTool')
    ? [...args, ...bootstrap]
    : atTheEnd
      ? [...bootstrap, ...args]
      : [...bootstrap, ...args];
  const flags = [
    '-Xmx256M',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=off',
  ];
  const classPath = kafkaCommandsClassPath((note) => console.error(note));
  const { status, stdout, stderr } = spawnSync('java', [...flags, '-cp', classPath, file, ...all], {
    encoding: 'utf8',
    timeout: 120_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  const [host, port] = address.split(':');
  const text = `${stdout}\n${stderr}`
    .replaceAll(new RegExp(`(${host}|localhost):(${port}|\\d{4,5})`, 'g'), '<address>')
    .replaceAll(new RegExp(`\\b${port}\\b`, 'g'), '<port>')
    .replaceAll(/(TopicId|Cluster ID|ClusterId): +\S+/g, '$1: <id>')
    .replaceAll(/"logDir":"[^"]*"/g, '"logDir":"<directory>"')
    .replaceAll(/\/\S*\/(data|kafka-logs|millrace-data)\b/g, '<directory>')
    .replaceAll(/\b\d{13}\b/g, '<time>')
    // Kafka sets it for the cluster (KIP-966); here it is its default.
    .replaceAll(/min\.insync\.replicas=1,?/g, '')
    .replaceAll(/\t+|[ ]{2,}/g, '  ');
  const lines = text.split('\n').map((line) => line.trim());
  return [`ended with ${status}`, ...lines.filter((line) => line !== '' && !/^\s*at |SLF4J|^Picked up/.test(line))];
}

/** The lines that stand in `lines` and not, as often, in `others`. */
function missingIn(others, lines) {
  const left = [...others];
  return lines.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

async function servers() {
  const { startKafka, startMillrace } = await import('./oracle-servers.mjs');
  const given = (address) => ({ address, discard: async () => {} });
  return [
    values.kafka === undefined ? await startKafka() : given(values.kafka),
    values.millrace === undefined ? await startMillrace() : given(values.millrace),
  ];
}

const [kafka, millrace] = await servers();
let differing = 0;
let ran = 0;
try {
  for (const [file, ...args] of commands) {
    const name = `${file.replace(/^.*\./, '')} ${args.join(' ').replaceAll(folder, '')}`.trim();
    if (!name.includes(values.only)) continue;
    ran++;
    const [theirs, ours] = [said(file, args, kafka.address), said(file, args, millrace.address)];
    const unexpected = (lines) =>
      lines.filter((line) => !expected.some(([command, pattern]) => command.test(name) && pattern.test(line)));
    const onlyKafka = unexpected(missingIn(ours, theirs));
    const onlyMillrace = unexpected(missingIn(theirs, ours));
    const isSame = onlyKafka.length + onlyMillrace.length === 0;
    console.log(`${isSame ? 'same      ' : 'DIFFERENT '} ${name}`);
    if (!isSame) differing++;
    for (const line of onlyKafka) console.log(`    Kafka     ${line.slice(0, 300)}`);
    for (const line of onlyMillrace) console.log(`    Millrace  ${line.slice(0, 300)}`);
    if (values.show) console.log(theirs.map((line) => `      ${line}`).join('\n'));
  }
} finally {
  await kafka.discard();
  await millrace.discard();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${ran} commands run against both, ${differing} differ`);
process.exitCode = differing === 0 ? 0 : 1;
