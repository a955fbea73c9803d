/**
 * Bugs of groups, planted between the coordinator and its log. Any thread.
 */

import { stateLogTopics } from '../../src/broker/topic-name.ts';
import { EarlyAnswers, inLogs, onlyIn, type ExpectedBug } from './planted-bug.ts';
import type { Profile } from './profile.ts';

/** Runs are short where nobody works but those who meet the bug. */
const nobodyElse: Partial<Profile> = {
  topics: 1,
  producers: 1,
  consumers: 0,
  groups: 0,
  reconciling: 0,
  named: 0,
  publishers: 0,
  copies: 0,
  keyed: 0,
};

export const groupBugs: readonly ExpectedBug[] = [
  {
    name: 'commits answered before the sync',
    store: inLogs(onlyIn(stateLogTopics.groups, (log) => new EarlyAnswers(log))),
    found: /resumes at/,
  },
  {
    name: 'members of consumer groups told before the sync',
    store: inLogs(onlyIn(stateLogTopics.groups, (log) => new EarlyAnswers(log))),
    found: /^two members have/,
    profile: {
      groups: 0,
      reconciling: 4,
      powerCutChance: 1,
      crashEveryMs: 150,
      maxDiskMs: 40,
      maxNetworkMs: 1,
    },
  },
  {
    name: 'members of streams groups told before the sync',
    store: inLogs(onlyIn(stateLogTopics.groups, (log) => new EarlyAnswers(log))),
    found: /^two members have streams/,
    profile: {
      ...nobodyElse,
      streamers: 4,
      powerCutChance: 1,
      crashEveryMs: 150,
      maxDiskMs: 40,
      maxNetworkMs: 1,
      runMs: 3200,
    },
  },
];
