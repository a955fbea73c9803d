/** The tests of franz-go's client package that want a broker: producers, groups of both protocols, transactions, shares. */

import { join } from 'node:path';
import { installed } from '../build/bench/peers/cache.js';
import { runCommand } from '../build/bench/peers/commands.js';
import { needs } from './suite-commands.mjs';
import { copyModule, goTest } from './suite-go.mjs';

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
    return installed(`suite-franz-go-${version}`, onNote, (into) => {
      needs('franz-go', 'go');
      const source = join(into, 'franz-go');
      copyModule('github.com/twmb/franz-go', version, source);
      runCommand('go', ['test', '-c', '-o', join(into, 'kgo.test'), './pkg/kgo'], { cwd: source });
    });
  },
  run(folder, address, log) {
    const environment = { KGO_SEEDS: address, KGO_TEST_RF: '1', KGO_TEST_RECORDS: '50000', KGO_LOG_LEVEL: 'info' };
    const flags = ['-test.timeout=14m', `-test.run=^Test(${withBroker.join('|')})`, `-test.skip=${withoutBroker}`];
    const cwd = join(folder, 'franz-go', 'pkg', 'kgo');
    return goTest(join(folder, 'kgo.test'), flags, { cwd, environment, limitMs: 15 * minute, log });
  },
};
