/**
 * Runs other people's suites, which are written against "a Kafka at an address", against an Apache Kafka and a Millrace
 * and writes docs/compatibility.md.
 *
 *   npm run test:suites [-- --only TEXT] [--side kafka|millrace]
 *
 * Suites are fetched and built once, in .bench-cache; what this machine lacks is said and left out. Each suite has new
 * brokers with their default settings, but for what it wants. The end is 1 where outcomes differ without a reason (suite-expected.mjs).
 * `--side` runs one of both, and keeps what the other had. What suites print is kept in build/suites.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Missing } from '../build/bench/peers/cache.js';
import { readCommandLine, refuse } from './command-line.mjs';
import { startKafka, startMillrace } from './oracle-servers.mjs';
import { franzGo } from './suite-franz-go.mjs';
import { kafkaJs } from './suite-kafkajs.mjs';
import { librdkafkaSuites } from './suite-librdkafka.mjs';
import { sarama } from './suite-sarama.mjs';
import { aiokafka, confluentSuites, kafkaPython } from './suite-python.mjs';
import { keep, unexplained } from './suite-table.mjs';

const { values } = readCommandLine({
  usage: 'npm run test:suites -- [--only TEXT] [--side kafka|millrace]',
  options: { only: { type: 'string', default: '' }, side: { type: 'string' } },
});
if (!['kafka', 'millrace', undefined].includes(values.side)) refuse('--side is kafka or millrace.');
const suites = [franzGo, sarama, ...librdkafkaSuites, kafkaJs, kafkaPython, aiokafka, ...confluentSuites];
const logs = fileURLToPath(new URL('../build/suites/', import.meta.url));
mkdirSync(logs, { recursive: true });

async function runOn(side, suite, folder) {
  const server = await (side === 'kafka' ? startKafka : startMillrace)(suite.settings);
  try {
    const outcomes = await suite.run(
      folder,
      server.address,
      join(logs, `${suite.name.replaceAll(/\W+/g, '-')}-${side}`),
    );
    const count = (wanted) => [...outcomes.values()].filter((outcome) => outcome === wanted).length;
    const counts = ['passed', 'failed', 'skipped'].map((wanted) => `${count(wanted)} ${wanted}`).join(', ');
    console.log(`${suite.name} ${suite.version} on ${side}: ${counts}`);
    keep(suite, side, server.version, outcomes);
  } finally {
    await server.discard();
  }
}

async function runSuite(suite) {
  const folder = suite.install((note) => console.error(`suites: ${note}`));
  for (const side of values.side === undefined ? ['kafka', 'millrace'] : [values.side])
    await runOn(side, suite, folder);
  const differing = unexplained(suite.name);
  for (const [test, [onKafka, onMillrace]] of differing) {
    console.log(`  DIFFERENT  ${test}: ${onKafka} on Kafka, ${onMillrace} on Millrace`);
  }
  return differing.length;
}

let differing = 0;
let isMissing = false;
for (const suite of suites.filter(({ name }) => name.includes(values.only))) {
  try {
    differing += await runSuite(suite);
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    isMissing = true;
    console.error(`suites: ${error.message}`);
  }
}
console.log(`${differing} outcomes differ without a reason`);
process.exitCode = differing > 0 ? 1 : isMissing ? 2 : 0;
