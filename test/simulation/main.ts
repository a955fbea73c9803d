/**
 * The simulation as a program, started by scripts/simulate.mjs: runs seeds one after the other, shows how far it is,
 * says at the end what was exercised, and tells of each run in which a promise was broken all that is needed to repeat
 * it. Exits 1 where there was one.
 */

import { SingleBar } from 'cli-progress';
import { readCommandLine, refuse, wholeNumber } from '../../scripts/command-line.mjs';
import { plantedBugs } from './planted-bugs.ts';
import { simulate, type SimulationResult } from './simulation.ts';

const details = `Runs the whole broker in one thread under seeded schedulers, with crashes and faults, and judges it.

  --seeds COUNT   how many seeds to run; 300
  --from SEED     the first of them; 1
  --seed SEED     run this one alone, twice, and tell its last events
  --keep-going    do not stop at the first run that breaks a promise
  --trace COUNT   how many of the last events to tell of such a run; 60
  --bug NAME      plant a bug:
${plantedBugs.map(({ name }) => `                    ${name}`).join('\n')}`;

const write = (text: string): void => void process.stdout.write(`${text}\n`);

function report(result: SimulationResult): void {
  write(`\nSeed ${result.seed}, ${result.eventCount} events, hash ${result.hash}:`);
  for (const event of result.trace) write(`  ${event}`);
  write(JSON.stringify(result.profile));
  for (const problem of result.problems.slice(0, 20)) write(`✗ ${problem}`);
  if (result.problems.length > 20) write(`✗ … and ${result.problems.length - 20} more`);
  write(`Repeat it with: npm run simulate -- --seed ${result.seed}`);
}

function table(counts: ReadonlyMap<string, number>): void {
  const width = Math.max(0, ...[...counts.keys()].map((name) => name.length));
  for (const name of [...counts.keys()].toSorted()) {
    write(`  ${name.padEnd(width)}  ${counts.get(name)!.toLocaleString('en-US').padStart(12)}`);
  }
}

async function runSeed(seed: number, options: Parameters<typeof simulate>[1]): Promise<number> {
  const run = await simulate(seed, options);
  report(run);
  table(run.counts);
  const again = await simulate(seed, options);
  write(again.hash === run.hash ? 'A second run took the same steps.' : '✗ A second run took other steps.');
  return run.problems.length === 0 && again.hash === run.hash ? 0 : 1;
}

async function runSeeds(
  from: number,
  count: number,
  keepGoing: boolean,
  options: Parameters<typeof simulate>[1],
): Promise<number> {
  const format = '{bar} {percentage}% | seed {seed} | {failed} failed | {duration_formatted}';
  const bar = process.stdout.isTTY ? new SingleBar({ format }) : null;
  const startedMs = performance.now();
  const counts = new Map<string, number>();
  const failed: SimulationResult[] = [];
  let done = 0;
  let events = 0;
  bar?.start(count, 0, { seed: from, failed: 0 });
  while (done < count && (failed.length === 0 || keepGoing)) {
    const run = await simulate(from + done, options);
    done++;
    events += run.eventCount;
    for (const [name, times] of run.counts) counts.set(name, (counts.get(name) ?? 0) + times);
    if (run.problems.length > 0) failed.push(run);
    bar?.update(done, { seed: run.seed, failed: failed.length });
  }
  bar?.stop();
  const seconds = (performance.now() - startedMs) / 1000;
  write(`\n${done} seeds, ${events.toLocaleString('en-US')} events in ${seconds.toFixed(1)} s:`);
  table(counts);
  for (const result of failed.slice(0, 3)) report(result);
  if (failed.length === 0) write('\nAll promises were kept.');
  else write(`\n${failed.length} of ${done} runs broke a promise: ${failed.map(({ seed }) => seed).join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = readCommandLine({
    usage:
      'npm run simulate -- [--seeds COUNT] [--from SEED] [--seed SEED] [--keep-going] [--trace COUNT] [--bug NAME]',
    details,
    options: {
      seeds: { type: 'string', default: '300' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      trace: { type: 'string', default: '60' },
      bug: { type: 'string' },
      'keep-going': { type: 'boolean', default: false },
    },
  });
  const bug = plantedBugs.find(({ name }) => name === values.bug);
  if (values.bug !== undefined && bug === undefined) {
    refuse(`There is no planted bug ${values.bug}: see npm run simulate -- --help.`);
  }
  const options = { traceLength: wholeNumber('trace', values.trace), ...(bug === undefined ? {} : { bug }) };
  if (values.seed !== undefined) return runSeed(wholeNumber('seed', values.seed), options);
  const { seeds, from } = values;
  return runSeeds(wholeNumber('from', from), wholeNumber('seeds', seeds), values['keep-going'], options);
}

process.exitCode = await main();
