/**
 * Altering the settings of resources, for both requests that do. I/O thread.
 * Topics, brokers, loggers, groups and subscriptions of client metrics take changes; what is checked together with what
 * is there already is checked when the change's turn comes.
 */

import { ErrorCode } from '../base/error-code.ts';
import { AclOperation } from './authorizer.ts';
import type { Broker } from './broker.ts';
import { brokerConfigByName } from './broker-config.ts';
import { checkedClientMetrics, clientMetricsByName } from './client-metrics-config.ts';
import {
  applyChanges,
  checkedBrokerConfigs,
  problemOfChanges,
  problemOfGuardedConfig,
  type ConfigChange,
} from './config-change.ts';
import { ConfigResource, invalidRequest, problemOfBrokerName, refusalOfConfigs } from './config-resource.ts';
import { checkedGroupConfigs, groupConfigByName } from './group-config.ts';
import type { RequestContext } from './request-context.ts';
import { messageOf, type ChangeResult } from './topic-catalog.ts';
import { topicConfigByName } from './topic-config.ts';
import { problemOfTopicName } from './topic-name.ts';

export interface ConfigAlteration {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly changes: readonly ConfigChange[];
}

export interface AlterationOptions {
  /** Whether settings that no change names are taken away. */
  readonly replace: boolean;
  readonly validateOnly: boolean;
}

/** What came of one alteration, in the fields of both responses. */
export interface AlterationResult {
  errorCode: ErrorCode;
  errorMessage: string | null;
  resourceType: number;
  resourceName: string;
}

/** Alters resource by resource; the results stand in the order of the alterations. */
export function alterEach(
  alterations: readonly ConfigAlteration[],
  options: AlterationOptions,
  context: RequestContext,
  broker: Broker,
): Promise<AlterationResult[]> {
  const times = new Map<string, number>();
  const keyOf = ({ resourceType, resourceName }: ConfigAlteration): string => `${resourceType} ${resourceName}`;
  for (const alteration of alterations) times.set(keyOf(alteration), (times.get(keyOf(alteration)) ?? 0) + 1);
  const results = alterations.map(async (alteration) => {
    const { resourceType, resourceName } = alteration;
    const isRepeated = (times.get(keyOf(alteration)) ?? 0) > 1;
    const forbidden = refusalOfConfigs(resourceType, resourceName, AclOperation.ALTER_CONFIGS, context, broker);
    const refusal = isRepeated ? invalidRequest('Each resource must appear at most once.') : forbidden;
    const result = refusal ?? (await alter(alteration, options, broker));
    return { errorCode: result.errorCode, errorMessage: messageOf(result), resourceType, resourceName };
  });
  return Promise.all(results);
}

async function alter(alteration: ConfigAlteration, options: AlterationOptions, broker: Broker): Promise<ChangeResult> {
  switch (alteration.resourceType) {
    case ConfigResource.TOPIC:
      return alterTopic(alteration, options, broker);
    case ConfigResource.BROKER:
      return alterBroker(alteration, options, broker);
    case ConfigResource.BROKER_LOGGER:
      return (
        problemOfBrokerName(alteration.resourceName, broker.nodeId, false) ?? alterLoggers(alteration, options, broker)
      );
    case ConfigResource.GROUP:
      return alterGroup(alteration, options, broker);
    case ConfigResource.CLIENT_METRICS:
      return alterClientMetrics(alteration, options, broker);
    default:
      return invalidRequest(`Settings of resources of type ${alteration.resourceType} cannot be changed here.`);
  }
}

async function alterTopic(
  { resourceName: name, changes }: ConfigAlteration,
  { replace, validateOnly }: AlterationOptions,
  broker: Broker,
): Promise<ChangeResult> {
  const problem = problemOfChanges(changes, topicConfigByName);
  if (problem !== null) return problem;
  if (name === '') return invalidRequest('Settings are changed for one topic at a time, by its name.');
  const problemOfName = problemOfTopicName(name);
  if (problemOfName !== null) return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message: problemOfName };
  const change = (configs: Map<string, string | null>): null => {
    if (replace) configs.clear();
    applyChanges(configs, changes, topicConfigByName);
    return null;
  };
  return broker.topics.alterConfigs(name, change, validateOnly);
}

async function alterBroker(
  { resourceName, changes }: ConfigAlteration,
  { replace, validateOnly }: AlterationOptions,
  broker: Broker,
): Promise<ChangeResult> {
  const problem =
    problemOfBrokerName(resourceName, broker.nodeId, true) ??
    problemOfChanges(changes, brokerConfigByName) ??
    problemOfGuardedConfig(changes, resourceName === '', replace);
  if (problem !== null) return problem;
  const nodeId = String(broker.nodeId);
  const change = (before: ReadonlyMap<string, string>): ReadonlyMap<string, string> | string => {
    const wanted = new Map<string, string | null>(replace ? [] : before);
    applyChanges(wanted, changes, brokerConfigByName);
    return checkedBrokerConfigs(wanted, before, resourceName === '');
  };
  return broker.topics.alterBrokerConfigs(resourceName === '' ? '' : nodeId, nodeId, change, validateOnly);
}

async function alterGroup(
  { resourceName: name, changes }: ConfigAlteration,
  { replace, validateOnly }: AlterationOptions,
  broker: Broker,
): Promise<ChangeResult> {
  const problem = problemOfChanges(changes, groupConfigByName);
  if (problem !== null) return problem;
  if (name === '') return invalidRequest('Default group resources are not allowed.');
  return broker.changeMetadata(({ groupConfigs }) => {
    const wanted = new Map<string, string | null>(replace ? [] : groupConfigs.of(name));
    applyChanges(wanted, changes, groupConfigByName);
    const checked = checkedGroupConfigs(wanted, broker.config);
    if (typeof checked === 'string') return { errorCode: ErrorCode.INVALID_CONFIG, message: checked };
    return validateOnly ? [] : [groupConfigs.record(name, checked)];
  });
}

async function alterClientMetrics(
  { resourceName: name, changes }: ConfigAlteration,
  { replace, validateOnly }: AlterationOptions,
  broker: Broker,
): Promise<ChangeResult> {
  // Kafka takes none of these settings for a list when it comes to adding to one.
  const problem = problemOfChanges(changes, new Map());
  if (problem !== null) return problem;
  if (name === '') return invalidRequest("Subscription name can't be empty");
  if (!(await broker.patterns.ready())) {
    return { errorCode: ErrorCode.UNKNOWN_SERVER_ERROR, message: 'This broker has no engine for regular expressions.' };
  }
  return broker.changeMetadata(({ clientMetrics }) => {
    const wanted = new Map<string, string | null>(replace ? [] : clientMetrics.of(name));
    applyChanges(wanted, changes, clientMetricsByName);
    const checked = checkedClientMetrics(wanted, broker.patterns);
    if ('errorCode' in checked) return checked;
    return validateOnly ? [] : [clientMetrics.record(name, checked.configs)];
  });
}

/** The older request never could change loggers. */
function alterLoggers(
  { changes }: ConfigAlteration,
  { replace, validateOnly }: AlterationOptions,
  broker: Broker,
): ChangeResult {
  if (replace) return invalidRequest('AlterConfigs does not change loggers.');
  return broker.loggerLevels.alter(changes, validateOnly);
}
