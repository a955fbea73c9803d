/** Where Millrace's answers differ from Apache Kafka's for a reason, for scripts/oracle.mjs and the test of recorded answers. */

/** Differences that are meant: the step's label, the path of the field, and why. */
export const expected = [
  [/./, /configs\[millrace\.sync\]/, 'a setting of ours'],
  [/./, /\.synonyms\[log\.(remote|local)\./, 'no tiered storage'],
  [
    /^DescribeConfigs v\d+ broker/,
    /configs\[((leader|follower)\.replication\.throttled\.rate|replica\.alter\.log\.dirs\.io\.max\.bytes\.per\.second)\]$/,
    'Kafka tells throttles between replicas only where they are set',
  ],
  [/^DescribeConfigs v\d+ broker/, /configs\[millrace\.[^\]]+\]$/, 'settings of ours'],
  [
    /^DescribeConfigs v\d+ broker/,
    /configs\[(broker\.id|node\.id|log\.dirs?|(advertised\.|controller\.)?listeners?(\.names)?|process\.roles|controller\.quorum\.voters|inter\.broker\.listener\.name)\]/,
    'given at the start',
  ],
  [
    /^DescribeConfigs v\d+ broker/,
    /configs\[(default|offsets|group)[\w.]+\]\.(configSource|synonyms|value)/,
    'given at the start',
  ],
  [/loggers/, /\.results|\.responses/, 'loggers are those of the JVM; here there is one'],
  [
    /broker, unknown|broker, delete unknown/,
    /\.responses|\.results/,
    'unknown settings are refused here; Kafka keeps them',
  ],
  [/operation -?\d+$/, /errorCode/, 'Kafka fails where the operation is not known'],
  [/AlterConfigs v\d+ resource twice/, /^$/, 'Kafka closes the connection'],
  [
    /CreateTopics/,
    /retention\.ms\]\.value|preallocate\]\.value|cleanup\.policy\]\.value/,
    'Kafka repeats the text as it came',
  ],
  [/CreateTopics v\d+ collides/, /_plain/, 'Kafka does not see collisions within a request'],
  [
    /DescribeTopicPartitions v0 empty name|Metadata v\d+ neither|ListOffsets v\d+ isolation 2/,
    /./,
    'Kafka fails at it',
  ],
  [/Produce v\d+ null/, /^$/, 'Kafka closes the connection'],
  [/Produce v\d+ no partitions/, /\.responses/, 'Kafka leaves a topic without partitions out'],
  [/Produce v\d+ more bytes/, /./, 'Kafka drops what follows the batch; here it is refused'],
  [/Produce v\d+ two of one partition/, /./, 'Kafka drops the first of two batches; here both are appended'],
  [/Produce v\d+ bad checksum/, /logStartOffset/, 'Kafka does not say where the log starts'],
  [/Produce v\d+ .*again/, /logAppendTimeMs/, 'Kafka gives the time of the duplicate'],
  [/Produce v\d+/, /baseOffset|\.offset$/, 'offsets after batches that only one of them took'],
  [
    /Transactions, Fetch v\d+ two batches/,
    /abortedTransactions/,
    'Kafka tells of what begins behind the batches given',
  ],
  [/ConsumerGroup regex v1 wrong: \(a/, /./, 'Kafka takes an expression that needs a million instructions'],
  [/ConsumerGroup mistakes v0 without member id/, /memberId/, 'made up by the broker'],
  [/ConsumerGroup offsets v\d+ as nobody with an epoch/, /errorCode/, 'Kafka fails where the member id is null'],
  [
    /StreamsGroup settings v5 listed as [Nn]ot[Rr]eady/,
    /groups/,
    'Kafka does not find a state by the name that it shows',
  ],
  [/^ClassicGroup v\d+ \d+ before/, /\.groups/, 'Kafka keeps an empty group of a join that it refused'],
  [
    /^ShareGroupState in use v\d (read|write|summary)/,
    /\.partitions\[\d+\]/,
    "brokers ask each other for it; here there is one, which keeps it elsewhere and is nobody's coordinator of it",
  ],
  [/ApiVersions/, /apiKeys\[7[12]\]$|[fF]eatures/, 'telemetry is always taken here'],
];

/** Why the field at `path` of the answer under `label` may differ; undefined where it may not. */
export function reasonFor(label, path) {
  return expected.find(([labels, paths]) => labels.test(label) && paths.test(path))?.[2];
}
