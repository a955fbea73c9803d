/**
 * The broker settings about groups of the newer protocols: Kafka 4.4's names, types and bounds, in alphabetical order. Any
 * thread. What a group can have of its own stands in group-config-table.ts.
 */

import type { BrokerConfigDefinition } from './inherited-config-table.ts';

export const groupBrokerConfigDefinitions: readonly BrokerConfigDefinition[] = [
  {
    name: 'group.consumer.assignment.interval.ms',
    type: 'int',
    default: '1000',
    min: 0,
    update: 'cluster-wide',
    documentation: 'The shortest time between two assignments of a consumer group, in milliseconds.',
  },
  {
    name: 'group.consumer.assignors',
    type: 'list',
    default: 'uniform,range',

    update: 'read-only',
    documentation:
      'The assignors that members of consumer groups may ask for; the first counts where none is asked for.',
  },
  {
    name: 'group.consumer.heartbeat.interval.ms',
    type: 'int',
    default: '5000',
    min: 1,
    update: 'read-only',
    documentation: 'How often members of consumer groups are told to send heartbeats, in milliseconds.',
  },
  {
    name: 'group.consumer.max.assignment.interval.ms',
    type: 'int',
    default: '15000',
    min: 0,
    update: 'read-only',
    documentation: 'The largest value that a consumer group may have for `consumer.assignment.interval.ms`.',
  },
  {
    name: 'group.consumer.max.heartbeat.interval.ms',
    type: 'int',
    default: '15000',
    min: 1,
    update: 'read-only',
    documentation: 'The largest value that a consumer group may have for `consumer.heartbeat.interval.ms`.',
  },
  {
    name: 'group.consumer.max.session.timeout.ms',
    type: 'int',
    default: '60000',
    min: 1,
    update: 'read-only',
    documentation: 'The largest value that a consumer group may have for `consumer.session.timeout.ms`.',
  },
  {
    name: 'group.consumer.max.size',
    type: 'int',
    default: '2147483647',
    min: 1,
    update: 'read-only',
    documentation: 'How many members a consumer group may have.',
  },
  {
    name: 'group.consumer.migration.policy',
    type: 'string',
    default: 'bidirectional',
    choices: ['DISABLED', 'DOWNGRADE', 'UPGRADE', 'BIDIRECTIONAL'],
    ignoresCase: true,
    update: 'read-only',
    documentation:
      'Whether classic groups may become consumer groups (upgrade) and the other way round (downgrade) while they have members.',
  },
  {
    name: 'group.consumer.min.assignment.interval.ms',
    type: 'int',
    default: '0',
    min: 0,
    update: 'read-only',
    documentation: 'The smallest value that a consumer group may have for `consumer.assignment.interval.ms`.',
  },
  {
    name: 'group.consumer.min.heartbeat.interval.ms',
    type: 'int',
    default: '5000',
    min: 1,
    update: 'read-only',
    documentation: 'The smallest value that a consumer group may have for `consumer.heartbeat.interval.ms`.',
  },
  {
    name: 'group.consumer.min.session.timeout.ms',
    type: 'int',
    default: '45000',
    min: 1,
    update: 'read-only',
    documentation: 'The smallest value that a consumer group may have for `consumer.session.timeout.ms`.',
  },
  {
    name: 'group.consumer.session.timeout.ms',
    type: 'int',
    default: '45000',
    min: 1,
    update: 'read-only',
    documentation: 'After how long without a heartbeat a member of a consumer group is taken out, in milliseconds.',
  },
  {
    name: 'group.share.assignment.interval.ms',
    type: 'int',
    default: '1000',
    min: 0,
    update: 'cluster-wide',
    documentation: 'The shortest time between two assignments of a share group, in milliseconds. Without effect yet.',
  },
  {
    name: 'group.share.assignors',
    type: 'list',
    default: 'simple',

    update: 'read-only',
    documentation: 'The assignors of share groups; the first counts. Without effect yet.',
  },
  {
    name: 'group.share.delivery.count.limit',
    type: 'int',
    default: '5',
    min: 2,
    max: 10,
    update: 'read-only',
    documentation:
      'How often a record is delivered to a share group before it counts as one that cannot be processed. Without effect yet.',
  },
  {
    name: 'group.share.heartbeat.interval.ms',
    type: 'int',
    default: '5000',
    min: 1,
    update: 'read-only',
    documentation:
      'How often members of share groups are told to send heartbeats, in milliseconds. Without effect yet.',
  },
  {
    name: 'group.share.max.assignment.interval.ms',
    type: 'int',
    default: '15000',
    min: 0,
    update: 'read-only',
    documentation:
      'The largest value that a share group may have for `share.assignment.interval.ms`. Without effect yet.',
  },
  {
    name: 'group.share.max.delivery.count.limit',
    type: 'int',
    default: '10',
    min: 5,
    max: 25,
    update: 'read-only',
    documentation:
      'The largest value that a share group may have for `share.delivery.count.limit`. Without effect yet.',
  },
  {
    name: 'group.share.max.heartbeat.interval.ms',
    type: 'int',
    default: '15000',
    min: 1,
    update: 'read-only',
    documentation:
      'The largest value that a share group may have for `share.heartbeat.interval.ms`. Without effect yet.',
  },
  {
    name: 'group.share.max.partition.max.record.locks',
    type: 'int',
    default: '4000',
    min: 2000,
    max: 10000,
    update: 'read-only',
    documentation:
      'The largest value that a share group may have for `share.partition.max.record.locks`. Without effect yet.',
  },
  {
    name: 'group.share.max.record.lock.duration.ms',
    type: 'int',
    default: '60000',
    min: 30000,
    max: 3600000,
    update: 'read-only',
    documentation:
      'The largest value that a share group may have for `share.record.lock.duration.ms`. Without effect yet.',
  },
  {
    name: 'group.share.max.session.timeout.ms',
    type: 'int',
    default: '60000',
    min: 1,
    update: 'read-only',
    documentation: 'The largest value that a share group may have for `share.session.timeout.ms`. Without effect yet.',
  },
  {
    name: 'group.share.max.share.sessions',
    type: 'int',
    default: '2000',
    min: 1,
    update: 'read-only',
    documentation: 'How many share sessions there may be. Without effect yet.',
  },
  {
    name: 'group.share.max.size',
    type: 'int',
    default: '200',
    min: 1,
    max: 1000,
    update: 'read-only',
    documentation: 'How many members a share group may have. Without effect yet.',
  },
  {
    name: 'group.share.min.assignment.interval.ms',
    type: 'int',
    default: '0',
    min: 0,
    update: 'read-only',
    documentation:
      'The smallest value that a share group may have for `share.assignment.interval.ms`. Without effect yet.',
  },
  {
    name: 'group.share.min.delivery.count.limit',
    type: 'int',
    default: '2',
    min: 2,
    max: 5,
    update: 'read-only',
    documentation:
      'The smallest value that a share group may have for `share.delivery.count.limit`. Without effect yet.',
  },
  {
    name: 'group.share.min.heartbeat.interval.ms',
    type: 'int',
    default: '5000',
    min: 1,
    update: 'read-only',
    documentation:
      'The smallest value that a share group may have for `share.heartbeat.interval.ms`. Without effect yet.',
  },
  {
    name: 'group.share.min.partition.max.record.locks',
    type: 'int',
    default: '100',
    min: 100,
    max: 2000,
    update: 'read-only',
    documentation:
      'The smallest value that a share group may have for `share.partition.max.record.locks`. Without effect yet.',
  },
  {
    name: 'group.share.min.record.lock.duration.ms',
    type: 'int',
    default: '15000',
    min: 1000,
    max: 30000,
    update: 'read-only',
    documentation:
      'The smallest value that a share group may have for `share.record.lock.duration.ms`. Without effect yet.',
  },
  {
    name: 'group.share.min.session.timeout.ms',
    type: 'int',
    default: '45000',
    min: 1,
    update: 'read-only',
    documentation: 'The smallest value that a share group may have for `share.session.timeout.ms`. Without effect yet.',
  },
  {
    name: 'group.share.partition.max.record.locks',
    type: 'int',
    default: '2000',
    min: 100,
    max: 10000,
    update: 'read-only',
    documentation: 'How many records of a partition may be acquired at a time in a share group. Without effect yet.',
  },
  {
    name: 'group.share.record.lock.duration.ms',
    type: 'int',
    default: '30000',
    min: 1000,
    max: 3600000,
    update: 'read-only',
    documentation:
      'How long a record that a member of a share group has acquired is kept from the others, in milliseconds. Without effect yet.',
  },
  {
    name: 'group.share.session.timeout.ms',
    type: 'int',
    default: '45000',
    min: 1,
    update: 'read-only',
    documentation:
      'After how long without a heartbeat a member of a share group is taken out, in milliseconds. Without effect yet.',
  },
  {
    name: 'group.streams.assignment.interval.ms',
    type: 'int',
    default: '1000',
    min: 0,
    update: 'cluster-wide',
    documentation: 'The shortest time between two assignments of a streams group, in milliseconds. Without effect yet.',
  },
  {
    name: 'group.streams.assignors',
    type: 'list',
    default: 'sticky',

    update: 'read-only',
    documentation:
      'The assignors of streams groups; the first counts unless a group names another. Without effect yet.',
  },
  {
    name: 'group.streams.heartbeat.interval.ms',
    type: 'int',
    default: '5000',
    min: 1,
    update: 'read-only',
    documentation:
      'How often members of streams groups are told to send heartbeats, in milliseconds. Without effect yet.',
  },
  {
    name: 'group.streams.initial.rebalance.delay.ms',
    type: 'int',
    default: '3000',
    min: 0,
    update: 'read-only',
    documentation:
      'How long a new streams group waits for more members before its first assignment, in milliseconds. Without effect yet.',
  },
  {
    name: 'group.streams.max.assignment.interval.ms',
    type: 'int',
    default: '15000',
    min: 0,
    update: 'read-only',
    documentation:
      'The largest value that a streams group may have for `streams.assignment.interval.ms`. Without effect yet.',
  },
  {
    name: 'group.streams.max.heartbeat.interval.ms',
    type: 'int',
    default: '15000',
    min: 1,
    update: 'read-only',
    documentation:
      'The largest value that a streams group may have for `streams.heartbeat.interval.ms`. Without effect yet.',
  },
  {
    name: 'group.streams.max.session.timeout.ms',
    type: 'int',
    default: '60000',
    min: 1,
    update: 'read-only',
    documentation:
      'The largest value that a streams group may have for `streams.session.timeout.ms`. Without effect yet.',
  },
  {
    name: 'group.streams.max.size',
    type: 'int',
    default: '2147483647',
    min: 1,
    update: 'read-only',
    documentation: 'How many members a streams group may have. Without effect yet.',
  },
  {
    name: 'group.streams.max.standby.replicas',
    type: 'int',
    default: '2',
    min: 0,
    update: 'read-only',
    documentation: 'As many standby replicas as a streams group may ask for, for each task. Without effect yet.',
  },
  {
    name: 'group.streams.min.assignment.interval.ms',
    type: 'int',
    default: '0',
    min: 0,
    update: 'read-only',
    documentation:
      'The smallest value that a streams group may have for `streams.assignment.interval.ms`. Without effect yet.',
  },
  {
    name: 'group.streams.min.heartbeat.interval.ms',
    type: 'int',
    default: '5000',
    min: 1,
    update: 'read-only',
    documentation:
      'The smallest value that a streams group may have for `streams.heartbeat.interval.ms`. Without effect yet.',
  },
  {
    name: 'group.streams.min.session.timeout.ms',
    type: 'int',
    default: '45000',
    min: 1,
    update: 'read-only',
    documentation:
      'The smallest value that a streams group may have for `streams.session.timeout.ms`. Without effect yet.',
  },
  {
    name: 'group.streams.num.standby.replicas',
    type: 'int',
    default: '0',
    min: 0,
    update: 'read-only',
    documentation: 'How many standby replicas each task of a streams group has. Without effect yet.',
  },
  {
    name: 'group.streams.rack.aware.assignment.tags',
    type: 'list',
    default: '',

    update: 'read-only',
    documentation: 'The tags of clients over which standby replicas of a streams group are spread. Without effect yet.',
  },
  {
    name: 'group.streams.session.timeout.ms',
    type: 'int',
    default: '45000',
    min: 1,
    update: 'read-only',
    documentation:
      'After how long without a heartbeat a member of a streams group is taken out, in milliseconds. Without effect yet.',
  },
];
