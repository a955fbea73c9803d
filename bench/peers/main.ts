/**
 * `npm run bench:peers [-- CASE…] [--rounds N] [--slice N] [--json] [--quick] [--list] [--report] [--profile DIR]
 * [--data DIR]`: the same loads on Millrace, Apache Kafka and NATS, in turn, and the ratios held against floors. A CASE is a
 * name or the beginning of names; none means all. What it needs it fetches once; a peer that cannot be had here is left out,
 * and that is said. Results are kept in bench/results/ and bench/README.md, but for those of --quick, which only shows that everything runs, of fewer
 * rounds than a floor needs, of --profile, which has Millrace profiled while the load is measured, one round case by case, and keeps what took longest
 * in bench/results/profiles, and of files that no commit has.
 *
 * With --slice it does one round of at most N cases that lack rounds at this commit, or of which too many were disturbed, adds
 * it to what is kept, and ends with status 3 while there are more: `while npm run bench:peers -- --slice 5; [ $? = 3 ]; do :; done` does all piece by piece.
 * --report measures nothing, and writes tables and plot again from what is kept.
 */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCommandLine, refuse, wholeNumber } from '../../scripts/command-line.mjs';
import { isDirty, roundsForFloors } from '../load/floor-verdict.ts';
import { keepProfile } from '../load/kept-profile.ts';
import { diskNameOf, machineFacts, machineSentence } from '../load/machine.ts';
import { millrace } from '../load/millrace-server.ts';
import { keepPageCacheFull } from '../load/page-cache.ts';
import { readAheadAsUsual } from '../load/read-ahead.ts';
import { profileSummary } from '../load/profile-summary.ts';
import type { ServerKind } from '../load/server-under-test.ts';
import { chapters } from './all-cases.ts';
import { Missing } from './cache.ts';
import { versionOf } from './commands.ts';
import { withJavaPrograms } from './java-client.ts';
import { kafkaToolsClassPath, kafkaToolsVersion, kafkaVersion } from './kafka-jars.ts';
import { apacheKafka } from './kafka-server.ts';
import { keepPeerResults, keptPeerResults } from './kept-results.ts';
import { added, keptAt, nextSlice, roundsDoneAt } from './lacking-rounds.ts';
import { librdkafkaVersion, rdkafkaPerformance } from './librdkafka.ts';
import { nats, natsClient, natsClientVersion, natsServerVersion } from './nats-server.ts';
import { type Clients, fullSizes, type PeerCase, quickSizes, type Rival } from './peer-case.ts';
import { terminalText, type KeptResult } from './peer-report.ts';
import { peerRounds } from './peer-rounds.ts';
import { resultOf } from './verdict.ts';

const cases = chapters.flatMap((chapter) => chapter.cases);
const names = cases.map(({ name }) => name);

const { values, positionals } = readCommandLine({
  usage:
    'npm run bench:peers -- [CASE]… [--rounds N] [--slice N] [--json] [--quick] [--list] [--report] [--profile DIR] [--data DIR]',
  options: {
    rounds: { type: 'string' },
    slice: { type: 'string' },
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    data: { type: 'string', default: tmpdir() },
    profile: { type: 'string' },
  },
  takesNames: true,
});
const rounds = wholeNumber('rounds', values.rounds ?? (values.quick || values.profile !== undefined ? '1' : '5'), 1);
const sliceCases = values.slice === undefined ? null : wholeNumber('slice', values.slice, 1);
const unknown = positionals.filter((wanted) => !names.some((name) => name.startsWith(wanted)));
if (values.list) {
  console.log(cases.map(({ name, title }) => `${name.padEnd(22)}${title}`).join('\n'));
  process.exit(0);
}
if (values.report) {
  keepPeerResults([], chapters);
  process.exit(0);
}
if (unknown.length > 0) refuse(`No case begins with ${unknown.join(' or ')}. They are: ${names.join(', ')}`);

const note = (text: string): void => console.error(`  ${text}`);
const rivals: Record<Rival, () => ServerKind> = {
  kafka: remembered(() => apacheKafka(note)),
  nats: remembered(() => nats(false, note)),
  'nats-synced': remembered(() => nats(true, note)),
};
const clients: Clients = {
  rdkafka: remembered(() => rdkafkaPerformance(note)),
  javaTools: remembered(() => withJavaPrograms(kafkaToolsClassPath(note), note)),
  nats: remembered(() => natsClient(note)),
};
const versions = {
  'Apache Kafka': kafkaVersion,
  "Kafka's tools": kafkaToolsVersion,
  librdkafka: librdkafkaVersion,
  'nats-server': natsServerVersion,
  nats: natsClientVersion,
  Java: versionOf('java', '-version'),
  Go: versionOf('go', 'version'),
};

const machine = machineFacts(values.data);
const isTooFew = sliceCases === null && rounds < roundsForFloors;
const keepsResults = !values.quick && values.profile === undefined && !isDirty(machine.commit) && !isTooFew;
if (isDirty(machine.commit) && !values.quick) note('Nothing is kept: no commit has the files that are measured.');
else if (isTooFew && !values.quick && values.profile === undefined)
  note(`Nothing is kept: ${roundsForFloors} rounds are, or slices.`);
const wanted = cases.filter(({ name }) => positionals.length === 0 || positionals.some((part) => matches(name, part)));
const possible = thoseThatCanBeHad(wanted);
const lacking = (): PeerCase[] => nextSlice(possible, keptPeerResults(), machine, rounds, sliceCases ?? Infinity);
const results: KeptResult[] = [];
if (!values.quick) {
  readAheadAsUsual(diskNameOf(values.data), note);
  keepPageCacheFull(values.data, note);
}
for (const group of sliceCases === null ? groupsOf(possible) : [lacking()].filter(({ length }) => length > 0)) {
  try {
    results.push(...(await run(group)));
  } catch (error) {
    // Other cases may still be measured; that these could not is a result as well.
    console.error(`${group.map(({ name }) => name).join(', ')} cannot be measured:`, error);
    process.exitCode = 1;
  }
}
// Not done: there is more to measure.
if (sliceCases !== null && lacking().length > 0) process.exitCode ??= 3;
if (values.json) console.log(JSON.stringify(results, null, 2));
else console.log(`\n${machineSentence(machine)}`);

/** Cases that share servers, in the order of the list. */
function groupsOf(list: readonly PeerCase[]): PeerCase[][] {
  const groups = new Map<string, PeerCase[]>();
  for (const one of list) {
    // A profile is of one case.
    const key = one.isAlone || values.profile !== undefined ? `alone: ${one.name}` : one.rival;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

async function run(group: readonly PeerCase[]): Promise<KeptResult[]> {
  const rival = rivals[group[0]!.rival]();
  const profileFolder = values.profile === undefined ? undefined : join(values.profile, group[0]!.name);
  const ours = millrace(profileFolder === undefined ? {} : { profileFolder });
  const sizes = values.quick ? quickSizes : fullSizes;
  const before = sliceCases === null ? [] : keptPeerResults();
  const options = {
    rounds: sliceCases === null ? rounds : 1,
    roundsBefore: Math.min(...group.map((one) => roundsDoneAt(before, one, machine))),
    sizes,
    clients,
    dataParent: values.data,
    onNote: note,
  };
  const measured = await peerRounds(group, ours, rival, options);
  const kept = [...measured].map(([one, figures]) => ({
    ...resultOf(one, added(keptAt(before, one, machine), figures, rounds), ours.name, rival.name, machine.commit),
    machine: { ...machine, date: new Date().toISOString() },
    versions,
  }));
  if (!values.json) for (const result of kept) console.log(terminalText(result));
  if (keepsResults) keepPeerResults(kept, chapters);
  if (profileFolder !== undefined) reportProfile(group[0]!, profileFolder);
  return kept;
}

/**
 * Those whose rival and clients are here or can be fetched, which is done now rather than while something is measured. What
 * is missing is said once, with the cases that are left out for it.
 */
function thoseThatCanBeHad(list: readonly PeerCase[]): PeerCase[] {
  const leftOut = new Map<string, string[]>();
  const found = list.filter(({ name, rival, uses = [] }) => {
    try {
      rivals[rival]();
      for (const use of uses) clients[use]();
      return true;
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      leftOut.set(error.message, [...(leftOut.get(error.message) ?? []), name]);
      return false;
    }
  });
  for (const [why, left] of leftOut) console.error(`${why} (${left.join(', ')})`);
  return found;
}

function reportProfile({ name, title }: PeerCase, profileFolder: string): void {
  console.error(profileSummary(profileFolder));
  if (values.quick || isDirty(machine.commit)) return;
  const what = `npm run bench:peers -- ${name}: ${title}`;
  note(`kept: ${keepProfile({ name: `peers-${name}`, what, covers: 'the measured load', profileFolder }, machine)}`);
}

/** A whole name means that case only. */
function matches(name: string, part: string): boolean {
  return names.includes(part) ? name === part : name.startsWith(part);
}

function remembered<Value>(make: () => Value): () => Value {
  let made: Value | null = null;
  return () => (made ??= make());
}
