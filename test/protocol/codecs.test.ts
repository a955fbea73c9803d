/**
 * Round trips of every API key, version and direction with messages made from the schema itself, and frames that are
 * cut or damaged. The generator of messages knows the versions: a field that a version lacks has its default.
 */

import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { uuidFromBytes } from '../../src/base/uuid.ts';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import { apis } from '../../src/protocol/generated/index.ts';
import { MalformedFrame, Reader } from '../../src/protocol/reader.ts';
import { Writer } from '../../src/protocol/writer.ts';
import { parseSchema, type Field } from './schema.ts';

const folder = new URL('../../src/protocol/schemas/', import.meta.url);
const schemas = readdirSync(folder).map((file) => parseSchema(readFileSync(new URL(file, folder), 'utf8'), file));

const scalars: Record<string, fc.Arbitrary<unknown>> = {
  boolean: fc.boolean(),
  int8: fc.integer({ min: -128, max: 127 }),
  int16: fc.integer({ min: -32_768, max: 32_767 }),
  uint16: fc.integer({ min: 0, max: 65_535 }),
  int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  int64: fc.oneof(fc.maxSafeInteger(), fc.constantFrom(-(2 ** 63), 2 ** 63, -1, 2 ** 53)),
  float64: fc.double({ noNaN: true }),
  uuid: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => uuidFromBytes(bytes, 0)),
  string: fc.oneof(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.string({ minLength: 30, maxLength: 200 })),
  bytes: fc.uint8Array({ maxLength: 200 }),
  records: fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.nat(255).map((value) => new Uint8Array(5000).fill(value)),
  ),
};

const has = (range: { from: number; to: number } | null, version: number): boolean =>
  range !== null && version >= range.from && version <= range.to;

/** What decoding must give for a field that is not on the wire. */
function defaultOf(field: Field): unknown {
  if (field.default !== null) return JSON.parse(field.default);
  if (field.nullable) return null;
  if (field.array) return [];
  if (field.type === 'struct') return Object.fromEntries(field.fields.map((inner) => [inner.name, defaultOf(inner)]));
  if (field.type === 'boolean') return false;
  if (field.type === 'string') return '';
  if (field.type === 'uuid') return uuidFromBytes(new Uint8Array(16), 0);
  return field.type === 'bytes' || field.type === 'records' ? new Uint8Array(0) : 0;
}

function messages(fields: readonly Field[], version: number): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(
    Object.fromEntries(
      fields.map((field) => {
        if (!has(field.versions, version)) return [field.name, fc.constant(defaultOf(field))];
        const one = field.type === 'struct' ? messages(field.fields, version) : scalars[field.type]!;
        const all = field.array ? fc.array(one, { maxLength: 3 }) : one;
        const nullable = has(field.nullable, version) ? fc.option(all, { nil: null }) : all;
        return [field.name, field.tag === null ? nullable : fc.oneof(nullable, fc.constant(defaultOf(field)))];
      }),
    ),
    { noNullPrototype: true },
  );
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function directions(api: ApiCodec) {
  return {
    request: { encode: api.encodeRequest, decode: api.decodeRequest },
    response: { encode: api.encodeResponse, decode: api.decodeResponse },
  };
}

/** Decodes and says whether the frame was good; anything thrown that is not `MalformedFrame` fails the test. */
function decodes(decode: ApiCodec['decodeRequest'], frame: Uint8Array, version: number): boolean {
  try {
    const reader = new Reader(frame);
    decode(reader, version);
    reader.expectEnd();
    return true;
  } catch (error) {
    if (error instanceof MalformedFrame) return false;
    throw error;
  }
}

describe.each(schemas.map((schema) => [schema.name, schema] as const))('%s', (_name, schema) => {
  const api = apis.get(schema.key)!;
  for (const direction of ['request', 'response'] as const) {
    const { encode, decode } = directions(api)[direction];
    for (let version = schema.versions.from; version <= schema.versions.to; version++) {
      it(`${direction} version ${version} comes back as it was, and damaged frames are refused`, () => {
        fc.assert(
          fc.property(
            messages(schema[direction], version),
            fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
            fc.uint8Array({ minLength: 1, maxLength: 8 }),
            (message, place, noise) => {
              const writer = new Writer(false);
              encode(writer, message, version);
              const frame = joined(writer.finish());
              expect(writer.length).toBe(frame.length);
              const reader = new Reader(frame);
              expect(decode(reader, version)).toEqual(message);
              reader.expectEnd();
              const at = Math.floor(place * frame.length);
              if (frame.length > 0) expect(decodes(decode, frame.slice(0, at), version)).toBe(false);
              frame.set(noise.subarray(0, frame.length - at), at);
              decodes(decode, frame, version);
            },
          ),
          { numRuns: 15 },
        );
      });
    }
  }
});

describe('garbage', () => {
  it('never throws anything but MalformedFrame', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...apis.values()),
        fc.constantFrom('request', 'response'),
        fc.nat(20),
        fc.uint8Array({ maxLength: 400 }),
        (api, direction, pick, frame) => {
          const version = api.minVersion + (pick % (api.maxVersion - api.minVersion + 1));
          decodes(directions(api)[direction as 'request'].decode, frame, version);
        },
      ),
      { numRuns: 5000 },
    );
  });
});
