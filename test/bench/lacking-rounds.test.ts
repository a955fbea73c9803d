import { describe, expect, it } from 'vitest';
import { added, type KeptRounds, nextSlice } from '../../bench/peers/lacking-rounds.ts';
import type { PeerCase } from '../../bench/peers/peer-case.ts';

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
    disturbed: 0,
  };
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

it('adds rounds behind those that are kept', () => {
  const more = { millrace: [{ recordsPerSecond: 9 }], peer: [{}], probe: [], repeated: 2, disturbed: 1 };
  const both = added(keptOf('a', 1), more);
  expect(both.millrace).toEqual([{ recordsPerSecond: 0 }, { recordsPerSecond: 9 }]);
  expect(both).toMatchObject({ repeated: 3, disturbed: 1 });
  expect(added(null, more)).toBe(more);
});
