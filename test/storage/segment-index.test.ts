import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { asAddress, asOffset, asPosition } from '../../src/base/numbers.ts';
import { Arena } from '../../src/memory/arena.ts';
import { ArenaHeap } from '../../src/memory/arena-heap.ts';
import { SegmentIndex } from '../../src/storage/segment-index.ts';

const baseOffset = asOffset(5_000_000_000);
let arena: Arena;
let heap: ArenaHeap;

beforeAll(() => {
  arena = Arena.create({
    flushWorkerCount: 1,
    queueCapacity: 16,
    ringSizeBytes: 65_536,
    scratchSizeBytes: 65_536,
    heapSizeBytes: 1024 * 1024,
  });
  heap = new ArenaHeap(asAddress(arena.layout.heapAddress), arena.layout.heapSizeBytes);
});

/** Growing batches: offsets and positions that an index may be given. */
const batches = fc
  .array(fc.record({ records: fc.integer({ min: 1, max: 9 }), sizeBytes: fc.integer({ min: 61, max: 9_000 }) }), {
    maxLength: 150,
  })
  .map((steps) => {
    let offset: number = baseOffset;
    let position = 0;
    return steps.map(({ records, sizeBytes }) => {
      const batch = { lastOffset: offset + records - 1, position };
      offset += records;
      position += sizeBytes;
      return batch;
    });
  });

describe('SegmentIndex', () => {
  it('finds the last entry at or before an offset, and position 0 before the first', () => {
    fc.assert(
      fc.property(batches, fc.nat(1_400), (entries, ahead) => {
        const index = new SegmentIndex(arena, heap, baseOffset);
        for (const entry of entries) index.appendOffset(asOffset(entry.lastOffset), asPosition(entry.position));
        const offset = baseOffset + ahead;
        const expected = entries.findLast((entry) => entry.lastOffset <= offset)?.position ?? 0;
        expect(index.positionBefore(asOffset(offset))).toBe(expected);
        index.release();
      }),
    );
  });

  it('skips only what is certainly older than a timestamp', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { maxLength: 60 }), fc.nat(3_000), (growth, timestampMs) => {
        const index = new SegmentIndex(arena, heap, baseOffset);
        let newestMs = 0;
        const entries = growth.map((step, i) => {
          newestMs += step + 1;
          index.appendTime(newestMs, asOffset(baseOffset + i * 3));
          return { timestampMs: newestMs, offset: baseOffset + i * 3 };
        });
        const expected = entries.findLast((entry) => entry.timestampMs < timestampMs)?.offset ?? baseOffset;
        expect(index.offsetBeforeTime(timestampMs)).toBe(expected);
        index.release();
      }),
    );
  });

  it('is the same after its entries went through files, and cuts what was not written', () => {
    fc.assert(
      fc.property(batches, fc.nat(150), (entries, kept) => {
        const index = new SegmentIndex(arena, heap, baseOffset);
        for (const entry of entries) index.appendOffset(asOffset(entry.lastOffset), asPosition(entry.position));
        const file = Buffer.alloc(entries.length * 8 + 5);
        entries.forEach((entry, i) => {
          file.writeInt32BE(entry.lastOffset - baseOffset, i * 8);
          file.writeInt32BE(entry.position, i * 8 + 4);
        });
        const loaded = new SegmentIndex(arena, heap, baseOffset);
        loaded.load(file, new Uint8Array(0));
        expect(loaded.offsetEntryCount).toBe(entries.length);
        if (kept < entries.length) {
          for (const one of [index, loaded]) one.cut(kept * 8, 0);
          expect(index.offsetEntryCount).toBe(kept);
        }
        for (const { lastOffset } of entries) {
          expect(loaded.positionBefore(asOffset(lastOffset))).toBe(index.positionBefore(asOffset(lastOffset)));
        }
        index.release();
        loaded.release();
      }),
    );
  });
});
