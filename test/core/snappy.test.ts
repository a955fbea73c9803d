import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arena, outputAddress, place } from './core-arena.ts';
import { inflateSnappyTwin, snappyBlock, type SnappyElement } from './snappy-twin.ts';

const guardSizeBytes = 64;

/** What the core answers; it checks that nothing beyond the capacity was written. */
function inflate(block: Uint8Array, capacity: number): Uint8Array | number {
  arena.bytes.fill(0x5c, outputAddress - guardSizeBytes, outputAddress + capacity + guardSizeBytes);
  const size = arena.core.snappyInflateBlock(place(block), block.length, outputAddress, capacity);
  const before = arena.bytes.slice(outputAddress - guardSizeBytes, outputAddress);
  const after = arena.bytes.slice(outputAddress + capacity, outputAddress + capacity + guardSizeBytes);
  expect([...before, ...after].every((byte) => byte === 0x5c)).toBe(true);
  return size < 0 ? size : arena.bytes.slice(outputAddress, outputAddress + size);
}

const literal = fc
  .record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 100 }), sizeBytesUsed: fc.constantFrom(0, 1, 2, 3, 4) })
  .map(({ bytes, sizeBytesUsed }): SnappyElement => {
    const used = bytes.length > 60 && sizeBytesUsed === 0 ? 1 : sizeBytesUsed;
    return { kind: 'literal', bytes, sizeBytesUsed: used as 0 | 1 | 2 | 3 | 4 };
  });
const copy = fc
  .record({ distance: fc.nat(300), size: fc.nat(63), form: fc.constantFrom(1, 2, 4) })
  .map(({ distance, size, form }): SnappyElement => {
    return { kind: 'copy', distance, size: form === 1 ? 4 + (size % 8) : size + 1, form: form as 1 | 2 | 4 };
  });

/** A block that is right: copies reach no further back than what stands there. */
const elements = fc.tuple(literal, fc.array(fc.oneof(literal, copy), { maxLength: 8 })).map(([first, rest]) => {
  let inflatedSize = 0;
  const fitted = [first, ...rest].map((element): SnappyElement => {
    const before = inflatedSize;
    inflatedSize += element.kind === 'literal' ? element.bytes.length : element.size;
    return element.kind === 'literal' ? element : { ...element, distance: 1 + (element.distance % before) };
  });
  return { inflatedSize, block: snappyBlock(inflatedSize, fitted) };
});

describe('snappyInflateBlock', () => {
  it("inflates a block written by hand from Snappy's description", () => {
    // "abc", then 9 bytes from 3 before, as a one-byte-distance copy: "abcabcabcabc".
    expect(inflate(Uint8Array.of(12, 2 << 2, 97, 98, 99, ((9 - 4) << 2) | 1, 3), 12)).toEqual(
      Uint8Array.from(new TextEncoder().encode('abcabcabcabc')),
    );
    expect(inflate(Uint8Array.of(0), 0)).toEqual(new Uint8Array(0));
    expect(inflate(new Uint8Array(0), 10)).toBe(-1);
  });

  it('inflates what the twin inflates', () => {
    fc.assert(
      fc.property(elements, fc.nat(20), ({ inflatedSize, block }, spare) => {
        const expected = inflateSnappyTwin(block, inflatedSize);
        expect(expected).toHaveLength(inflatedSize);
        expect(inflate(block, inflatedSize + spare)).toEqual(expected);
        expect(inflate(block, inflatedSize - 1)).toBe(-2);
      }),
    );
  });

  it('answers as the twin does when bytes were changed', () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(elements, edits, fc.nat(2), ({ inflatedSize, block }, changes, cut) => {
        for (const [pick, value] of changes) block[pick % block.length] = value;
        const part = block.subarray(0, block.length - cut);
        const expected = inflateSnappyTwin(part, inflatedSize);
        expect(inflate(part, inflatedSize)).toEqual(expected === null ? -1 : expected === 'too large' ? -2 : expected);
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses sizes near 4 GiB', () => {
    const most = [0xff, 0xff, 0xff, 0xff, 0x0f];
    expect(inflate(Uint8Array.from([...most, 0]), 100)).toBe(-2);
    expect(inflate(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x1f, 0), 100)).toBe(-1);
    expect(inflate(Uint8Array.of(5, 63 << 2, 0xff, 0xff, 0xff, 0xff, 1), 100)).toBe(-1);
    expect(inflate(Uint8Array.of(5, 63 << 2, 0xfe, 0xff, 0xff, 0xff, 1), 100)).toBe(-1);
    expect(inflate(Uint8Array.of(5, 0, 1, (3 << 2) | 3, 0xff, 0xff, 0xff, 0xff), 100)).toBe(-1);
  });
});
