import { describe, expect, it } from 'vitest';
import { WayOfWriting, type Way } from '../../src/flush/way-of-writing.ts';

const large = 1024 * 1024;

/** Writes `count` large groups, each way at so many milliseconds; returns how many went past the cache. */
function directOf(way: WayOfWriting, count: number, ms: Record<Way, number>, isSynced = true): number {
  let direct = 0;
  for (let i = 0; i < count; i++) {
    const chosen = way.of(large, isSynced);
    if (chosen === 'direct') direct++;
    way.took(chosen, large, isSynced, ms[chosen]);
  }
  return direct;
}

const auto = (): WayOfWriting => new WayOfWriting('auto', () => 0);

describe('WayOfWriting', () => {
  it('takes the way that needs less time, and tries the other now and then', () => {
    expect(directOf(auto(), 1000, { cached: 2, direct: 0.5 })).toBe(995);
    expect(directOf(auto(), 1000, { cached: 0.5, direct: 2 })).toBe(5);
  });

  it('tries a way the more seldom the slower it is', () => {
    expect(directOf(auto(), 10_000, { cached: 0.2, direct: 20 })).toBe(4);
  });

  it('goes back to the page cache where the disk becomes slow, and returns once it is quick again', () => {
    const way = auto();
    directOf(way, 100, { cached: 2, direct: 0.5 });
    expect(directOf(way, 200, { cached: 2, direct: 50 })).toBeLessThan(10);
    directOf(way, 20_000, { cached: 2, direct: 0.5 });
    expect(directOf(way, 100, { cached: 2, direct: 0.5 })).toBeGreaterThan(90);
  });

  it('leaves small groups to the page cache, and learns nothing from them', () => {
    const way = auto();
    directOf(way, 10, { cached: 2, direct: 0.5 });
    expect(way.of(255 * 1024, true)).toBe('cached');
    way.took('direct', 1000, true, 1e6);
    expect(way.of(large, true)).toBe('direct');
  });

  it('leaves what nobody waits to have synced to the page cache, and learns nothing from it', () => {
    const way = auto();
    expect(directOf(way, 1000, { cached: 100, direct: 1 }, false)).toBe(0);
    // As if nothing had been written before.
    expect(directOf(way, 1000, { cached: 0.5, direct: 2 })).toBe(5);
    expect(directOf(way, 1000, { cached: 0.5, direct: 2 }, false)).toBe(0);
  });

  it('counts the sync where it is done in place, and knows for itself what is better then', () => {
    const way = auto();
    const written = { cached: 1, direct: 2 };
    const syncMs = { cached: 3, direct: 0.5 };
    const directWithSync = (count: number): number => {
      let direct = 0;
      for (let i = 0; i < count; i++) {
        const chosen = way.of(large, true);
        if (chosen === 'direct') direct++;
        way.took(chosen, large, true, written[chosen]);
        way.syncTook(syncMs[chosen]);
      }
      return direct;
    };
    expect(directOf(way, 1000, written)).toBeLessThan(20);
    way.syncsInPlace = true;
    expect(directWithSync(1000)).toBeGreaterThan(900);
    way.syncsInPlace = false;
    expect(directOf(way, 1000, written)).toBeLessThan(20);
  });

  it('learns nothing of a group whose sync was not done in place', () => {
    const way = auto();
    way.syncsInPlace = true;
    for (let i = 0; i < 100; i++) {
      expect(way.of(large, true)).toBe('direct');
      way.took('direct', large, true, 1);
    }
    way.syncTook(1);
    expect(way.of(large, true)).toBe('cached');
  });

  it('asks no more where the file system refused', () => {
    for (const mode of ['auto', 'always'] as const) {
      const way = new WayOfWriting(mode, () => 0);
      expect(way.of(large, true)).toBe('direct');
      way.refused();
      expect(directOf(way, 1000, { cached: 2, direct: 1 })).toBe(0);
    }
  });

  it('does as it is told', () => {
    expect(directOf(new WayOfWriting('never', () => 0), 100, { cached: 9, direct: 1 })).toBe(0);
    const always = new WayOfWriting('always', () => 0);
    expect(directOf(always, 100, { cached: 1, direct: 9 })).toBe(100);
    expect(directOf(always, 100, { cached: 1, direct: 9 }, false)).toBe(100);
    expect(always.of(1, false)).toBe('direct');
  });
});
