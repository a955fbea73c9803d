/**
 * kafkajs's own tests of clusters, brokers, producers, consumers and the admin client. Three things are changed in them:
 * the ports they expect brokers on are those of one broker, partitions are added without a script that wants Docker, and
 * what needs TLS or SASL is left out.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from '../build/bench/peers/cache.js';
import { runCommand } from '../build/bench/peers/commands.js';
import { clone, needs, run } from './suite-commands.mjs';

const version = '2.2.4';
const minute = 60_000;
const packages = [
  ...['execa@2', 'glob@7', 'ip@1', 'jest@25', 'jest-circus@25', 'jest-extended@0.11', 'jest-junit@10'],
  ...['jsonwebtoken@9', 'mockdate@2', 'semver@6', 'uuid@3'],
];

export const kafkaJs = {
  name: 'kafkajs',
  version,
  install(onNote) {
    return installed(`suite-kafkajs-${version}`, onNote, (into) => {
      needs('kafkajs', 'npm');
      const source = join(into, 'kafkajs');
      clone('https://github.com/tulios/kafkajs', `v${version}`, source);
      runCommand('npm', ['install', '--silent', '--no-save', '--ignore-scripts', '--no-audit', ...packages], {
        cwd: adapted(source),
      });
    });
  },
  async run(folder, address, log) {
    const [, port] = address.split(':');
    const report = `${log}.json`;
    rmSync(report, { force: true });
    const jest = ['--forceExit', '--ci', '--no-watchman', '--maxWorkers=2', '--reporters=default'];
    const command = [
      ...['node_modules/.bin/jest', ...jest, '--json', `--outputFile=${report}`],
      '--testPathPattern=src/(admin|broker/__tests__|cluster|consumer|producer)/',
    ];
    const environment = { KAFKA_PORT: port, KAFKA_VERSION: '2.4', NODE_ENV: 'test' };
    await run('node', command, { cwd: join(folder, 'kafkajs'), environment, limitMs: 25 * minute, log });
    const outcomes = new Map();
    for (const file of JSON.parse(readFileSync(report, 'utf8')).testResults) {
      const path = file.name.slice(file.name.indexOf('src/') + 'src/'.length);
      if (file.assertionResults.length === 0) outcomes.set(path, 'failed');
      for (const { fullName, status } of file.assertionResults) {
        outcomes.set(`${path}: ${fullName}`, status === 'pending' || status === 'todo' ? 'skipped' : status);
      }
    }
    return outcomes;
  },
};

/** Changes the sources as the head says. */
function adapted(source) {
  const edit = (path, change) => {
    const file = join(source, path);
    const before = readFileSync(file, 'utf8');
    const after = change(before);
    if (after === before) throw new Error(`${path} is not as expected`);
    writeFileSync(file, after);
  };
  edit('testHelpers/index.js', (text) =>
    text
      .replaceAll(/port: 9092/g, 'port: Number(process.env.KAFKA_PORT)')
      .replaceAll(/\$\{(getHost\(\)|host)\}:909[258]/g, '$${$1}:$${process.env.KAFKA_PORT}')
      .replace("const getHost = () => 'localhost'", "const getHost = () => '127.0.0.1'")
      .replace(
        /const cmd = `TOPIC=[^\n]*\n/,
        "const admin = new Kafka({ clientId: 'testHelpers', brokers: plainTextBrokers() }).admin()\n",
      )
      .replace(
        'execa.commandSync(cmd, { shell: true })',
        'await admin.connect()\n  await admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] })\n  await admin.disconnect()',
      ),
  );
  return source;
}
