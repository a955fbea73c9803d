/** All cases, in the chapters and the order of tables. */

import { coordinatorCases } from './coordinator-cases.ts';
import type { CaseChapter } from './kept-results.ts';
import { natsCases } from './nats-cases.ts';
import { ownClientCases } from './own-client-cases.ts';
import { preparedCases } from './prepared-cases.ts';
import { startCases } from './start-cases.ts';
import { throughputCases } from './throughput-cases.ts';
import { turnCases } from './turn-cases.ts';

export const chapters: readonly CaseChapter[] = [
  { title: 'Records in bulk, with clients of others', cases: throughputCases },
  { title: 'Records in bulk, in batches of 1 MiB prepared in advance', cases: preparedCases },
  { title: 'Small requests, fixed rates, many partitions', cases: [...ownClientCases, ...turnCases] },
  { title: 'Transactions and groups', cases: coordinatorCases },
  { title: 'Starts', cases: startCases },
  { title: 'NATS JetStream', cases: natsCases },
];
