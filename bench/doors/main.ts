/**
 * `npm run bench:doors [-- --only TEXT] [--rounds N] [--seconds N] [--profile DIR] [--quick]`: the doors of the HTTP port
 * beside a bare uWebSockets.js server, with a load generator in C. Figures go to stdout, what goes on to stderr; the exit
 * code is 1 where a floor is not reached (with --quick nothing is judged).
 */

import { parseArgs } from 'node:util';
import { machineFacts, machineSentence } from '../load/machine.ts';
import { median, perSecond, runCase, type DoorCase } from './door-case.ts';
import { httpCases } from './http-cases.ts';
import { measureHeld } from './memory-case.ts';
import { buildLoad } from './native-load.ts';
import { fanOutCases, webSocketCases } from './web-socket-cases.ts';

const cases: readonly DoorCase[] = [...webSocketCases, ...fanOutCases, ...httpCases];

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    profile: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  buildLoad();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
console.log(`${machineSentence(machineFacts())}\n`);
const options = {
  rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
  seconds: Number(values.seconds ?? (values.quick ? 0.3 : 3)),
  warmSeconds: values.quick ? 0.1 : 1.5,
  ...(values.profile === undefined ? {} : { profileFolder: values.profile }),
  note: (text: string) => console.error(`  … ${text}`),
};
let missed = 0;
for (const door of cases.filter(({ name }) => name.includes(values.only))) {
  const { name, bare, millrace, ratio, floor } = await runCase(door, options);
  if (ratio < floor) missed++;
  const verdict = ratio < floor ? 'MISSED' : 'reached';
  console.log(
    `${name.padEnd(16)} bare ${perSecond(median(bare)).padStart(13)}   Millrace ${perSecond(median(millrace)).padStart(13)}` +
      `   ${ratio.toFixed(2)}×, floor ${floor}×: ${verdict}`,
  );
}
for (const path of ['/ws', '/topics/bench/produce']) {
  if (!`held ${path}`.includes(values.only)) continue;
  const { connections, moreBytes, mostBytes } = await measureHeld(values.quick ? 100 : 10_000, path);
  if (moreBytes > mostBytes) missed++;
  const mebibytes = (moreBytes / 2 ** 20).toFixed(0);
  console.log(
    `held ${path}: ${connections} WebSockets take ${mebibytes} MiB, at most ${mostBytes / 2 ** 20}: ` +
      (moreBytes > mostBytes ? 'MISSED' : 'reached'),
  );
}
process.exit(missed > 0 && !values.quick ? 1 : 0);
