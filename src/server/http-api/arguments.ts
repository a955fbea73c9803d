/**
 * Reads the arguments of a request (path, query, headers) by an operation's table, with suspicion. Any thread; pure.
 * A query is percent-encoded UTF-8, as forms send it (WHATWG URL: `+` is a space).
 */

import type { OperationShape, Parameter } from './operation.ts';
import { badRequest, type Problem } from './problem.ts';

type Value = string | number | boolean | readonly string[];

/** Checked arguments by name; absent ones have their default, or none. */
export class Arguments {
  readonly #values: ReadonlyMap<string, Value>;

  constructor(values: ReadonlyMap<string, Value>) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === 'string' ? value : undefined;
  }

  number(name: string): number | undefined {
    const value = this.#values.get(name);
    return typeof value === 'number' ? value : undefined;
  }

  flag(name: string): boolean {
    return this.#values.get(name) === true;
  }

  /** All that were given for a repeated parameter. */
  texts(name: string): readonly string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? (value as readonly string[]) : [];
  }
}

const noArguments: ReadonlyMap<string, Value> = new Map();
/** Name-value pairs in a query, at most. */
const mostPairs = 100;
/** A query as long as this is refused before it is looked at, in characters. */
const longestQuery = 8192;

/** Where headers are read from. */
export interface HeaderSource {
  /** By its lower-case name; empty where there is none. */
  getHeader(name: string): string;
}

/** Arguments of a path and query, as they were read. */
interface Place {
  readonly pathTexts: readonly string[];
  readonly query: string;
  readonly values: ReadonlyMap<string, Value>;
  readonly args: Arguments;
}

/**
 * Reads arguments of one operation again and again. Clients mostly come to the same path and query as the one before them,
 * so what was read last is kept, and given again where no header adds to it.
 */
export class ArgumentReader {
  readonly #path: readonly Parameter[];
  readonly #headers: readonly { readonly name: string; readonly parameter: Parameter }[];
  readonly #query: ReadonlyMap<string, Parameter>;
  readonly #defaults: ReadonlyMap<string, Value>;
  readonly #required: readonly Parameter[];
  #last: Place | null = null;

  constructor({ parameters }: Pick<OperationShape, 'parameters'>) {
    this.#path = parameters.filter((parameter) => parameter.in === 'path');
    const headers = parameters.filter((parameter) => parameter.in === 'header');
    this.#headers = headers.map((parameter) => ({ name: parameter.name.toLowerCase(), parameter }));
    const query = parameters.filter((parameter) => parameter.in === 'query');
    this.#query = new Map(query.map((parameter) => [parameter.name, parameter]));
    this.#required = [...query, ...headers].filter(({ required }) => required === true);
    const defaults = parameters.flatMap(({ name, schema }): [string, Value][] =>
      schema.default === undefined ? [] : [[name, schema.default]],
    );
    this.#defaults = defaults.length === 0 ? noArguments : new Map(defaults);
  }

  /** `pathTexts` are the path's segments that stand for parameters, in order and as they came; `query` lacks the question mark. */
  read(pathTexts: readonly string[], query: string, source: HeaderSource): Arguments | Problem {
    const place = this.#readPlace(pathTexts, query);
    if ('status' in place) return place;
    let values: Map<string, Value> | null = null;
    for (const { name, parameter } of this.#headers) {
      const text = source.getHeader(name);
      if (text === '') continue;
      values ??= new Map(place.values);
      const problem = take(parameter, text, values);
      if (problem !== null) return problem;
    }
    for (const { name, in: where } of this.#required) {
      if (!(values ?? place.values).has(name)) return badRequest(`The ${where} parameter ${name} is missing.`);
    }
    return values === null ? place.args : new Arguments(values);
  }

  #readPlace(pathTexts: readonly string[], query: string): Place | Problem {
    const last = this.#last;
    if (last?.query === query && last.pathTexts.every((text, i) => text === pathTexts[i])) return last;
    const values = new Map(this.#defaults);
    for (const [i, parameter] of this.#path.entries()) {
      const text = decode(pathTexts[i] ?? '');
      if (text === null) return badRequest(`The path is not percent-encoded UTF-8 at {${parameter.name}}.`);
      const problem = take(parameter, text, values);
      if (problem !== null) return problem;
    }
    if (query !== '') {
      const problem = this.#readQuery(query, values);
      if (problem !== null) return problem;
    }
    this.#last = { pathTexts, query, values, args: new Arguments(values) };
    return this.#last;
  }

  #readQuery(query: string, values: Map<string, Value>): Problem | null {
    if (query.length > longestQuery) return badRequest(`The query is longer than ${longestQuery} characters.`);
    const pairs = query.split('&', mostPairs + 1);
    if (pairs.length > mostPairs) return badRequest(`The query has more than ${mostPairs} parameters.`);
    const seen = new Set<string>();
    for (const pair of pairs) {
      if (pair === '') continue;
      const equals = pair.indexOf('=');
      const name = decodeForm(equals < 0 ? pair : pair.slice(0, equals));
      const text = decodeForm(equals < 0 ? '' : pair.slice(equals + 1));
      if (name === null || text === null) return badRequest('The query is not percent-encoded UTF-8.');
      const parameter = this.#query.get(name);
      if (parameter === undefined)
        return badRequest(`The query has a parameter that this operation does not, ${shown(name)}.`);
      if (parameter.repeated !== true && seen.has(name)) return badRequest(`The parameter ${name} comes twice.`);
      seen.add(name);
      const problem = take(parameter, text, values);
      if (problem !== null) return problem;
    }
    return null;
  }
}

function take(parameter: Parameter, text: string, values: Map<string, Value>): Problem | null {
  const { name, schema } = parameter;
  if (parameter.repeated === true) {
    const item = parse(schema.items ?? {}, text);
    if (item === null) return wrong(parameter, text);
    values.set(name, [...((values.get(name) as readonly string[] | undefined) ?? []), text]);
    return null;
  }
  const value = parse(schema, text);
  if (value === null) return wrong(parameter, text);
  values.set(name, value);
  return null;
}

/** The value of `text`; null where the schema refuses it. */
function parse(schema: Parameter['schema'], text: string): string | number | boolean | null {
  if (schema.type === 'integer') {
    if (!/^-?\d{1,16}$/.test(text)) return null;
    const value = Number(text);
    if (!Number.isSafeInteger(value)) return null;
    return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity) ? value : null;
  }
  if (schema.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : null;
  if (schema.enum !== undefined) return schema.enum.includes(text) ? text : null;
  if (text.length < (schema.minLength ?? 0) || text.length > (schema.maxLength ?? Infinity)) return null;
  return schema.pattern === undefined || patternOf(schema.pattern).test(text) ? text : null;
}

/** Those of the tables, compiled. */
const patterns = new Map<string, RegExp>();

function patternOf(pattern: string): RegExp {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) patterns.set(pattern, (compiled = new RegExp(pattern, 'u')));
  return compiled;
}

function wrong({ name, in: place, schema, description }: Parameter, text: string): Problem {
  const of = schema.items ?? schema;
  const allowed =
    of.enum !== undefined
      ? `one of ${of.enum.join(', ')}`
      : of.type === 'integer'
        ? `a whole number${of.minimum === undefined ? '' : ` from ${of.minimum}`}${of.maximum === undefined ? '' : ` to ${of.maximum}`}`
        : of.type === 'boolean'
          ? 'true or false'
          : `this: ${description}`;
  return badRequest(`The ${place} parameter ${name} is ${shown(text)}; it must be ${allowed.replace(/\.$/, '')}.`);
}

/** A text from outside as a sentence can hold it. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function decode(text: string): string | null {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function decodeForm(text: string): string | null {
  return decode(text.includes('+') ? text.replaceAll('+', ' ') : text);
}
