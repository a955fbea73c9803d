/**
 * Changes to settings, as AlterConfigs and IncrementalAlterConfigs ask for them: what can be refused at sight, and what
 * a change makes of the settings there are. Any thread.
 * It does not check values (config-definition.ts) nor keep them (topic-catalog.ts).
 */

import { ErrorCode } from '../base/error-code.ts';
import { brokerConfigByName, clusterGuardedConfig } from './broker-config.ts';
import type { UpdateMode } from './inherited-config-table.ts';
import { configList, parseConfigValue, type ConfigDefinition } from './config-definition.ts';
import { invalidRequest } from './config-resource.ts';
import type { ChangeResult } from './topic-catalog.ts';

/** The wire's numbers (KIP-339). */
export const ConfigOperation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const;

export interface ConfigChange {
  readonly name: string;
  readonly operation: number;
  readonly value: string | null;
}

type Definitions = ReadonlyMap<string, ConfigDefinition>;

/** What is wrong with the changes whatever the settings are now, or null. `definitions` are those of the resource. */
export function problemOfChanges(changes: readonly ConfigChange[], definitions: Definitions): ChangeResult | null {
  const names = new Set(changes.map(({ name }) => name));
  if (names.size < changes.length) return invalidRequest('Error due to duplicate config keys');
  const missing = changes.filter(({ value, operation }) => value === null && operation !== ConfigOperation.DELETE);
  if (missing.length > 0) {
    return invalidRequest(`Null value not supported for : ${missing.map(({ name }) => name).join(',')}`);
  }
  for (const { name, operation } of changes) {
    const isListOperation = operation === ConfigOperation.APPEND || operation === ConfigOperation.SUBTRACT;
    if (!isListOperation && operation !== ConfigOperation.SET && operation !== ConfigOperation.DELETE) {
      return invalidRequest(`Unknown operation ${operation} on ${name}: there are 0 (SET) to 3 (SUBTRACT).`);
    }
    if (isListOperation && definitions.get(name)?.type !== 'list') {
      const verb = operation === ConfigOperation.APPEND ? 'APPEND' : 'SUBTRACT';
      const message = `Can't ${verb} to key ${name} because its type is not LIST.`;
      return { errorCode: ErrorCode.INVALID_CONFIG, message };
    }
  }
  return null;
}

/**
 * What is wrong with changes of what a cluster has set for all of its nodes (KIP-966), or null. `replace`: what is not named
 * is taken away.
 */
export function problemOfGuardedConfig(
  changes: readonly ConfigChange[],
  isForAll: boolean,
  replace: boolean,
): ChangeResult | null {
  const change = changes.find(({ name }) => name === clusterGuardedConfig);
  const isTaken = change === undefined ? replace : change.operation === ConfigOperation.DELETE;
  const isFine = isForAll ? !isTaken : change === undefined;
  if (isFine) return null;
  const message = isForAll
    ? `${clusterGuardedConfig} of all brokers cannot be removed: set it to another value.`
    : `${clusterGuardedConfig} is set for all brokers, and not for one of them.`;
  return { errorCode: ErrorCode.INVALID_CONFIG, message };
}

/** Carries the changes out on `configs`. They have passed `problemOfChanges`. */
export function applyChanges(
  configs: Map<string, string | null>,
  changes: readonly ConfigChange[],
  definitions: Definitions,
): void {
  for (const { name, operation, value } of changes) {
    if (operation === ConfigOperation.DELETE) configs.delete(name);
    else if (operation === ConfigOperation.SET) configs.set(name, value);
    else configs.set(name, changedList(name, operation, value ?? '', configs, definitions));
  }
}

/** What may be less at the start, but not become so while the broker runs. */
const leastLater: ReadonlyMap<string, number> = new Map([['log.cleaner.threads', 1]]);

/**
 * The broker settings that `configs` come to, for one broker or for all, or the sentence that refuses them. What is as it
 * was in `before` is not checked anew: an older release may have taken it, and who changes another setting did not touch it.
 */
export function checkedBrokerConfigs(
  configs: ReadonlyMap<string, string | null>,
  before: ReadonlyMap<string, string>,
  isForAll: boolean,
): ReadonlyMap<string, string> | string {
  const checked = new Map<string, string>();
  const namesOf = (mode: UpdateMode): string =>
    [...configs.keys()].filter((name) => brokerConfigByName.get(name)?.update === mode).join(', ');
  for (const [name, text] of configs) {
    const definition = brokerConfigByName.get(name);
    if (definition === undefined) return `Unknown broker config name: ${name}`;
    if (text !== null && text === before.get(name)) {
      checked.set(name, text);
      continue;
    }
    const parsed = parseConfigValue(definition, text ?? '');
    if ('problem' in parsed) return parsed.problem;
    const least = leastLater.get(name) ?? -Infinity;
    if (Number(parsed.text) < least) return `Invalid value ${parsed.text} for ${name}: it is to be at least ${least}`;
    checked.set(name, parsed.text);
  }
  const [fixed, ofListeners, ofBrokers] = [namesOf('read-only'), namesOf('per-listener'), namesOf('per-broker')];
  if (fixed !== '') return `Cannot update these configs dynamically: [${fixed}]`;
  if (ofListeners !== '') {
    return `These security configs can be dynamically updated only per-listener using the listener prefix: [${ofListeners}]`;
  }
  if (isForAll && ofBrokers !== '') {
    return `Cannot update these configs at default cluster level, broker id must be specified: [${ofBrokers}]`;
  }
  return checked;
}

/** As in Kafka, a list that is not set starts from the setting's own default, whatever the broker says. */
function changedList(
  name: string,
  operation: number,
  value: string,
  configs: ReadonlyMap<string, string | null>,
  definitions: Definitions,
): string {
  const before = configList(configs.get(name) ?? definitions.get(name)?.default ?? '');
  const named = value.split(',').map((element) => element.trim());
  const after =
    operation === ConfigOperation.APPEND
      ? [...new Set([...before, ...named])]
      : before.filter((element) => !named.includes(element));
  return after.join(',');
}
