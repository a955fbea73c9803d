/**
 * The table of other people's suites, docs/compatibility.md, and what it is made from, test/suites/results.json:
 *
 *   { "SUITE": { "version": …, "kafka": "4.4.0", "tests": { "NAME": [on Kafka, on Millrace], … } }, … }
 *
 * Of tests that passed on both only the number is kept.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { reasonForTest } from './suite-expected.mjs';

const results = new URL('../test/suites/results.json', import.meta.url);
const document = new URL('../docs/compatibility.md', import.meta.url);

/** Keeps the outcomes of a suite in place of those that were kept of it. */
export function keep({ name, version }, kafkaVersion, kafka, millrace) {
  const all = read();
  const names = [...new Set([...kafka.keys(), ...millrace.keys()])].toSorted();
  const pairs = names.map((test) => [test, [kafka.get(test) ?? 'absent', millrace.get(test) ?? 'absent']]);
  const isUsual = ([, [onKafka, onMillrace]]) => onKafka === 'passed' && onMillrace === 'passed';
  const passedOnBoth = pairs.filter(isUsual).length;
  const others = Object.fromEntries(pairs.filter((pair) => !isUsual(pair)));
  all[name] = { version, kafka: kafkaVersion, passedOnBoth, others };
  mkdirSync(new URL('.', results), { recursive: true });
  writeFileSync(results, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(document, documentOf(all));
}

/** The tests of a suite whose outcomes differ without a reason, of what is kept. */
export function unexplained(name) {
  const { others } = read()[name];
  return Object.entries(others).filter(([test, [kafka, millrace]]) => kafka !== millrace && !reasonForTest(name, test));
}

function read() {
  return existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : {};
}

function documentOf(all) {
  const rows = Object.entries(all).map(([name, { version, kafka, passedOnBoth, others }]) => {
    const count = (side, outcome) => Object.values(others).filter((pair) => pair[side] === outcome).length;
    const cells = (side) =>
      `${passedOnBoth + count(side, 'passed')} / ${count(side, 'failed')} / ${count(side, 'skipped')}`;
    const differing = Object.values(others).filter(([one, other]) => one !== other).length;
    return `| ${name} | ${version} | ${kafka} | ${cells(0)} | ${cells(1)} | ${differing} |`;
  });
  const table = [
    '| suite | version | Apache Kafka | on Kafka: passed / failed / skipped | on Millrace: passed / failed / skipped | differ |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ];
  const differing = Object.entries(all).flatMap(([name, { others }]) =>
    Object.entries(others)
      .filter(([, [kafka, millrace]]) => kafka !== millrace)
      .map(([test, [kafka, millrace]]) => {
        const cell = (text) => text.replaceAll('|', '\\|');
        return `| ${name} | ${cell(test)} | ${kafka} | ${millrace} | ${reasonForTest(name, test) ?? ''} |`;
      }),
  );
  const details = ['| suite | test | on Kafka | on Millrace | why |', '| --- | --- | --- | --- | --- |', ...differing];
  return [
    '# Other people’s tests',
    '',
    'The suites of Kafka clients that want “a Kafka at an address”, run against one node of Apache Kafka and against Millrace, on the same machine with',
    'the same settings. Written by `npm run test:suites`; `-- --only NAME` runs one. What fails on both wants several nodes, TLS, SASL or more time than',
    'it gives itself.',
    '',
    ...table,
    '',
    '## Where they differ',
    '',
    ...(differing.length === 0 ? ['Nowhere.'] : details),
    '',
  ].join('\n');
}
