/** The cutting of streams, wherever their chunks end. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, ObjectSplitter, type SharedRoom } from '../../src/server/http-ingest/text-splitter.ts';

function cut(text: string, sizes: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text);
  const chunks: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    chunks.push(Buffer.from(bytes.subarray(at, (at += sizes[i % sizes.length]!))));
  }
  return chunks;
}

const endless: SharedRoom = { keep: () => true, giveUp: () => {} };

const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 });

describe('LineSplitter', () => {
  it('gives whole lines, wherever chunks end', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('', 'a', '{"b": 1}', 'x'.repeat(70))), sizes, (lines, chunkSizes) => {
        const given: string[] = [];
        const splitter = new LineSplitter(100, endless, (bytes, start, end) => {
          given.push(Buffer.from(bytes.subarray(start, end)).toString());
          return true;
        });
        for (const chunk of cut(lines.join('\n'), chunkSizes)) expect(splitter.chunk(chunk)).toBe(true);
        splitter.end();
        for (const some of given.slice(0, -1)) expect(some.endsWith('\n')).toBe(true);
        expect(given.join('')).toBe(lines.join('\n'));
      }),
    );
  });

  it('refuses a line that is too long as soon as it is', () => {
    const splitter = new LineSplitter(10, endless, () => true);
    expect(splitter.chunk(Buffer.from('12345\n123456'))).toBe(true);
    expect(splitter.chunk(Buffer.from('7890'))).toBe(true);
    expect(splitter.chunk(Buffer.from('1'))).toBe(false);
  });
});

describe('ObjectSplitter', () => {
  it('gives whole objects, wherever chunks end', () => {
    const objects = fc.array(fc.tuple(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom('', ' ', '\n')));
    fc.assert(
      fc.property(objects, sizes, (list, chunkSizes) => {
        const given: unknown[] = [];
        const splitter = new ObjectSplitter(1 << 20, endless, (bytes, start, end) => {
          given.push(JSON.parse(Buffer.from(bytes.subarray(start, end)).toString()));
          return true;
        });
        const texts = list.map(([object, space]) => JSON.stringify(object) + space);
        for (const chunk of cut(texts.join(''), chunkSizes)) expect(splitter.chunk(chunk)).toBe(true);
        expect(splitter.isWithin).toBe(false);
        expect(given).toEqual(list.map(([object]) => JSON.parse(JSON.stringify(object))));
      }),
    );
  });

  it('refuses what is no object, and one that is too long', () => {
    const splitter = new ObjectSplitter(10, endless, () => true);
    expect(splitter.chunk(Buffer.from('{} [1]'))).toBe(false);
    expect(splitter.notAnObject).toBe(true);
    const other = new ObjectSplitter(10, endless, () => true);
    expect(other.chunk(Buffer.from('{"a":'))).toBe(true);
    expect(other.chunk(Buffer.from('"12345'))).toBe(false);
    expect([other.notAnObject, other.isWithin]).toEqual([false, true]);
  });
});
