/**
 * An Apache Kafka from Maven's jars and a Millrace with the same settings, each on a new directory, for scripts that
 * compare them. They are those that bench/peers measures: it is built first (`tsc -p bench`).
 */

import { millrace } from '../build/bench/load/millrace-server.js';
import { ServerUnderTest } from '../build/bench/load/server-under-test.js';
import { Missing } from '../build/bench/peers/cache.js';
import { kafkaVersion } from '../build/bench/peers/kafka-jars.js';
import { apacheKafka } from '../build/bench/peers/kafka-server.js';
import { freePorts, loopback } from '../build/bench/peers/ports.js';
import { millraceSettings, quick } from './oracle-settings.mjs';

const addressOf = ({ doors }) => `${doors.kafka.host}:${doors.kafka.port}`;
const onNote = (note) => console.error(`oracle: ${note}`);

/** Starts Kafka with `more` settings, or ends the process with a sentence where this machine cannot. */
export async function startKafka(more = {}) {
  try {
    const server = await ServerUnderTest.start(apacheKafka(onNote, { ...quick, ...more }));
    return { address: addressOf(server), version: kafkaVersion, discard: () => server.discard() };
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    console.error(`oracle: ${error.message}`);
    process.exit(2);
  }
}

export async function startMillrace(more = {}) {
  // Kafka is told what to advertise, which is seen in its settings.
  const [kafkaPort] = await freePorts(1);
  const advertised = { 'advertised.listeners': `PLAINTEXT://${loopback}:${kafkaPort}` };
  const settings = { ...millraceSettings, ...advertised, ...more };
  const server = await ServerUnderTest.start(millrace({ settings, kafkaPort }));
  return { address: addressOf(server), discard: () => server.discard() };
}
