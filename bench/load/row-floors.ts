/** Floors that rows of load are held against: by a figure of their own, or by their ratio to what ran in turn with them. */

import { type FigureName, plain, type ResultRow, type Spread, spreadOf } from './figures.ts';
import { type Evidence, floorMarks, type Judged, settled } from './floor-verdict.ts';
import type { RoundsResult } from './rounds.ts';

/** A bound on the median of a figure. */
export type RowFloor =
  | { readonly figure: FigureName; readonly atLeast: number; readonly remark?: string }
  | { readonly figure: FigureName; readonly atMost: number; readonly remark?: string };

export function withFloors(row: ResultRow, floors: readonly RowFloor[], commit: string | null): ResultRow {
  const evidence: Evidence = { rounds: row.each.length, commit, disturbed: { [row.who]: row.disturbed } };
  return { ...row, verdicts: floors.map((floor) => settled(judged(floor, row), evidence)) };
}

/** `figure` of `one` over that of `other`: of the medians, and from the lowest to the highest of rounds in turn. */
export function ratioOf(one: RoundsResult, other: RoundsResult, figure: FigureName): Spread {
  const each = one.each.map((round, i) => round[figure]! / other.each[i]![figure]!);
  return { ...spreadOf(each), median: one.figures[figure]!.median / other.figures[figure]!.median };
}

/** As `MISSED  what, who: ratio ≥ 0.5×: 0.46`. */
export function verdictLines({ what, who, verdicts = [] }: ResultRow): string[] {
  return verdicts.map(({ state, bound, value, remark, figure }) => {
    const values = [...(value === null ? [] : [plain(value)]), ...(remark === undefined ? [] : [remark])];
    const word = { met: 'met', missed: 'MISSED', open: 'open' }[state];
    return `${floorMarks[state]} ${word}: ${what}, ${who}, ${figure} ${bound}: ${values.join(', ')}`;
  });
}

function judged(floor: RowFloor, { figures }: ResultRow): Judged {
  const { figure, remark } = floor;
  const value = figures[figure]?.median ?? null;
  const unit = figure === 'ratio' ? '×' : '';
  const bound = 'atLeast' in floor ? `≥ ${plain(floor.atLeast)}${unit}` : `≤ ${plain(floor.atMost)}${unit}`;
  const isMet = value === null ? null : 'atLeast' in floor ? value >= floor.atLeast : value <= floor.atMost;
  return { figure, bound, value, isMet, ...(remark === undefined ? {} : { remark }) };
}
