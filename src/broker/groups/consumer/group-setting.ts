/**
 * The times that a group of the newer protocols may have of its own. I/O thread.
 *
 *   the group's own value, held to what the broker allows  >  the broker's setting
 *
 * The bounds may have changed since the group's value was taken.
 */

import type { BrokerConfig } from '../../broker-config.ts';
import { configNumber } from '../../config-definition.ts';
import type { ResourceConfigs } from '../../resource-configs.ts';

const consumerSettings = {
  'consumer.session.timeout.ms': 'session.timeout.ms',
  'consumer.heartbeat.interval.ms': 'heartbeat.interval.ms',
  'consumer.assignment.interval.ms': 'assignment.interval.ms',
} as const;

const streamsSettings = {
  'streams.session.timeout.ms': 'session.timeout.ms',
  'streams.heartbeat.interval.ms': 'heartbeat.interval.ms',
  'streams.assignment.interval.ms': 'assignment.interval.ms',
} as const;

const names = { ...consumerSettings, ...streamsSettings };

export type ConsumerSetting = keyof typeof consumerSettings;
export type StreamsSetting = keyof typeof streamsSettings;

/** The value that counts for the group, in milliseconds. */
export function boundedSetting(
  name: ConsumerSetting | StreamsSetting,
  groupId: string,
  groupConfigs: ResourceConfigs,
  config: BrokerConfig,
): number {
  const own = groupConfigs.of(groupId).get(name);
  const what = names[name];
  const kind = name.slice(0, name.indexOf('.'));
  if (own === undefined) return config.number(`group.${kind}.${what}`);
  const least = config.number(`group.${kind}.min.${what}`);
  const most = config.number(`group.${kind}.max.${what}`);
  return Math.min(Math.max(configNumber(own), least), most);
}
