/**
 * The commands of Kafka's tools about records, groups of all kinds and transactions, as areas: see kafka-tools-commands.mjs.
 */

export const tool = (name) => `org.apache.kafka.tools.${name}`;

const configs = 'kafka.admin.ConfigCommand';
const topics = tool('TopicCommand');
const groups = tool('consumer.group.ConsumerGroupCommand');
const shareGroups = tool('consumer.group.ShareGroupCommand');
const streamsGroups = tool('streams.StreamsGroupCommand');
const offsets = tool('GetOffsetShell');
const transactions = tool('TransactionsCommand');
const consoleProducer = tool('ConsoleProducer');
const consoleConsumer = tool('consumer.ConsoleConsumer');
const consoleShareConsumer = tool('consumer.ConsoleShareConsumer');

/** `fileOf` writes JSON into a file of a name and gives its path. */
export function recordAreas(fileOf) {
  const deleting = (offset) =>
    fileOf(`delete-${offset}.json`, { version: 1, partitions: [{ topic: 'flow', partition: 0, offset }] });
  const withFlow = [
    [topics, '--create', '--topic', 'flow', '--partitions', '1'],
    [consoleProducer, '--topic', 'flow', { input: 'one\ntwo\nthree\n' }],
  ];

  const ofRecords = [
    ...withFlow,
    [consoleProducer, '--topic', 'flow', ...['--reader-property', 'parse.key=true'], { input: 'k\tfour\nk\tfive\n' }],
    [consoleProducer, '--topic', 'flow', '--sync', '--compression-codec', 'gzip', { input: 'six\n' }],
    [tool('ProducerPerformance'), ...['--topic', 'flow', '--num-records', '500', '--record-size', '10']],
    [offsets],
    [offsets, '--topic', 'flow'],
    [offsets, '--topic', 'flow', '--time', 'earliest'],
    [offsets, '--topic', 'flow', '--partitions', '0,1'],
    [offsets, '--topic', 'flow', '--time', '0'],
    [offsets, '--topic-partitions', 'flow:0,tools:0-2', '--time', '-2'],
    [offsets, '--topic', 'none'],
    [consoleConsumer, '--topic', 'flow', '--from-beginning', '--max-messages', '6'],
    [consoleConsumer, '--topic', 'flow', '--partition', '0', '--offset', '0', '--max-messages', '1'],
    [consoleConsumer, '--topic', 'none', '--from-beginning', '--timeout-ms', '3000'],
    [consoleConsumer, '--topic', 'flow', '--group', 'reader', '--from-beginning', '--max-messages', '100'],
    [groups, '--describe', '--group', 'reader'],
    [groups, '--describe', '--group', 'reader', '--offsets', '--verbose'],
    [tool('DeleteRecordsCommand'), '--offset-json-file', deleting(0)],
    [tool('DeleteRecordsCommand'), '--offset-json-file', deleting(1)],
    [tool('DeleteRecordsCommand'), '--offset-json-file', deleting(99_999)],
    [tool('DeleteRecordsCommand'), '--offset-json-file', deleting(-1)],
    [offsets, '--topic', 'flow', '--time', 'earliest'],
    [tool('LogDirsCommand'), '--describe', '--topic-list', 'flow'],
  ];

  const ofGroups = [
    [groups, '--list'],
    [groups, '--describe', '--group', 'none'],
    [groups, '--describe', '--all-groups'],
    [groups, '--reset-offsets', '--group', 'reset', '--topic', 'flow', '--to-earliest', '--execute'],
    [groups, '--reset-offsets', '--group', 'reset', '--topic', 'flow', '--to-latest', '--dry-run'],
    [groups, '--reset-offsets', '--group', 'reset', '--topic', 'flow:0', '--shift-by', '2', '--execute'],
    [groups, '--reset-offsets', '--group', 'reset', '--all-topics', '--to-offset', '1', '--execute'],
    [groups, '--reset-offsets', '--group', 'reset', '--all-topics', '--to-current', '--export'],
    [groups, '--reset-offsets', '--group', 'reset', '--all-topics', '--by-duration', 'P1D', '--dry-run'],
    [groups, '--reset-offsets', '--group', 'reset', '--topic', 'none', '--to-earliest', '--execute'],
    [groups, '--list', '--state'],
    [groups, '--list', '--state', 'Empty'],
    [groups, '--list', '--state', 'nothing'],
    [groups, '--list', '--type', 'classic'],
    [groups, '--describe', '--group', 'reset'],
    [groups, '--describe', '--group', 'reset', '--state'],
    [groups, '--describe', '--group', 'reset', '--state', '--verbose'],
    [groups, '--describe', '--group', 'reset', '--members'],
    [groups, '--delete-offsets', '--group', 'reset', '--topic', 'flow:0'],
    [groups, '--delete-offsets', '--group', 'reset', '--topic', 'flow'],
    [groups, '--delete-offsets', '--group', 'reset', '--topic', 'none'],
    [groups, '--delete', '--group', 'reset'],
    [groups, '--delete', '--group', 'none'],
    [groups, '--validate-regex', 'a(b'],
    [tool('GroupsCommand'), '--list'],
    [tool('GroupsCommand'), '--list', '--consumer'],
    [tool('GroupsCommand'), '--list', '--group-type', 'classic'],
  ];

  const live = (name, ...more) => [
    [consoleConsumer, '--topic', 'flow', '--group', name, ...more, { group: name }],
    [groups, '--describe', '--group', name],
    [groups, '--describe', '--group', name, '--members', '--verbose'],
    [groups, '--describe', '--group', name, '--state'],
    [groups, '--list', '--state', '--type'],
    [groups, '--delete', '--group', name],
    [groups, '--delete-offsets', '--group', name, '--topic', 'flow'],
    [groups, '--reset-offsets', '--group', name, '--topic', 'flow', '--to-earliest', '--execute'],
    [tool('GroupsCommand'), '--list', '--protocol', 'consumer'],
    [{ stop: true }],
    [groups, '--describe', '--group', name],
    [groups, '--delete', '--group', name],
  ];

  const ofTransactions = [
    [transactions, 'list'],
    [
      tool('ProducerPerformance'),
      ...['--topic', 'flow', '--num-records', '100', '--record-size', '10', '--transactional-id', 'perf'],
    ],
    [transactions, 'list'],
    [transactions, 'list', '--duration-filter', '0'],
    [transactions, 'list', '--transactional-id-pattern', 'p.*'],
    [transactions, 'list', '--transactional-id-pattern', '('],
    [transactions, 'describe', '--transactional-id', 'perf'],
    [transactions, 'describe', '--transactional-id', 'none'],
    [transactions, 'describe-producers', '--topic', 'flow', '--partition', '0'],
    [transactions, 'describe-producers', '--topic', 'flow', '--partition', '9'],
    [transactions, 'find-hanging', '--broker-id', '1'],
    [transactions, 'find-hanging', '--topic', 'flow', '--partition', '0'],
    [transactions, 'abort', ...['--topic', 'flow', '--partition', '0', '--start-offset', '0']],
    [transactions, 'forceTerminateTransaction', '--transactional-id', 'perf'],
    [transactions, 'forceTerminateTransaction', '--transactional-id', 'none'],
  ];

  const clientsThere = [
    'offsets-for-times',
    'idempotent-producer',
    'create-topics',
    'describe-acls',
    'describe-configs',
  ];
  const ofClients = [
    [tool('VerifiableProducer'), '--topic', 'flow', '--max-messages', '3'],
    [tool('VerifiableProducer'), '--topic', 'flow', '--max-messages', '2', '--acks', '0', '--repeating-keys', '1'],
    [tool('VerifiableConsumer'), '--topic', 'flow', '--group-id', 'verifiable', '--max-messages', '3'],
    [tool('ConsumerPerformance'), '--topic', 'flow', '--num-records', '3', '--hide-header'],
    [tool('EndToEndLatency'), '--topic', 'flow', '--num-records', '10', '--producer-acks', '1', '--record-size', '20'],
    [
      ...[tool('ClientCompatibilityTest'), '--topic', 'flow', '--num-cluster-nodes', '1'],
      ...[...clientsThere.map((part) => `--${part}-supported`), '--cluster-id-supported'].flatMap((flag) => [
        flag,
        'true',
      ]),
      ...['--expect-record-too-large-exception', 'false'],
    ],
    [tool('StreamsResetter'), '--application-id', 'nobody', '--input-topics', 'flow', '--dry-run'],
    [tool('StreamsResetter'), '--application-id', 'nobody', '--input-topics', 'none', '--dry-run'],
    [tool('StreamsResetter'), '--application-id', 'nobody', '--intermediate-topics', 'flow'],
  ];

  const sharers = ['--group', 'sharers'];
  const resetting = [shareGroups, '--reset-offsets', ...sharers];
  const ofShareGroups = [
    [shareGroups, '--list'],
    [shareGroups, '--describe', '--group', 'none'],
    [shareGroups, '--describe', '--all-groups'],
    [shareGroups, '--delete', '--group', 'none'],
    [shareGroups, '--delete-offsets', '--group', 'none', '--topic', 'shared'],
    [topics, '--create', '--topic', 'shared', '--partitions', '1'],
    [consoleProducer, '--topic', 'shared', { input: 'one\ntwo\nthree\n' }],
    [
      configs,
      '--alter',
      '--entity-type',
      'groups',
      '--entity-name',
      'sharers',
      '--add-config',
      'share.auto.offset.reset=earliest',
    ],
    [
      configs,
      '--alter',
      '--entity-type',
      'groups',
      '--entity-name',
      'sharers',
      '--add-config',
      'share.auto.offset.reset=nothing',
    ],
    [configs, '--describe', '--entity-type', 'groups', '--entity-name', 'sharers'],
    [consoleShareConsumer, '--topic', 'shared', ...sharers, '--max-messages', '3'],
    [shareGroups, '--list'],
    [shareGroups, '--list', '--state'],
    [shareGroups, '--list', '--state', 'Empty'],
    [shareGroups, '--list', '--state', 'nothing'],
    [shareGroups, '--describe', ...sharers],
    [shareGroups, '--describe', ...sharers, '--offsets', '--verbose'],
    [shareGroups, '--describe', ...sharers, '--state', '--verbose'],
    [shareGroups, '--describe', ...sharers, '--members'],
    [shareGroups, '--describe', '--all-groups', '--state'],
    [consoleShareConsumer, '--topic', 'shared', ...sharers, { group: 'sharers' }],
    [shareGroups, '--describe', ...sharers, '--members', '--verbose'],
    [shareGroups, '--describe', ...sharers, '--state'],
    [shareGroups, '--list', '--state', 'stable'],
    [shareGroups, '--delete', ...sharers],
    [shareGroups, '--delete-offsets', ...sharers, '--topic', 'shared'],
    [...resetting, '--topic', 'shared', '--to-earliest', '--execute'],
    [{ stop: true }],
    [...resetting, '--topic', 'shared', '--to-earliest', '--dry-run'],
    [...resetting, '--topic', 'shared', '--to-earliest', '--execute'],
    [shareGroups, '--describe', ...sharers],
    [...resetting, '--all-topics', '--to-latest', '--execute'],
    [...resetting, '--topic', 'shared', '--to-datetime', '2020-01-01T00:00:00.000', '--execute'],
    [...resetting, '--topic', 'shared:0', '--to-earliest', '--execute'],
    [...resetting, '--topic', 'none', '--to-earliest', '--execute'],
    [
      consoleShareConsumer,
      '--topic',
      'shared',
      ...sharers,
      '--max-messages',
      '3',
      '--formatter-property',
      'print.delivery=true',
    ],
    [shareGroups, '--delete-offsets', ...sharers, '--topic', 'none'],
    [shareGroups, '--delete-offsets', ...sharers, '--topic', 'shared'],
    [shareGroups, '--describe', ...sharers],
    [tool('GroupsCommand'), '--list', '--share'],
    [groups, '--describe', ...sharers],
    [groups, '--delete', ...sharers],
    [shareGroups, '--delete', ...sharers],
    [shareGroups, '--list'],
  ];

  const words = ['--group', 'words'];
  const ofStreamsGroups = [
    [streamsGroups, '--list'],
    [streamsGroups, '--list', '--state'],
    [streamsGroups, '--describe', '--group', 'none'],
    [streamsGroups, '--describe', '--all-groups'],
    [streamsGroups, '--delete', '--group', 'none'],
    [streamsGroups, '--reset-offsets', '--group', 'none', '--input-topic', 'flow', '--to-earliest', '--execute'],
    [streamsGroups, '--delete-offsets', '--group', 'none', '--input-topic', 'flow'],
    [{ streams: 'words', topic: 'flow' }],
    [streamsGroups, '--list'],
    [streamsGroups, '--list', '--state'],
    [streamsGroups, '--list', '--state', 'stable'],
    [streamsGroups, '--describe', ...words],
    [streamsGroups, '--describe', ...words, '--verbose'],
    [streamsGroups, '--describe', ...words, '--state', '--verbose'],
    [streamsGroups, '--describe', ...words, '--members', '--verbose'],
    [streamsGroups, '--describe', '--all-groups', '--state'],
    [streamsGroups, '--delete', ...words],
    [streamsGroups, '--reset-offsets', ...words, '--input-topic', 'flow', '--to-earliest', '--execute'],
    [streamsGroups, '--delete-offsets', ...words, '--input-topic', 'flow'],
    [groups, '--describe', ...words],
    [tool('GroupsCommand'), '--list', '--streams'],
    [{ stop: true }],
    [streamsGroups, '--describe', ...words],
    [streamsGroups, '--describe', ...words, '--members'],
    [streamsGroups, '--reset-offsets', ...words, '--input-topic', 'flow', '--to-latest', '--dry-run'],
    [streamsGroups, '--reset-offsets', ...words, '--all-input-topics', '--to-offset', '2', '--execute'],
    [streamsGroups, '--reset-offsets', ...words, '--input-topic', 'none', '--to-earliest', '--execute'],
    [streamsGroups, '--describe', ...words, '--offsets'],
    [streamsGroups, '--delete-offsets', ...words, '--input-topic', 'none'],
    [streamsGroups, '--delete-offsets', ...words, '--all-input-topics'],
    [streamsGroups, '--describe', ...words, '--offsets'],
    [streamsGroups, '--delete', ...words],
    [streamsGroups, '--list'],
    [topics, '--list', '--exclude-internal'],
  ];

  return [
    { name: 'records', needs: [], commands: ofRecords },
    { name: 'groups', needs: withFlow, commands: ofGroups },
    { name: 'classic', needs: withFlow, commands: live('classic') },
    { name: 'newer', needs: withFlow, commands: live('newer', '--command-property', 'group.protocol=consumer') },
    { name: 'transactions', needs: withFlow, commands: ofTransactions },
    { name: 'clients', needs: withFlow, commands: ofClients },
    { name: 'share', needs: withFlow, commands: ofShareGroups },
    { name: 'streams', needs: withFlow, commands: ofStreamsGroups },
  ];
}
