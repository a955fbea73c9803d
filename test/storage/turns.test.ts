import { expect, test } from 'vitest';
import { Turns } from '../../src/storage/turns.ts';

test('turns are given to so many at once, in the order of asking, and back where the work fails', async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  let most = 0;
  let underWay = 0;
  const runs = Array.from({ length: 7 }, (_, i) =>
    turns.run(async () => {
      begun.push(i);
      most = Math.max(most, ++underWay);
      await new Promise<void>((resolve) => ends.push(resolve));
      underWay--;
      if (i === 1) throw new Error('of its own');
      return i;
    }),
  );
  expect(begun).toEqual([0, 1]);
  const results = Promise.allSettled(runs);
  for (let turn = 0; turn < 20; turn++) {
    if (turn === 4) turns.max = 3;
    ends.shift()?.();
    await new Promise((resolve) => void setImmediate(resolve));
    expect(underWay).toBeLessThanOrEqual(turn < 4 ? 2 : 3);
  }
  expect(most).toBeGreaterThanOrEqual(2);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect((await results).map(({ status }) => status)).toEqual(begun.map((i) => (i === 1 ? 'rejected' : 'fulfilled')));
});
