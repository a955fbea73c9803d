/**
 * As much of JSON Schema as the frames need: what a value may be, checked, and typed for TypeScript. Any thread; pure.
 * The same objects go into the AsyncAPI document, so what is documented is what is checked.
 */

export interface Schema {
  readonly type?: 'string' | 'number' | 'integer' | 'boolean' | 'object' | 'array' | 'null';
  readonly description?: string;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  /** Of an object without `properties`: what its fields may be. One with `properties` has no others. */
  readonly additionalProperties?: Schema | false;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

/** The TypeScript type of what a schema lets through. */
export type Of<S> = S extends { readonly const: infer C }
  ? C
  : S extends { readonly enum: readonly (infer E)[] }
    ? E
    : S extends { readonly oneOf: readonly (infer O)[] }
      ? Of<O>
      : S extends { readonly type: 'string' }
        ? string
        : S extends { readonly type: 'number' | 'integer' }
          ? number
          : S extends { readonly type: 'boolean' }
            ? boolean
            : S extends { readonly type: 'null' }
              ? null
              : S extends { readonly type: 'array'; readonly items: infer I }
                ? readonly Of<I>[]
                : S extends { readonly properties: infer P; readonly required: readonly (infer R)[] }
                  ? Simple<
                      { readonly [K in keyof P & R]: Of<P[K]> } & { readonly [K in Exclude<keyof P, R>]?: Of<P[K]> }
                    >
                  : unknown;

type Simple<T> = { [K in keyof T]: T[K] };

/** Why `value` is none of `schema`, as a sentence that names the place; null where it is one. */
export function problemOf(schema: Schema, value: unknown, place: string): string | null {
  if (schema.oneOf !== undefined) {
    if (schema.oneOf.some((each) => problemOf(each, value, place) === null)) return null;
    return `${place} is not ${schema.oneOf.map(nameOf).join(' or ')}.`;
  }
  if (schema.const !== undefined) return value === schema.const ? null : `${place} is not "${schema.const}".`;
  if (schema.enum !== undefined) {
    return schema.enum.includes(value as string) ? null : `${place} is not one of ${schema.enum.join(', ')}.`;
  }
  switch (schema.type) {
    case 'string':
      return problemOfString(schema, value, place);
    case 'integer':
    case 'number':
      return problemOfNumber(schema, value, place);
    case 'array':
      return problemOfArray(schema, value, place);
    case 'object':
      return problemOfObject(schema, value, place);
    case 'boolean':
      return typeof value === 'boolean' ? null : `${place} is not true or false.`;
    case 'null':
      return value === null ? null : `${place} is not null.`;
    default:
      return null;
  }
}

function problemOfString(
  { minLength = 0, maxLength = Infinity }: Schema,
  value: unknown,
  place: string,
): string | null {
  if (typeof value !== 'string') return `${place} is not a string.`;
  if (value.length < minLength) return `${place} is empty.`;
  return value.length > maxLength ? `${place} is longer than ${maxLength} characters.` : null;
}

function problemOfNumber(schema: Schema, value: unknown, place: string): string | null {
  const { type, minimum = -Infinity, maximum = Infinity } = schema;
  const fits = type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (fits && (value as number) >= minimum && (value as number) <= maximum) return null;
  return `${place} is not ${nameOf(schema)}.`;
}

function problemOfArray({ items, minItems = 0, maxItems = Infinity }: Schema, value: unknown, place: string) {
  if (!Array.isArray(value)) return `${place} is not an array.`;
  if (value.length < minItems) return `${place} has fewer than ${minItems} items.`;
  if (value.length > maxItems) return `${place} has more than ${maxItems} items.`;
  for (const [i, item] of value.entries()) {
    const problem = items === undefined ? null : problemOf(items, item, `${place}[${i}]`);
    if (problem !== null) return problem;
  }
  return null;
}

function problemOfObject(schema: Schema, value: unknown, place: string): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${place} is not an object.`;
  const { properties = {}, required = [], additionalProperties } = schema;
  for (const name of required) {
    if (!Object.hasOwn(value, name)) return `${place} lacks ${name}.`;
  }
  for (const [name, each] of Object.entries(value)) {
    const of = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (of === false || of === undefined) return `${place} has a field that does not exist, ${shown(name)}.`;
    const problem = problemOf(of, each, `${place}.${name.length > 40 ? '…' : name}`);
    if (problem !== null) return problem;
  }
  return null;
}

function nameOf(schema: Schema): string {
  if (schema.const !== undefined) return `"${schema.const}"`;
  if (schema.enum !== undefined) return schema.enum.join(' or ');
  if (schema.type !== 'integer' && schema.type !== 'number') return `a ${schema.type ?? 'value'}`;
  const least = schema.minimum === undefined ? '' : ` from ${schema.minimum}`;
  return `a ${schema.type === 'integer' ? 'whole ' : ''}number${least}`;
}

function shown(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
}
