/**
 * Produces what scripts/verify-kafka.mjs wants to see in files: topics of every compression, idempotent and transactional
 * producers, segments and indexes that are small enough to be many. It speaks to the broker with the project's own codecs.
 */

import { gzipSync } from 'node:zlib';
import { Arena } from '../dist/memory/arena.js';
import { BatchBuilder } from '../dist/records/batch-builder.js';
import { crc32c } from '../dist/records/crc32c.js';
import { Compression } from '../dist/records/record-batch.js';
import { OracleClient } from './oracle-client.mjs';

const api = { produce: 0, createTopics: 19, deleteRecords: 21, initProducerId: 22, addPartitions: 24, endTxn: 26 };
const batchesPerTopic = 40;
const recordsPerBatch = 100;
const all = -1;
const concurrentTransactions = 51;
const transactional = 'transactional';
/** Of each run, on top of those that the next run finds open and aborts. */
export const abortedPerRun = 20;

const arena = Arena.create({
  flushWorkerCount: 1,
  queueCapacity: 2,
  ringSizeBytes: 64 * 1024,
  scratchSizeBytes: 65_536,
  heapSizeBytes: 65_536,
});

/** Each compression, with what makes a body of it. */
const codecs = {
  none: [Compression.NONE, (body) => body],
  gzip: [Compression.GZIP, (body) => gzipSync(body)],
  snappy: [Compression.SNAPPY, snappyBlock],
  lz4: [Compression.LZ4, lz4Frame],
  zstd: [Compression.ZSTD, zstdFrame],
};

/**
 * Fills every topic; `run` says the how-manieth time, and `producers` are those of the time before. Returns them.
 * Throws where the broker answers with an error.
 */
export async function produceEverything(address, run, producers = new Map()) {
  const client = new OracleClient(address);
  try {
    for (const name of Object.keys(codecs)) {
      for (const topic of [`plain-${name}`, `idempotent-${name}`, `torn-${name}`]) {
        if (run === 0) await createTopic(client, topic);
        const producer = topic.startsWith('idempotent') ? (producers.get(topic) ?? (await initProducer(client))) : null;
        if (producer !== null) producers.set(topic, producer);
        await fill(client, topic, name, run, producer);
      }
    }
    if (run === 0) await createTopic(client, transactional);
    await transact(client);
    if (run === 1) await deleteRecords(client, 'plain-none', 3_500);
    return producers;
  } finally {
    client.close();
  }
}

/** Transactions of two producers that overlap: one is aborted and one committed, and the last of all stay open. */
async function transact(client) {
  const producers = [];
  for (const id of ['a', 'b']) producers.push(await initProducer(client, `${transactional}-${id}`));
  const begin = async (which) => {
    const { id, epoch, transactionalId } = producers[which];
    const request = { v3AndBelowTransactionalId: transactionalId, v3AndBelowProducerId: id };
    const topics = [{ name: transactional, partitions: [0] }];
    const fields = { ...request, v3AndBelowProducerEpoch: epoch, v3AndBelowTopics: topics };
    await settled('AddPartitionsToTxn', async () => {
      const { resultsByTopicV3AndBelow } = await client.ask(api.addPartitions, 3, fields);
      return resultsByTopicV3AndBelow[0].resultsByPartition[0].partitionErrorCode;
    });
  };
  for (let i = 0; i <= abortedPerRun; i++) {
    await begin(i % 2);
    await begin((i + 1) % 2);
    for (let batch = 0; batch < 4; batch++) await produceTransactional(client, producers[batch % 2], i);
    if (i === abortedPerRun) return;
    await endTransaction(client, producers[i % 2], false);
    await endTransaction(client, producers[(i + 1) % 2], true);
  }
}

async function produceTransactional(client, producer, number) {
  const { id: producerId, epoch: producerEpoch, next: baseSequence, transactionalId } = producer;
  const builder = new BatchBuilder(crc32c, { producerId, producerEpoch, baseSequence, transactional: true });
  for (let i = 0; i < recordsPerBatch; i++) {
    builder.append({ key: null, value: Buffer.from(`${number} `.repeat(150)), timestampMs: Date.now() });
  }
  producer.next += recordsPerBatch;
  const topicData = [{ name: transactional, partitionData: [{ index: 0, records: builder.seal() }] }];
  const response = await client.ask(api.produce, 9, { acks: all, timeoutMs: 30_000, transactionalId, topicData });
  check('Produce in a transaction', response.responses[0].partitionResponses[0].errorCode);
}

async function endTransaction(client, { id: producerId, epoch: producerEpoch, transactionalId }, committed) {
  const fields = { transactionalId, producerId, producerEpoch, committed };
  await settled('EndTxn', async () => (await client.ask(api.endTxn, 3, fields)).errorCode);
}

/** Asks again for as long as the end of the transaction before is under way. */
async function settled(what, ask) {
  for (;;) {
    const errorCode = await ask();
    if (errorCode !== concurrentTransactions) return check(what, errorCode);
  }
}

function check(what, errorCode) {
  if (errorCode !== 0) throw new Error(`${what}: error ${errorCode}`);
}

async function fill(client, topic, codec, run, producer) {
  const [compression, compress] = codecs[codec];
  for (let i = 0; i < batchesPerTopic; i++) {
    const builder = new BatchBuilder(
      crc32c,
      producer === null ? {} : { producerId: producer.id, producerEpoch: producer.epoch, baseSequence: producer.next },
    );
    for (let record = 0; record < recordsPerBatch; record++) {
      const number = (run * batchesPerTopic + i) * recordsPerBatch + record;
      builder.append({
        key: record % 3 === 0 ? null : Buffer.from(`key ${number % 17}`),
        value: record % 10 === 9 ? null : Buffer.from(`${topic} ${number} `.repeat(15)),
        // Mostly growing, with steps back: time indexes have to say the largest so far.
        timestampMs: Date.now() - 1_000_000 + number - (i % 4 === 3 ? 5000 : 0),
        headers: record % 7 === 0 ? [{ key: 'number', value: Buffer.from(String(number)) }] : [],
      });
    }
    if (producer !== null) producer.next += recordsPerBatch;
    const batch =
      compression === Compression.NONE ? builder.seal() : builder.sealCompressed(compression, compress(builder.body));
    const partitionData = [{ index: 0, records: batch }];
    const acks = i % 2 === 0 ? all : 1;
    const response = await client.ask(api.produce, 9, {
      acks,
      timeoutMs: 30_000,
      topicData: [{ name: topic, partitionData }],
    });
    const { errorCode, errorMessage } = response.responses[0].partitionResponses[0];
    if (errorCode !== 0) throw new Error(`Produce to ${topic}: error ${errorCode}, ${errorMessage}`);
  }
}

async function createTopic(client, name) {
  const configs = Object.entries({
    'segment.bytes': '1048576',
    'index.interval.bytes': '2000',
    'file.delete.delay.ms': '0',
  }).map(([key, value]) => ({ name: key, value }));
  const topics = [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs }];
  const response = await client.ask(api.createTopics, 5, { topics, timeoutMs: 30_000 });
  if (response.topics[0].errorCode !== 0)
    throw new Error(`CreateTopics ${name}: error ${response.topics[0].errorCode}`);
}

/** With a transactional id it ends what is open of it. */
async function initProducer(client, transactionalId = null) {
  let producer = null;
  await settled('InitProducerId', async () => {
    producer = await client.ask(api.initProducerId, 2, { transactionalId, transactionTimeoutMs: 60_000 });
    return producer.errorCode;
  });
  return { id: producer.producerId, epoch: producer.producerEpoch, next: 0, transactionalId };
}

async function deleteRecords(client, name, offset) {
  const topics = [{ name, partitions: [{ partitionIndex: 0, offset }] }];
  const response = await client.ask(api.deleteRecords, 2, { topics, timeoutMs: 30_000 });
  const { errorCode } = response.topics[0].partitions[0];
  if (errorCode !== 0) throw new Error(`DeleteRecords: error ${errorCode}`);
}

/** One Snappy block of literals: its length as a varint, then pieces of at most 64 KiB. */
function snappyBlock(body) {
  const parts = [varint(body.length)];
  for (let at = 0; at < body.length; at += 65_536) {
    const piece = body.subarray(at, at + 65_536);
    const length = piece.length - 1;
    parts.push(Buffer.from([61 << 2, length & 0xff, length >>> 8]), piece);
  }
  return Buffer.concat(parts);
}

function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
}

/** An LZ4 frame of stored, independent blocks of at most 64 KiB. */
function lz4Frame(body) {
  const descriptor = Buffer.from([0x60, 4 << 4]);
  const address = arena.layout.ringAddress;
  arena.bytes.set(descriptor, address);
  const hash = (arena.core.xxh32(address, descriptor.length, 0) >>> 8) & 0xff;
  const parts = [uint32(0x184d2204), descriptor, Buffer.from([hash])];
  for (let at = 0; at < body.length; at += 65_536) {
    const piece = body.subarray(at, at + 65_536);
    parts.push(uint32(piece.length + 2 ** 31), piece);
  }
  return Buffer.concat([...parts, uint32(0)]);
}

/** A Zstandard frame of raw blocks of at most 128 KiB (RFC 8878). */
function zstdFrame(body) {
  const parts = [uint32(0xfd2fb528), Buffer.from([0, 7 << 3])];
  for (let at = 0; at < body.length; at += 131_072) {
    const piece = body.subarray(at, at + 131_072);
    const isLast = at + 131_072 >= body.length;
    parts.push(uint32((piece.length << 3) | (isLast ? 1 : 0)).subarray(0, 3), piece);
  }
  return Buffer.concat(parts);
}

function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
