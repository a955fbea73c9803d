/** The scanner of publish frames against JSON.parse and the schema: the same frames pass, with the same fields. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientFrames } from '../../../src/server/json-websocket/frames.ts';
import { deepestNesting, isJson, JsonKind, JsonScanner } from '../../../src/server/json-websocket/json-scanner.ts';
import { field, publishFields, PublishScanner, Scanned } from '../../../src/server/json-websocket/publish-scanner.ts';
import { problemOf } from '../../../src/server/json-websocket/schema.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const scanner = new PublishScanner();

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
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

describe('JsonScanner', () => {
  it('takes what JSON.parse takes', () => {
    const mutated = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '\\', 'e', '.', '-', '0', ' ', '\u0001'),
      )
      .map(
        ([json, at, with_]) => json.slice(0, at % (json.length + 1)) + with_ + json.slice((at % (json.length + 1)) + 1),
      );
    fc.assert(
      fc.property(fc.oneof(fc.json(), mutated, text), (json) => {
        const bytes = utf8(json);
        expect(isJson(new JsonScanner(), bytes, 0, bytes.length), json).toBe(parses(json));
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses deep nesting at once', () => {
    const deep = utf8('['.repeat(1_000_000));
    const json = new JsonScanner();
    json.begin(deep);
    expect(json.value()).toBe(JsonKind.ABSENT);
    expect(json.problem).toContain('nested');
    expect(json.at).toBeLessThanOrEqual(deepestNesting);
    const allowed = utf8(`${'['.repeat(deepestNesting)}${']'.repeat(deepestNesting)}`);
    expect(isJson(json, allowed, 0, allowed.length)).toBe(true);
  });
});

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
