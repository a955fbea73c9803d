/** What lives over connections, against a Set. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Living } from '../../src/server/http-route.ts';
import { LivingList } from '../../src/server/living-list.ts';

const living = (): Living => ({ place: -1, idleSinceMs: 0, finish() {}, destroy() {} });

it('has those that began and did not end, whatever their order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(15)), (steps) => {
      const all = Array.from({ length: 16 }, living);
      const list = new LivingList();
      const expected = new Set<Living>();
      for (const step of steps) {
        const each = all[step]!;
        if (expected.has(each)) {
          expected.delete(each);
          list.delete(each);
          list.delete(each);
        } else {
          expected.add(each);
          list.add(each);
        }
        expect(list.size).toBe(expected.size);
        expect(new Set(list)).toEqual(expected);
        for (const [place, held] of [...list].entries()) expect(held.place).toBe(place);
      }
    }),
  );
});
