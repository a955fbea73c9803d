import { describe, expect, it } from 'vitest';
import { added, type KeptRounds, nextSlice } from '../../bench/peers/lacking-rounds.ts';
import type { PeerCase } from '../../bench/peers/peer-case.ts';
import type { CaseRounds } from '../../bench/peers/peer-rounds.ts';

const machine = {
  processor: 'a processor',
  cores: 2,
  memoryBytes: 2 ** 30,
  system: 'Linux 1',
  node: '20.0.0',
  commit: 'abc',
  date: '2026-01-01T00:00:00.000Z',
};

function caseOf(name: string, fields: Partial<PeerCase> = {}): PeerCase {
  const measure: PeerCase['millrace'] = () => Promise.reject(new Error('nothing is measured here'));
  return { name, title: '', rival: 'kafka', client: '', millrace: measure, peer: measure, floors: [], ...fields };
}

function keptOf(name: string, rounds: number, other: Partial<typeof machine> = {}): KeptRounds {
  const figures = Array.from({ length: rounds }, (_, round) => ({ recordsPerSecond: round }));
  return {
    name,
    machine: { ...machine, date: '2026-01-02T00:00:00.000Z', ...other },
    rounds: { millrace: figures, peer: figures, probe: [] },
    repeated: 1,
    disturbed: { millrace: [], peer: [] },
    replaced: 0,
  };
}

function disturbedOf(name: string, millrace: number[], peer: number[], replaced = 0): KeptRounds {
  return { ...keptOf(name, 5), disturbed: { millrace, peer }, replaced };
}

describe('the next slice', () => {
  const cases = [
    caseOf('a'),
    caseOf('b'),
    caseOf('alone', { isAlone: true }),
    caseOf('n', { rival: 'nats' }),
    caseOf('c'),
  ];
  const names = (kept: readonly KeptRounds[], atMost = 9) =>
    nextSlice(cases, kept, machine, 2, atMost).map(({ name }) => name);

  it('has cases that share their servers, no more than it may', () => {
    expect(names([])).toEqual(['a', 'b', 'c']);
    expect(names([], 2)).toEqual(['a', 'b']);
  });

  it('has those with the fewest rounds of this commit on this machine', () => {
    expect(
      names([keptOf('a', 1), keptOf('b', 5, { commit: 'another' }), keptOf('c', 5, { system: 'Linux 2' })]),
    ).toEqual(['b', 'c']);
    expect(names([keptOf('a', 1), keptOf('b', 1), keptOf('c', 1)])).toEqual(['alone']);
    expect(names(['a', 'b', 'alone', 'c'].map((name) => keptOf(name, 1)))).toEqual(['n']);
  });

  it('is empty once each has all its rounds', () => {
    expect(names(cases.map(({ name }) => keptOf(name, 2)))).toEqual([]);
  });
});

describe('the next slice once each has all its rounds', () => {
  const names = (...kept: KeptRounds[]) =>
    nextSlice([caseOf('a'), caseOf('b'), caseOf('c')], kept, machine, 5, 9).map(({ name }) => name);

  it('has those of which too many of one side were disturbed', () => {
    expect(names(disturbedOf('a', [0, 3], []), disturbedOf('b', [1], [2]), disturbedOf('c', [], [2, 4]))).toEqual([
      'a',
      'c',
    ]);
  });

  it('waits for those that lack rounds', () => {
    expect(names(disturbedOf('a', [0, 3], []), keptOf('b', 4), keptOf('c', 5))).toEqual(['b']);
  });

  it('gives up on a machine that is never quiet', () => {
    expect(names(disturbedOf('a', [0, 3], [], 4), keptOf('b', 5), keptOf('c', 5))).toEqual(['a']);
    expect(names(disturbedOf('a', [0, 3], [], 5), keptOf('b', 5), keptOf('c', 5))).toEqual([]);
  });
});

describe('a round more', () => {
  const more: CaseRounds = {
    millrace: [{ recordsPerSecond: 9 }],
    peer: [{ recordsPerSecond: 8 }],
    probe: [],
    repeated: 2,
    disturbed: { millrace: [], peer: [0] },
    replaced: 0,
  };

  it('comes behind those that are kept, with what disturbed it', () => {
    const both = added({ ...keptOf('a', 1), disturbed: { millrace: [0], peer: [] } }, more, 5);
    expect(both.millrace).toEqual([{ recordsPerSecond: 0 }, { recordsPerSecond: 9 }]);
    expect(both).toMatchObject({ repeated: 3, disturbed: { millrace: [0], peer: [1] }, replaced: 0 });
    expect(added(null, more, 5)).toBe(more);
  });

  it.each([
    ['that of the side that was disturbed more often', [1, 3, 4], [2], 1, { millrace: [2, 3], peer: [1, 4] }],
    ['that of the other side', [1], [2, 3], 2, { millrace: [1], peer: [2, 4] }],
    ['that in which both were', [0, 3], [1, 3], 3, { millrace: [0], peer: [1, 4] }],
  ])('stands for %s', (_, millrace, peer, gone, disturbed) => {
    const all = added(disturbedOf('a', millrace, peer), more, 5);
    const left = [0, 1, 2, 3, 4].filter((round) => round !== gone);
    expect(all.millrace.map(({ recordsPerSecond }) => recordsPerSecond)).toEqual([...left, 9]);
    expect(all.peer.map(({ recordsPerSecond }) => recordsPerSecond)).toEqual([...left, 8]);
    expect(all).toMatchObject({ disturbed, replaced: 1 });
  });
});
