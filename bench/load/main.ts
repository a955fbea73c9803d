/**
 * `npm run bench:load [-- SCENARIO …] [--quick] [--rounds N] [--p9999] [--soak GB] [--only TEXT] [--profile DIR] [--data DIR]
 * [--out DIR] [--json] [--list]`: the whole broker under load. --only takes the cases whose name contains TEXT; --p9999 has every
 * fixed rate last until there are enough answers for p99.99, which is 100 s at 1,000/s; --profile
 * has one round profiled while its load is measured, and shows what took longest; of a single scenario that is kept in
 * bench/results/profiles.
 * Results are printed, and kept as JSON and plots in bench/results, or where --out says; with --quick, and of files that no
 * commit has, only where it does. A run of everything (but the soak and the stages, which are asked for) is put into
 * bench/README.md too.
 * What goes on is told on stderr.
 */

import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCommandLine, refuse } from '../../scripts/command-line.mjs';
import { ceilingScenarios } from './ceiling-scenario.ts';
import { clientScenarios } from './client-scenario.ts';
import { commitScenario } from './commit-scenario.ts';
import { compactionScenario } from './compaction-scenario.ts';
import type { ResultRow } from './figures.ts';
import { isDirty } from './floor-verdict.ts';
import { keepProfile } from './kept-profile.ts';
import { latencyScenario } from './latency-scenario.ts';
import { loadReport } from './load-report.ts';
import { diskNameOf, machineFacts, machineSentence } from './machine.ts';
import { millrace } from './millrace-server.ts';
import { nodeScenarios } from './node-scenario.ts';
import { keepPageCacheFull } from './page-cache.ts';
import { readAheadAsUsual } from './read-ahead.ts';
import { produceScenarios } from './produce-scenarios.ts';
import { profileSummary } from './profile-summary.ts';
import { projectRoot } from './project-root.ts';
import { readScenarios } from './read-scenarios.ts';
import { writeReadmePart } from './readme-part.ts';
import { keepResults } from './result-file.ts';
import { resultTable } from './result-table.ts';
import { fullSizes, quickSizes, samplesForHighest, type Scenario, type ScenarioContext } from './scenario.ts';
import { soakScenarios } from './soak-scenario.ts';
import { stageScenarios } from './stages-scenario.ts';
import { startScenarios } from './start-scenario.ts';

const scenarios: readonly Scenario[] = [
  ...produceScenarios,
  latencyScenario,
  ...readScenarios,
  ...ceilingScenarios,
  ...stageScenarios,
  ...startScenarios,
  ...clientScenarios,
  commitScenario,
  ...nodeScenarios,
  compactionScenario,
  ...soakScenarios,
];

const { values, positionals } = readCommandLine({
  usage:
    'npm run bench:load -- [SCENARIO]… [--quick] [--rounds N] [--p9999] [--soak GB] [--only TEXT] [--profile DIR] [--data DIR] [--out DIR] [--json] [--list]',
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    p9999: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    profile: { type: 'string' },
    rounds: { type: 'string' },
    soak: { type: 'string' },
    data: { type: 'string' },
    out: { type: 'string' },
  },
  takesNames: true,
});
const unknown = positionals.filter((name) => !scenarios.some((scenario) => scenario.name === name));
if (values.list || unknown.length > 0) {
  if (unknown.length > 0) console.error(`There is no scenario ${unknown.join(', ')}.`);
  console.log(scenarios.map(({ name, title }) => `${name.padEnd(14)}${title}`).join('\n'));
  process.exit(unknown.length > 0 ? 1 : 0);
}

const profiledMs = 3000;
const sizes = values.quick ? quickSizes : fullSizes;
const dataParent = values.data ?? tmpdir();
mkdirSync(dataParent, { recursive: true });
const machine = machineFacts(dataParent);
const isWhole = !values.quick && values.only === '' && values.profile === undefined && !isDirty(machine.commit);
if (isDirty(machine.commit) && !values.quick)
  console.error('Nothing is kept: no commit has the files that are measured.');
const context: ScenarioContext = {
  keepsResults: isWhole && values.out === undefined,
  machine,
  sizes: {
    ...sizes,
    rounds: numberOf('rounds', values.profile === undefined ? sizes.rounds : 1),
    judgedRounds: numberOf('rounds', values.profile === undefined ? sizes.judgedRounds : 1),
    ...(values.p9999 && !values.quick ? { rateSamples: samplesForHighest } : {}),
    // Some thousand samples of each thread.
    ...(values.profile === undefined || values.quick ? {} : { loadMs: profiledMs }),
    soakBytes: numberOf('soak', sizes.soakBytes / 1e9) * 1e9,
  },
  millrace: (settings = {}) =>
    millrace({ settings, ...(values.profile === undefined ? {} : { profileFolder: values.profile }) }),
  includes: (what) => what.includes(values.only),
  dataParent,
  note: (text) => console.error(`  … ${text}`),
};
const isAskedFor = ({ name }: Scenario): boolean => {
  if (positionals.length > 0) return positionals.includes(name);
  // A soak takes long, and stages have a table of their own: both are asked for by their names.
  return values.quick || (name !== 'stages' && (name !== 'soak' || values.soak !== undefined));
};

if (!values.quick) {
  readAheadAsUsual(diskNameOf(dataParent), context.note);
  keepPageCacheFull(dataParent, context.note);
}
if (!values.json) console.log(`${machineSentence(machine)}\n`);
const rows: ResultRow[] = [];
for (const scenario of scenarios.filter(isAskedFor)) {
  let own: ResultRow[];
  try {
    own = await scenario.run(context);
  } catch (error) {
    // The others' results are worth having all the same.
    console.error(`${scenario.name} failed:`, error);
    process.exitCode = 1;
    continue;
  }
  rows.push(...own);
  if (!values.json) {
    console.log(`${scenario.name}: ${scenario.title}\n${resultTable(own, process.stdout.isTTY === true)}\n`);
  }
}
if (values.json) console.log(JSON.stringify({ machine, rows }, null, 2));
if (values.profile !== undefined) reportProfile(values.profile);
const folder = values.out ?? (isWhole ? join(projectRoot, 'bench/results') : null);
if (folder !== null) {
  const files = keepResults(folder, `load-${positionals.length === 0 ? 'all' : positionals.join('-')}`, {
    machine,
    rows,
  });
  // The README has what one run gave, with its plots.
  if (context.keepsResults && positionals.length === 0)
    writeReadmePart('load', loadReport(scenarios, { machine, rows }, files));
  console.error(`Kept: ${files.join(', ')}`);
}

/** Keeps what took longest where one scenario was run, whose name it can have. */
function reportProfile(profileFolder: string): void {
  console.log(profileSummary(profileFolder));
  if (values.quick || isDirty(machine.commit) || positionals.length !== 1) return;
  const [scenario] = positionals;
  const name = ['load', scenario, ...(values.only.match(/[a-z0-9]+/gi) ?? [])].join('-').toLowerCase();
  const what = `npm run bench:load -- ${scenario}${values.only === '' ? '' : ` --only ${JSON.stringify(values.only)}`}`;
  console.error(`Kept: ${keepProfile({ name, what, covers: 'the measured load', profileFolder }, machine)}`);
}

function numberOf(name: 'rounds' | 'soak', otherwise: number): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (number > 0 && (name === 'soak' || Number.isInteger(number))) return number;
  refuse(`--${name} takes a number above 0, not ${JSON.stringify(text)}.`);
}
