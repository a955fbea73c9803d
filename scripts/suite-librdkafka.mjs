/**
 * librdkafka's own tests, in their quick form, with groups of the classic protocol and of the consumer protocol, whose
 * source stands in the npm package node-rdkafka; and of share groups, which only a newer librdkafka knows. Each test is a
 * process of its own: one that crashes or hangs is one.
 * They want topics that are created by themselves to have four partitions, members that join at once to be in one generation,
 * and Kafka's scripts for topics and settings.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from '../build/bench/peers/cache.js';
import { runCommand } from '../build/bench/peers/commands.js';
import { clone, inParallel, kafkaPath, needs, run } from './suite-commands.mjs';

const packageVersion = '3.6.1';
const version = '2.12.0';
const shareVersion = '2.15.0';
const limitMs = 240_000;
const atOnce = 3;
const withoutThese = ['ssl', 'gssapi', 'curl', 'zstd', 'lz4-ext', 'syslog'].map((part) => `--disable-${part}`);

const ofPackage = {
  version,
  source: join('package', 'deps', 'librdkafka'),
  fetch(into) {
    runCommand('npm', ['pack', '--silent', `node-rdkafka@${packageVersion}`], { cwd: into });
    runCommand('tar', ['xzf', readdirSync(into).find((name) => name.endsWith('.tgz'))], { cwd: into });
  },
};
const ofRepository = {
  version: shareVersion,
  source: 'librdkafka',
  fetch(into) {
    clone('https://github.com/confluentinc/librdkafka', `v${shareVersion}`, join(into, 'librdkafka'));
  },
};

const suiteOf = (protocol, origin) => ({
  name: `librdkafka (${protocol} groups)`,
  version: origin.version,
  settings: { 'num.partitions': '4', 'group.initial.rebalance.delay.ms': '100' },
  install(onNote) {
    return installed(`suite-librdkafka-${origin.version}`, onNote, (into) => {
      needs('librdkafka', 'gcc', 'g++', 'make');
      origin.fetch(into);
      const cwd = join(into, origin.source);
      runCommand('./configure', withoutThese, { cwd });
      runCommand('make', ['-j2', 'libs'], { cwd });
      runCommand('make', ['-j2', '-C', 'tests', 'test-runner'], { cwd });
    });
  },
  async run(folder, address, log) {
    const cwd = join(folder, origin.source, 'tests');
    const settings = `${log}.conf`;
    writeFileSync(settings, `metadata.broker.list=${address}\n`);
    const environment = {
      RDKAFKA_TEST_CONF: settings,
      TEST_KAFKA_VERSION: '4.4.0',
      KAFKA_PATH: kafkaPath(folder),
      BROKERS: address,
      // Members of share groups have one protocol; the other consumers that their tests use have any.
      TEST_CONSUMER_GROUP_PROTOCOL: protocol === 'share' ? 'consumer' : protocol,
      LD_LIBRARY_PATH: `${join(cwd, '..', 'src')}:${join(cwd, '..', 'src-cpp')}`,
    };
    const outcomes = await inParallel(testsIn(cwd, protocol), atOnce, async (test) => {
      const options = { cwd, environment: { ...environment, TESTS: test }, limitMs, log: `${log}-${test}.txt` };
      const { printed } = await run('./test-runner', ['-p1', '-Q', '-L', '-E', '-K'], options);
      return [test, outcomeOf(test, printed)];
    });
    return new Map(outcomes.filter(([, outcome]) => outcome !== null));
  },
});

export const librdkafkaSuites = [
  suiteOf('classic', ofPackage),
  suiteOf('consumer', ofPackage),
  suiteOf('share', ofRepository),
];

/** All that are registered and want a broker; of the consumer protocol those that mention groups. */
function testsIn(folder, protocol) {
  const registered = readFileSync(join(folder, 'test.c'), 'utf8').matchAll(/^ +_TEST\((\w+),\s*([^)]*)/gm);
  const files = readdirSync(folder);
  const names = [...registered].filter(([, , flags]) => !/LOCAL|MANUAL|KNOWN/.test(flags)).map(([, name]) => name);
  if (protocol === 'share') return names.filter((name) => name.includes('share_consumer'));
  return names.filter((name) => {
    const file = files.find((one) => one.startsWith(name.slice(0, 5).replace('_', '-')) && /\.c(pp)?$/.test(one));
    return protocol === 'classic' || (file && /group\.id|consumer/.test(readFileSync(join(folder, file), 'utf8')));
  });
}

/** Null where the test does not run at all. */
function outcomeOf(test, printed) {
  // oxlint-disable-next-line no-control-regex -- the tests print colours.
  const text = printed.replaceAll(/\u001b\[\d*m|\u001b\(B/g, '');
  const said = (word) => new RegExp(`\\b${test}\\b[^\\n]* ${word}\\b|\\| *${word} *\\| ${test} `).test(text);
  if (said('FAILED')) return 'failed';
  if (said('SKIPPED')) return 'skipped';
  if (said('PASSED')) return 'passed';
  return text.includes(test) ? 'failed' : null;
}
