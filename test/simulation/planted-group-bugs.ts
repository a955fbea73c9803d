/**
 * Bugs of groups, planted between the coordinator and its log. Any thread.
 */

import { stateLogTopics } from '../../src/broker/topic-name.ts';
import { EarlyAnswers, inLogs, onlyIn, type ExpectedBug } from './planted-bug.ts';

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
      groups: 0,
      reconciling: 0,
      streamers: 4,
      powerCutChance: 1,
      crashEveryMs: 150,
      maxDiskMs: 40,
      maxNetworkMs: 1,
    },
  },
];
