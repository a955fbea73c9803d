/**
 * Bugs that brokers have had, planted between the broker and its store, disk or clock, to show that a run finds each.
 * Nothing in `src/` knows of them. By subject in the files beside this one. Any thread.
 */

import type { ExpectedBug } from './planted-bug.ts';
import { compactionBugs } from './planted-compaction-bugs.ts';
import { diskBugs } from './planted-disk-bugs.ts';
import { groupBugs } from './planted-group-bugs.ts';
import { logBugs } from './planted-log-bugs.ts';
import { loneBugs } from './planted-lone-bugs.ts';
import { shareBugs } from './planted-share-bugs.ts';
import { transactionBugs } from './planted-transaction-bugs.ts';

export const plantedBugs: readonly ExpectedBug[] = [
  ...logBugs,
  ...diskBugs,
  ...loneBugs,
  ...groupBugs,
  ...shareBugs,
  ...transactionBugs,
  ...compactionBugs,
];
