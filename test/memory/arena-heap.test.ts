import fc from 'fast-check';
import { expect, it } from 'vitest';
import { present } from '../../src/base/assert.ts';
import { asAddress } from '../../src/base/numbers.ts';
import { ArenaHeap, type Block } from '../../src/memory/arena-heap.ts';

it('never hands out bytes twice while they are in use, and reuses what was given back', () => {
  const action = fc.oneof(
    fc.record({ allocate: fc.integer({ min: 1, max: 5_000 }) }),
    fc.record({ release: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const heap = new ArenaHeap(asAddress(65_536), 4 * 1024 * 1024);
      const inUse: Block[] = [];
      for (const step of actions) {
        if ('release' in step) {
          const [block] = inUse.splice(step.release % (inUse.length || 1), 1);
          if (block !== undefined) heap.release(block);
          continue;
        }
        const block = present(heap.allocate(step.allocate), 'the heap is large enough');
        expect(block.sizeBytes).toBeGreaterThanOrEqual(step.allocate);
        for (const other of inUse) {
          const apart =
            block.address + block.sizeBytes <= other.address || other.address + other.sizeBytes <= block.address;
          expect(apart).toBe(true);
        }
        inUse.push(block);
      }
    }),
  );
});

it('lasts for ever where what is allocated is given back, and says so when it is used up', () => {
  let complaints = 0;
  const heap = new ArenaHeap(asAddress(0), 4096, () => complaints++);
  for (let i = 0; i < 1_000; i++) heap.release(present(heap.allocate(4096), 'it was given back'));
  const last = present(heap.allocate(4000), 'it was given back');
  expect(complaints).toBe(0);
  expect(heap.allocate(1)).toBeNull();
  expect(heap.allocate(4000)).toBeNull();
  expect(complaints).toBe(1);
  heap.release(last);
  expect(heap.allocate(4000)).not.toBeNull();
});
