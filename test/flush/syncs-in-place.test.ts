import { describe, expect, it } from 'vitest';
import { SyncsInPlace } from '../../src/flush/syncs-in-place.ts';

function after(syncs: SyncsInPlace, count: number, durationMs: number, isQuiet: boolean): boolean {
  for (let i = 0; i < count; i++) syncs.took(durationMs, isQuiet);
  return syncs.areAllowed;
}

describe('SyncsInPlace', () => {
  it('allows none before it knows how long they take', () => {
    expect(new SyncsInPlace().areAllowed).toBe(false);
    expect(after(new SyncsInPlace(), 1, 0.1, true)).toBe(false);
  });

  it('allows quick ones, whatever came during those before', () => {
    expect(after(new SyncsInPlace(), 8, 0.4, false)).toBe(true);
    expect(after(new SyncsInPlace(), 8, 0.6, false)).toBe(false);
  });

  it('allows slower ones once nothing came during several, and no more as soon as something did', () => {
    const syncs = new SyncsInPlace();
    expect(after(syncs, 7, 1, true)).toBe(false);
    expect(after(syncs, 1, 1, true)).toBe(true);
    expect(after(syncs, 1, 1, false)).toBe(false);
    expect(after(syncs, 7, 1, true)).toBe(false);
    expect(after(syncs, 1, 1, true)).toBe(true);
  });

  it('allows none that takes long, though nothing came during any', () => {
    const syncs = new SyncsInPlace();
    expect(after(syncs, 20, 2.5, true)).toBe(false);
    expect(after(syncs, 20, 1.5, true)).toBe(true);
    // One that took long says nothing of the next; three do.
    expect(after(syncs, 2, 9, true)).toBe(true);
    expect(after(syncs, 1, 9, true)).toBe(false);
  });
});
