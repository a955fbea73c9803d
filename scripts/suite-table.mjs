/**
 * The table of other people's suites, docs/compatibility.md, and what it is made from, test/suites/results.json:
 *
 *   { "SUITE": { "version": …, "kafka": "4.4.0", "tests": { "NAME": [on Kafka, on Millrace], … } }, … }
 *
 * A test is `passed`, `failed`, `skipped` or, where the suite did not come to it, `absent`.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { absentSuites, reasonForTest } from './suite-expected.mjs';

const results = new URL('../test/suites/results.json', import.meta.url);
const document = new URL('../docs/compatibility.md', import.meta.url);
const sides = ['kafka', 'millrace'];

/** Keeps the outcomes of a suite on one side in place of those that were kept. */
export function keep({ name, version }, side, kafkaVersion, outcomes) {
  const all = read();
  const before = all[name]?.version === version ? all[name] : { version, kafka: null, tests: {} };
  const at = sides.indexOf(side);
  const names = [...new Set([...Object.keys(before.tests), ...outcomes.keys()])].toSorted();
  const pairs = names.map((test) => {
    const pair = before.tests[test] ?? ['absent', 'absent'];
    return [test, pair.with(at, outcomes.get(test) ?? 'absent')];
  });
  const tests = Object.fromEntries(pairs.filter(([, pair]) => pair.some((outcome) => outcome !== 'absent')));
  all[name] = { version, kafka: side === 'kafka' ? kafkaVersion : before.kafka, tests };
  mkdirSync(new URL('.', results), { recursive: true });
  writeFileSync(results, textOf(all));
  writeFileSync(document, documentOf(all));
}

/** The tests of a suite whose outcomes differ without a reason, of what is kept; none before both sides were run. */
export function unexplained(name) {
  const { tests } = read()[name];
  if (!isWhole({ tests })) return [];
  return Object.entries(tests).filter(([test, [kafka, millrace]]) => kafka !== millrace && !reasonForTest(name, test));
}

const isWhole = ({ tests }) => sides.every((_, side) => Object.values(tests).some((pair) => pair[side] !== 'absent'));

function read() {
  return existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : {};
}

/** A test a line. */
function textOf(all) {
  const suites = Object.entries(all).map(([name, { tests, ...rest }]) => {
    const head = JSON.stringify(rest).slice(1, -1);
    const lines = Object.entries(tests).map(([test, pair]) => `${JSON.stringify(test)}: ${JSON.stringify(pair)}`);
    return `${JSON.stringify(name)}: {${head}, "tests": {\n${lines.join(',\n')}\n}}`;
  });
  return `{\n${suites.join(',\n')}\n}\n`;
}

function documentOf(all) {
  const compared = Object.entries(all).filter(([, suite]) => isWhole(suite));
  const rows = compared.map(([name, { version, kafka, tests }]) => {
    const count = (side, outcome) => Object.values(tests).filter((pair) => pair[side] === outcome).length;
    const cells = (side) => ['passed', 'failed', 'skipped'].map((outcome) => count(side, outcome)).join(' / ');
    const differing = Object.values(tests).filter(([one, other]) => one !== other).length;
    return `| ${name} | ${version} | ${kafka} | ${cells(0)} | ${cells(1)} | ${differing} |`;
  });
  const table = [
    '| suite | version | Apache Kafka | on Kafka: passed / failed / skipped | on Millrace: passed / failed / skipped | differ |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ];
  const differing = compared.flatMap(([name, { tests }]) =>
    Object.entries(tests)
      .filter(([, [kafka, millrace]]) => kafka !== millrace)
      .map(([test, [kafka, millrace]]) => {
        const reason = reasonForTest(name, test) ?? '';
        return `| ${name} | ${test.replaceAll('|', '\\|')} | ${kafka} | ${millrace} | ${reason} |`;
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
    '## What is not run',
    '',
    '| suite | why |',
    '| --- | --- |',
    ...absentSuites.map(([name, why]) => `| ${name} | ${why} |`),
    '',
  ].join('\n');
}
