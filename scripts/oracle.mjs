/**
 * Sends the same requests to an Apache Kafka and to Millrace and says where the decoded answers differ.
 *
 *   npm run test:oracle [-- --only TEXT] [--record]                  starts both
 *   npm run oracle -- --kafka HOST:PORT --millrace HOST:PORT [--only TEXT]…
 *
 * The requests stand in scenarios (oracle-steps.mjs). What must differ (ids, addresses, sentences) is made equal first
 * (oracle-answers.mjs); what differs for a reason is named in oracle-expected.mjs. The end is 1 where anything else
 * differs. Brokers that are given should be fresh, hold nothing of value and run with their default settings: topics and
 * settings are changed and removed.
 *
 * `--record` keeps Kafka's answers in test/oracle/answers, which `npm test` holds Millrace against, without Java. A new
 * area is a file of scenarios, a line for each in oracle-steps.mjs, and `npm run test:oracle -- --only NAME --record`.
 * `--authorizer` starts a Kafka with one, asks it what stands in oracle-authorizer-steps.mjs, and only records: a broker of
 * ours that has one there is in the test alone. `--only` takes the scenarios in whose names the text stands, and may be given several times.
 */

import { readCommandLine } from './command-line.mjs';
import { answersOf, differences, untilReady } from './oracle-answers.mjs';
import { authorizerScenario, authorizerSettings, createAcls } from './oracle-authorizer-steps.mjs';
import { reasonFor } from './oracle-expected.mjs';
import { removeRecordsBut, writeRecord } from './oracle-record.mjs';
import { scenarios } from './oracle-steps.mjs';

const { values } = readCommandLine({
  usage:
    'npm run test:oracle -- [--only TEXT]… [--record] [--authorizer], or npm run oracle -- --kafka HOST:PORT --millrace HOST:PORT [--only TEXT]…',
  options: {
    kafka: { type: 'string' },
    millrace: { type: 'string' },
    only: { type: 'string', multiple: true, default: [''] },
    record: { type: 'boolean', default: false },
    authorizer: { type: 'boolean', default: false },
  },
});

async function recordAuthorizer() {
  const { startKafka } = await import('./oracle-servers.mjs');
  const kafka = await startKafka(authorizerSettings);
  try {
    await untilReady(kafka.address);
    const options = { runId: 'recorded', rule: createAcls };
    writeRecord(authorizerScenario.name, await answersOf(authorizerScenario, kafka.address, options), kafka.version);
  } finally {
    await kafka.discard();
  }
}

const brief = (value) => {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
};

/** Prints what differs in a scenario; how many fields do without a reason. Reasons are counted in `seen`. */
function compare(scenario, kafka, millrace, seen) {
  let differing = 0;
  for (const [label, answer] of kafka) {
    for (const [path, theirs, ours] of differences(answer, millrace.get(label))) {
      const reason = reasonFor(`${scenario} ${label}`, path);
      if (reason !== undefined) {
        seen.set(reason, (seen.get(reason) ?? 0) + 1);
        continue;
      }
      differing++;
      console.log(`${scenario} ${label}\n  ${path}\n    Kafka     ${brief(theirs)}\n    Millrace  ${brief(ours)}`);
    }
  }
  return differing;
}

async function serversOf({ kafka, millrace }) {
  const given = (address) => ({ address, version: 'given', discard: async () => {} });
  if (kafka !== undefined && millrace !== undefined) return [given(kafka), given(millrace)];
  const { startKafka, startMillrace } = await import('./oracle-servers.mjs');
  const ofMillrace = millrace === undefined ? await startMillrace() : given(millrace);
  return [kafka === undefined ? await startKafka() : given(kafka), ofMillrace];
}

if (values.authorizer) {
  await recordAuthorizer();
  process.exit();
}
const [kafka, millrace] = await serversOf(values);
const runId = Date.now().toString(36);
const seen = new Map();
let asked = 0;
let differing = 0;
try {
  await untilReady(kafka.address);
  for (const scenario of scenarios.filter(({ name }) => values.only.some((text) => name.includes(text)))) {
    const startedMs = performance.now();
    const ofKafka = await answersOf(scenario, kafka.address, { runId });
    const ofMillrace = await answersOf(scenario, millrace.address, { runId, settles: false });
    asked += ofKafka.size;
    differing += compare(scenario.name, ofKafka, ofMillrace, seen);
    console.error(`${scenario.name}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
    if (values.record && !scenario.isTimed) writeRecord(scenario.name, ofKafka, kafka.version);
  }
  if (values.record) removeRecordsBut([...scenarios, authorizerScenario].map(({ name }) => name));
  for (const [reason, times] of seen) console.log(`expected, ${times} times: ${reason}`);
  console.log(`${asked} answers compared, ${differing} fields differ`);
  process.exitCode = differing === 0 ? 0 : 1;
} finally {
  await kafka.discard();
  await millrace.discard();
}
