/**
 * The times that a group of the newer protocols may have of its own. I/O thread.
 *
 *   the group's own value, held to what the broker allows  >  the broker's setting
 *
 * The bounds may have changed since the group's value was taken.
 */

import type { BrokerConfig } from '../../broker-config.ts';
import { groupNumber } from '../../group-config.ts';
import type { ResourceConfigs } from '../../resource-configs.ts';

type Timing = 'session.timeout.ms' | 'heartbeat.interval.ms' | 'assignment.interval.ms';

export type ConsumerSetting = `consumer.${Timing}`;
export type ShareSetting = `share.${Timing}`;
export type StreamsSetting = `streams.${Timing}`;

/** The value that counts for the group, in milliseconds. */
export function boundedSetting(
  name: ConsumerSetting | ShareSetting | StreamsSetting,
  groupId: string,
  groupConfigs: ResourceConfigs,
  config: BrokerConfig,
): number {
  return groupNumber(name, groupConfigs.of(groupId), config);
}
