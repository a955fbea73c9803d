import { describe, expect, it } from 'vitest';
import type { Figures } from '../../bench/load/figures.ts';
import { chapters as allChapters } from '../../bench/peers/all-cases.ts';
import type { Floor, PeerCase } from '../../bench/peers/peer-case.ts';
import { columnsOf, type KeptResult, markdownTables } from '../../bench/peers/peer-report.ts';
import type { CaseRounds } from '../../bench/peers/peer-rounds.ts';
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
  disturbed: CaseRounds['disturbed'] = { millrace: [], peer: [] },
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
  const measured = { millrace, peer, probe, repeated: 0, disturbed, replaced: 0 };
  return resultOf(one, measured, 'Millrace', 'Rival', commit);
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
    // Whoever keeps up may be slow all the same: nothing is met by what the rival has not.
    for (const missedRounds of [1, 3, 5]) {
      const theirs = [...Array(missedRounds).fill(missed[0]), ...five(good).slice(missedRounds)];
      const open = { state: 'open', remark: `no figure: the rival misses the rate in ${missedRounds} of 5 rounds` };
      expect(judged(floors, slow, theirs).verdicts).toMatchObject([open, open]);
    }
    expect(judged(floors, missed, missed).verdicts).toMatchObject([{ state: 'missed' }, { state: 'missed' }]);
  });

  it('says in how many rounds the floor was reached where the spread crosses it', () => {
    const rates = (...values: number[]) => values.map((recordsPerSecond) => ({ recordsPerSecond }));
    const verdictOf = (floor: Floor, ...ours: number[]) =>
      judged([floor], rates(...ours), rates(100, 100, 100, 100, 100)).verdicts[0];
    const ratio: Floor = { figure: 'recordsPerSecond', atLeast: 1 };
    expect(verdictOf(ratio, 50, 90, 100, 110, 130)).toMatchObject({ state: 'met', remark: 'reached in 3 of 5 rounds' });
    expect(verdictOf(ratio, 50, 90, 99, 110, 130)).toMatchObject({
      state: 'missed',
      remark: 'reached in 2 of 5 rounds',
    });
    expect(verdictOf(ratio, 100, 100, 100, 110, 130)).not.toHaveProperty('remark');
    const itself: Floor = { figure: 'recordsPerSecond', atMostAbsolute: 100 };
    expect(verdictOf(itself, 50, 90, 100, 110, 130)).toMatchObject({
      state: 'met',
      remark: 'reached in 3 of 5 rounds',
    });
  });

  it('holds each round against its own probe', () => {
    const ours = [1, 1, 1, 1, 9].map((p50Ms) => ({ p50Ms }));
    const probes = [1, 1, 1, 1, 8].map((p50Ms) => ({ p50Ms }));
    const [verdict] = judged(
      [{ figure: 'p50Ms', atMost: 1, plusProbe: true }],
      ours,
      five({ p50Ms: 1 }),
      probes,
    ).verdicts;
    expect(verdict).toMatchObject({ state: 'met', remark: 'fdatasync itself 1.00 ms' });
  });

  it('is open where something else disturbed two rounds of a side, and missed all the same', () => {
    const floors: Floor[] = [{ figure: 'recordsPerSecond', atLeast: 1 }];
    const [good, bad] = [five({ recordsPerSecond: 2 }), five({ recordsPerSecond: 1 })];
    const verdictOf = (disturbed: CaseRounds['disturbed']) =>
      judged(floors, good, bad, [], 'abc', disturbed).verdicts[0];
    expect(verdictOf({ millrace: [1], peer: [4] })).toMatchObject({ state: 'met' });
    expect(verdictOf({ millrace: [1, 3], peer: [4] })).toMatchObject({
      state: 'open',
      remark: '2 of 5 rounds of Millrace disturbed',
    });
    expect(verdictOf({ millrace: [], peer: [0, 1, 2] })).toMatchObject({
      state: 'open',
      remark: '3 of 5 rounds of Rival disturbed',
    });
    const both = { millrace: [1, 2], peer: [3, 4] };
    expect(judged(floors, bad, good, [], 'abc', both).verdicts[0]).toMatchObject({ state: 'missed' });
  });

  it('is open while rounds are few, files differ from the commit, or nothing was measured, and missed all the same', () => {
    const floors: Floor[] = [{ figure: 'recordsPerSecond', atLeast: 1 }];
    const [good, bad] = [{ recordsPerSecond: 2 }, { recordsPerSecond: 1 }];
    const verdictOf = (...args: Parameters<typeof judged>) => judged(...args).verdicts[0];
    expect(verdictOf(floors, five(good).slice(1), five(bad))).toMatchObject({
      state: 'open',
      remark: 'only 4 of 5 rounds',
    });
    expect(verdictOf(floors, five(bad).slice(1), five(good))).toMatchObject({
      state: 'missed',
      remark: 'only 4 of 5 rounds',
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

  it('has a column for each floor that there is, whatever else was measured', () => {
    for (const { name, floors } of allChapters.flatMap(({ cases }) => cases)) {
      const figures: Figures = { recordsPerSecond: 1, ...Object.fromEntries(floors.map(({ figure }) => [figure, 1])) };
      const columns = columnsOf(judged(floors, five(figures), five(figures)));
      for (const { figure } of floors) expect(columns, name).toContain(figure);
    }
  });

  it('shows the processor time of both where requests count', () => {
    const figures = { requestsPerSecond: 1, brokerCpuMicrosecondsPerRequest: 1, clientCpuMicrosecondsPerRequest: 2 };
    const table = markdownTables([kept([], five(figures), five(figures))], chapters);
    expect(table).toContain('| case | requests/s | broker µs/request | client µs/request |\n');
  });

  it('says how few latencies there are where they are too few for a p99, and which rounds were done anew', () => {
    const figures = { p50Ms: 1, latencies: 5 };
    const few = { ...kept([], five(figures), five(figures)), replaced: 1 };
    const facts = 'abc · 5.00 latencies a round, too few for a p99 · 1 disturbed and done anew';
    expect(markdownTables([few], chapters)).toContain(facts);
    const many = kept([], five({ p50Ms: 1, latencies: 1000 }), five({ p50Ms: 1, latencies: 1000 }));
    expect(markdownTables([many], chapters)).not.toContain('latencies');
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
