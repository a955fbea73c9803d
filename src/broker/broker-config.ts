/**
 * The broker's settings: what a file or flag set at the start, what clients changed since, and what counts. I/O thread.
 *
 *   changed for this node  >  changed for all nodes  >  set at the start  >  default
 *
 * Changes come from the metadata log through `setDynamic`. It does not read files (config.ts) nor keep changes
 * (metadata-image.ts).
 */

import { present } from '../base/assert.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { ownBrokerConfigDefinitions } from './broker-config-table.ts';
import { configNumber, definitionsByName, parseConfigValue } from './config-definition.ts';
import { cleanerConfigDefinitions } from './cleaner-config-table.ts';
import { groupBrokerConfigDefinitions } from './group-broker-config-table.ts';
import { inertBrokerConfigDefinitions } from './inert-config-table.ts';
import { inheritedConfigDefinitions, type BrokerConfigDefinition } from './inherited-config-table.ts';

export const brokerConfigDefinitions: readonly BrokerConfigDefinition[] = [
  ...ownBrokerConfigDefinitions,
  ...groupBrokerConfigDefinitions,
  ...inheritedConfigDefinitions,
  ...inertBrokerConfigDefinitions,
  ...cleanerConfigDefinitions,
].toSorted((a, b) => (a.name < b.name ? -1 : 1));

export const brokerConfigByName = definitionsByName(brokerConfigDefinitions) as ReadonlyMap<
  string,
  BrokerConfigDefinition
>;

/** Where a value comes from; the numbers are the wire's, in DescribeConfigs. */
export const ConfigSource = {
  DYNAMIC_TOPIC_CONFIG: 1,
  DYNAMIC_BROKER_CONFIG: 2,
  DYNAMIC_DEFAULT_BROKER_CONFIG: 3,
  STATIC_BROKER_CONFIG: 4,
  DEFAULT_CONFIG: 5,
  DYNAMIC_BROKER_LOGGER_CONFIG: 6,
  DYNAMIC_CLIENT_METRICS_CONFIG: 7,
  DYNAMIC_GROUP_CONFIG: 8,
} as const;

export type ConfigSource = (typeof ConfigSource)[keyof typeof ConfigSource];

/** One place where a broker setting has a value. */
export interface BrokerConfigValue {
  readonly name: string;
  readonly text: string | null;
  readonly source: ConfigSource;
}

/**
 * What every cluster has set for all of its nodes, and for none of them alone (KIP-966). Until a client sets it, it is what
 * the start says.
 */
export const clusterGuardedConfig = 'min.insync.replicas';

const inertNames: ReadonlySet<string> = new Set(inertBrokerConfigDefinitions.map(({ name }) => name));
const nothing: ReadonlyMap<string, string> = new Map();

export class BrokerConfig {
  readonly #static = new Map<string, string>();
  /** Names that were given at the start and that Millrace does not know; whoever starts the broker may warn. */
  readonly unknownNames: readonly string[];
  /** Names that were given at the start and that change nothing here; whoever starts the broker warns. */
  readonly inertNames: readonly string[];
  #ofNode: ReadonlyMap<string, string> = nothing;
  #ofCluster: ReadonlyMap<string, string> = nothing;
  /** Those that were asked for since a setting changed: some are with each request. */
  readonly #numbers = new Map<string, number>();

  /** Throws `EnvironmentError` CONFIG_INVALID where a value given at the start is not allowed. */
  constructor(given: Iterable<readonly [name: string, text: string]> = []) {
    const unknown: string[] = [];
    for (const [name, text] of given) {
      const definition = brokerConfigByName.get(name);
      if (definition === undefined) {
        unknown.push(name);
        continue;
      }
      const parsed = parseConfigValue(definition, text);
      if ('problem' in parsed) throw new EnvironmentError(EnvironmentErrorCode.CONFIG_INVALID, `${parsed.problem}.`);
      this.#static.set(name, parsed.text);
    }
    this.unknownNames = unknown;
    this.inertNames = [...this.#static.keys()].filter((name) => inertNames.has(name));
    this.setDynamic(nothing, nothing);
  }

  /** Takes over the changes that the metadata log holds, checked: for this node, and for all nodes. */
  setDynamic(ofNode: ReadonlyMap<string, string>, ofCluster: ReadonlyMap<string, string>): void {
    this.#numbers.clear();
    this.#ofNode = ofNode;
    const guarded = this.#static.get(clusterGuardedConfig) ?? brokerConfigByName.get(clusterGuardedConfig)?.default;
    this.#ofCluster = new Map([[clusterGuardedConfig, present(guarded, 'it has a default')], ...ofCluster]);
  }

  /** What is set for all nodes. */
  get ofCluster(): ReadonlyMap<string, string> {
    return this.#ofCluster;
  }

  /** What was set, at the start or since; null where only the default counts. The `BrokerValue` of topic-config.ts. */
  readonly setValue = (name: string): string | null =>
    this.#ofNode.get(name) ?? this.#ofCluster.get(name) ?? this.#static.get(name) ?? null;

  /** The text that counts, or null where the setting has neither value nor default. */
  text(name: string): string | null {
    return this.setValue(name) ?? present(brokerConfigByName.get(name), 'the setting is in the table').default;
  }

  /** The number that counts, in the setting's own unit, held to safe integers. */
  number(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = configNumber(present(this.text(name), 'the setting has a value'));
      this.#numbers.set(name, number);
    }
    return number;
  }

  /** Whether the setting is switched on. */
  boolean(name: string): boolean {
    return this.text(name) === 'true';
  }

  /** Every value that the setting has, the one that counts first; the default comes last, where there is one. */
  valuesOf(name: string): BrokerConfigValue[] {
    const values: BrokerConfigValue[] = [];
    const add = (text: string | null | undefined, source: ConfigSource): void => {
      if (text !== null && text !== undefined) values.push({ name, text, source });
    };
    add(this.#ofNode.get(name), ConfigSource.DYNAMIC_BROKER_CONFIG);
    add(this.#ofCluster.get(name), ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG);
    add(this.#static.get(name), ConfigSource.STATIC_BROKER_CONFIG);
    add(brokerConfigByName.get(name)?.default, ConfigSource.DEFAULT_CONFIG);
    return values;
  }
}
