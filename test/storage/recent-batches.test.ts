import fc from 'fast-check';
import { expect, it } from 'vitest';
import { asOffset, asRingPosition } from '../../src/base/numbers.ts';
import { type RecentBatch, RecentBatches } from '../../src/storage/recent-batches.ts';

it('is a list of the newest batches, whatever is added, cut and forgotten', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ records: fc.integer({ min: 1, max: 4 }), sizeBytes: fc.integer({ min: 61, max: 200 }) }),
    },
    { weight: 1, arbitrary: fc.record({ cutBy: fc.nat(6) }) },
    { weight: 1, arbitrary: fc.record({ forgetBytes: fc.nat(1_500) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const table = new RecentBatches(16);
      let model: RecentBatch[] = [];
      let end = 100;
      let head = 0;
      for (const it of steps) {
        if ('records' in it) {
          const batch = {
            baseOffset: asOffset(end),
            endOffset: asOffset(end + it.records),
            ringPosition: asRingPosition(head),
            sizeBytes: it.sizeBytes,
          };
          table.add(batch.baseOffset, batch.endOffset, batch.ringPosition, batch.sizeBytes);
          model = [...model, batch].slice(-16);
          end += it.records;
          head += it.sizeBytes;
        } else if ('cutBy' in it) {
          end = Math.max(100, end - it.cutBy);
          table.cut(asOffset(end));
          model = model.filter((batch) => batch.endOffset <= end);
          end = model.at(-1)?.endOffset ?? end;
        } else {
          const position = asRingPosition(Math.max(0, head - it.forgetBytes));
          table.forgetBefore(position);
          model = model.filter((batch) => batch.ringPosition >= position);
        }
        expect(table.count).toBe(model.length);
        expect(model.map((_, i) => table.at(i))).toEqual(model);
        for (let offset = 95; offset <= end + 2; offset++) {
          const holds = model.findIndex((batch) => batch.baseOffset <= offset && offset < batch.endOffset);
          // Between two batches there is nothing to ask for but after a cut, where the next one answers.
          if (holds >= 0) expect(table.find(asOffset(offset))).toBe(holds);
        }
        expect(table.find(asOffset(end))).toBe(-1);
        const oldest = model[0];
        if (oldest !== undefined) expect(table.find(asOffset(oldest.baseOffset - 1))).toBe(-1);
      }
    }),
  );
});
