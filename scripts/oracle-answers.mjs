/**
 * Runs the oracle's scenarios against a broker and makes equal what must differ between brokers and runs: ids, addresses,
 * times, sentences of errors.
 */

import { OracleClient } from './oracle-client.mjs';
import { pace, timeoutMs, zeroUuid } from './oracle-requests.mjs';

const metadataKey = 3;
const createTopicsKey = 19;
const deleteTopicsKey = 20;
/** From when a Kafka sees a change until all of its parts do. */
const publishedMs = 50;
const pollMs = 20;
const initProducerIdKey = 22;
const coordinatorLoadInProgress = 14;
/** How many changes were waited for: each has a name of its own. */
let changes = 0;

/**
 * The scenario's answers by label, from a broker that is ready. `settles` says whether the broker takes changes over only
 * after it has answered; `onAsk` hears the key and version of each request; `rule` tells the broker's authorizer of rules.
 * `connect` makes the client with that id; unless it is given they connect to `address`. Labels begin with the version:
 * `v3 of one producer`.
 */
export async function answersOf({ name, run }, address, { runId, settles = true, onAsk = () => {}, rule, connect }) {
  const clientFor = connect ?? ((clientId) => new OracleClient(address, clientId));
  const client = clientFor('oracle');
  pace.settle = () => (settles ? untilPublished(client, `oracle-change-${runId}-${changes++}`) : Promise.resolve());
  const { controllerId } = await client.ask(60, 0, {});
  const known = { nodeId: controllerId, producerIds: new Map() };
  const answers = new Map();
  // `part` takes what a scenario means out of the answer, where there is more.
  const asking =
    (through) =>
    async (label, apiKey, version, fields, part = (answer) => answer) => {
      onAsk(apiKey, version);
      const answer = await through.ask(apiKey, version, fields);
      let fullLabel = `v${version} ${label}`;
      while (answers.has(fullLabel)) fullLabel += ', again';
      answers.set(fullLabel, withoutRun(normalized(part(answer), known, name), runId));
      return answer;
    };
  const others = [client];
  const prefix = `oracle-${runId}-${name.replaceAll(/\W+/g, '-')}`;
  await run({
    nodeId: controllerId,
    /** A name that no other scenario has. */
    topic: (topic) => `${prefix}-${topic}`,
    ask: asking(client),
    /** An answer that is not compared. */
    peek: (apiKey, version, fields) => client.ask(apiKey, version, fields),
    rule: (rules) => rule(client, rules),
    /** How another client asks, over a connection of its own. */
    asOther: (clientId) => {
      const other = clientFor(clientId);
      others.push(other);
      return asking(other);
    },
  });
  for (const other of others) other.close();
  return answers;
}

/** Resolves once a broker that has just started serves: a Kafka has no producer ids yet, and says that it is loading. */
export async function untilReady(address) {
  const client = new OracleClient(address);
  const fields = { transactionalId: null, transactionTimeoutMs: 1000 };
  while ((await client.ask(initProducerIdKey, 0, fields)).errorCode === coordinatorLoadInProgress) await after(pollMs);
  client.close();
}

/**
 * Changes are taken over in the order in which they were made: once a topic is seen that is made now, all before it are.
 * The topic is taken away again.
 */
async function untilPublished(client, name) {
  const topics = [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }];
  await client.ask(createTopicsKey, 5, { topics, timeoutMs, validateOnly: false });
  const fields = { topics: [{ name, topicId: zeroUuid }], allowAutoTopicCreation: false };
  while ((await client.ask(metadataKey, 9, fields)).topics[0].errorCode !== 0) await after(pollMs);
  await client.ask(deleteTopicsKey, 5, { topicNames: [name], timeoutMs });
  while ((await client.ask(metadataKey, 9, fields)).topics[0].errorCode === 0) await after(pollMs);
  await after(publishedMs);
}

const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The answer as it is whenever it is asked for: names have the run in them. */
function withoutRun(answer, runId) {
  return JSON.parse(JSON.stringify(answer).replaceAll(`oracle-${runId}-`, 'oracle-'));
}

const nearMs = 750;
const offsetsTopic = '__consumer_offsets';

const nameFields = [
  ...['resourceName', 'apiKey', 'index', 'topicId', 'topicName', 'topic', 'partitionIndex', 'partitionId', 'user'],
  ...['entityType', 'key', 'feature', 'transactionalId', 'groupId'],
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

/** The thing without the field that its name comes from. */
function withoutName(item, name) {
  return Object.fromEntries(
    Object.entries(item).filter(
      ([field, value]) => value !== name || (field !== 'name' && !nameFields.includes(field)),
    ),
  );
}

const byEpochAndSequence = (a, b) => a.producerEpoch - b.producerEpoch || a.lastSequence - b.lastSequence;

/** The answer with what must differ made equal, and lists of named things as objects by name. */
function normalized(value, known, scenario, field = '') {
  if (Array.isArray(value)) {
    if (nodeListFields.has(field)) return value.map((id) => (id === known.nodeId ? '<node>' : id));
    if (field === 'partitions' && typeof value[0] === 'number') return value.toSorted((a, b) => a - b);
    const ordered = field === 'activeProducers' ? value.toSorted(byEpochAndSequence) : value;
    const items = ordered.map((item) => normalized(item, known, scenario));
    const names = items.map(nameOf);
    const areNamed =
      items.length > 0 && names.every((name) => name !== undefined) && new Set(names).size === items.length;
    return areNamed ? Object.fromEntries(items.map((item, i) => [names[i], withoutName(item, names[i])])) : items;
  }
  if (typeof value === 'object' && value !== null) {
    const isRefused = value.errorCode !== undefined && value.errorCode !== 0;
    const isOffsets = value.topic === offsetsTopic;
    const fields = Object.entries(value).map(([key, item]) => {
      // Which partition a group is kept in follows from its name, which has the run in it.
      if (isOffsets && key === 'partitions') return [key, item.map(() => '<partition>')];
      // Where there is no producer, 0 stands for it.
      return [key, isRefused && key === 'producerId' ? item : normalized(item, known, scenario, key)];
    });
    // With a code other than 0 the sentence is each broker's own.
    return Object.fromEntries(fields.filter(([key]) => key !== 'errorMessage' || value.errorCode === 0));
  }
  if (idFields.has(field) && value === known.nodeId) return '<node>';
  if (field === 'resourceName') {
    if (value === String(known.nodeId)) return '<node>';
    if (value === String(known.nodeId + 1)) return '<another>';
  }
  if (scenario === 'DescribeQuorum' && offsetsOfTheirOwn.has(field) && value > 0) return '<growing>';
  // Throttle times follow from when requests came.
  if (field === 'throttleTimeMs' && value > 0) return `<about ${Math.round(value)} ms>`;
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

/** Times that hang on when requests came within Kafka's windows. */
function areNear(kafka, millrace) {
  const [theirs, ours] = [kafka, millrace].map((value) => /^<about (\d+) ms>$/.exec(String(value))?.[1]);
  return theirs !== undefined && ours !== undefined && Math.abs(theirs - ours) <= nearMs;
}

/** The fields in which two answers differ: [path, Kafka's, ours]. */
export function* differences(kafka, millrace, path = '') {
  const bothObjects = [kafka, millrace].every((value) => typeof value === 'object' && value !== null);
  if (!bothObjects) {
    if (kafka !== millrace && !areNear(kafka, millrace)) yield [path, kafka, millrace];
    return;
  }
  for (const key of new Set([...Object.keys(kafka), ...Object.keys(millrace)])) {
    const below =
      /^[a-z]\w*$/i.test(key) && !(path.endsWith('configs') || path.endsWith('topics')) ? `.${key}` : `[${key}]`;
    yield* differences(kafka[key], millrace[key], path + below);
  }
}
