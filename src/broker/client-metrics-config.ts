/**
 * The settings of a subscription of client metrics (KIP-714): which clients push which metrics, how often. Any thread.
 *
 *   interval.ms   how often a client pushes
 *   metrics       prefixes of names; "" or "*" is all, no entry is none
 *   match         name=regular expression, all of which a client has to match
 */

import { ErrorCode } from '../base/error-code.ts';
import { configList, definitionsByName, parseConfigValue, type ConfigDefinition } from './config-definition.ts';
import type { LinearPattern, LinearPatterns } from './linear-patterns.ts';
import { shownName } from './shown-name.ts';
import type { ChangeResult } from './topic-catalog.ts';

export const defaultPushIntervalMs = 300_000;
const shortestIntervalMs = 100;
const longestIntervalMs = 3_600_000;

export const clientMetricsDefinitions: readonly ConfigDefinition[] = [
  {
    name: 'interval.ms',
    type: 'int',
    default: String(defaultPushIntervalMs),
    documentation: 'How often a client pushes its metrics, in milliseconds, from 100 to 3600000.',
  },
  {
    name: 'match',
    type: 'list',
    default: '',
    documentation:
      'Which clients the subscription is for: pairs of a name and a regular expression, all of which match.',
  },
  {
    name: 'metrics',
    type: 'list',
    default: '',
    documentation: 'Prefixes of the names of metrics that a client pushes; * stands for all.',
  },
];

export const clientMetricsByName = definitionsByName(clientMetricsDefinitions);

/** What a client is matched by. */
export const matchNames = [
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
] as const;
export type MatchName = (typeof matchNames)[number];

export interface MatchPattern {
  readonly name: MatchName;
  /** For the whole of the client's text. */
  readonly pattern: LinearPattern;
}

/**
 * The patterns of a `match`, or null where it is not made of such. The last of a name counts. The engine is to be ready.
 */
export function parseMatch(text: string, engine: LinearPatterns): readonly MatchPattern[] | null {
  const patterns = new Map<MatchName, LinearPattern>();
  for (const part of configList(text)) {
    const equals = part.indexOf('=');
    const name = matchNames.find((one) => one === part.slice(0, Math.max(equals, 0)).trim());
    if (equals < 0 || name === undefined) return null;
    const pattern = engine.compile(part.slice(equals + 1).trim());
    if (typeof pattern === 'string') return null;
    patterns.set(name, pattern);
  }
  return [...patterns].map(([name, pattern]) => ({ name, pattern }));
}

/** Checks a subscription's settings. The engine is to be ready. */
export function checkedClientMetrics(
  wanted: ReadonlyMap<string, string | null>,
  engine: LinearPatterns,
): { readonly configs: ReadonlyMap<string, string> } | ChangeResult {
  const invalid = (message: string): ChangeResult => ({ errorCode: ErrorCode.INVALID_CONFIG, message });
  const configs = new Map<string, string>();
  for (const [name, text] of wanted) {
    const definition = clientMetricsByName.get(name);
    if (definition === undefined) {
      const message = `Unknown client metrics configuration: ${shownName(name)}`;
      return { errorCode: ErrorCode.INVALID_REQUEST, message };
    }
    const parsed = parseConfigValue(definition, text ?? '');
    if ('problem' in parsed) return invalid(parsed.problem);
    configs.set(name, parsed.text);
  }
  const interval = configs.get('interval.ms');
  if (interval !== undefined && (Number(interval) < shortestIntervalMs || Number(interval) > longestIntervalMs)) {
    const message = `Invalid value ${interval} for interval.ms, interval must be between ${shortestIntervalMs} and ${longestIntervalMs} (1 hour)`;
    return { errorCode: ErrorCode.INVALID_REQUEST, message };
  }
  const match = configs.get('match') ?? '';
  if (parseMatch(match, engine) === null) return invalid(`Illegal client matching pattern: ${shownName(match)}`);
  return { configs };
}
