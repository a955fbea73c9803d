/**
 * Writes small data directories as this release writes them, for the test that opens those of every release:
 *
 *   npm run build && node scripts/make-data-directory.mjs [NAME]      → test/upgrade/<NAME>-clean, test/upgrade/<NAME>-killed
 *
 * The name is the release's unless given. Run it once for each release that changes what is on disk, and commit what it
 * makes. What is in them is what test/upgrade/upgrade.test.ts looks for.
 */

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { BatchBuilder } from '../dist/records/batch-builder.js';
import { crc32c } from '../dist/records/crc32c.js';
import { Compression } from '../dist/records/record-batch.js';
import { OracleClient } from './oracle-client.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const name = process.argv[2] ?? version;
const timeoutMs = 30_000;
const timestampMs = Date.UTC(2026, 0, 1);
const zeroId = 'A'.repeat(22);
const concurrentTransactions = 51;

function start(data) {
  const args = [join(root, 'dist/main.cjs'), '--data', data, '--kafka', '127.0.0.1:0', '--http', 'off'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let printed = '';
    child.stdout.on('data', (text) => {
      printed += text;
      const address = /Kafka over TCP +(\S+:\d+)/.exec(printed)?.[1];
      if (address !== undefined) resolve({ child, address });
    });
    child.on('exit', (code) => reject(new Error(`the broker ended with ${code}`)));
  });
}

function batch(texts, options = {}) {
  const builder = new BatchBuilder(crc32c, options);
  for (const text of texts) {
    const headers = [{ key: 'h', value: Buffer.from('v') }];
    builder.append({ key: Buffer.from(`key of ${text}`), value: Buffer.from(text), timestampMs, headers });
  }
  return builder;
}

async function fill(address, data) {
  const client = new OracleClient(address);
  const ask = async (key, apiVersion, fields) => {
    const answer = await client.ask(key, apiVersion, fields);
    if (JSON.stringify(answer).match(/"errorCode":(?!0)/)) throw new Error(JSON.stringify(answer));
    return answer;
  };
  const produce = (topic, index, records) =>
    ask(0, 9, { acks: -1, timeoutMs, topicData: [{ name: topic, partitionData: [{ index, records }] }] });
  const topic = (name, numPartitions, configs = {}) => ({
    name,
    numPartitions,
    replicationFactor: 1,
    assignments: [],
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  });
  const topics = [
    topic('plain', 2, { 'retention.ms': '-1' }),
    topic('gone', 1),
    topic('compacted', 1, { 'cleanup.policy': 'compact', 'retention.ms': '-1' }),
    topic('transactional', 1, { 'retention.ms': '-1' }),
  ];
  await ask(19, 7, { topics, timeoutMs });
  await produce('plain', 0, batch(['one', 'two']).seal());
  const compressed = batch(['three', 'four']);
  await produce('plain', 0, compressed.sealCompressed(Compression.GZIP, gzipSync(compressed.body)));
  const { producerId, producerEpoch } = await ask(22, 2, { transactionalId: null, transactionTimeoutMs: 60_000 });
  await produce('plain', 1, batch(['five'], { producerId, producerEpoch, baseSequence: 0 }).seal());
  await produce('compacted', 0, batch(['six']).seal());
  await ask(21, 2, { topics: [{ name: 'plain', partitions: [{ partitionIndex: 0, offset: 1 }] }], timeoutMs });
  await ask(20, 5, { topicNames: ['gone'], timeoutMs });
  const committed = [{ partitionIndex: 0, committedOffset: 3, committedLeaderEpoch: -1, committedMetadata: 'here' }];
  await ask(8, 7, {
    groupId: 'readers',
    generationIdOrMemberEpoch: -1,
    memberId: '',
    topics: [{ name: 'plain', partitions: committed }],
  });
  const set = (name, value) => ({ name, configOperation: 0, value });
  const resources = [
    { resourceType: 4, resourceName: '', configs: [set('message.max.bytes', '2000000')] },
    { resourceType: 32, resourceName: 'readers', configs: [set('consumer.session.timeout.ms', '50000')] },
    { resourceType: 16, resourceName: 'metrics', configs: [set('interval.ms', '5000')] },
  ];
  await ask(44, 1, { resources, validateOnly: false });
  const entity = [{ entityType: 'client-id', entityName: 'limited' }];
  const ops = [{ key: 'producer_byte_rate', value: 1_048_576, remove: false }];
  await ask(49, 1, { entries: [{ entity, ops }], validateOnly: false });
  await transact(client, ask);
  await untilCounted(data);
  // At the end, so that the broker hears of no ended connection before its own end.
  await share(ask);
  client.close();
}

/** A transaction that is aborted, and one that is committed. */
async function transact(client, ask) {
  const transactionalId = 'mover';
  const { producerId, producerEpoch } = await ask(22, 2, { transactionalId, transactionTimeoutMs: 60_000 });
  const adding = {
    v3AndBelowTransactionalId: transactionalId,
    v3AndBelowProducerId: producerId,
    v3AndBelowProducerEpoch: producerEpoch,
    v3AndBelowTopics: [{ name: 'transactional', partitions: [0] }],
  };
  for (const [baseSequence, [text, committed]] of Object.entries([
    ['aborted', false],
    ['kept', true],
  ])) {
    await addPartition(client, adding);
    const options = { producerId, producerEpoch, baseSequence: Number(baseSequence), transactional: true };
    const partitionData = [{ index: 0, records: batch([text], options).seal() }];
    await ask(0, 9, { transactionalId, acks: -1, timeoutMs, topicData: [{ name: 'transactional', partitionData }] });
    await ask(26, 3, { transactionalId, producerId, producerEpoch, committed });
  }
}

/** Again while the markers of the transaction before are on their way. */
async function addPartition(client, adding) {
  for (let leftMs = timeoutMs; leftMs > 0; leftMs -= 10) {
    const { resultsByTopicV3AndBelow } = await client.ask(24, 3, adding);
    const errorCodes = resultsByTopicV3AndBelow.flatMap(({ resultsByPartition }) =>
      resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode),
    );
    if (errorCodes.every((errorCode) => errorCode === 0)) return;
    const other = errorCodes.find((errorCode) => errorCode !== 0 && errorCode !== concurrentTransactions);
    if (other !== undefined) throw new Error(`the transaction does not take its partition: error ${other}`);
    await setTimeout(10);
  }
  throw new Error(`the transaction before was not complete within ${timeoutMs} ms`);
}

/** Until the recovery points say what was aborted, which they do every few seconds. */
async function untilCounted(data) {
  for (let leftMs = timeoutMs; leftMs > 0; leftMs -= 100) {
    if (readFileSync(join(data, 'millrace.recovery-points'), 'utf8').includes(' aborted=')) return;
    await setTimeout(100);
  }
  throw new Error(`the recovery points of ${data} do not say within ${timeoutMs} ms what was aborted`);
}

/** A share group is given three records, accepts the second and gives the third back. */
async function share(ask) {
  const groupId = 'sharers';
  const memberId = 'AAAAAAAAAAAAAAAAAAAAAw';
  const configs = [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }];
  await ask(44, 1, { resources: [{ resourceType: 32, resourceName: groupId, configs }], validateOnly: false });
  await ask(76, 1, { groupId, memberId, memberEpoch: 0, rackId: null, subscribedTopicNames: ['plain'] });
  const { topics } = await ask(3, 12, { topics: [{ topicId: zeroId, name: 'plain' }], allowAutoTopicCreation: false });
  const { topicId } = topics[0];
  const fetch = {
    ...{ groupId, memberId, maxWaitMs: 1000, minBytes: 1, maxBytes: 100_000, maxRecords: 100, batchSize: 100 },
    ...{ shareAcquireMode: 0, isRenewAck: false, forgottenTopicsData: [] },
  };
  const asked = [{ topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: [] }] }];
  await ask(78, 2, { ...fetch, shareSessionEpoch: 0, topics: asked });
  const said = [{ firstOffset: 2, lastOffset: 3, acknowledgeTypes: [1, 2] }];
  const acknowledged = [{ topicId, partitions: [{ partitionIndex: 0, acknowledgementBatches: said }] }];
  await ask(79, 2, { groupId, memberId, shareSessionEpoch: 1, isRenewAck: false, topics: acknowledged });
}

for (const [kind, signal] of [
  ['clean', 'SIGTERM'],
  ['killed', 'SIGKILL'],
]) {
  const data = join(mkdtempSync(join(tmpdir(), 'millrace-format-')), 'data');
  const { child, address } = await start(data);
  await fill(address, data);
  child.removeAllListeners('exit');
  const ended = new Promise((resolve) => child.on('exit', resolve));
  child.kill(signal);
  await ended;
  const target = join(root, 'test/upgrade', `${name}-${kind}`);
  rmSync(target, { recursive: true, force: true });
  cpSync(data, target, { recursive: true, filter: (path) => !path.includes('millrace.lock.') });
  rmSync(data, { recursive: true, force: true });
  console.log(`${target}: ${readdirSync(target).length} entries`);
}
