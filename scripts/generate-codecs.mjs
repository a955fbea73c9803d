/**
 * Generates src/protocol/generated/ from the schemas in src/protocol/schemas/: for every API key the interfaces of its
 * messages and straight-line functions that decode and encode them in all versions. Does nothing when neither the
 * schemas nor the scripts have changed. The language of the schemas stands in codec-schema.mjs.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { intersect, parseSchema, pascal, primitives, sized } from './codec-schema.mjs';

/** The condition under which `version`, known to lie in `known`, lies in `range`. */
function within(range, known) {
  if (range === null || range.from > known.to || range.to < known.from) return 'false';
  const parts = [];
  if (range.from > known.from)
    parts.push(range.from === known.to ? `version === ${range.from}` : `version >= ${range.from}`);
  if (range.to < known.to) parts.push(range.to === known.from ? `version === ${range.to}` : `version <= ${range.to}`);
  return parts.join(' && ') || 'true';
}

/** `condition ? yes : no`, decided here where it can be. */
const choose = (condition, yes, no) =>
  condition === 'true' || yes === no ? yes : condition === 'false' ? no : `${condition} ? ${yes} : ${no}`;

const tsElement = (field) => (field.type === 'struct' ? field.typeName : primitives[field.type].ts);
const tsType = (field) => tsElement(field) + (field.array ? '[]' : '') + (field.nullable ? ' | null' : '');

function defaultOf(field) {
  if (field.default !== null) {
    // Beyond 2^53 the literal is the double that decoding gives for it.
    return Number.isSafeInteger(Number(field.default)) || !/^\d+$/.test(field.default)
      ? field.default
      : String(Number(field.default));
  }
  if (field.nullable) return 'null';
  if (field.array) return '[]';
  return field.type === 'struct' ? `default${field.typeName}()` : primitives[field.type].zero;
}

/** The condition that `value` is the field's default, where a tagged field is left out. */
function isDefault(field, value) {
  const standard = defaultOf(field);
  if (standard === '[]') return `${value}${field.nullable ? '?' : ''}.length === 0`;
  if (standard.startsWith('default'))
    return field.fields.map((inner) => isDefault(inner, `${value}.${inner.name}`)).join(' && ');
  if (standard === 'noBytes') return `${value}.length === 0`;
  return `${value} === ${standard}`;
}

/** The least bytes that one element takes in `version`. */
function elementBytes(field, version, api) {
  const compact = api.flexible !== null && version >= api.flexible.from;
  if (field.type !== 'struct')
    return sized(field.type)
      ? primitives[field.type].bytes[compact ? 'compact' : 'fixed']
      : primitives[field.type].bytes;
  let bytes = compact ? 1 : 0;
  for (const inner of field.fields) {
    if (inner.tag !== null || version < inner.versions.from || version > inner.versions.to) continue;
    if (inner.array) bytes += compact ? 1 : 4;
    else if (inner.type === 'struct' && inner.nullable) bytes += 1;
    else bytes += elementBytes(inner, version, api);
  }
  return bytes;
}

/** The least bytes of an element in any version of `known`: one constant is enough to bound a count. */
function leastBytes(field, known, api) {
  let least = Infinity;
  for (let version = known.from; version <= known.to; version++)
    least = Math.min(least, elementBytes(field, version, api));
  if (least < 1) throw new Error(`${field.at}: an element without bytes cannot be bounded`);
  return least;
}

/** The expression that calls the primitive `kind` (String, Bytes, Count …) of `object`, compact and nullable as the version has it. */
function sizedCall(object, kind, args, nullability, flexibility) {
  const plain = kind[0].toLowerCase() + kind.slice(1);
  const call = (isNullable) =>
    choose(
      flexibility,
      `${object}.compact${isNullable ? 'Nullable' : ''}${kind}(${args})`,
      `${object}.${isNullable ? `nullable${kind}` : plain}(${args})`,
    );
  const [yes, no] = [call(true), call(false)];
  return nullability === 'true' ? yes : nullability === 'false' ? no : `${nullability} ? (${yes}) : (${no})`;
}

/** The statements that decode one field into the variable `target`, in versions `known` that all have it. */
function decodeField(field, target, known, api) {
  const flexibility =
    api.flexible && within(api.flexible, known) === 'true'
      ? 'true'
      : intersect(api.flexible, known)
        ? 'flexible'
        : 'false';
  const nullability = within(field.nullable, known);
  const one =
    field.type === 'struct'
      ? `decode${field.typeName}(reader, version)`
      : sized(field.type)
        ? null
        : `reader.${field.type}()`;
  if (field.array) {
    const element = one ?? sizedCall('reader', pascal(field.type), '', 'false', flexibility);
    const count = sizedCall('reader', 'Count', leastBytes(field, known, api), nullability, flexibility);
    const fill = `const items: ${tsElement(field)}[] = []; for (let i = 0; i < count; i++) items.push(${element}); ${target} = items;`;
    return nullability === 'false'
      ? `const count = ${count}; ${fill}`
      : `const count = ${count}; if (count < 0) ${target} = null; else { ${fill} }`;
  }
  if (one === null) {
    const kind = field.type === 'string' ? 'String' : 'Bytes';
    return `${target} = ${sizedCall('reader', kind, '', nullability, flexibility)};`;
  }
  if (field.type === 'struct' && nullability !== 'false') {
    if (nullability !== 'true') throw new Error(`${field.at}: a struct is nullable in all of its versions or in none`);
    return `${target} = reader.int8() < 0 ? null : ${one};`;
  }
  return `${target} = ${one};`;
}

/** The statements that encode `value`, in versions `known` that all have the field. */
function encodeField(field, plainValue, known, api) {
  // A sentence may name what a client made up, which need not leave room for the rest of it.
  const value = field.wireName.endsWith('error_message') ? `shortSentence(${plainValue})` : plainValue;
  const flexibility =
    api.flexible && within(api.flexible, known) === 'true'
      ? 'true'
      : intersect(api.flexible, known)
        ? 'flexible'
        : 'false';
  const nullability = within(field.nullable, known);
  const where = `'${field.typeName} is null'`;
  const solid = field.nullable ? `present(${value}, ${where})` : value;
  const writeOne = (item, isElement) => {
    if (field.type === 'struct') return `encode${field.typeName}(writer, ${item}, version);`;
    if (!sized(field.type)) return `writer.${field.type}(${item});`;
    if (isElement || !field.nullable || nullability === 'true') {
      return `${sizedCall('writer', pascal(field.type), item, isElement ? 'false' : nullability, flexibility)};`;
    }
    const nullable = sizedCall('writer', pascal(field.type), value, 'true', flexibility);
    const plain = sizedCall('writer', pascal(field.type), solid, 'false', flexibility);
    return nullability === 'false' ? `${plain};` : `if (${nullability}) ${nullable}; else ${plain};`;
  };
  const count = (n) => choose(flexibility, `writer.compactCount(${n})`, `writer.count(${n})`);
  if (field.array) {
    const loop = (items) => `${count(`${items}.length`)}; for (const item of ${items}) ${writeOne('item', true)}`;
    if (!field.nullable) return loop(value);
    if (nullability === 'false') return `const items = ${solid}; ${loop('items')}`;
    const forbid = nullability === 'true' ? '' : `assert(${nullability}, ${where}); `;
    return `const items = ${value}; if (items === null) { ${forbid}${count('-1')}; } else { ${loop('items')} }`;
  }
  if (field.type === 'struct' && nullability === 'true') {
    return `if (${value} === null) writer.int8(-1); else { writer.int8(1); ${writeOne(value, false)} }`;
  }
  return writeOne(field.nullable && nullability === 'false' ? solid : value, false);
}

const block = (condition, body) =>
  condition === 'true' ? `  { ${body} }\n` : condition === 'false' ? '' : `  if (${condition}) { ${body} }\n`;

/** The interface, the default, and both functions of one struct that exists in versions `known`. */
function emitStruct(typeName, fields, known, api, lines) {
  for (const field of fields)
    if (field.type === 'struct') emitStruct(field.typeName, field.fields, intersect(field.versions, known), api, lines);
  const flexibility = within(api.flexible, known);
  const plain = fields.filter((field) => field.tag === null);
  const tagged = fields.filter((field) => field.tag !== null);

  let decode = '';
  let encode = '';
  for (const field of tagged) decode += `  let ${field.name}: ${tsType(field)} = ${defaultOf(field)};\n`;
  for (const field of plain) {
    const present = within(field.versions, known);
    decode += `  let ${field.name}: ${tsType(field)};\n`;
    decode += block(present, decodeField(field, field.name, intersect(field.versions, known), api));
    if (present !== 'true') decode += `  else ${field.name} = ${defaultOf(field)};\n`;
    encode += block(present, encodeField(field, `message.${field.name}`, intersect(field.versions, known), api));
  }
  if (tagged.length === 0) {
    decode += block(flexibility, 'reader.skipTags();');
    encode += block(flexibility, 'writer.uvarint(0);');
  } else {
    const cases = tagged.map((field) => {
      const own = intersect(field.versions, known);
      const present = within(field.versions, known);
      const body = `const end = reader.tagEnd(); ${decodeField(field, field.name, own, api)} reader.expectTagEnd(end);`;
      return `        case ${field.tag}: { ${present === 'true' ? body : `if (${present}) { ${body} } else reader.skipTag();`} break; }\n`;
    });
    decode += block(
      flexibility,
      `
    for (let left = reader.tagCount(); left > 0; left--) {
      switch (reader.uvarint()) {
${cases.join('')}        default: reader.skipTag();
      }
    }
 `,
    );
    const wanted = tagged.map((field) => {
      const present = within(field.versions, known);
      const differs = `!(${isDefault(field, `message.${field.name}`)})`;
      return `    const has${pascal(field.wireName)} = ${present === 'true' ? differs : `${present} && ${differs}`};\n`;
    });
    const total = tagged.map((field) => `(has${pascal(field.wireName)} ? 1 : 0)`).join(' + ');
    const writes = tagged.map(
      (field) =>
        `    if (has${pascal(field.wireName)}) { const mark = writer.beginTag(${field.tag}); ${encodeField(field, `message.${field.name}`, intersect(field.versions, known), api)} writer.endTag(mark); }\n`,
    );
    encode += block(flexibility, `\n${wanted.join('')}    writer.uvarint(${total});\n${writes.join('')}  `);
  }
  const needsFlexible = (body) =>
    /\bflexible\b/.test(body) ? `  const flexible = version >= ${api.flexible.from};\n` : '';
  const version = (body) => (/\bversion\b/.test(body) ? 'version' : '_version');
  decode = needsFlexible(decode) + decode;
  encode = needsFlexible(encode) + encode;
  const message = /\bmessage\b/.test(encode) ? 'message' : '_message';

  lines.push(
    `export interface ${typeName} {\n${fields.map((field) => `  /** Versions ${field.versions.from} to ${field.versions.to}. */\n  ${field.name}: ${tsType(field)};\n`).join('')}}\n`,
  );
  lines.push(
    `/** A new ${typeName} with every field at its default. */\nexport function default${typeName}(): ${typeName} {\n  return { ${fields.map((field) => `${field.name}: ${defaultOf(field)}`).join(', ')} };\n}\n`,
  );
  lines.push(
    `export function decode${typeName}(${/\breader\b/.test(decode) ? 'reader' : '_reader'}: Reader, ${version(decode)}: number): ${typeName} {\n${decode}  return { ${fields.map((field) => field.name).join(', ')} };\n}\n`,
  );
  lines.push(
    `export function encode${typeName}(${/\bwriter\b/.test(encode) ? 'writer' : '_writer'}: Writer, ${message}: ${typeName}, ${version(encode)}: number): void {\n${encode}}\n`,
  );
}

/** The module of one API key. */
function emitApi(api, file) {
  const lines = [];
  emitStruct(`${api.name}Request`, api.request, api.versions, api, lines);
  emitStruct(`${api.name}Response`, api.response, api.versions, api, lines);
  const constant = `${api.name[0].toLowerCase()}${api.name.slice(1)}`;
  const range = `  apiKey: ${api.key},
  name: '${api.name}',
  minVersion: ${api.versions.from},
  maxVersion: ${api.versions.to},
  stableVersion: ${api.stable},
  firstFlexibleVersion: ${api.flexible ? api.flexible.from : 'Infinity'},
`;
  // Literals and no spread: a bundler sees which half of a codec a server needs, and which a client.
  lines.push(`export const ${constant}ServerApi: ServerCodec<${api.name}Request, ${api.name}Response> = {
${range}  decodeRequest: decode${api.name}Request,
  encodeResponse: encode${api.name}Response,
};

export const ${constant}ClientApi: ClientCodec<${api.name}Request, ${api.name}Response> = {
${range}  encodeRequest: encode${api.name}Request,
  decodeResponse: decode${api.name}Response,
};

export const ${constant}Api: ApiCodec<${api.name}Request, ${api.name}Response> = {
${range}  decodeRequest: decode${api.name}Request,
  encodeRequest: encode${api.name}Request,
  decodeResponse: decode${api.name}Response,
  encodeResponse: encode${api.name}Response,
};
`);
  const body = lines.join('\n');
  const names = (...all) => all.filter((name) => new RegExp(`\\b${name}\\b`).test(body)).join(', ');
  let top = `// Generated from schemas/${file} by scripts/generate-codecs.mjs; changes here are lost.\n\nimport type { ApiCodec, ClientCodec, ServerCodec } from '../api-codec.ts';\nimport type { Reader } from '../reader.ts';\nimport type { Writer } from '../writer.ts';\n`;
  if (names('shortSentence')) top += `import { shortSentence } from '../writer.ts';\n`;
  if (names('assert', 'present')) top += `import { ${names('assert', 'present')} } from '../../base/assert.ts';\n`;
  if (names('zeroUuid')) top += `import { zeroUuid } from '../../base/uuid.ts';\n`;
  if (names('Uuid')) top += `import type { Uuid } from '../../base/uuid.ts';\n`;
  if (names('noBytes')) top += `\nconst noBytes = new Uint8Array(0);\n`;
  return `${top}\n${body}`;
}

/** Generates everything into `target`, unless its mark says that it is there already. */
function generate(schemas, target) {
  const files = readdirSync(schemas).toSorted();
  const texts = files.map((file) => readFileSync(`${schemas}${file}`, 'utf8'));
  const hash = createHash('sha256');
  for (const script of ['generate-codecs.mjs', 'codec-schema.mjs'])
    hash.update(readFileSync(new URL(script, import.meta.url)));
  files.forEach((file, index) => hash.update(`\0${file}\0${texts[index]}`));
  const wanted = hash.digest('hex');
  const mark = `${target}.inputs`;
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return;

  const apis = files.map((file, index) => {
    const api = parseSchema(texts[index], file);
    const expected = `${String(api.key).padStart(2, '0')}-${api.name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}.txt`;
    if (file !== expected) throw new Error(`${file}: should be named ${expected}`);
    return { api, module: file.replace('.txt', '.ts'), text: emitApi(api, file) };
  });
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const { module, text } of apis) writeFileSync(`${target}${module}`, text);
  const constant = ({ api }) => `${api.name[0].toLowerCase()}${api.name.slice(1)}Api`;
  writeFileSync(
    `${target}index.ts`,
    `// Generated by scripts/generate-codecs.mjs; changes here are lost.\n\nimport type { ApiCodec, ServerCodec } from '../api-codec.ts';\n${apis
      .map(
        (entry) =>
          `import { ${constant(entry)}, ${constant(entry).replace(/Api$/, 'ServerApi')} } from './${entry.module}';\nexport * from './${entry.module}';\n`,
      )
      .join('')}\n/** The API keys by name. */\nexport const ApiKey = {\n${apis
      .map(({ api }) => `  ${api.name}: ${api.key},\n`)
      .join(
        '',
      )}} as const;\nexport type ApiKey = (typeof ApiKey)[keyof typeof ApiKey];\n\n/** The codec of every API key. */\nexport const apis: ReadonlyMap<number, ApiCodec> = /* @__PURE__ */ new Map<number, ApiCodec>([\n${apis
      .map((entry) => `  [${entry.api.key}, ${constant(entry)}],\n`)
      .join(
        '',
      )}]);\n\n/** What a server needs of them. */\nexport const serverApis: ReadonlyMap<number, ServerCodec> = /* @__PURE__ */ new Map<number, ServerCodec>([\n${apis
      .map((entry) => `  [${entry.api.key}, ${constant(entry).replace(/Api$/, 'ServerApi')}],\n`)
      .join('')}]);\n`,
  );
  writeFileSync(mark, wanted);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const protocol = fileURLToPath(new URL('../src/protocol/', import.meta.url));
  generate(`${protocol}schemas/`, `${protocol}generated/`);
}
