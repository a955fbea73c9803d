/**
 * The commands of Kafka's tools that scripts/compare-kafka-tools.mjs runs against both brokers, in order, as an operator
 * would. They stand in areas, which may run alone: what an area needs of those before it is made first, and not compared.
 *
 *   { name: 'groups', needs: [command, …], commands: [command, …] }
 *
 * A command is [class, arguments…], and at the end what the tool reads from its input or is told otherwise, where it is.
 *
 *   { input: 'text' }        its standard input
 *   { group: 'name' }        it runs on while the commands behind it do, until `stop`; they begin once the group is stable
 *   { streams: 'name', topic } no command: a member of the streams group reads the topic until `stop`
 *   { stop: true }           ends what runs
 */

import { recordAreas, tool } from './kafka-tools-record-commands.mjs';

const configs = 'kafka.admin.ConfigCommand';
const topics = tool('TopicCommand');
const reassign = tool('reassign.ReassignPartitionsCommand');
const features = tool('FeatureCommand');
const elections = tool('LeaderElectionCommand');
const clientMetrics = tool('ClientMetricsCommand');
const acls = tool('AclCommand');

const entity = (type, name) => ['--entity-type', type, '--entity-name', name];
const defaultOf = (type) => ['--entity-type', type, '--entity-default'];
const broker = entity('brokers', '1');
const client = entity('clients', 'tools');
const user = entity('users', 'u');
const group = entity('groups', 'g');

const partition = (topic, index, more) => ({ topic, partition: index, ...more });

/** `fileOf` writes JSON into a file of a name and gives its path. */
export function areasOf(fileOf) {
  const toItself = fileOf('to-itself.json', { version: 1, partitions: [partition('tools', 0, { replicas: [1] })] });
  const elsewhere = fileOf('elsewhere.json', { version: 1, partitions: [partition('tools', 0, { replicas: [2] })] });
  const toMove = fileOf('to-move.json', { version: 1, topics: [{ topic: 'tools' }] });
  const toElect = fileOf('to-elect.json', { partitions: [partition('tools', 0), partition('tools', 9)] });

  const ofTopics = [
    [topics, '--create', '--topic', 'tools', '--partitions', '2', '--config', 'retention.ms=1000'],
    [topics, '--create', '--topic', 'tools'],
    [topics, '--create', '--topic', 'tools', '--if-not-exists'],
    [topics, '--create', '--topic', 'a b'],
    [topics, '--create', '--topic', 'wide', '--replication-factor', '2'],
    [topics, '--create', '--topic', 'assigned', '--replica-assignment', '1,1,1'],
    [topics, '--create', '--topic', 'elsewhere', '--replica-assignment', '2'],
    [topics, '--create', '--topic', 'odd', '--config', 'retention.ms=x'],
    [topics, '--create', '--topic', 'none', '--partitions', '0'],
    [topics, '--list'],
    [topics, '--list', '--topic', 't.*'],
    [topics, '--describe'],
    [topics, '--describe', '--topic', 'tools'],
    [topics, '--describe', '--topic', 'tools', '--partition-size-limit-per-response', '1'],
    [topics, '--describe', '--topic', 'none'],
    [topics, '--describe', '--topic', 'none', '--if-exists'],
    [topics, '--describe', '--topic-id', 'AAAAAAAAAAAAAAAAAAAAAQ'],
    [topics, '--alter', '--topic', 'tools', '--partitions', '3'],
    [topics, '--alter', '--topic', 'tools', '--partitions', '2'],
    [topics, '--alter', '--topic', 'none', '--partitions', '2'],
    [topics, '--describe', '--under-replicated-partitions'],
    [topics, '--describe', '--unavailable-partitions'],
    [topics, '--describe', '--under-min-isr-partitions'],
    [topics, '--describe', '--at-min-isr-partitions'],
    [topics, '--describe', '--topics-with-overrides'],
    [topics, '--describe', '--exclude-internal'],
  ];

  const ofConfigs = [
    [configs, '--describe', '--topic', 'tools'],
    [configs, '--describe', '--topic', 'none'],
    [configs, '--alter', '--topic', 'tools', '--add-config', 'segment.ms=9000', '--delete-config', 'retention.ms'],
    [configs, '--alter', '--topic', 'tools', '--add-config', 'no.such=1'],
    [configs, '--alter', '--topic', 'tools', '--add-config', 'cleanup.policy=[compact,delete]'],
    [configs, '--alter', '--topic', 'tools', '--add-config', 'retention.ms=x'],
    [configs, '--alter', '--topic', 'tools', '--delete-config', 'no.such'],
    [configs, '--describe', '--topic', 'tools', '--all'],
    [configs, '--describe', '--entity-type', 'topics'],
    [configs, '--describe', ...broker],
    [configs, '--describe', ...broker, '--all'],
    [configs, '--alter', ...broker, '--add-config', 'log.retention.ms=7200000'],
    [configs, '--alter', ...broker, '--add-config', 'num.partitions=7'],
    [configs, '--alter', ...broker, '--add-config', 'no.such=7'],
    [configs, '--alter', ...broker, '--add-config', 'log.cleaner.threads=0'],
    [configs, '--describe', ...broker],
    [configs, '--describe', ...entity('brokers', '7')],
    [configs, '--alter', ...defaultOf('brokers'), '--add-config', 'message.max.bytes=2000000'],
    [configs, '--describe', ...defaultOf('brokers')],
    [configs, '--alter', ...broker, '--delete-config', 'log.retention.ms'],
    [configs, '--alter', ...defaultOf('brokers'), '--delete-config', 'message.max.bytes'],
    [configs, '--alter', ...client, '--add-config', 'producer_byte_rate=1048576,request_percentage=200'],
    [configs, '--describe', ...client],
    [configs, '--alter', ...defaultOf('clients'), '--add-config', 'consumer_byte_rate=1048576'],
    [configs, '--alter', ...user, ...client, '--add-config', 'controller_mutation_rate=5'],
    [configs, '--describe', ...user, ...client],
    [configs, '--describe', '--entity-type', 'clients'],
    [configs, '--describe', '--entity-type', 'users', '--entity-type', 'clients'],
    [configs, '--describe', ...defaultOf('users')],
    [configs, '--alter', ...client, '--add-config', 'no_such_rate=1'],
    [configs, '--alter', ...client, '--delete-config', 'producer_byte_rate,request_percentage'],
    [configs, '--alter', ...defaultOf('clients'), '--delete-config', 'consumer_byte_rate'],
    [configs, '--alter', ...user, ...client, '--delete-config', 'controller_mutation_rate'],
    [configs, '--alter', ...entity('ips', '127.0.0.9'), '--add-config', 'connection_creation_rate=100'],
    [configs, '--describe', ...entity('ips', '127.0.0.9')],
    [configs, '--alter', ...entity('ips', '127.0.0.9'), '--delete-config', 'connection_creation_rate'],
    [configs, '--alter', ...group, '--add-config', 'consumer.session.timeout.ms=50000'],
    [configs, '--alter', ...group, '--add-config', 'consumer.session.timeout.ms=1'],
    [configs, '--describe', ...group],
    [configs, '--describe', ...group, '--all'],
    [configs, '--describe', '--entity-type', 'groups'],
    [configs, '--alter', ...group, '--delete-config', 'consumer.session.timeout.ms'],
    [configs, '--alter', ...user, '--add-config', 'SCRAM-SHA-256=[password=p]'],
    [configs, '--describe', ...user],
    [configs, '--alter', ...user, '--delete-config', 'SCRAM-SHA-256'],
    [configs, '--alter', ...user, '--delete-config', 'SCRAM-SHA-256'],
    [configs, '--alter', ...entity('client-metrics', 'c'), '--add-config', 'interval.ms=5000,metrics=[a,b]'],
    [configs, '--describe', ...entity('client-metrics', 'c')],
    [configs, '--describe', ...entity('broker-loggers', '9')],
  ];

  const ofCluster = [
    [tool('LogDirsCommand'), '--describe', '--topic-list', 'tools'],
    [tool('LogDirsCommand'), '--describe', '--topic-list', 'tools', '--broker-list', '1'],
    [tool('LogDirsCommand'), '--describe', '--topic-list', 'none'],
    [tool('LogDirsCommand'), '--describe', '--broker-list', '1,7'],
    [reassign, '--execute', '--reassignment-json-file', toItself],
    [reassign, '--execute', '--reassignment-json-file', toItself, '--throttle', '1000000'],
    [reassign, '--verify', '--reassignment-json-file', toItself],
    [reassign, '--execute', '--reassignment-json-file', elsewhere],
    [reassign, '--generate', '--topics-to-move-json-file', toMove, '--broker-list', '1'],
    [reassign, '--generate', '--topics-to-move-json-file', toMove, '--broker-list', '1,2'],
    [reassign, '--cancel', '--reassignment-json-file', toItself],
    [reassign, '--list'],
    [elections, '--election-type', 'preferred', '--all-topic-partitions'],
    [elections, '--election-type', 'unclean', '--topic', 'tools', '--partition', '0'],
    [elections, '--election-type', 'preferred', '--topic', 'none', '--partition', '0'],
    [elections, '--election-type', 'preferred', '--path-to-json-file', toElect],
    [features, 'describe'],
    [features, 'upgrade', '--feature', 'transaction.version=2'],
    [features, 'downgrade', '--feature', 'transaction.version=1', '--dry-run'],
    [features, 'disable', '--feature', 'group.version', '--dry-run'],
    [features, 'upgrade', '--feature', 'transaction.version=9'],
    [features, 'upgrade', '--feature', 'no.such=1'],
    [features, 'upgrade', '--release-version', '4.3'],
    [features, 'version-mapping'],
    [tool('MetadataQuorumCommand'), 'describe', '--status'],
    [tool('MetadataQuorumCommand'), 'describe', '--replication'],
    [tool('MetadataQuorumCommand'), 'describe', '--replication', '--human-readable'],
    [clientMetrics, '--alter', '--name', 'm', '--metrics', 'org.apache.kafka.', '--interval', '5000'],
    [clientMetrics, '--alter', '--name', 'm', '--match', 'client_id=a.*', '--interval', '5000'],
    [clientMetrics, '--alter', '--name', 'm', '--match', 'nobody=a'],
    [clientMetrics, '--alter', '--name', 'm', '--interval', '5'],
    [clientMetrics, '--describe', '--name', 'm'],
    [clientMetrics, '--describe'],
    [clientMetrics, '--list'],
    [clientMetrics, '--delete', '--name', 'm'],
    [clientMetrics, '--describe', '--name', 'none'],
    [acls, '--list'],
    [acls, '--add', '--allow-principal', 'User:u', '--operation', 'Read', '--topic', 'tools'],
    [acls, '--remove', '--allow-principal', 'User:u', '--operation', 'Read', '--topic', 'tools', '--force'],
    [tool('DelegationTokenCommand'), '--describe', '--command-config', fileOf('empty.properties', '')],
    [
      tool('DelegationTokenCommand'),
      '--create',
      '--max-life-time-period',
      '-1',
      '--command-config',
      fileOf('empty.properties', ''),
    ],
    [tool('BrokerApiVersionsCommand')],
    [tool('ClusterTool'), 'cluster-id'],
    [tool('ClusterTool'), 'list-endpoints'],
    [tool('ClusterTool'), 'list-endpoints', '--include-fenced-brokers'],
    [tool('ClusterTool'), 'unregister', '--id', '9'],
  ];

  const atTheEnd = [
    [topics, '--delete', '--topic', 'tools'],
    [topics, '--delete', '--topic', 'tools'],
    [topics, '--delete', '--topic', 'tools', '--if-exists'],
    [topics, '--delete', '--topic', '__consumer_offsets'],
    [topics, '--delete', '--topic', '__cluster_metadata'],
  ];
  const withTools = [[topics, '--create', '--topic', 'tools', '--partitions', '3', '--if-not-exists']];
  return [
    { name: 'topics', needs: [], commands: ofTopics },
    { name: 'configs', needs: withTools, commands: ofConfigs },
    { name: 'cluster', needs: withTools, commands: ofCluster },
    ...recordAreas(fileOf),
    { name: 'end', needs: withTools, commands: atTheEnd },
  ];
}
