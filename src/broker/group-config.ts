/**
 * The settings of one group: Kafka 4.4's table, and what counts. Any thread.
 *
 *   the group's own value  >  the broker's setting that it inherits  >  default
 *
 * A group's own values are kept by its name, whether it exists or not (resource-configs.ts).
 */

import { present } from '../base/assert.ts';
import type { BrokerConfig } from './broker-config.ts';
import { configNumber, definitionsByName, parseConfigValue, type ConfigDefinition } from './config-definition.ts';

export interface GroupConfigDefinition extends ConfigDefinition {
  /** The broker's setting that counts where a group says nothing; null where there is none. */
  readonly inherits: string | null;
  /** The broker's settings that a group's own value has to lie between. */
  readonly atLeast?: string;
  readonly atMost?: string;
}

const milliseconds = 'in milliseconds.';

/** A time or count of one kind of group, which the broker bounds. */
function bounded(
  kind: 'consumer' | 'share' | 'streams',
  what: string,
  byDefault: string,
  min: number,
  documentation: string,
): GroupConfigDefinition {
  return {
    name: `${kind}.${what}`,
    type: 'int',
    default: byDefault,
    min,
    inherits: `group.${kind}.${what}`,
    atLeast: `group.${kind}.min.${what}`,
    atMost: `group.${kind}.max.${what.replace(/^max\./, '')}`,
    documentation,
  };
}

const kinds = ['consumer', 'share', 'streams'] as const;

export const groupConfigDefinitions: readonly GroupConfigDefinition[] = [
  ...kinds.flatMap((kind) => [
    bounded(kind, 'assignment.interval.ms', '1000', 0, `How far apart assignments of the group are, ${milliseconds}`),
    bounded(kind, 'heartbeat.interval.ms', '5000', 1, `How often members send heartbeats, ${milliseconds}`),
    bounded(kind, 'session.timeout.ms', '45000', 1, `When a member without heartbeats is removed, ${milliseconds}`),
  ]),
  {
    name: 'errors.deadletterqueue.copy.record.enable',
    type: 'boolean',
    default: 'false',
    inherits: null,
    documentation: 'Whether what is set aside is copied with its key and value, or only named.',
  },
  {
    name: 'errors.deadletterqueue.topic.name',
    type: 'string',
    default: '',
    inherits: null,
    documentation: 'The topic that takes what a share group could not process; none where it is empty.',
  },
  {
    name: 'share.auto.offset.reset',
    type: 'string',
    default: 'latest',
    inherits: null,
    documentation: 'Where a share group begins that has no place yet: earliest, latest or by_duration:PnDTnHnMn.nS.',
  },
  bounded('share', 'delivery.count.limit', '5', 2, 'How often a record is given out before it is given up.'),
  {
    name: 'share.isolation.level',
    type: 'string',
    default: 'read_uncommitted',
    choices: ['read_committed', 'read_uncommitted'],
    inherits: null,
    documentation: 'Whether a share group is given records of transactions that are open or aborted.',
  },
  {
    ...bounded(
      'share',
      'partition.max.record.locks',
      '2000',
      100,
      'How many records of a partition may be out at once.',
    ),
    atLeast: 'group.share.min.partition.max.record.locks',
    atMost: 'group.share.max.partition.max.record.locks',
  },
  bounded('share', 'record.lock.duration.ms', '30000', 1000, `How long a record is out at most, ${milliseconds}`),
  {
    name: 'share.renew.acknowledge.enable',
    type: 'boolean',
    default: 'true',
    inherits: null,
    documentation: 'Whether consumers may renew the time for which they have a record.',
  },
  {
    name: 'streams.assignor.name',
    type: 'string',
    default: null,
    inherits: 'group.streams.assignors',
    documentation: 'Which assignor spreads the tasks of a streams group.',
  },
  {
    name: 'streams.initial.rebalance.delay.ms',
    type: 'int',
    default: '3000',
    min: 0,
    inherits: 'group.streams.initial.rebalance.delay.ms',
    documentation: `How long a new streams group waits for more members, ${milliseconds}`,
  },
  {
    name: 'streams.num.standby.replicas',
    type: 'int',
    default: '0',
    min: 0,
    inherits: 'group.streams.num.standby.replicas',
    atMost: 'group.streams.max.standby.replicas',
    documentation: 'How many standby tasks each task of a streams group gets.',
  },
  {
    name: 'streams.rack.aware.assignment.tags',
    type: 'list',
    default: '',
    inherits: 'group.streams.rack.aware.assignment.tags',
    documentation: 'The client tags over which standby tasks are spread.',
  },
].toSorted((a, b) => (a.name < b.name ? -1 : 1)) as readonly GroupConfigDefinition[];

export const groupConfigByName = definitionsByName(groupConfigDefinitions) as ReadonlyMap<
  string,
  GroupConfigDefinition
>;

/** The text that counts for a setting of a group whose own settings are `configs`. */
export function effectiveGroupValue(name: string, configs: ReadonlyMap<string, string>, config: BrokerConfig): string {
  const definition = present(groupConfigByName.get(name), 'the setting is in the table');
  const inherited = definition.inherits === null ? null : config.text(definition.inherits);
  return configs.get(name) ?? present(inherited ?? definition.default, 'every setting of a group has a value');
}

/**
 * The number that counts for a setting of a group whose own settings are `configs`. A value of its own is held to what the
 * broker allows, since the bounds may have changed after it was taken.
 */
export function groupNumber(name: string, configs: ReadonlyMap<string, string>, config: BrokerConfig): number {
  const value = configNumber(effectiveGroupValue(name, configs, config));
  const { atLeast, atMost } = present(groupConfigByName.get(name), 'the setting is in the table');
  if (!configs.has(name)) return value;
  const least = atLeast === undefined ? value : Math.max(value, config.number(atLeast));
  return atMost === undefined ? least : Math.min(least, config.number(atMost));
}

/** Checks a group's own settings, each alone and then against what the broker allows; or the sentence that refuses. */
export function checkedGroupConfigs(
  wanted: ReadonlyMap<string, string | null>,
  config: BrokerConfig,
): ReadonlyMap<string, string> | string {
  const checked = new Map<string, string>();
  for (const [name, text] of wanted) {
    const definition = groupConfigByName.get(name);
    if (definition === undefined) return `Unknown group config name: ${name}`;
    const parsed = parseConfigValue(definition, text ?? '');
    if ('problem' in parsed) return parsed.problem;
    checked.set(name, parsed.text);
  }
  for (const [name, text] of checked) {
    const problem = problemOfBounds(name, text, config) ?? problemOfReset(name, text);
    if (problem !== null) return problem;
  }
  return problemTogether(checked, config) ?? checked;
}

function problemOfBounds(name: string, text: string, config: BrokerConfig): string | null {
  const { atLeast, atMost } = present(groupConfigByName.get(name), 'the setting is in the table');
  if (atMost === undefined) return null;
  const value = configNumber(text);
  const most = config.number(atMost);
  if (atLeast === undefined) return value <= most ? null : `${name} must be less than or equal to ${most}.`;
  const least = config.number(atLeast);
  return value >= least && value <= most ? null : `${name} must be in the range ${least} to ${most} inclusive.`;
}

/** ISO 8601, days to seconds, as Java's durations have it. */
const duration = /^by_duration:-?P(?=.)(-?\d+D)?(T(?=.)(-?\d+H)?(-?\d+M)?(-?\d+(\.\d{1,9})?S)?)?$/i;

function problemOfReset(name: string, text: string): string | null {
  if (name !== 'share.auto.offset.reset' || text === 'latest' || text === 'earliest') return null;
  if (duration.test(text) && !text.slice('by_duration:'.length).includes('-')) return null;
  const problem = `Invalid value \`${text}\` for configuration ${name}. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.`;
  return `Invalid value ${text} for configuration ${name}: ${problem}`;
}

function problemTogether(configs: ReadonlyMap<string, string>, config: BrokerConfig): string | null {
  for (const kind of kinds) {
    const [session, heartbeat] = [`${kind}.session.timeout.ms`, `${kind}.heartbeat.interval.ms`];
    const sessionMs = configNumber(effectiveGroupValue(session, configs, config));
    const heartbeatMs = configNumber(effectiveGroupValue(heartbeat, configs, config));
    if (sessionMs <= heartbeatMs) return `${session} must be greater than ${heartbeat}`;
  }
  return null;
}
