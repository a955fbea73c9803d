import { describe, expect, it } from 'vitest';
import type { ResultRow } from '../../bench/load/figures.ts';
import { spreadsOf } from '../../bench/load/figures.ts';
import { asProof, flatness } from '../../bench/load/soak-scenario.ts';

function part(rssMiB: number, descriptors = 40, handles = 6, bytesPerSecond = 100): ResultRow {
  const each = [{ rssMiB, descriptors, handles, bytesPerSecond }];
  return { scenario: 'soak', what: '', who: '', each, figures: spreadsOf(each), repeated: 0, disturbed: 0 };
}

function outcome(...parts: ResultRow[]) {
  return Object.fromEntries(flatness(parts).map(({ figure, isMet, value }) => [figure, { isMet, value }]));
}

describe('what a soak shows', () => {
  it('is judged by the part that took most memory, wherever it was', () => {
    expect(outcome(part(100), part(115), part(100)).rssMiB).toEqual({ isMet: false, value: 1.15 });
    expect(outcome(part(100), part(109), part(90)).rssMiB).toEqual({ isMet: true, value: 1.09 });
    expect(outcome(part(120), part(100), part(100)).rssMiB!.isMet).toBe(true);
  });

  it('is judged by descriptors and handles at its end, and by the rate of its ends', () => {
    expect(outcome(part(1), part(1, 41)).descriptors!.isMet).toBe(false);
    expect(outcome(part(1), part(1, 41, 7), part(1)).handles!.isMet).toBe(true);
    expect(outcome(part(1), part(1, 40, 6, 79), part(1, 40, 6, 79)).bytesPerSecond!.isMet).toBe(true);
    expect(outcome(part(1), part(1), part(1), part(1, 40, 6, 79), part(1, 40, 6, 79)).bytesPerSecond!.isMet).toBe(
      false,
    );
  });

  it('proves nothing where little went through, and misses all the same', () => {
    const judged = { figure: 'rssMiB', bound: '≤ 1.1×', value: 1 } as const;
    expect(asProof({ ...judged, isMet: true }, 2e9)).toMatchObject({
      isMet: null,
      remark: 'of 2.00 GB, 50 are asked for',
    });
    expect(asProof({ ...judged, isMet: false }, 2e9).isMet).toBe(false);
    expect(asProof({ ...judged, isMet: true }, 50e9).isMet).toBe(true);
  });
});
