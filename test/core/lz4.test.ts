import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arena, outputAddress, place } from './core-arena.ts';
import { inflateLz4Twin, lz4Block } from './lz4-twin.ts';

const guardSizeBytes = 64;
const nothing = new Uint8Array(0);

/** What the core answers; it checks that the history and what lies beyond the capacity stay as they were. */
function inflate(block: Uint8Array, capacity: number, history: Uint8Array = nothing): Uint8Array | number {
  const target = outputAddress + history.length;
  arena.bytes.set(history, outputAddress);
  arena.bytes.fill(0x5c, target, target + capacity + guardSizeBytes);
  const size = arena.core.lz4InflateBlock(place(block), block.length, target, capacity, history.length);
  const after = arena.bytes.slice(target + capacity, target + capacity + guardSizeBytes);
  expect(after.every((byte) => byte === 0x5c)).toBe(true);
  expect(Buffer.compare(arena.bytes.slice(outputAddress, target), history)).toBe(0);
  return size < 0 ? size : arena.bytes.slice(target, target + size);
}

/** A block that is right, after a history: matches reach no further back than what stands there. */
const blocks = fc
  .record({
    history: fc.uint8Array({ maxLength: 40 }),
    sequences: fc.array(
      fc.record({
        literals: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 250, maxLength: 300 })),
        distance: fc.oneof(fc.nat(20), fc.nat(65_534)),
        matchSize: fc.oneof(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 250, max: 1100 })),
      }),
      { maxLength: 6 },
    ),
    lastLiterals: fc.uint8Array({ maxLength: 30 }),
  })
  .map(({ history, sequences, lastLiterals }) => {
    let size = history.length;
    const fitted = sequences.map(({ literals, distance, matchSize }) => {
      const given = size + literals.length === 0 ? Uint8Array.of(7) : literals;
      const reach = size + given.length;
      size = reach + matchSize;
      return { literals: given, distance: 1 + (distance % reach), matchSize };
    });
    const inflatedSize = size - history.length + lastLiterals.length;
    return { history, block: lz4Block(fitted, lastLiterals), inflatedSize };
  });

describe('lz4InflateBlock', () => {
  it("inflates a block of LZ4's own tool, and XXH32 gives that frame's checksums", () => {
    const block = Buffer.from(
      'f2197b226964223a302c226e616d65223a22757365722d30222c22616374697665223a66616c73657d0a28001a31280017372800357472' +
        '7527001a3227001f312700041a3327001f387600051a3428001f324f00041a3527001f392700041a3627001f337600051b37c5001f3050' +
        '00041a3828001f342700041b394f001f316401060b8d011f355100041b318d0119311801507275657d0a',
      'hex',
    );
    const lines = Array.from({ length: 12 }, (_, i) => {
      return `{"id":${i},"name":"user-${(i * 7) % 13}","active":${i % 3 > 0}}\n`;
    });
    const text = new TextEncoder().encode(lines.join(''));
    expect(inflate(block, text.length)).toEqual(text);
    expect(arena.core.xxh32(place(block), block.length, 0) >>> 0).toBe(0xb13b4231);
    expect(arena.core.xxh32(place(text), text.length, 0) >>> 0).toBe(0x28b336d6);
  });

  it('inflates what the twin inflates', () => {
    fc.assert(
      fc.property(blocks, fc.nat(20), ({ history, block, inflatedSize }, spare) => {
        const expected = inflateLz4Twin(block, history);
        expect(expected).toHaveLength(inflatedSize);
        expect(inflate(block, inflatedSize + spare, history)).toEqual(expected);
        if (inflatedSize > 0) expect(inflate(block, inflatedSize - 1, history)).toBe(-2);
      }),
      { numRuns: 300 },
    );
  });

  it('answers as the twin does when bytes were changed', () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
    // More than such a block could name if all its bytes lengthened a match.
    const capacity = 600_000;
    fc.assert(
      fc.property(blocks, edits, fc.nat(2), ({ history, block }, changes, cut) => {
        for (const [pick, value] of changes) block[pick % block.length] = value;
        const part = block.subarray(0, block.length - cut);
        expect(inflate(part, capacity, history)).toEqual(inflateLz4Twin(part, history) ?? -1);
      }),
      { numRuns: 500 },
    );
  });

  it('takes one zero byte for an empty block, and nothing for none', () => {
    expect(inflate(Uint8Array.of(0), 0)).toEqual(nothing);
    expect(inflate(nothing, 10)).toBe(-1);
  });
});
