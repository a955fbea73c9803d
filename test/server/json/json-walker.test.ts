/** The walk over checked JSON against what JSON.parse makes of it. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonWalker, kindAt } from '../../../src/server/json/json-walker.ts';

/** The value at `at`, rebuilt by walking down to the last string. */
function rebuild(bytes: Uint8Array, at: number, end: number): unknown {
  const kind = kindAt(bytes, at);
  if (kind !== 'object' && kind !== 'array') return JSON.parse(Buffer.from(bytes.subarray(at, end)).toString());
  const walker = new JsonWalker(bytes, at);
  const list: unknown[] = [];
  const names: string[] = [];
  while (walker.next()) {
    if (kind === 'object') names.push(walker.name);
    list.push(walker.kind === 'string' ? walker.text : rebuild(bytes, walker.start, walker.end));
    if (walker.kind === 'string') expect(Buffer.from(walker.utf8).toString()).toBe(Buffer.from(walker.text).toString());
  }
  expect(walker.end).toBe(end);
  if (kind === 'array') return list;
  return Object.defineProperties(
    {},
    Object.fromEntries(names.map((name, i) => [name, { value: list[i], enumerable: true, configurable: true }])),
  );
}

describe('JsonWalker', () => {
  it('finds every member and element, however they are spaced and escaped', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const text = JSON.stringify([value, { value }], null, indent);
        const bytes = Buffer.from(text);
        expect(JSON.stringify(rebuild(bytes, 0, bytes.length))).toBe(JSON.stringify(JSON.parse(text)));
      }),
      { numRuns: 500 },
    );
  });

  it('keeps the text of numbers and the bytes of strings', () => {
    const bytes = Buffer.from('{"a":1.0000000000000000001e400 ,"b":"é\\n","c":"plain"}');
    const walker = new JsonWalker(bytes, 0);
    walker.next();
    expect([walker.name, walker.kind, Buffer.from(walker.json).toString()]).toEqual([
      'a',
      'number',
      '1.0000000000000000001e400',
    ]);
    walker.next();
    expect(Buffer.from(walker.utf8)).toEqual(Buffer.from('é\n'));
    walker.next();
    expect(walker.utf8.buffer).toBe(bytes.buffer);
  });
});
