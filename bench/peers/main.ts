/**
 * `npm run bench:peers [-- CASE…] [--rounds N] [--slice N] [--json] [--quick] [--list] [--report] [--profile DIR]
 * [--data DIR]`: the same loads on Millrace, Apache Kafka and NATS, in turn, and the ratios held against floors. A CASE is a name or the beginning of names;
 * none means all. What it needs it fetches once; a peer that cannot be had here is left out, and that is said. Results are
 * kept in bench/results/ and bench/README.md, but for those of --quick, which only shows that everything runs, and of
 * --profile, which has Millrace write CPU profiles and shows what took longest.
 *
 * With --slice it does one round of at most N cases that lack rounds at this commit, adds it to what is kept, and ends with
 * status 3 while there are more: `while npm run bench:peers -- --slice 5; [ $? = 3 ]; do :; done` does all piece by piece.
 * --report measures nothing, and writes tables and plot again from what is kept.
 */

import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { machineFacts, machineSentence } from '../load/machine.ts';
import { millrace } from '../load/millrace-server.ts';
import { profileSummary } from '../load/profile-summary.ts';
import type { ServerKind } from '../load/server-under-test.ts';
import { Missing } from './cache.ts';
import { coordinatorCases } from './coordinator-cases.ts';
import { kafkaToolsClassPath, kafkaToolsVersion, kafkaVersion } from './kafka-jars.ts';
import { apacheKafka } from './kafka-server.ts';
import { type CaseChapter, keepPeerResults, keptPeerResults } from './kept-results.ts';
import { added, keptAt, nextSlice, roundsAt } from './lacking-rounds.ts';
import { librdkafkaVersion, rdkafkaPerformance } from './librdkafka.ts';
import { natsCases } from './nats-cases.ts';
import { nats, natsClient, natsClientVersion, natsServerVersion } from './nats-server.ts';
import { ownClientCases } from './own-client-cases.ts';
import { type Clients, fullSizes, type PeerCase, quickSizes, type Rival } from './peer-case.ts';
import { terminalText, type KeptResult } from './peer-report.ts';
import { peerRounds } from './peer-rounds.ts';
import { startCases } from './start-cases.ts';
import { throughputCases } from './throughput-cases.ts';
import { resultOf } from './verdict.ts';

const chapters: readonly CaseChapter[] = [
  { title: 'Records in bulk, with clients of others', cases: throughputCases },
  { title: 'Small requests, fixed rates, many partitions', cases: ownClientCases },
  { title: 'Transactions and groups', cases: coordinatorCases },
  { title: 'Starts', cases: startCases },
  { title: 'NATS JetStream', cases: natsCases },
];
const cases = chapters.flatMap((chapter) => chapter.cases);
const names = cases.map(({ name }) => name);

const { values, positionals } = parseArgs({
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
  allowPositionals: true,
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const sliceCases = values.slice === undefined ? null : Number(values.slice);
const unknown = positionals.filter((wanted) => !names.some((name) => name.startsWith(wanted)));
if (!Number.isInteger(rounds) || rounds < 1) stop(`--rounds takes a number from 1, not "${values.rounds}".`);
if (sliceCases !== null && !(sliceCases >= 1)) stop(`--slice takes a number from 1, not "${values.slice}".`);
if (values.list) {
  console.log(cases.map(({ name, title }) => `${name.padEnd(22)}${title}`).join('\n'));
  process.exit(0);
}
if (values.report) {
  keepPeerResults([], chapters);
  process.exit(0);
}
if (unknown.length > 0) stop(`No case begins with ${unknown.join(' or ')}. They are: ${names.join(', ')}`);

const note = (text: string): void => console.error(`  ${text}`);
const installs: Record<Rival, () => ServerKind> = {
  kafka: () => apacheKafka(note),
  nats: () => nats(false, note),
  'nats-synced': () => nats(true, note),
};
const clients: Clients = {
  rdkafka: remembered(() => rdkafkaPerformance(note)),
  javaTools: remembered(() => kafkaToolsClassPath(note)),
  nats: remembered(() => natsClient(note)),
};
const versions = {
  'Apache Kafka': kafkaVersion,
  "Kafka's tools": kafkaToolsVersion,
  librdkafka: librdkafkaVersion,
  'nats-server': natsServerVersion,
  nats: natsClientVersion,
};

const wanted = cases.filter(({ name }) => positionals.length === 0 || positionals.some((part) => matches(name, part)));
const { commit } = machineFacts();
const lacking = (): PeerCase[] => nextSlice(wanted, keptPeerResults(), commit, rounds, sliceCases ?? Infinity);
const results: KeptResult[] = [];
for (const group of sliceCases === null ? groupsOf(wanted) : [lacking()].filter(({ length }) => length > 0)) {
  try {
    results.push(...(await run(group)));
  } catch (error) {
    const what = group.map(({ name }) => name).join(', ');
    if (error instanceof Missing) {
      console.error(`${error.message} (${what})`);
      // Nothing would come of trying it again and again.
      if (sliceCases !== null) process.exitCode = 1;
      continue;
    }
    // Other cases may still be measured; that these could not is a result as well.
    console.error(`${what} cannot be measured:`, error);
    process.exitCode = 1;
  }
}
// Not done: there is more to measure.
if (sliceCases !== null && lacking().length > 0) process.exitCode ??= 3;
if (values.profile !== undefined) console.error(profileSummary(values.profile));
if (values.json) console.log(JSON.stringify(results, null, 2));
else console.log(`\n${machineSentence(machineFacts())}`);

/** Cases that share servers, in the order of the list. */
function groupsOf(list: readonly PeerCase[]): PeerCase[][] {
  const groups = new Map<string, PeerCase[]>();
  for (const one of list) {
    const key = one.isAlone ? `alone: ${one.name}` : one.rival;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

async function run(group: readonly PeerCase[]): Promise<KeptResult[]> {
  const rival = installs[group[0]!.rival]();
  clients.rdkafka();
  const ours = millrace(values.profile === undefined ? {} : { profileFolder: values.profile });
  const machine = machineFacts();
  const sizes = values.quick ? quickSizes : fullSizes;
  const before = sliceCases === null ? [] : keptPeerResults();
  const options = {
    rounds: sliceCases === null ? rounds : 1,
    roundsBefore: Math.min(...group.map((one) => roundsAt(before, one, commit))),
    sizes,
    clients,
    dataParent: values.data,
    onNote: note,
  };
  const measured = await peerRounds(group, ours, rival, options);
  const kept = [...measured].map(([one, figures]) => ({
    ...resultOf(one, added(keptAt(before, one, commit), figures), ours.name, rival.name),
    machine,
    versions,
  }));
  if (!values.json) for (const result of kept) console.log(terminalText(result));
  if (!values.quick && values.profile === undefined) keepPeerResults(kept, chapters);
  return kept;
}

/** A whole name means that case only. */
function matches(name: string, part: string): boolean {
  return names.includes(part) ? name === part : name.startsWith(part);
}

function remembered(make: () => string): () => string {
  let made: string | null = null;
  return () => (made ??= make());
}

function stop(message: string): never {
  console.error(message);
  process.exit(1);
}
