/** The JSON check against JSON.parse, which is right and slow. */

import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepestNesting, JsonScanner } from '../../../src/server/json/json-scanner.ts';

const scanner = new JsonScanner();
const bytesOf = (text: string): Uint8Array => Buffer.from(text);

/** Whether `text` is one JSON value and white space. */
function accepts(bytes: Uint8Array, by = scanner): boolean {
  const end = by.scan(bytes, 0, bytes.length);
  return end >= 0 && by.skipSpace(bytes, end, bytes.length) === bytes.length;
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const legal = [
  ...['0', '-0', '1.5', '-12e+3', '1E400', '123456789012345678901234567890', '0.1e-7', ' 1\n', '""', '"\\u00e9\\n"'],
  ...['"é€😀"', '"\\ud800"', 'true', 'false', 'null', '[]', '{}', '[1,2 , 3]', '{"a":1,"a":2}', '{"a" : {"b":[{}]}}'],
  '\t[\r\n]',
];
const illegal = [
  ...['', ' ', '01', '-', '+1', '1.', '.5', '1e', '1e+', '0x1', '1_0', 'NaN', 'Infinity', 'tru', 'truE', 'nulll'],
  ...['"', '"a', '"\n"', '"\\x"', '"\\u12g4"', '"\\u12"', "'a'", '[', ']', '[1,]', '[,1]', '[1 2]', '{', '}', '{"a"}'],
  ...['{"a":}', '{"a":1,}', '{a:1}', '{"a":1 "b":2}', '{1:2}', '[}', '{]', '[1}', '{"a":1]', '1 2', '[] []', ',', ':'],
  ...['{"a"::1}', '["a":1]', '\u0000', '\ufeff1', '"\u0001"', '1a', '//1'],
];

describe('JsonScanner', () => {
  it('accepts what is JSON', () => {
    for (const text of legal) expect([text, accepts(bytesOf(text)), parses(text)]).toEqual([text, true, true]);
  });

  it('refuses what is not, with what is wrong and where', () => {
    for (const text of illegal) expect([text, accepts(bytesOf(text)), parses(text)]).toEqual([text, false, false]);
    scanner.scan(bytesOf('{"a":01}'), 0, 8);
    expect([scanner.problem, scanner.problemAt]).toEqual(['a number begins with a zero', 6]);
  });

  it('agrees with JSON.parse about texts, whole and damaged', () => {
    const damage = fc.tuple(fc.json(), fc.nat(), fc.constantFrom(...'{}[]",:\\0eE.-+ \nat'), fc.boolean());
    fc.assert(
      fc.property(damage, ([text, at, character, insert]) => {
        expect(accepts(bytesOf(text))).toBe(true);
        const place = text.length === 0 ? 0 : at % text.length;
        const changed = text.slice(0, place) + character + text.slice(place + (insert ? 0 : 1));
        expect([changed, accepts(bytesOf(changed))]).toEqual([changed, parses(changed)]);
      }),
      { numRuns: 3000 },
    );
  });

  it('says of every beginning of a text that it ends too early', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const bytes = bytesOf(`[${text}]`);
        for (let end = 0; end < bytes.length; end++) {
          expect(scanner.scan(bytes, 0, end)).toBe(-1);
          expect([scanner.problem, scanner.cutShort]).toEqual([scanner.problem, true]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('knows UTF-8 as Node does', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.array(fc.constantFrom(0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5), {
        maxLength: 5,
      }),
    );
    fc.assert(
      fc.property(bytes, (inner) => {
        const text = Uint8Array.from([...inner].filter((byte) => byte >= 0x20 && byte !== 0x22 && byte !== 0x5c));
        expect(accepts(Uint8Array.from([0x22, ...text, 0x22]))).toBe(isUtf8(text));
      }),
      { numRuns: 5000 },
    );
  });

  it('agrees with JSON.parse and Node about bytes of any kind', () => {
    const part = fc.oneof(
      fc.constantFrom(
        '"',
        '\\',
        '\\"',
        '\\u',
        '\\ud800',
        '\\udc00',
        '{',
        '}',
        '[',
        ']',
        ':',
        ',',
        '1',
        '-',
        '1e',
        'E400',
        'null',
        ' ',
        '\n',
      ),
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.json(),
    );
    const bytes = fc
      .tuple(fc.array(part, { maxLength: 6 }), fc.boolean(), fc.nat(), fc.option(fc.nat(255)))
      .map(([parts, isQuoted, at, byte]) => {
        const text = Buffer.from(isQuoted ? `["${parts.join('')}"]` : parts.join(''));
        // A byte that does not belong, or a character of several bytes that is cut.
        if (byte !== null && text.length > 0) text[at % text.length] = byte;
        return new Uint8Array(text);
      });
    fc.assert(
      fc.property(bytes, (text) => {
        const isRight = isUtf8(text) && parses(Buffer.from(text).toString());
        expect([Buffer.from(text).toString('latin1'), accepts(text)]).toEqual([
          Buffer.from(text).toString('latin1'),
          isRight,
        ]);
      }),
      { numRuns: 5000 },
    );
  });

  it('says the same of a text wherever it stands, whatever stands around it', () => {
    const around = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(fc.json(), around, around, (text, before, after) => {
        const bytes = bytesOf(text);
        const all = Uint8Array.from([...before, ...bytes, ...after]);
        const end = before.length + bytes.length;
        expect(scanner.scan(all, before.length, end)).toBe(end);
        expect(scanner.scan(all, before.length, end - 1)).toBe(parses(text.slice(0, -1)) ? end - 1 : -1);
      }),
      { numRuns: 1000 },
    );
  });

  it('scans what was placed without another copy', () => {
    const lines = new JsonScanner({ newlineEnds: true });
    const text = bytesOf('xx{"a":1}\n[01]\n"b"');
    const end = lines.place(text, 2, text.length);
    const start = lines.placedStart;
    expect(end - start).toBe(text.length - 2);
    expect(lines.scan(lines.placed, start, end) - start).toBe(7);
    expect(lines.scan(lines.placed, start + 8, end)).toBe(-1);
    expect([lines.problem, lines.problemAt - start]).toEqual(['a number begins with a zero', 10]);
    expect(lines.scan(lines.placed, start + 13, end)).toBe(end);
  });

  it('scans long texts and short ones in turn', () => {
    for (const length of [1, 2_000_000, 1, 1_048_570, 1_048_580, 20_000_000, 1]) {
      expect(accepts(bytesOf(`["${'y'.repeat(length)}"]`))).toBe(true);
      expect(accepts(bytesOf(`["${'y'.repeat(length)}\u0001"]`))).toBe(false);
    }
  });

  it('refuses nesting beyond its depth, and no sooner', () => {
    const nested = (depth: number): Uint8Array => bytesOf('['.repeat(depth) + ']'.repeat(depth));
    expect(accepts(nested(deepestNesting))).toBe(true);
    expect(accepts(nested(deepestNesting + 1))).toBe(false);
    expect(scanner.problem).toContain(`${deepestNesting} deep`);
    expect(accepts(bytesOf('{"a":'.repeat(100_000)))).toBe(false);
  });

  it('ends a text with its line where lines count', () => {
    const lines = new JsonScanner({ newlineEnds: true });
    expect(accepts(bytesOf('{"a":\n1}'), lines)).toBe(false);
    expect(accepts(bytesOf('"a\n"'), lines)).toBe(false);
    expect(lines.scan(bytesOf(' {"a": 1}\n'), 0, 10)).toBe(9);
    expect(lines.skipSpace(bytesOf('{} \n'), 2, 4)).toBe(3);
  });
});
