import { describe, expect, it } from 'vitest';
import type { Figures } from '../../bench/load/figures.ts';
import type { Floor, PeerCase } from '../../bench/peers/peer-case.ts';
import { type KeptResult, markdownTables } from '../../bench/peers/peer-report.ts';
import { ratioPlot } from '../../bench/peers/ratio-plot.ts';
import { resultOf } from '../../bench/peers/verdict.ts';

const measure: PeerCase['millrace'] = () => Promise.reject(new Error('nothing is measured here'));

/** As many rounds as a median needs, of which each gave the same. */
function five(figures: Figures): Figures[] {
  return Array.from({ length: 5 }, () => figures);
}

function judged(
  floors: readonly Floor[],
  millrace: Figures[],
  peer: Figures[],
  probe: Figures[] = [],
  commit: string | null = 'abc',
) {
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
  return resultOf(one, { millrace, peer, probe, repeated: 0, disturbed: 0 }, 'Millrace', 'Rival', commit);
}

describe('a verdict', () => {
  it('takes the ratio of the medians, and its spread from the rounds', () => {
    const rates = (...values: number[]) => values.map((recordsPerSecond) => ({ recordsPerSecond }));
    const { ratios, verdicts } = judged(
      [{ figure: 'recordsPerSecond', atLeast: 1.5 }],
      rates(100, 300, 200, 200, 200),
      rates(100, 100, 200, 100, 100),
    );
    expect(ratios.recordsPerSecond).toEqual({ median: 2, low: 1, high: 3 });
    expect(verdicts).toMatchObject([{ value: 2, state: 'met', asRatio: 1.5 }]);
  });

  it.each([
    [1.99, 1, 'missed'],
    [2, 1, 'met'],
  ])('holds %d over %d against a floor of 2', (ours, theirs, state) => {
    const [verdict] = judged(
      [{ figure: 'recordsPerSecond', atLeast: 2 }],
      five({ recordsPerSecond: ours }),
      five({ recordsPerSecond: theirs }),
    ).verdicts;
    expect(verdict!.state).toBe(state);
  });

  it.each([
    [0.9, 'met'],
    [0.89, 'missed'],
  ])('holds a figure itself against what it is to be at least: %d, whatever the rival has', (rateKept, state) => {
    const [verdict] = judged(
      [{ figure: 'rateKept', atLeastAbsolute: 0.9 }],
      five({ rateKept }),
      five({ rateKept: 0.5 }),
    ).verdicts;
    expect(verdict).toMatchObject({ state, bound: '≥ 0.9', value: rateKept });
  });

  it.each([
    [90, 'met'],
    [89, 'missed'],
  ])('lets the disk be the limit: %d of its 100', (bytesPerSecond, state) => {
    const [verdict] = judged(
      [{ figure: 'recordsPerSecond', atLeast: 1, orOfProbe: 0.9 }],
      five({ recordsPerSecond: 1, bytesPerSecond }),
      five({ recordsPerSecond: 2, bytesPerSecond: 200 }),
      [{ bytesPerSecond: 100 }],
    ).verdicts;
    expect(verdict!.state).toBe(state);
  });

  it.each([
    [1.4, 'met'],
    [1.6, 'missed'],
  ])('adds what a sync takes itself to a latency: %d ms against 1 and 0.5', (p50Ms, state) => {
    const [verdict] = judged([{ figure: 'p50Ms', atMost: 1, plusProbe: true }], five({ p50Ms }), five({ p50Ms: 1 }), [
      { p50Ms: 0.5 },
    ]).verdicts;
    expect(verdict).toMatchObject({ state, asRatio: 1.5 });
  });

  it('has no figure of a side that missed the rate in any round, however good its others are', () => {
    const floors: Floor[] = [
      { figure: 'p99Ms', atMost: 0.5 },
      { figure: 'brokerCpuMicrosecondsPerRequest', atMost: 0.7 },
    ];
    const good = { p99Ms: 1, brokerCpuMicrosecondsPerRequest: 1, rssMiB: 9 };
    const slow = five({ p99Ms: 10, brokerCpuMicrosecondsPerRequest: 10, rssMiB: 9 });
    const missed = [{ rateReached: 0.9, rssMiB: 9 }, ...five(good).slice(1)];
    const ours = judged(floors, missed, slow);
    const remark = 'Millrace misses the rate in 1 of 5 rounds';
    expect(ours.verdicts).toMatchObject([
      { state: 'missed', value: null, remark },
      { state: 'missed', value: null, remark },
    ]);
    expect(Object.keys(ours.medians.millrace).toSorted()).toEqual(['rateReached', 'rssMiB']);
    expect(Object.keys(ours.ratios)).toEqual(['rssMiB']);
    // A rival whose queue only grows has no latency that could be less; what it took of the processor says nothing.
    const mostlyMissed = [...Array(3).fill(missed[0]), ...five(good).slice(3)];
    expect(judged(floors, slow, mostlyMissed).verdicts).toMatchObject([
      { state: 'met', value: null, remark: 'the rival misses the rate in 3 of 5 rounds' },
      { state: 'open', value: null },
    ]);
    // It may have been by chance.
    expect(judged(floors, slow, missed).verdicts).toMatchObject([
      { state: 'open', value: null, remark: 'the rival misses the rate in 1 of 5 rounds' },
      { state: 'open', value: null },
    ]);
  });

  it('is open while rounds are few, files differ from the commit, or nothing was measured, and missed all the same', () => {
    const floors: Floor[] = [{ figure: 'recordsPerSecond', atLeast: 1 }];
    const [good, bad] = [{ recordsPerSecond: 2 }, { recordsPerSecond: 1 }];
    const verdictOf = (...args: Parameters<typeof judged>) => judged(...args).verdicts[0];
    expect(verdictOf(floors, five(good).slice(1), five(bad))).toMatchObject({ state: 'open', remark: '4 of 5 rounds' });
    expect(verdictOf(floors, five(bad).slice(1), five(good))).toMatchObject({
      state: 'missed',
      remark: '4 of 5 rounds',
    });
    expect(verdictOf(floors, five(good), five(bad), [], 'abc+')).toMatchObject({
      state: 'open',
      remark: 'of files that no commit has',
    });
    expect(verdictOf(floors, five({}), five(bad))).toMatchObject({
      state: 'open',
      value: null,
      remark: 'not measured',
    });
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
    const result = kept([{ figure: 'rssMiB', atMostAbsolute: 300 }], five({ rssMiB: 301 }), five({ rssMiB: 602 }));
    const table = markdownTables([result], chapters);
    expect(table).toContain('### A chapter\n\n| case | RSS MiB |\n');
    expect(table).toContain('`case` · beside Rival · a client · 5 rounds · abc');
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
    const fourfold = kept([{ figure: 'p99Ms', atMost: 0.5 }], five({ p99Ms: 1 }), five({ p99Ms: 4 }));
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

  it('is red in the plot where another floor of the case is missed than the bar shows, and names it', () => {
    const floors: Floor[] = [
      { figure: 'recordsPerSecond', atLeast: 1 },
      { figure: 'p50Ms', atMost: 1, plusProbe: true },
    ];
    const ours = five({ recordsPerSecond: 2, p50Ms: 5 });
    const plot = ratioPlot([kept(floors, ours, five({ recordsPerSecond: 1, p50Ms: 1 }), five({ p50Ms: 1 }))], chapters);
    expect(plot).toContain('class="missed">2.00× records/s ✗ p50 ms<');
  });

  it('has a line in the plot for a case that has no figure, and says why', () => {
    const floors: Floor[] = [{ figure: 'p99Ms', atMost: 0.5 }];
    const missed = kept(floors, five({ rateReached: 0.9 }), five({ p99Ms: 1 }));
    expect(ratioPlot([missed], chapters)).toContain('class="missed">Millrace misses the rate in 5 of 5 rounds ✗<');
    const few = kept(floors, [{ p99Ms: 1 }], [{ p99Ms: 4 }]);
    expect(ratioPlot([few], chapters)).toContain('class="small">4.00× shorter p99 ○<');
  });
});
