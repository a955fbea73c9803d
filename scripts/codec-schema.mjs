/**
 * Parses the schemas in src/protocol/schemas/, from which scripts/generate-codecs.mjs generates; it writes nothing.
 *
 * A schema, one file per API key; two blanks of indentation per level, fields in wire order:
 *
 *   api 0 Produce
 *   versions 3-13                     or `versions 0-6 stable to 5`
 *   flexible 9+                       or `flexible never`
 *
 *   request
 *     acks: int16  3+
 *     topic_data: []struct  3+        the fields of a struct follow, one level deeper
 *       name: string  3-12
 *     cluster_id: string  12+  nullable 12+  tag 0 in 12+
 *     replica_id: int32  4-14  default -1
 *
 *   response
 *
 * A field that a version lacks decodes as its default: what stands there, else null, 0, '', false, [] or the zero id.
 */

/**
 * @typedef {{ from: number, to: number }} Versions Inclusive; `to` is Infinity for "and later".
 * @typedef {{ name: string, wireName: string, type: string, array: boolean, versions: Versions, nullable: Versions | null,
 *   tag: number | null, default: string | null, fields: Field[], typeName: string, at: string }} Field
 * @typedef {{ key: number, name: string, versions: Versions, stable: number, flexible: Versions | null,
 *   request: Field[], response: Field[] }} Api
 */

/** The primitives: their TypeScript type, their default, and their least size in bytes. */
export const primitives = {
  boolean: { ts: 'boolean', zero: 'false', bytes: 1 },
  int8: { ts: 'number', zero: '0', bytes: 1 },
  int16: { ts: 'number', zero: '0', bytes: 2 },
  uint16: { ts: 'number', zero: '0', bytes: 2 },
  int32: { ts: 'number', zero: '0', bytes: 4 },
  int64: { ts: 'number', zero: '0', bytes: 8 },
  float64: { ts: 'number', zero: '0', bytes: 8 },
  uuid: { ts: 'Uuid', zero: 'zeroUuid', bytes: 16 },
  string: { ts: 'string', zero: "''", bytes: { fixed: 2, compact: 1 } },
  bytes: { ts: 'Uint8Array', zero: 'noBytes', bytes: { fixed: 4, compact: 1 } },
  records: { ts: 'Uint8Array', zero: 'noBytes', bytes: { fixed: 4, compact: 1 } },
};
export const sized = (type) => typeof primitives[type]?.bytes === 'object';

/** Parses `3-12`, `3+` or `3`. @returns {Versions} */
function parseVersions(text, at) {
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text);
  if (match === null) throw new Error(`${at}: not a range of versions: ${text}`);
  const from = Number(match[1]);
  const to = match[2] ? Infinity : match[3] === undefined ? from : Number(match[3]);
  if (to < from) throw new Error(`${at}: an empty range of versions: ${text}`);
  return { from, to };
}

/** @returns {Versions | null} What two ranges share. */
export function intersect(a, b) {
  if (a === null || b === null) return null;
  const both = { from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) };
  return both.from <= both.to ? both : null;
}

export const pascal = (name) => name.replace(/(^|_)([a-z0-9])/g, (_, _bar, first) => first.toUpperCase());
export const camel = (name) => name.replace(/_([a-z0-9])/g, (_, first) => first.toUpperCase());

/** Parses one schema; every line that it does not understand is an error. @returns {Api} */
export function parseSchema(text, file) {
  const lines = text.split('\n');
  const fail = (index, why) => {
    throw new Error(`${file}:${index + 1}: ${why}: ${lines[index] ?? 'end of file'}`);
  };
  const head = (index, pattern) => pattern.exec(lines[index] ?? '') ?? fail(index, `expected ${pattern}`);
  const [, key, name] = head(0, /^api (\d+) ([A-Z][A-Za-z]+)$/);
  const [, range, stable] = head(1, /^versions (\d+-\d+)(?: stable to (\d+))?$/);
  const [, flexible] = head(2, /^flexible (\d+\+|never)$/);
  const versions = parseVersions(range, `${file}:2`);
  /** @type {Api} */
  const api = {
    key: Number(key),
    name,
    versions,
    stable: stable === undefined ? versions.to : Number(stable),
    flexible: flexible === 'never' ? null : intersect(parseVersions(flexible, `${file}:3`), versions),
    request: [],
    response: [],
  };
  const seen = new Set();
  /** The struct that is open at each depth. */
  let open = [];
  for (let index = 3; index < lines.length; index++) {
    const line = lines[index];
    if (line === '') continue;
    if (line === 'request' || line === 'response') {
      if (seen.has(line)) fail(index, 'a second time');
      seen.add(line);
      open = [{ fields: api[line], versions, typeName: name + pascal(line), struct: true }];
      continue;
    }
    const match =
      /^( +)([a-z][a-z0-9_]*): (\[\])?([a-z0-9]+) {2}(\S+)(?: {2}nullable (\S+))?(?: {2}tag (\d+) in (\S+))?(?: {2}default (\S+))?$/.exec(
        line,
      );
    if (match === null || open.length === 0) fail(index, 'not a field');
    const [, indent, wireName, array, type, fieldRange, nullable, tag, tagRange, standard] = match;
    const depth = indent.length / 2;
    const at = `${file}:${index + 1}`;
    const parent = open[depth - 1];
    if (parent === undefined || !parent.struct) fail(index, 'not inside a struct');
    if (type !== 'struct' && !Object.hasOwn(primitives, type)) fail(index, 'an unknown type');
    const own = intersect(parseVersions(fieldRange, at), parent.versions);
    if (own === null) fail(index, 'never present');
    if (parent.fields.some((other) => other.wireName === wireName)) fail(index, 'a second field of that name');
    if (tag !== undefined) {
      const tagged = intersect(parseVersions(tagRange, at), parent.versions);
      if (tagged.from !== own.from || tagged.to !== own.to) fail(index, 'a tag must hold in all versions of its field');
      if (api.flexible === null || own.from < api.flexible.from) fail(index, 'a tag in a version that is not flexible');
      if (Number(tag) !== parent.fields.filter((other) => other.tag !== null).length)
        fail(index, 'tags must rise by one');
    }
    if (standard !== undefined && !/^(-?\d+|true|false|null|\[\])$/.test(standard)) fail(index, 'not a default');
    /** @type {Field} */
    const field = {
      name: camel(wireName),
      wireName,
      type,
      array: array !== undefined,
      versions: own,
      nullable: nullable === undefined ? null : intersect(parseVersions(nullable, at), own),
      tag: tag === undefined ? null : Number(tag),
      default: standard ?? null,
      fields: [],
      typeName: parent.typeName + pascal(wireName),
      at,
    };
    parent.fields.push(field);
    open = [...open.slice(0, depth), { ...field, struct: type === 'struct' }];
  }
  if (seen.size !== 2) fail(lines.length, 'request or response is missing');
  const check = (fields, tagged) => {
    for (const field of fields) {
      if ((field.type === 'struct') !== field.fields.length > 0)
        throw new Error(`${field.at}: a struct without fields`);
      // The writer keeps long records outside its buffer, where the size of a tagged field would not count them.
      if (field.type === 'records' && (tagged || field.tag !== null))
        throw new Error(`${field.at}: records cannot be tagged`);
      check(field.fields, tagged || field.tag !== null);
    }
  };
  check([...api.request, ...api.response], false);
  return api;
}
