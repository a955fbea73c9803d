/**
 * Cases of what coordinators do against Apache Kafka: transactions one after the other, members that join a group, and
 * records that a share group gives out.
 */

import type { Figures } from '../load/figures.ts';
import { runLoad } from '../load/load-client.ts';
import { oneRecordEach } from '../load/load-job.ts';
import { only } from '../load/produce-case.ts';
import { commitCase } from './commit-case.ts';
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
/** Ten are slower then. */
const membersForP90 = 100;

export const coordinatorCases: readonly PeerCase[] = [
  {
    name: 'transactions',
    title: `transactions of ${recordsPerTransaction} records of 1 KiB, one producer; Millrace's commits and markers synced to disk, Kafka's not; latencies of the commit`,
    rival: 'kafka',
    client,
    uses: ['javaTools'],
    isUnrehearsed: true,
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
    uses: ['rdkafka', 'javaTools'],
    isUnrehearsed: true,
    ...sameOnBoth(async (bench) => {
      const load = { records: scaledCount(sharedRecords, bench.sizes), recordBytes: kibibyte };
      const args = [await filled(bench, load), String(load.records), String(shareMembers)];
      return javaProgram(bench.clients.javaTools(), 'ShareRead', args, bench.server, load);
    }),
    floors: [{ figure: 'recordsPerSecond', atLeast: 1 }],
  },
  commitCase,
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
    uses: ['javaTools'],
    isUnrehearsed: true,
    ...sameOnBoth((bench) => joinGroups(bench, protocol, members, bench.sizes.isQuick ? 1 : groups)),
    // Timers that are the same on both sides take most of it: group.initial.rebalance.delay.ms, heartbeats. A p99 would be
    // the slowest member by another name.
    floors: [
      { figure: 'p50Ms', atMost: 1.01 },
      ...(members < membersForP90 ? [] : [{ figure: 'p90Ms', atMost: 1.01 } as const]),
    ],
  };
}

async function runTransactions({ clients, server, sizes, newTopic, acknowledged }: Bench): Promise<Figures> {
  const count = scaledCount(transactions, sizes);
  const topic = await newTopic(1);
  const args = [topic, ...[count, recordsPerTransaction, kibibyte].map(String)];
  const load = { records: count * recordsPerTransaction, recordBytes: kibibyte };
  const figures = await javaProgram(clients.javaTools(), 'TransactionLoad', args, server, load);
  // As many go before those that count, and each has a marker.
  acknowledged(topic, 2 * (load.records + count));
  return figures;
}

/** Each member has a partition with one record, so that whoever has its record has been assigned it. */
async function joinGroups(
  { clients, server, newTopic, acknowledged }: Bench,
  protocol: string,
  members: number,
  groups: number,
): Promise<Figures> {
  const topic = await newTopic(members);
  acknowledged(topic, (await runLoad(oneRecordEach(server.doors, topic, members))).records);
  const args = [topic, String(members), protocol, String(groups)];
  const load = { records: members * groups, recordBytes: kibibyte };
  return only(await javaProgram(clients.javaTools(), 'GroupJoin', args, server, load), ['p50Ms', 'p90Ms', 'latencies']);
}
