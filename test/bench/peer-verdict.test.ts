import { describe, expect, it } from 'vitest';
import type { Figures } from '../../bench/load/figures.ts';
import type { Floor, PeerCase } from '../../bench/peers/peer-case.ts';
import { type KeptResult, markdownTables } from '../../bench/peers/peer-report.ts';
import { ratioPlot } from '../../bench/peers/ratio-plot.ts';
import { resultOf } from '../../bench/peers/verdict.ts';

const measure: PeerCase['millrace'] = () => Promise.reject(new Error('nothing is measured here'));

function judged(floors: readonly Floor[], millrace: Figures[], peer: Figures[], probe: Figures[] = []) {
  const one: PeerCase = {
    name: 'case',
    title: 'a case',
    rival: 'kafka',
    client: 'a client',
    millrace: measure,
    peer: measure,
    floors,
    probe: { name: 'the disk', measure: () => ({}) },
  };
  return resultOf(one, { millrace, peer, probe, repeated: 0, disturbed: 0 }, 'Millrace', 'Rival');
}

describe('a verdict', () => {
  it('takes the ratio of the medians, and its spread from the rounds', () => {
    const rates = (...values: number[]) => values.map((recordsPerSecond) => ({ recordsPerSecond }));
    const { ratios, verdicts } = judged(
      [{ figure: 'recordsPerSecond', atLeast: 1.5 }],
      rates(100, 300, 200),
      rates(100, 100, 200),
    );
    expect(ratios.recordsPerSecond).toEqual({ median: 2, low: 1, high: 3 });
    expect(verdicts).toMatchObject([{ value: 2, isMet: true }]);
  });

  it.each([
    [1.99, 1, false],
    [2, 1, true],
  ])('holds %d over %d against a floor of 2', (ours, theirs, isMet) => {
    const [verdict] = judged(
      [{ figure: 'recordsPerSecond', atLeast: 2 }],
      [{ recordsPerSecond: ours }],
      [{ recordsPerSecond: theirs }],
    ).verdicts;
    expect(verdict!.isMet).toBe(isMet);
  });

  it.each([
    [90, true],
    [89, false],
  ])('lets the disk be the limit: %d of its 100', (bytesPerSecond, isMet) => {
    const [verdict] = judged(
      [{ figure: 'recordsPerSecond', atLeast: 1, orOfProbe: 0.9 }],
      [{ recordsPerSecond: 1, bytesPerSecond }],
      [{ recordsPerSecond: 2, bytesPerSecond: 200 }],
      [{ bytesPerSecond: 100 }],
    ).verdicts;
    expect(verdict!.isMet).toBe(isMet);
  });

  it.each([
    [1.4, true],
    [1.6, false],
  ])('adds what a sync takes itself to a latency: %d ms against 1 and 0.5', (p50Ms, isMet) => {
    const [verdict] = judged(
      [{ figure: 'p50Ms', atMost: 1, plusProbe: true }],
      [{ p50Ms }],
      [{ p50Ms: 1 }],
      [{ p50Ms: 0.5 }],
    ).verdicts;
    expect(verdict!.isMet).toBe(isMet);
  });

  it('has no ratio where a side missed the rate: then Millrace fails, or nobody is left to compare with', () => {
    const floors: Floor[] = [{ figure: 'p99Ms', atMost: 0.5 }];
    expect(judged(floors, [{}], [{ p99Ms: 1 }]).verdicts[0]!.isMet).toBe(false);
    const alone = judged(floors, [{ p99Ms: 1 }], [{}]);
    expect(alone.verdicts).toMatchObject([{ isMet: true, remark: 'the rival misses the rate' }]);
    expect(alone.ratios).toEqual({});
  });
});

describe('what is made of results', () => {
  const machine = {
    processor: 'a processor',
    cores: 2,
    memoryBytes: 2 ** 30,
    system: 'Linux 1',
    node: '20.0.0',
    commit: 'abc',
    date: '2026-01-01T00:00:00.000Z',
  };
  const chapters = [{ title: 'A chapter', names: ['case'] }];
  const kept = (...args: Parameters<typeof judged>): KeptResult => ({
    ...judged(...args),
    machine,
    versions: { rival: '1.0' },
  });

  it('is a row of a table, with both sides, their ratio, the floor, and what it was measured on', () => {
    const result = kept([{ figure: 'rssMiB', atMostAbsolute: 300 }], [{ rssMiB: 301 }], [{ rssMiB: 602 }]);
    const table = markdownTables([result], chapters);
    expect(table).toContain('### A chapter\n\n| case | RSS MiB |\n');
    expect(table).toContain('`case` · beside Rival · a client · 1 round · abc');
    expect(table).toContain('| 301 : 602<br>**0.50×**<br>**✗ ≤ 300** |');
    expect(table).toContain('2026-01-01:\n\n- a processor, 2 cores, 1 GiB, Linux 1, Node 20.0.0\n');
  });

  it('has a table of its own where cases have other figures, and no bytes where there are records', () => {
    const one = kept(
      [],
      [{ recordsPerSecond: 2, bytesPerSecond: 200 }],
      [{ recordsPerSecond: 1, bytesPerSecond: 100 }],
    );
    const other = { ...kept([], [{ p99Ms: 1 }], [{ p99Ms: 2 }]), name: 'other' };
    const tables = markdownTables([one, other], [{ title: 'Both', names: ['case', 'other'] }]);
    expect(tables).toContain('| case | records/s |\n');
    expect(tables).toContain('| case | p99 |\n');
  });

  it('is a bar that ends where the ratio stands, also where less is better, and a red mark where the floor is missed', () => {
    const barOf = (plot: string) =>
      /<rect class="s0" x="([\d.]+)" y="\d+[\d.]*" width="([\d.]+)" height="9"/.exec(plot)!;
    const fourfold = kept([{ figure: 'p99Ms', atMost: 0.5 }], [{ p99Ms: 1 }], [{ p99Ms: 4 }]);
    const plot = ratioPlot([fourfold], chapters);
    expect(plot).toContain('4.00× shorter p99');
    expect(plot).not.toContain('floor missed');
    const halved = kept(
      [{ figure: 'recordsPerSecond', atLeast: 1 }],
      [{ recordsPerSecond: 1 }],
      [{ recordsPerSecond: 2 }],
    );
    const missed = ratioPlot([halved, { ...fourfold, name: 'other' }], [{ title: 'Both', names: ['case', 'other'] }]);
    expect(missed).toContain('floor missed');
    const [, left, width] = barOf(missed);
    const [, fourLeft, fourWidth] = barOf(plot);
    // Half as much goes as far to the left of 1× as twice as much to the right.
    expect(Number(fourWidth)).toBeCloseTo(2 * Number(width), 0);
    expect(Number(left) + Number(width)).toBeCloseTo(Number(fourLeft), 0);
  });
});
