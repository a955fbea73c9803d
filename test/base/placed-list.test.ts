/** A list whose members know their places, against a Set, which keeps the same order. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Listeners } from '../../src/base/listeners.ts';
import { PlacedList, type Placed } from '../../src/base/placed-list.ts';

const several = (): Placed[] => Array.from({ length: 64 }, () => ({ place: -1 }));

it('has those that came and did not leave, in the order of their coming', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(63), { maxLength: 500 }), (steps) => {
      const all = several();
      const list = new PlacedList();
      const expected = new Set<Placed>();
      for (const step of steps) {
        const item = all[step]!;
        if (expected.delete(item)) {
          expect(list.delete(item)).toBe(true);
          expect(list.delete(item)).toBe(false);
        } else {
          expected.add(item);
          list.add(item);
        }
        expect(list.size).toBe(expected.size);
        expect([...list]).toEqual([...expected]);
        expect(list.first).toBe(expected.values().next().value ?? null);
      }
      expect(list.takeAll()).toEqual([...expected]);
      expect(list.size).toBe(0);
    }),
  );
});

it('visits those that come meanwhile, and none that left before its turn, as a Set does', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(63), fc.nat(63)), { maxLength: 100 }), (changes) => {
      const visited = (change: (item: Placed) => void, visit: (each: (item: Placed) => void) => void): Placed[] => {
        const seen: Placed[] = [];
        visit((item) => {
          seen.push(item);
          change(item);
        });
        return seen;
      };
      const all = several();
      const list = new PlacedList();
      const set = new Set<Placed>();
      for (const item of all.slice(0, 40)) {
        list.add(item);
        set.add(item);
      }
      const others = changes.map(([at, other]) => [all[at]!, all[other]!] as const);
      // Each is taken out once at most, and put in once at most: else neither would come to an end.
      const toggled = new Set<Placed>();
      const ofList = visited(
        (item) => {
          for (const [at, other] of others) {
            if (at !== item || toggled.has(other)) continue;
            toggled.add(other);
            if (!list.delete(other)) list.add(other);
          }
        },
        (each) => list.each(each),
      );
      toggled.clear();
      const ofSet = visited(
        (item) => {
          for (const [at, other] of others) {
            if (at !== item || toggled.has(other)) continue;
            toggled.add(other);
            if (!set.delete(other)) set.add(other);
          }
        },
        (each) => {
          for (const item of set) each(item);
        },
      );
      expect(ofList).toEqual(ofSet);
      expect([...list]).toEqual([...set]);
    }),
  );
});

it('takes no more room than what is in it, however many came and went', () => {
  const list = new PlacedList();
  const stays = { place: -1 };
  list.add(stays);
  let furthest = 0;
  for (let i = 0; i < 10_000; i++) {
    const item = { place: -1 };
    list.add(item);
    furthest = Math.max(furthest, item.place);
    list.delete(item);
  }
  expect(furthest).toBeLessThan(100);
  expect(list.first).toBe(stays);
});

it('tells listeners in their order, each as often as it was given, until it is stopped', () => {
  const listeners = new Listeners<number>();
  const heard: string[] = [];
  const a = (n: number): void => void heard.push(`a${n}`);
  const stopFirst = listeners.add(a);
  listeners.add(a);
  listeners.add((n) => void heard.push(`b${n}`));
  listeners.tell(1);
  stopFirst();
  stopFirst();
  listeners.tell(2);
  expect(heard).toEqual(['a1', 'a1', 'b1', 'a2', 'b2']);
  expect(listeners.takeAll()).toHaveLength(2);
  listeners.tell(3);
  expect(heard).toHaveLength(5);
});
