import fc from 'fast-check';
import { expect, it } from 'vitest';
import { asOffset } from '../../src/base/numbers.ts';
import { PendingBatches } from '../../src/storage/pending-batches.ts';
import type { Segment } from '../../src/storage/segment.ts';

/** What a segment is before each batch, told apart by one field. */
function segmentWith(bytesSinceIndexEntry: number): Segment {
  return {
    largestTimestampMs: 0,
    offsetOfLargestTimestamp: 0,
    firstTimestampMs: 0,
    offsetIndexSizeBytes: 0,
    timeIndexSizeBytes: 0,
    bytesSinceIndexEntry,
  } as Segment;
}

it('gives a segment back what it was before the first batch that was not written, whatever came before', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ add: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 3, arbitrary: fc.record({ settle: fc.nat(8) }) },
    { weight: 1, arbitrary: fc.record({ rollBack: fc.nat(8) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const pending = new PendingBatches();
      const segment = segmentWith(0);
      /** End offsets of what is pending, and the field before each. */
      let model: { endOffset: number; before: number }[] = [];
      let end = 0;
      let written = 0;
      for (const it of steps) {
        if ('add' in it) {
          end += it.add;
          model.push({ endOffset: end, before: segment.bytesSinceIndexEntry });
          pending.add(asOffset(end), segment);
          segment.bytesSinceIndexEntry++;
        } else if ('settle' in it) {
          written = Math.min(end, written + it.settle);
          pending.settleUpTo(asOffset(written));
          model = model.filter(({ endOffset }) => endOffset > written);
        } else {
          const kept = Math.max(written, end - it.rollBack);
          const undone = model.filter(({ endOffset }) => endOffset > kept);
          pending.rollBackTo(asOffset(kept));
          if (undone.length > 0) expect(segment.bytesSinceIndexEntry).toBe(undone[0]!.before);
          model = model.filter(({ endOffset }) => endOffset <= kept);
          end = model.at(-1)?.endOffset ?? written;
        }
      }
    }),
  );
});
