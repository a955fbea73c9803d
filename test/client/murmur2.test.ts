/** The hash of keys, against values of Kafka's Java client. */

import { expect, it } from 'vitest';
import { murmur2, partitionOfKey } from '../../src/client/murmur2.ts';

const known: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

it.each(known)('of %s is %i', (key, hash) => {
  const bytes = new TextEncoder().encode(key);
  expect(murmur2(bytes)).toBe(hash);
  expect(partitionOfKey(bytes, 10)).toBe((hash & 0x7fffffff) % 10);
});
