import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arena, place } from './core-arena.ts';

const primes = [0, 2_654_435_761n, 2_246_822_519n, 3_266_489_917n, 668_265_263n, 374_761_393n] as const;
const mask = 0xffffffffn;

/** XXH32 in bigints, step by step as its specification has it. */
function xxh32Twin(bytes: Uint8Array, seed: number): number {
  const [, p1, p2, p3, p4, p5] = primes;
  const rotate = (value: bigint, by: bigint): bigint => ((value << by) | ((value & mask) >> (32n - by))) & mask;
  const word = (at: number): bigint => BigInt(new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true));
  const start = BigInt(seed);
  let at = 0;
  let hash = start + p5;
  if (bytes.length >= 16) {
    let lanes = [start + p1 + p2, start + p2, start, start - p1];
    for (; at + 16 <= bytes.length; at += 16) {
      const from = at;
      lanes = lanes.map((lane, i) => (rotate((lane + word(from + 4 * i) * p2) & mask, 13n) * p1) & mask);
    }
    hash = lanes.reduce((sum, lane, i) => sum + rotate(lane & mask, [1n, 7n, 12n, 18n][i] ?? 0n), 0n);
  }
  hash = (hash + BigInt(bytes.length)) & mask;
  for (; at + 4 <= bytes.length; at += 4) hash = (rotate((hash + word(at) * p3) & mask, 17n) * p4) & mask;
  for (; at < bytes.length; at++) hash = (rotate((hash + BigInt(bytes[at] ?? 0) * p5) & mask, 11n) * p1) & mask;
  hash = ((hash ^ (hash >> 15n)) * p2) & mask;
  hash = ((hash ^ (hash >> 13n)) * p3) & mask;
  return Number(hash ^ (hash >> 16n));
}

function coreXxh32(bytes: Uint8Array, seed: number): number {
  return arena.core.xxh32(place(bytes), bytes.length, seed) >>> 0;
}

describe('xxh32', () => {
  it('gives the published values', () => {
    const ofText = (text: string): number => coreXxh32(new TextEncoder().encode(text), 0);
    expect(ofText('')).toBe(0x02cc5d05);
    expect(ofText('a')).toBe(0x550d7456);
    expect(ofText('abc')).toBe(0x32d153ff);
    expect(ofText('Nobody inspects the spammish repetition')).toBe(0xe2293b2f);
  });

  it('equals the twin', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(2 ** 32 - 1), (bytes, seed) => {
        expect(coreXxh32(bytes, seed)).toBe(xxh32Twin(bytes, seed));
      }),
    );
  });
});
