import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arena, outputAddress } from './core-arena.ts';

const { core, view } = arena;

describe('the offset index', () => {
  it("has Kafka's file format", () => {
    core.offsetIndexAppend(outputAddress, 2, 0x01020304, 0x05060708);
    expect(view.getInt32(outputAddress + 16)).toBe(0x01020304);
    expect(view.getInt32(outputAddress + 20)).toBe(0x05060708);
  });

  it('finds what a walk finds', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200), { maxLength: 50 }), fc.integer({ min: -5, max: 210 }), (offsets, wanted) => {
        const sorted = offsets.toSorted((a, b) => a - b);
        sorted.forEach((offset, i) => core.offsetIndexAppend(outputAddress, i, offset, i * 100));
        const expected = sorted.findLastIndex((offset) => offset <= wanted);
        expect(core.offsetIndexSearch(outputAddress, sorted.length, wanted)).toBe(expected);
      }),
    );
  });
});

describe('the time index', () => {
  it("has Kafka's file format", () => {
    core.timeIndexAppend(outputAddress, 1, 1_700_000_000_123, 77);
    expect(view.getBigInt64(outputAddress + 12)).toBe(1_700_000_000_123n);
    expect(view.getInt32(outputAddress + 20)).toBe(77);
  });

  it('finds what a walk finds', () => {
    const timestamp = fc.integer({ min: -2, max: 2 ** 41 });
    fc.assert(
      fc.property(fc.array(timestamp, { maxLength: 50 }), timestamp, fc.nat(49), (timestamps, other, pick) => {
        const sorted = timestamps.toSorted((a, b) => a - b);
        sorted.forEach((time, i) => core.timeIndexAppend(outputAddress, i, time, i));
        for (const wanted of [other, sorted[pick] ?? other]) {
          const expected = sorted.findLastIndex((time) => time <= wanted);
          expect(core.timeIndexSearch(outputAddress, sorted.length, wanted)).toBe(expected);
        }
      }),
    );
  });
});
