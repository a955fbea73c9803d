import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RecencyList, type RecencyLinks } from '../../src/base/recency-list.ts';

interface Item extends RecencyLinks<Item> {
  readonly name: number;
}

it('keeps its items in the order of their last use, as a Set does that each use deletes from and adds to', () => {
  const step = fc.record({ what: fc.constantFrom('use', 'use', 'delete', 'sweep'), item: fc.nat(7) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const items = Array.from({ length: 8 }, (_, name): Item => ({ name, older: null, newer: null }));
      const list = new RecencyList<Item>();
      const model = new Set<Item>();
      for (const { what, item: index } of steps) {
        const item = items[index]!;
        if (what === 'sweep') {
          // The item at hand may go while the list is gone over.
          const seen: number[] = [];
          for (const one of list) {
            seen.push(one.name);
            if (one.name === index) list.delete(one);
          }
          expect(seen).toEqual([...model].map(({ name }) => name));
          model.delete(item);
        } else {
          if (what === 'use') list.use(item);
          else list.delete(item);
          model.delete(item);
          if (what === 'use') model.add(item);
        }
        expect([...list].map(({ name }) => name)).toEqual([...model].map(({ name }) => name));
        expect(list.size).toBe(model.size);
        expect(list.newest).toBe([...model].at(-1) ?? null);
        for (const one of items) expect(list.has(one)).toBe(model.has(one));
      }
    }),
  );
});
