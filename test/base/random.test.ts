import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';

describe('SeededRandom', () => {
  it('gives equal streams for equal seeds and different ones for different seeds', () => {
    const stream = (seed: number): number[] => {
      const random = new SeededRandom(seed);
      return Array.from({ length: 64 }, () => random.nextUint32());
    };
    for (const seed of [0, 1, -1, 2 ** 31, 2 ** 40 + 5]) expect(stream(seed)).toEqual(stream(seed));
    expect(stream(1)).not.toEqual(stream(2));
  });

  it('keeps below its bound, reaches every value and spreads evenly', () => {
    const random = new SeededRandom(42);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 100_000; i++) counts[random.below(10)]!++;
    for (const count of counts) {
      expect(count).toBeGreaterThan(9_500);
      expect(count).toBeLessThan(10_500);
    }
  });

  it('meets a probability', () => {
    const random = new SeededRandom(3);
    let hits = 0;
    for (let i = 0; i < 100_000; i++) if (random.chance(0.25)) hits++;
    expect(hits).toBeGreaterThan(24_000);
    expect(hits).toBeLessThan(26_000);
    expect(random.chance(0)).toBe(false);
    expect(random.chance(1)).toBe(true);
  });
});
