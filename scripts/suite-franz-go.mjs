/** The tests of franz-go's client package that want a broker: producers, groups of both protocols, transactions, shares. */

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from '../build/bench/peers/cache.js';
import { runCommand } from '../build/bench/peers/commands.js';
import { needs, run } from './suite-commands.mjs';

const version = '1.21.5';
const minute = 60_000;
/** Those that ask no broker, or a fake of the suite's own. */
const withoutBroker = '^(TestAudit|TestSCRAM)';
const withBroker = [
  ...['Client_Produce', 'Group', 'Txn', 'ShareGroup', 'Consume', 'Issue', 'Direct', 'AddRemove', 'Pause', 'Pooling'],
  ...['Ping', 'HookPollStart', 'UnknownGroup'],
];

export const franzGo = {
  name: 'franz-go (kgo)',
  version,
  install(onNote) {
    const folder = installed(`suite-franz-go-${version}`, onNote, (into) => {
      needs('franz-go', 'go');
      runCommand('go', ['mod', 'init', 'suite'], { cwd: into });
      const text = runCommand('go', ['mod', 'download', '-json', `github.com/twmb/franz-go@v${version}`], {
        cwd: into,
      });
      cpSync(JSON.parse(text).Dir, join(into, 'franz-go'), { recursive: true });
      runCommand('chmod', ['-R', 'u+w', join(into, 'franz-go')]);
      runCommand('go', ['test', '-c', '-o', join(into, 'kgo.test'), './pkg/kgo'], { cwd: join(into, 'franz-go') });
    });
    return folder;
  },
  async run(folder, address, log) {
    const environment = { KGO_SEEDS: address, KGO_TEST_RF: '1', KGO_TEST_RECORDS: '50000', KGO_LOG_LEVEL: 'info' };
    const command = [
      ...['tool', 'test2json', '-t', join(folder, 'kgo.test'), '-test.v=test2json', '-test.timeout=14m'],
      ...[`-test.run=^Test(${withBroker.join('|')})`, `-test.skip=${withoutBroker}`],
    ];
    const cwd = join(folder, 'franz-go', 'pkg', 'kgo');
    const { printed } = await run('go', command, { cwd, environment, limitMs: 15 * minute, log });
    return outcomesOf(printed);
  },
};

/** The outcome of each test that has no tests below it. A test that was begun and never ended failed. */
function outcomesOf(printed) {
  const outcomes = new Map();
  for (const line of printed.split('\n')) {
    if (!line.startsWith('{')) continue;
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      continue;
    }
    const { Test: test, Action: action } = event;
    if (test === undefined) continue;
    if (action === 'run') outcomes.set(test, 'failed');
    const outcome = { pass: 'passed', fail: 'failed', skip: 'skipped' }[action];
    if (outcome !== undefined) outcomes.set(test, outcome);
  }
  const parents = new Set();
  for (const test of outcomes.keys()) {
    for (let at = test.lastIndexOf('/'); at > 0; at = test.lastIndexOf('/', at - 1)) parents.add(test.slice(0, at));
  }
  return new Map([...outcomes].filter(([test]) => !parents.has(test)));
}
