/**
 * Sends the same requests to an Apache Kafka and to Millrace and says where the decoded answers differ.
 *
 *   npm run oracle -- --kafka HOST:PORT --millrace HOST:PORT [--only TEXT]
 *
 * The requests stand in oracle-steps.mjs. What must differ (ids, addresses, sentences) is made equal first; what differs
 * for a reason is named in `expected`, with the reason. The end is 1 where anything else differs. Both brokers should be
 * fresh, hold nothing of value and run with their default settings: topics and settings are changed and removed.
 */

import { parseArgs } from 'node:util';
import { OracleClient } from './oracle-client.mjs';
import { scenarios } from './oracle-steps.mjs';

/** Differences that are meant: the step's label, the path of the field, and why. */
const expected = [
  [/./, /configs\[millrace\.sync\]/, 'a setting of ours'],
  [
    /./,
    /configs\[min\.insync\.replicas\]/,
    'Kafka sets min.insync.replicas for the cluster (KIP-966); here it is its default',
  ],
  [/min isr|AlterConfigs v\d+ all brokers/, /\.responses/, 'Kafka guards min.insync.replicas (KIP-966)'],
  [/all brokers/, /\.results/, 'Kafka guards min.insync.replicas (KIP-966)'],
  [/./, /\.synonyms\[log\.(remote|local)\./, 'no tiered storage'],
  [/^DescribeConfigs v\d+ broker/, /configs\[[^\]]+\]$/, 'settings for what is not here'],
  [
    /^DescribeConfigs v\d+ broker/,
    /configs\[(broker\.id|node\.id|log\.dirs?|listeners|advertised\.listeners|process\.roles)\]/,
    'given at the start',
  ],
  [
    /^DescribeConfigs v\d+ broker/,
    /configs\[(default|offsets|group)[\w.]+\]\.(configSource|synonyms|value)/,
    'given at the start',
  ],
  [/loggers/, /\.results|\.responses/, 'levels of loggers are not settings here'],
  [/metrics/, /\.results|\.responses/, 'no receiver for client metrics'],
  [/ group/, /\.results|\.responses/, 'groups have no settings of their own yet'],
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
  [/ApiVersions/, /apiKeys\[\d+\]$|[fF]eatures/, 'only what has a handler is told'],
];

const { values } = parseArgs({
  options: { kafka: { type: 'string' }, millrace: { type: 'string' }, only: { type: 'string', default: '' } },
});
if (values.kafka === undefined || values.millrace === undefined) {
  console.error(
    'oracle: give both addresses, as in: npm run oracle -- --kafka 127.0.0.1:9092 --millrace 127.0.0.1:9192',
  );
  process.exit(2);
}

/** Runs all scenarios against one broker; the answers by label. */
async function answersOf(address, runId) {
  const client = new OracleClient(address);
  const answers = new Map();
  for (const { name, run } of scenarios) {
    if (!name.includes(values.only)) continue;
    const described = await client.ask(60, 0, {});
    const known = { nodeId: described.controllerId, producerIds: new Map() };
    // `part` takes what a scenario means out of the answer, where there is more.
    const asking =
      (through) =>
      async (label, apiKey, version, fields, part = (answer) => answer) => {
        const answer = await through.ask(apiKey, version, fields);
        let fullLabel = `${name} v${version} ${label}`;
        while (answers.has(fullLabel)) fullLabel += ', again';
        answers.set(fullLabel, normalized(part(answer), known, fullLabel));
        return answer;
      };
    const others = [];
    const target = {
      nodeId: described.controllerId,
      topic: (topic) => `oracle-${runId}-${topic}`,
      ask: asking(client),
      /** An answer that is not compared. */
      peek: (apiKey, version, fields) => client.ask(apiKey, version, fields),
      /** How another client asks, over a connection of its own. */
      asOther: (clientId) => {
        const other = new OracleClient(address, clientId);
        others.push(other);
        return asking(other);
      },
    };
    await run(target);
    for (const other of others) other.close();
  }
  client.close();
  return answers;
}

const nameFields = [
  ...['resourceName', 'apiKey', 'index', 'topicId', 'topicName', 'topic', 'partitionIndex', 'partitionId', 'user'],
  ...['entityType', 'key', 'feature', 'transactionalId'],
];
const idFields = new Set(['brokerId', 'controllerId', 'leaderId', 'nodeId', 'replicaId']);
const offsetsOfTheirOwn = new Set(['highWatermark', 'logEndOffset', 'lastFetchTimestamp', 'lastCaughtUpTimestamp']);
const timeFields = new Set(['transactionStartTimeMs', 'lastTimestamp']);
const nodeListFields = new Set(['replicaNodes', 'isrNodes']);

/** What tells the things of a list apart, where they have such; Kafka gives many lists in no order. */
function nameOf(item) {
  if (item?.entity !== undefined) return JSON.stringify(Object.entries(item.entity).toSorted());
  if (item?.resourceType !== undefined && item.configs === undefined)
    return `${item.resourceType} ${item.resourceName}`;
  return item?.name || nameFields.map((field) => item?.[field]).find((name) => name !== undefined);
}

/** The answer with what must differ made equal, and lists of named things as objects by name. */
function normalized(value, known, label, field = '') {
  if (Array.isArray(value)) {
    if (nodeListFields.has(field)) return value.map((id) => (id === known.nodeId ? '<node>' : id));
    if (field === 'partitions' && typeof value[0] === 'number') return value.toSorted((a, b) => a - b);
    const items = value.map((item) => normalized(item, known, label));
    const names = items.map(nameOf);
    const areNamed =
      items.length > 0 && names.every((name) => name !== undefined) && new Set(names).size === items.length;
    return areNamed ? Object.fromEntries(items.map((item, i) => [names[i], item])) : items;
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([key, item]) => [key, normalized(item, known, label, key)]);
    // With a code other than 0 the sentence is each broker's own.
    return Object.fromEntries(fields.filter(([key]) => key !== 'errorMessage' || value.errorCode === 0));
  }
  if (idFields.has(field) && value === known.nodeId) return '<node>';
  if (field === 'resourceName') {
    if (value === String(known.nodeId)) return '<node>';
    if (value === String(known.nodeId + 1)) return '<another>';
  }
  if (label.startsWith('DescribeQuorum') && offsetsOfTheirOwn.has(field) && value > 0) return '<growing>';
  // Throttle times follow from when requests came.
  if (field === 'throttleTimeMs' && value > 0) return `<about ${Math.round(value / 250) * 250} ms>`;
  if (field === 'logDir') return '<directory>';
  if (field === 'totalBytes' || field === 'usableBytes') return value > 0 ? '<bytes>' : value;
  if (field === 'subscriptionId' || field === 'clientInstanceId') return '<id>';
  if (field === 'producerId' && value >= 0) {
    if (!known.producerIds.has(value)) known.producerIds.set(value, `<producer ${known.producerIds.size}>`);
    return known.producerIds.get(value);
  }
  if (timeFields.has(field) && value > 0) return '<time>';
  if (field === 'clusterId' && value !== null) return '<cluster>';
  if (field === 'topicId' && !/^A+$/.test(value)) return '<id>';
  if (field === 'host' || field === 'port') return '<address>';
  if (field === 'leaderEpoch' && value >= 0) return '<epoch>';
  if (field === 'documentation' && value !== null) return '<text>';
  return value;
}

/** The fields in which two answers differ: [path, Kafka's, ours]. */
function* differences(kafka, millrace, path = '') {
  const bothObjects = [kafka, millrace].every((value) => typeof value === 'object' && value !== null);
  if (!bothObjects) {
    if (kafka !== millrace) yield [path, kafka, millrace];
    return;
  }
  for (const key of new Set([...Object.keys(kafka), ...Object.keys(millrace)])) {
    const below =
      /^[a-z]\w*$/i.test(key) && !(path.endsWith('configs') || path.endsWith('topics')) ? `.${key}` : `[${key}]`;
    yield* differences(kafka[key], millrace[key], path + below);
  }
}

const brief = (value) => {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
};

const runId = Date.now().toString(36);
const kafka = await answersOf(values.kafka, runId);
const millrace = await answersOf(values.millrace, runId);
const seen = new Map();
let differing = 0;
for (const [label, answer] of kafka) {
  for (const [path, theirs, ours] of differences(answer, millrace.get(label))) {
    const reason = expected.find(([labels, paths]) => labels.test(label) && paths.test(path))?.[2];
    if (reason !== undefined) {
      seen.set(reason, (seen.get(reason) ?? 0) + 1);
      continue;
    }
    differing++;
    console.log(`${label}\n  ${path}\n    Kafka     ${brief(theirs)}\n    Millrace  ${brief(ours)}`);
  }
}
for (const [reason, times] of seen) console.log(`expected, ${times} times: ${reason}`);
console.log(`${kafka.size} answers compared, ${differing} fields differ`);
process.exitCode = differing === 0 ? 0 : 1;
