/** The scanner of publish frames against JSON.parse and the schema: the same frames pass, with the same fields. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientFrames } from '../../../src/server/json-websocket/frames.ts';
import { JsonKind } from '../../../src/server/json/json-core.ts';
import {
  deepestNesting,
  field,
  publishFields,
  PublishScanner,
  Scanned,
} from '../../../src/server/json-websocket/publish-scanner.ts';
import { problemOf } from '../../../src/server/json-websocket/schema.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const scanner = new PublishScanner();

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** The JSON of each field of the record that is next, as JSON.parse sees it. */
function fieldsOf(scanned: PublishScanner): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const name of publishFields) {
    if (scanned.kind(field[name]) !== JsonKind.ABSENT) fields[name] = JSON.parse(scanned.rawOf(field[name]));
  }
  return fields;
}

const text = fc.string({ unit: 'grapheme' });
const record = fc.record(
  { key: fc.option(text), text, headers: fc.dictionary(text, text), partition: fc.nat(), timestamp: fc.maxSafeNat() },
  { requiredKeys: [] },
);
/** Any field with any value: mostly wrong. */
const oddFrame = fc.dictionary(
  fc.constantFrom(...publishFields, 'other'),
  fc.oneof(fc.jsonValue({ depthSize: 'small' }), text, fc.integer(), fc.constant('publish')),
);

describe('PublishScanner', () => {
  it('reads what was written', () => {
    fc.assert(
      fc.property(
        text,
        fc.option(fc.oneof(fc.string({ maxLength: 20 }), fc.integer())),
        record,
        (topic, id, fields) => {
          const frame = { type: 'publish', topic, ...(id === null ? {} : { id }), ...fields };
          const bytes = utf8(JSON.stringify(frame, null, topic.length % 3));
          expect(scanner.scan(bytes), scanner.problem).toBe(Scanned.PUBLISH);
          expect(fieldsOf(scanner)).toEqual(frame);
          expect(scanner.textOf(field.topic)).toBe(topic);
          expect(scanner.integerOf(field.timestamp)).toBe(fields.timestamp ?? -1);
        },
      ),
    );
  });

  it('reads each record of a batch', () => {
    fc.assert(
      fc.property(fc.array(record), (records) => {
        expect(scanner.scan(utf8(JSON.stringify({ records, topic: 't', type: 'publish' })))).toBe(Scanned.PUBLISH);
        const read: unknown[] = [];
        while (scanner.nextRecord()) {
          const { type: _, topic: __, records: ___, ...fields } = fieldsOf(scanner);
          read.push(fields);
        }
        expect(scanner.problem).toBe('');
        expect(read).toEqual(JSON.parse(JSON.stringify(records)));
      }),
    );
  });

  it('takes what JSON.parse takes, with what JSON.parse reads', () => {
    const parts = [
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '\\',
      'e',
      '.',
      '-',
      '0',
      ' ',
      '\n',
      '\u0001',
      '\\u12',
      '\ud800',
      '€',
    ];
    const frames = fc.record({ odd: oddFrame, indent: fc.nat(2), at: fc.nat(), cut: fc.nat(2) });
    fc.assert(
      fc.property(frames, fc.constantFrom(...parts), fc.boolean(), ({ odd, indent, at, cut }, part, isChanged) => {
        const whole = JSON.stringify({ type: 'publish', topic: 't', ...odd }, null, indent);
        const place = at % (whole.length + 1);
        const changed = isChanged ? whole.slice(0, place) + part + whole.slice(place + cut) : whole;
        // Over the wire a half of a surrogate pair is no UTF-8, and does not come this far.
        const json = new TextDecoder().decode(utf8(changed));
        const scanned = scanner.scan(utf8(json));
        const refused = scanner.problem.startsWith('The frame is not JSON');
        expect([json, scanned === Scanned.INVALID && refused]).toEqual([json, !isObject(json)]);
        if (scanned !== Scanned.PUBLISH || scanner.isBatch) return;
        expect(fieldsOf(scanner)).toEqual(JSON.parse(json));
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses a name that comes twice, and knows names as they stand', () => {
    for (const name of publishFields) {
      if (name === 'type' || name === 'topic' || name === 'records') continue;
      expect(scanner.scan(utf8(`{"type":"publish","${name}":1,"topic":"a","${name}":1}`)), name).toBe(Scanned.INVALID);
      expect(scanner.problem).toBe(`A publish frame has ${name} twice.`);
      if (name === 'id' || name === 'producer') continue;
      const records = `[{"${name}":1,"${name}":1}]`;
      expect(scanner.scan(utf8(`{"type":"publish","topic":"a","records":${records}}`)), name).toBe(Scanned.PUBLISH);
      expect([scanner.nextRecord(), scanner.problem]).toEqual([false, `A record has ${name} twice.`]);
    }
    expect(scanner.scan(utf8('{"type":"publish","topic":"a","type":"publish","topic":"b"}'))).toBe(Scanned.INVALID);
    expect(scanner.problem).toBe('A publish frame has type twice.');
    expect(scanner.scan(utf8('{"type":"publish","topic":"a","text":"1"}'))).toBe(Scanned.PUBLISH);
    for (const name of ['', 't', 'texts', 'tex\\u0074', 'Text', 'é', 'keyBase6', 'keyBase64keyBase64', 'constructor']) {
      expect(scanner.scan(utf8(`{"type":"publish","topic":"a","${name}":1}`)), name).toBe(Scanned.INVALID);
      expect(scanner.problem).toContain('has no field');
    }
  });

  it('is not misled by what stood where a text ends', () => {
    fc.assert(
      fc.property(record, fc.constantFrom('"', '}', ']', ',', '\\', '1', ' ', ':'), (fields, stale) => {
        const whole = JSON.stringify({ type: 'publish', topic: 'stale', ...fields });
        for (let end = 0; end < whole.length; end++) {
          scanner.scan(utf8(stale.repeat(whole.length + 64)));
          expect(scanner.scan(utf8(whole.slice(0, end)))).toBe(Scanned.INVALID);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('reads frames that are longer than what it keeps room for, and short ones after them', () => {
    for (const length of [10, 3_000_000, 10, 1_048_500, 1_048_576, 1_200_000, 5_000_000, 10]) {
      const frame = { type: 'publish', topic: 'long', text: 'x'.repeat(length), key: 'k' };
      expect(scanner.scan(utf8(JSON.stringify(frame)))).toBe(Scanned.PUBLISH);
      expect(fieldsOf(scanner)).toEqual(frame);
    }
  });

  it('refuses deep nesting at once', () => {
    const frameOf = (depth: number) =>
      `{"type":"publish","topic":"t","value":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(scanner.scan(utf8(frameOf(deepestNesting - 1)))).toBe(Scanned.PUBLISH);
    expect(scanner.scan(utf8(frameOf(deepestNesting)))).toBe(Scanned.INVALID);
    expect(scanner.problem).toContain(`nested more than ${deepestNesting} deep`);
    expect(scanner.scan(utf8('['.repeat(1_000_000)))).toBe(Scanned.INVALID);
  });

  it('takes no frame that the schema refuses', () => {
    fc.assert(
      fc.property(oddFrame, (odd) => {
        const frame = { type: 'publish', topic: 't', ...odd };
        const scanned = scanner.scan(utf8(JSON.stringify(frame)));
        expect(scanned === Scanned.OTHER).toBe(frame.type !== 'publish');
        if (scanned !== Scanned.PUBLISH || scanner.isBatch) return;
        // What a header holds, and which texts can be names, is looked at later.
        const { headers: _headers, producer: _producer, ...rest } = frame as Record<string, unknown>;
        const checked = { ...rest, topic: String(frame.topic).slice(0, 249) || 't' };
        expect(problemOf(clientFrames.publish, checked, 'it')).toBeNull();
      }),
      { numRuns: 3000 },
    );
  });
});
