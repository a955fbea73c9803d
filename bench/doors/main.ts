/**
 * `npm run bench:doors [-- --only TEXT] [--rounds N] [--pairs N] [--seconds N] [--profile DIR] [--keep] [--quick]`: the
 * doors of the HTTP port beside a bare uWebSockets.js server, with a load generator in C, and beside NATS over WebSocket
 * where Go is. Figures go to stdout, what goes on to stderr, and with --keep into bench/results; --profile has Millrace
 * profiled while it is loaded, of which what took longest is kept there as well where --only says of what; the exit code is 1 where
 * a floor is not reached (with --quick nothing is judged, and NATS is left out).
 */

import { tmpdir } from 'node:os';
import { readCommandLine, wholeNumber } from '../../scripts/command-line.mjs';
import { isDirty } from '../load/floor-verdict.ts';
import { keepProfile } from '../load/kept-profile.ts';
import { machineFacts, machineSentence } from '../load/machine.ts';
import { keepPageCacheFull } from '../load/page-cache.ts';
import { profileSummary } from '../load/profile-summary.ts';
import { Missing } from '../peers/cache.ts';
import { runCase, type DoorCase } from './door-case.ts';
import {
  heldLineOf,
  isHeldMissed,
  isMissed,
  keepDoorResults,
  lineOf,
  resultOf,
  type CaseResult,
} from './door-report.ts';
import { httpCases } from './http-cases.ts';
import { measureHeld, type HeldResult } from './memory-case.ts';
import { buildLoad } from './native-load.ts';
import { fanOutCases, natsCases, webSocketCases } from './web-socket-cases.ts';

const { values } = readCommandLine({
  usage:
    'npm run bench:doors -- [--only TEXT] [--rounds N] [--pairs N] [--seconds N] [--profile DIR] [--keep] [--quick]',
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string' },
    pairs: { type: 'string' },
    seconds: { type: 'string' },
    profile: { type: 'string' },
    keep: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
});

const note = (text: string): void => console.error(`  … ${text}`);
const cases: readonly DoorCase[] = [
  ...webSocketCases,
  ...fanOutCases,
  ...httpCases,
  ...(values.quick ? [] : natsCases(note)),
];
try {
  buildLoad();
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
const facts = machineFacts();
const machine = machineSentence(facts);
console.log(`${machine}\n`);
const options = {
  rounds: wholeNumber('rounds', values.rounds ?? (values.quick ? '1' : '3'), 1),
  pairsPerRound: wholeNumber('pairs', values.pairs ?? (values.quick ? '1' : '3'), 1),
  seconds: Number(values.seconds ?? (values.quick ? 0.2 : 1)),
  warmSeconds: values.quick ? 0.1 : 1.5,
  isStrict: !values.quick,
  ...(values.profile === undefined ? {} : { profileFolder: values.profile }),
  note,
};
if (!values.quick) keepPageCacheFull(tmpdir(), note);
const results: CaseResult[] = [];
for (const door of cases.filter(({ name }) => name.includes(values.only))) {
  try {
    const pairs = await runCase(door, options);
    results.push(resultOf(door.name, door.rival.kind().name, door.floor, pairs, machine));
    console.log(lineOf(results.at(-1)!));
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    note(`${door.name}: ${error.message}`);
  }
}
const held: HeldResult[] = [];
for (const path of ['/ws', '/topics/bench/produce']) {
  if (!`held ${path}`.includes(values.only)) continue;
  held.push(await measureHeld(values.quick ? 100 : 10_000, path, machine));
  console.log(heldLineOf(held.at(-1)!));
}
if (values.keep && isDirty(facts.commit)) console.error('Nothing is kept: no commit has the files that are measured.');
else if (values.keep) {
  const order = cases.map(({ name }) => name);
  keepDoorResults(results, order, held);
}
if (values.profile !== undefined) {
  console.error(profileSummary(values.profile));
  if (!values.quick && values.only !== '' && !isDirty(facts.commit)) {
    const name = ['doors', ...(values.only.match(/[a-z0-9]+/gi) ?? [])].join('-').toLowerCase();
    const what = `npm run bench:doors -- --only ${JSON.stringify(values.only)}`;
    note(`kept: ${keepProfile({ name, what, covers: 'the measured load', profileFolder: values.profile }, facts)}`);
  }
}
const missed = results.filter(isMissed).length + held.filter(isHeldMissed).length;
process.exit(missed > 0 && !values.quick ? 1 : 0);
