import { describe, expect, it } from 'vitest';
import { leastDisturbed } from '../../bench/load/least-disturbed.ts';
import { alternate, together } from '../../bench/load/rounds.ts';

describe('rounds', () => {
  it('has contenders in turn, another first each time, and keeps what each round gave', async () => {
    const order: string[] = [];
    const contender = (name: string) => ({
      name,
      round: () => Promise.resolve({ bytesPerSecond: order.push(name) }),
    });
    const results = await alternate([contender('a'), contender('b')], { rounds: 3, isStrict: false });
    expect(order.join('')).toBe('abbaab');
    expect(results.map(({ each }) => each.map(({ bytesPerSecond }) => bytesPerSecond))).toEqual([
      [1, 4, 5],
      [2, 3, 6],
    ]);
    expect(results[0]).toMatchObject({ name: 'a', figures: { bytesPerSecond: { median: 4, low: 1, high: 5 } } });
  });

  it('gives all that ran beside each other in a round their figures of that round', async () => {
    let round = 0;
    const results = await together(
      ['written', 'read'],
      () => Promise.resolve([{ bytesPerSecond: ++round }, { bytesPerSecond: round * 10 }]),
      { rounds: 2, isStrict: false },
    );
    expect(results.map(({ name, each }) => [name, ...each.map(({ bytesPerSecond }) => bytesPerSecond)])).toEqual([
      ['written', 1, 2],
      ['read', 10, 20],
    ]);
  });
});

describe('a measurement', () => {
  /** One after the other, while others take these shares of the processor. */
  const measured = (shares: readonly number[], repeatsAtMost: number) => {
    let begun = 0;
    const notes: string[] = [];
    const result = leastDisturbed(() => Promise.resolve(begun), {
      name: 'a',
      repeatsAtMost,
      onNote: (note) => notes.push(note),
      watch: () => {
        const share = shares[begun++]!;
        return () => share;
      },
    });
    return result.then((attempted) => ({ ...attempted, notes }));
  };

  it('is done again while others disturb it, and the one that they disturbed least counts', async () => {
    expect(await measured([0.04], 2)).toEqual({ value: 1, repeated: 0, isDisturbed: false, notes: [] });
    expect(await measured([0.3, 0.04], 2)).toMatchObject({ value: 2, repeated: 1, isDisturbed: false });
    expect(await measured([0.3, 0.1, 0.2], 2)).toEqual({
      value: 2,
      repeated: 2,
      isDisturbed: true,
      notes: [
        'a: others took 30 % of the processor; once more',
        'a: others took 10 % of the processor; once more',
        'a: others took 20 % of the processor',
      ],
    });
    expect(await measured([0.3], 0)).toMatchObject({ value: 1, repeated: 0, isDisturbed: true });
  });
});
