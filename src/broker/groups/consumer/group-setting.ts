/**
 * The settings that a consumer group may have of its own. I/O thread.
 *
 *   the group's own value, held to what the broker allows  >  the broker's setting
 *
 * The bounds may have changed since the group's value was taken.
 */

import type { BrokerConfig } from '../../broker-config.ts';
import { configNumber } from '../../config-definition.ts';
import type { ResourceConfigs } from '../../resource-configs.ts';

const names = {
  'consumer.session.timeout.ms': 'session.timeout.ms',
  'consumer.heartbeat.interval.ms': 'heartbeat.interval.ms',
  'consumer.assignment.interval.ms': 'assignment.interval.ms',
} as const;

export type ConsumerSetting = keyof typeof names;

/** The value that counts for the group, in milliseconds. */
export function consumerSetting(
  name: ConsumerSetting,
  groupId: string,
  groupConfigs: ResourceConfigs,
  config: BrokerConfig,
): number {
  const own = groupConfigs.of(groupId).get(name);
  const what = names[name];
  if (own === undefined) return config.number(`group.consumer.${what}`);
  const least = config.number(`group.consumer.min.${what}`);
  const most = config.number(`group.consumer.max.${what}`);
  return Math.min(Math.max(configNumber(own), least), most);
}
