/**
 * Sends the same requests to an Apache Kafka and to Millrace and says where the decoded answers differ.
 *
 *   npm run test:oracle [-- --only TEXT]                             starts both, and records Kafka's answers
 *   npm run oracle -- --kafka HOST:PORT --millrace HOST:PORT [--only TEXT]
 *
 * The requests stand in oracle-steps.mjs. What must differ (ids, addresses, sentences) is made equal first
 * (oracle-answers.mjs); what differs for a reason is named in oracle-expected.mjs. The end is 1 where anything else
 * differs. Brokers that are given should be fresh, hold nothing of value and run with their default settings: topics and
 * settings are changed and removed. Recorded answers are what `npm test` holds Millrace against, without Java.
 */

import { parseArgs } from 'node:util';
import { answersOf, differences, isTimed } from './oracle-answers.mjs';
import { reasonFor } from './oracle-expected.mjs';
import { writeRecord } from './oracle-record.mjs';

const { values } = parseArgs({
  options: { kafka: { type: 'string' }, millrace: { type: 'string' }, only: { type: 'string', default: '' } },
});

const brief = (value) => {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
};

/** Prints what differs; how many fields do without a reason. */
function compare(kafka, millrace) {
  const seen = new Map();
  let differing = 0;
  for (const [label, answer] of kafka) {
    for (const [path, theirs, ours] of differences(answer, millrace.get(label))) {
      const reason = reasonFor(label, path);
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
  return differing;
}

async function serversOf({ kafka, millrace }) {
  const given = (address) => ({ address, discard: async () => {} });
  if (kafka !== undefined && millrace !== undefined) return [given(kafka), given(millrace)];
  const { startKafka, startMillrace } = await import('./oracle-servers.mjs');
  const ofMillrace = millrace === undefined ? await startMillrace() : given(millrace);
  return [kafka === undefined ? await startKafka() : given(kafka), ofMillrace];
}

const [kafka, millrace] = await serversOf(values);
try {
  const options = { runId: Date.now().toString(36), only: values.only };
  const ofKafka = await answersOf(kafka.address, options);
  const ofMillrace = await answersOf(millrace.address, { ...options, settles: false });
  if (values.kafka === undefined) {
    const recorded = [...ofKafka].filter(([label]) => !isTimed(label));
    writeRecord(recorded, { isWhole: values.only === '' });
  }
  process.exitCode = compare(ofKafka, ofMillrace) === 0 ? 0 : 1;
} finally {
  await kafka.discard();
  await millrace.discard();
}
