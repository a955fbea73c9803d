/**
 * Runs other people's suites, which are written against "a Kafka at an address", against an Apache Kafka and a Millrace
 * and writes docs/compatibility.md.
 *
 *   npm run test:suites [-- --only TEXT] [--millrace-only]
 *
 * Suites are fetched and built once, in .bench-cache; what this machine lacks is said and left out. Each suite has new
 * brokers with their default settings. The end is 1 where outcomes differ without a reason (suite-expected.mjs).
 * `--millrace-only` runs a suite on Millrace alone, shows what did not pass, and writes nothing. What suites print is
 * kept in build/suites.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Missing } from '../build/bench/peers/cache.js';
import { startKafka, startMillrace } from './oracle-servers.mjs';
import { franzGo } from './suite-franz-go.mjs';
import { kafkaJs } from './suite-kafkajs.mjs';
import { librdkafkaSuites } from './suite-librdkafka.mjs';
import { aiokafka, kafkaPython } from './suite-python.mjs';
import { keep, unexplained } from './suite-table.mjs';

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, 'millrace-only': { type: 'boolean', default: false } },
});
const suites = [franzGo, ...librdkafkaSuites, kafkaJs, kafkaPython, aiokafka];
const logs = fileURLToPath(new URL('../build/suites/', import.meta.url));

async function outcomesOn(start, suite, folder, side) {
  const server = await start();
  try {
    const log = join(logs, `${suite.name.replaceAll(/\W+/g, '-')}-${side}`);
    const outcomes = await suite.run(folder, server.address, log);
    const count = (wanted) => [...outcomes.values()].filter((outcome) => outcome === wanted).length;
    const counts = ['passed', 'failed', 'skipped'].map((wanted) => `${count(wanted)} ${wanted}`).join(', ');
    console.log(`${suite.name} ${suite.version} on ${side}: ${counts}`);
    return { outcomes, version: server.version };
  } finally {
    await server.discard();
  }
}

async function runSuite(suite) {
  const folder = suite.install((note) => console.error(`suites: ${note}`));
  if (values['millrace-only']) {
    const { outcomes } = await outcomesOn(startMillrace, suite, folder, 'millrace');
    for (const [test, outcome] of outcomes) if (outcome !== 'passed') console.log(`  ${outcome}  ${test}`);
    return 0;
  }
  const kafka = await outcomesOn(startKafka, suite, folder, 'kafka');
  const millrace = await outcomesOn(startMillrace, suite, folder, 'millrace');
  keep(suite, kafka.version, kafka.outcomes, millrace.outcomes);
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
