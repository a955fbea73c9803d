/**
 * The broker settings of compaction, except those that topics inherit: Kafka 4.4's names, types and bounds, in alphabetical
 * order. Any thread. What they do stands in log-cleaner.ts.
 */

import type { BrokerConfigDefinition } from './inherited-config-table.ts';

export const cleanerConfigDefinitions: readonly BrokerConfigDefinition[] = [
  {
    name: 'log.cleaner.backoff.ms',
    type: 'long',
    default: '15000',
    min: 0,
    update: 'cluster-wide',
    documentation: 'How long compaction waits before it looks again, once nothing is due, in milliseconds.',
  },
  {
    name: 'log.cleaner.dedupe.buffer.size',
    type: 'long',
    default: '134217728',
    update: 'cluster-wide',
    documentation:
      'Memory for the keys of logs that are compacted, all threads together, in bytes: 24 for each key. Where more are dirty the log is compacted in several passes.',
  },
  {
    name: 'log.cleaner.enable',
    type: 'boolean',
    default: 'true',
    update: 'read-only',
    documentation: 'Whether topics with cleanup.policy=compact are compacted.',
  },
  {
    name: 'log.cleaner.io.buffer.load.factor',
    type: 'double',
    default: '0.9',
    update: 'cluster-wide',
    documentation: 'How full the memory for keys may become; more keys fit, and each is looked up longer.',
  },
  {
    name: 'log.cleaner.io.buffer.size',
    type: 'int',
    default: '524288',
    min: 0,
    update: 'cluster-wide',
    documentation: 'What compaction reads and writes at once, all threads together, in bytes.',
  },
  {
    name: 'log.cleaner.io.max.bytes.per.second',
    type: 'double',
    default: '1.7976931348623157E308',
    update: 'cluster-wide',
    documentation: 'What compaction reads and writes in a second, all threads together, in bytes.',
  },
  {
    name: 'log.cleaner.threads',
    type: 'int',
    default: '1',
    min: 0,
    update: 'cluster-wide',
    documentation: 'How many logs are compacted at the same time, each by a thread of its own.',
  },
];
