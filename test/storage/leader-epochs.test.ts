import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asOffset } from '../../src/base/numbers.ts';
import { LeaderEpochs, parseLeaderEpochLines } from '../../src/storage/leader-epochs.ts';

function epochs(...pairs: [number, number][]): LeaderEpochs {
  return new LeaderEpochs(pairs.map(([leaderEpoch, start]) => ({ leaderEpoch, startOffset: asOffset(start) })));
}

function pairsOf(cache: LeaderEpochs): [number, number][] {
  return cache.starts.map((start) => [start.leaderEpoch, start.startOffset]);
}

describe('leader epochs', () => {
  it('answers where an epoch ends', () => {
    const cache = epochs([3, 10], [5, 20], [9, 30]);
    const end = (epoch: number) => {
      const found = cache.endOffsetFor(epoch, asOffset(42));
      return [found.leaderEpoch, found.endOffset];
    };
    expect(end(-1)).toEqual([-1, -1]);
    expect(end(2)).toEqual([2, 10]);
    expect(end(3)).toEqual([3, 20]);
    expect(end(4)).toEqual([3, 20]);
    expect(end(8)).toEqual([5, 30]);
    expect(end(9)).toEqual([9, 42]);
    expect(end(10)).toEqual([-1, -1]);
    expect(epochs().endOffsetFor(0, asOffset(0))).toEqual({ leaderEpoch: -1, endOffset: -1 });
  });

  it('assigns what contradicts nothing, and lets what contradicts give way', () => {
    const cache = epochs([3, 10], [5, 20]);
    expect(cache.assign(5, asOffset(25))).toBe(false);
    expect(cache.assign(6, asOffset(30))).toBe(true);
    expect(pairsOf(cache)).toEqual([
      [3, 10],
      [5, 20],
      [6, 30],
    ]);
    // Nothing was written in epoch 6 before 7 began.
    expect(cache.assign(7, asOffset(30))).toBe(true);
    expect(pairsOf(cache)).toEqual([
      [3, 10],
      [5, 20],
      [7, 30],
    ]);
    expect(cache.assign(4, asOffset(15))).toBe(true);
    expect(pairsOf(cache)).toEqual([
      [3, 10],
      [4, 15],
    ]);
  });

  it('truncates at both ends', () => {
    const cache = epochs([3, 10], [5, 20], [9, 30]);
    expect(cache.truncateFromEnd(asOffset(31))).toBe(false);
    expect(cache.truncateFromEnd(asOffset(30))).toBe(true);
    expect(cache.truncateFromStart(asOffset(9))).toBe(false);
    expect(cache.truncateFromStart(asOffset(10))).toBe(false);
    expect(cache.truncateFromStart(asOffset(25))).toBe(true);
    expect(pairsOf(cache)).toEqual([[5, 25]]);
  });

  it('answers, for any history of assignments, as the records themselves would', () => {
    const history = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 4 })), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(history, fc.nat(60), (steps, start) => {
        const cache = new LeaderEpochs();
        const epochOfRecord: number[] = [];
        let epoch = 0;
        for (const [rise, records] of steps) {
          epoch += rise;
          cache.assign(epoch, asOffset(epochOfRecord.length));
          for (let i = 0; i < records; i++) epochOfRecord.push(epoch);
        }
        const logStart = Math.min(start, epochOfRecord.length);
        cache.truncateFromStart(asOffset(logStart));
        for (let offset = logStart; offset < epochOfRecord.length; offset++) {
          expect(cache.epochAt(asOffset(offset))).toBe(epochOfRecord[offset]);
        }
        for (const known of new Set(epochOfRecord.slice(logStart))) {
          const end = cache.endOffsetFor(known, asOffset(epochOfRecord.length));
          expect(end).toEqual({ leaderEpoch: known, endOffset: epochOfRecord.lastIndexOf(known) + 1 });
        }
        expect(pairsOf(parseLeaderEpochLines(cache.lines())!)).toEqual(pairsOf(cache));
      }),
    );
  });

  it('refuses malformed lines', () => {
    expect(pairsOf(parseLeaderEpochLines(['0 0', '2 17'])!)).toEqual([
      [0, 0],
      [2, 17],
    ]);
    for (const lines of [['0'], ['0 0 0'], ['-1 0'], ['0 x'], ['1 0', '1 5'], ['1 5', '2 5'], ['4294967296 0'], ['']]) {
      expect(parseLeaderEpochLines(lines)).toBeNull();
    }
  });
});
