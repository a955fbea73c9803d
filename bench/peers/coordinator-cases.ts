/**
 * Cases of what coordinators do against Apache Kafka: transactions one after the other, members that join a group, and
 * records that a share group gives out.
 */

import type { Figures } from '../load/figures.ts';
import { runLoad } from '../load/load-client.ts';
import { oneRecordEach } from '../load/load-job.ts';
import { javaProgram } from './java-client.ts';
import { kafkaToolsVersion } from './kafka-jars.ts';
import { type Bench, type PeerCase, scaledCount } from './peer-case.ts';
import { filled, sameOnBoth } from './throughput-cases.ts';

const client = `a program with Kafka's Java client ${kafkaToolsVersion}`;
const transactions = 2000;
const recordsPerTransaction = 100;
const kibibyte = 1024;
const sharedRecords = 200_000;
const shareMembers = 2;

export const coordinatorCases: readonly PeerCase[] = [
  {
    name: 'transactions',
    title: `transactions of ${recordsPerTransaction} records of 1 KiB, one producer; Millrace's commits and markers synced to disk, Kafka's not; latencies of the commit`,
    rival: 'kafka',
    client,
    ...sameOnBoth(runTransactions),
    floors: [
      { figure: 'recordsPerSecond', atLeast: 1 },
      { figure: 'p99Ms', atMost: 1 },
    ],
  },
  {
    name: 'share-read-1k',
    title: `read by ${shareMembers} members of a share group, 1 KiB, each poll acknowledged before the next; Millrace's acknowledgements synced to disk, Kafka's not; latencies of acknowledging`,
    rival: 'kafka',
    client,
    ...sameOnBoth(async (bench) => {
      const load = { records: scaledCount(sharedRecords, bench.sizes), recordBytes: kibibyte };
      const args = [await filled(bench, load), String(load.records), String(shareMembers)];
      return javaProgram(bench.clients.javaTools(), 'ShareRead', args, bench.server, kibibyte);
    }),
    floors: [{ figure: 'recordsPerSecond', atLeast: 1 }],
  },
  ...(['classic', 'consumer'] as const).flatMap((protocol) => [
    joinCase(protocol, 1, 5),
    // Each of the groups takes several heartbeats of 5 s until everybody has a partition.
    joinCase(protocol, 100, 2),
  ]),
];

function joinCase(protocol: 'classic' | 'consumer', members: number, groups: number): PeerCase {
  return {
    name: `join-${protocol}-${members}`,
    title: `from the first poll to the first record, ${members === 1 ? '1 member' : `${members} members that join at once`}, ${protocol} protocol`,
    rival: 'kafka',
    client,
    ...sameOnBoth((bench) => joinGroups(bench, protocol, members, bench.sizes.isQuick ? 1 : groups)),
    // Timers that are the same on both sides take most of it: group.initial.rebalance.delay.ms, heartbeats.
    floors: [
      { figure: 'p50Ms', atMost: 1.01 },
      { figure: 'p99Ms', atMost: 1.01 },
    ],
  };
}

async function runTransactions({ clients, server, sizes, newTopic }: Bench): Promise<Figures> {
  const counts = [scaledCount(transactions, sizes), recordsPerTransaction, kibibyte];
  const args = [await newTopic(1), ...counts.map(String)];
  return javaProgram(clients.javaTools(), 'TransactionLoad', args, server, kibibyte);
}

/** Each member has a partition with one record, so that whoever has its record has been assigned it. */
async function joinGroups(
  { clients, server, newTopic }: Bench,
  protocol: string,
  members: number,
  groups: number,
): Promise<Figures> {
  const topic = await newTopic(members);
  await runLoad(oneRecordEach(server.doors, topic, members));
  const args = [topic, String(members), protocol, String(groups)];
  const { p50Ms, p99Ms } = await javaProgram(clients.javaTools(), 'GroupJoin', args, server, kibibyte);
  return { p50Ms: p50Ms!, p99Ms: p99Ms! };
}
