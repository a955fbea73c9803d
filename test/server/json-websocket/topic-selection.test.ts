/** Which topics names and patterns mean, and that no pattern costs more than its length allows. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matches, TopicSelection } from '../../../src/server/json-websocket/topic-selection.ts';

describe('matches', () => {
  it.each([
    ['metrics.*', 'metrics.cpu', true],
    ['metrics.*', 'metrics.', true],
    ['metrics.*', 'metric', false],
    ['*.eu.*', 'orders.eu.1', true],
    ['?', 'ab', false],
    ['a?c', 'abc', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['*', '', true],
    ['', 'a', false],
  ])('%s, %s: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it('agrees with a regular expression', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, letters, (glob, text) => {
        const source = glob.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.');
        expect(matches(glob, text)).toBe(new RegExp(`^${source}$`).test(text));
      }),
    );
  });

  it('takes no longer than the product of both lengths', () => {
    // A regular expression of the same meaning would not come to an end.
    expect(matches(`${'*a'.repeat(120)}b`, 'a'.repeat(249))).toBe(false);
  });
});

describe('TopicSelection', () => {
  it('means internal topics by name only, and the state of coordinators never', () => {
    const selection = new TopicSelection(['*', '__transaction_state', '__cluster_metadata', 'a', 'a']);
    expect([...selection.names]).toEqual(['__transaction_state', '__cluster_metadata', 'a']);
    expect(selection.includes('anything')).toBe(true);
    expect(selection.includes('__consumer_offsets')).toBe(false);
    expect(selection.includes('__transaction_state')).toBe(true);
    expect(selection.includes('__cluster_metadata')).toBe(false);
  });
});
