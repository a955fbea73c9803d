/** Java's properties syntax, by the rules of java.util.Properties.load. */

import { describe, expect, it } from 'vitest';
import { parseProperties } from '../../src/program/properties-file.ts';

describe('parseProperties', () => {
  it.each([
    ['a=b', [['a', 'b']]],
    ['a: b', [['a', 'b']]],
    ['a b c', [['a', 'b c']]],
    ['  a \t = \t b  ', [['a', 'b  ']]],
    ['a==b', [['a', '=b']]],
    ['a', [['a', '']]],
    ['a=', [['a', '']]],
    ['=b', [['', 'b']]],
    ['# a=1\n  ! b=2\n\n \t\nc=3', [['c', '3']]],
    [
      'a=1\r\nb=2\rc=3',
      [
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ],
    ],
    [
      'a=1\na=2',
      [
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    ['a=1,\\\n   2', [['a', '1,2']]],
    [
      'a=1\\\\\nb=2',
      [
        ['a', '1\\'],
        ['b', '2'],
      ],
    ],
    ['# a\\\nb=1', [['b', '1']]],
    ['a=1\\\n# 2', [['a', '1# 2']]],
    ['a=1\\', [['a', '1']]],
    ['a\\ b\\=c=d', [['a b=c', 'd']]],
    ['a=\\t\\n\\u0041\\q', [['a', '\t\nAq']]],
    ['a=\\\\u0041', [['a', '\\u0041']]],
    ['', []],
  ])('reads %j', (text, expected) => {
    expect(parseProperties(text)).toEqual(expected);
  });
});
