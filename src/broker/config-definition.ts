/**
 * A setting as Kafka defines one: a name, a type, a default and bounds, all as text. Any thread.
 * The texts are what a client sends and DescribeConfigs shows; `parseConfigValue` checks one and brings it into the form
 * that Kafka prints. It does not know which settings there are (topic-config.ts, broker-config.ts).
 */

import { assert } from '../base/assert.ts';

export type ConfigType =
  | 'boolean'
  | 'string'
  | 'int'
  | 'short'
  | 'long'
  | 'double'
  | 'list'
  | 'class'
  | 'password'
  | 'unknown';

export interface ConfigDefinition {
  readonly name: string;
  readonly type: ConfigType;
  /** Null where Kafka has no default: then the setting is simply not set. */
  readonly default: string | null;
  /** Inclusive bounds of a number. */
  readonly min?: number;
  readonly max?: number;
  /** A value that is taken although it lies outside the bounds. */
  readonly besides?: number;
  /** The only texts allowed, for a string; the only elements allowed, for a list. */
  readonly choices?: readonly string[];
  /** Whether the choices count in capitals and small letters alike. */
  readonly ignoresCase?: boolean;
  /** False where a text or list without anything in it is refused. */
  readonly mayBeEmpty?: boolean;
  /** What is wrong with a text or list beyond that, as a sentence without its full stop, or null. */
  readonly problemOf?: (text: string) => string | null;
  readonly documentation: string;
}

/** A checked value in the form that Kafka prints, or a sentence that says what is wrong with it. */
export type ParsedConfigValue = { readonly text: string } | { readonly problem: string };

const integerRanges = {
  short: { min: -(2n ** 15n), max: 2n ** 15n - 1n },
  int: { min: -(2n ** 31n), max: 2n ** 31n - 1n },
  long: { min: -(2n ** 63n), max: 2n ** 63n - 1n },
} as const;

/** The wire's number for a type, in DescribeConfigs. */
export const configTypeCodes: Readonly<Record<ConfigType, number>> = {
  unknown: 0,
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
};

/** What is longer could not be told in a response, as a string of the protocol has at most 32767 bytes. */
const longestText = 8191;

/** Checks `text` against `definition` with Kafka's rules and sentences. */
export function parseConfigValue(definition: ConfigDefinition, text: string): ParsedConfigValue {
  const trimmed = text.trim();
  const refuse = (reason: string): ParsedConfigValue => ({
    problem: `Invalid value ${trimmed} for configuration ${definition.name}: ${reason}`,
  });
  if (trimmed.length > longestText) return refuse(`It has more than ${longestText} characters`);
  switch (definition.type) {
    case 'boolean': {
      const lower = trimmed.toLowerCase();
      return lower === 'true' || lower === 'false'
        ? { text: lower }
        : refuse('Expected value to be either true or false');
    }
    case 'short':
    case 'int':
    case 'long': {
      const range = integerRanges[definition.type];
      const notANumber = `Not a number of type ${definition.type.toUpperCase()}`;
      if (!/^[+-]?\d{1,19}$/.test(trimmed)) return refuse(notANumber);
      const value = BigInt(trimmed.startsWith('+') ? trimmed.slice(1) : trimmed);
      if (value < range.min || value > range.max) return refuse(notANumber);
      const outside = problemOfBounds(definition, value);
      return outside === null ? { text: value.toString() } : refuse(outside);
    }
    case 'double': {
      if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(trimmed)) return refuse('Not a number of type DOUBLE');
      const value = Number(trimmed);
      const outside = problemOfBounds(definition, value);
      return outside === null ? { text: doubleText(value) } : refuse(outside);
    }
    case 'list': {
      if (trimmed === '' && definition.mayBeEmpty === false) return refuse('Configuration must not be empty');
      // What stands twice counts once, as in Kafka since KIP-1161.
      const elements = trimmed === '' ? [] : [...new Set(trimmed.split(',').map((element) => element.trim()))];
      const stranger = elements.find((element) => !isAllowed(definition, element));
      if (stranger !== undefined) return refuse(choicesText(definition));
      const problem = definition.problemOf?.(elements.join(',')) ?? null;
      return problem === null ? { text: elements.join(',') } : refuse(problem);
    }
    case 'string':
    case 'class':
    case 'password':
    case 'unknown': {
      if (trimmed === '' && definition.mayBeEmpty === false) return refuse('String must be non-empty');
      if (!isAllowed(definition, trimmed)) return refuse(choicesText(definition));
      const problem = definition.problemOf?.(trimmed) ?? null;
      return problem === null ? { text: trimmed } : refuse(problem);
    }
  }
}

/**
 * The number that the checked `text` stands for. A 64-bit value past the safe integers becomes the nearest safe one:
 * as a time or a size both mean "without bound".
 */
export function configNumber(text: string): number {
  const value = Number(text);
  assert(Number.isFinite(value), 'a checked setting is a number');
  if (!Number.isInteger(value)) return value;
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

/** The elements of a checked list. */
export function configList(text: string): string[] {
  return text === '' ? [] : text.split(',');
}

/** The definitions by name; a name that stands twice is a defect. */
export function definitionsByName(definitions: readonly ConfigDefinition[]): ReadonlyMap<string, ConfigDefinition> {
  const byName = new Map(definitions.map((definition) => [definition.name, definition]));
  if (byName.size < definitions.length) {
    const twice = definitions.find((definition) => byName.get(definition.name) !== definition);
    assert(false, `every setting is defined once, and ${twice?.name} is twice`);
  }
  return byName;
}

function problemOfBounds(definition: ConfigDefinition, value: bigint | number): string | null {
  const { min, max, besides } = definition;
  if (besides !== undefined && Number(value) === besides) return null;
  if (min !== undefined && value < min) return `Value must be at least ${min}`;
  if (max !== undefined && value > max) return `Value must be no more than ${max}`;
  return null;
}

function isAllowed(definition: ConfigDefinition, value: string): boolean {
  const { choices, ignoresCase = false } = definition;
  if (choices === undefined || choices.includes(value)) return true;
  return ignoresCase && choices.some((choice) => choice.toLowerCase() === value.toLowerCase());
}

function choicesText(definition: ConfigDefinition): string {
  return `String must be one of: ${(definition.choices ?? []).join(', ')}`;
}

/** As Java prints a double: always with a fraction, and from 1E7 on with an exponent. */
function doubleText(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e7)) return Number.isInteger(value) ? value.toFixed(1) : String(value);
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}E${Number(exponent)}`;
}
