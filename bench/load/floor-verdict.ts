/**
 * What a floor comes to. A figure that reaches it proves nothing yet where it is of fewer rounds than a median needs, of
 * rounds that something else disturbed, or of files that no commit has: such a floor is open. One that is missed is said to
 * be, however few the rounds. It measures nothing.
 */

import type { FigureName } from './figures.ts';

export type FloorState = 'met' | 'missed' | 'open';

export interface FloorVerdict {
  readonly figure: FigureName;
  /** As `≥ 1.1×`. */
  readonly bound: string;
  /** What is held against it; null where there is no such figure. */
  readonly value: number | null;
  readonly state: FloorState;
  /** The bound as a ratio of Millrace's figure to the other's, where it can be said as one. */
  readonly asRatio?: number;
  /** What else has to be known. */
  readonly remark?: string;
}

/** A verdict before it is asked how sure it is. `isMet` is null where nothing can be said. */
export type Judged = Omit<FloorVerdict, 'state'> & { readonly isMet: boolean | null };

/** What a figure rests on. */
export interface Evidence {
  readonly rounds: number;
  /** With a + where files differ from it; null where it is not known. */
  readonly commit: string | null;
  /** Rounds of each side, by its name, that something else disturbed however often they were done. */
  readonly disturbed?: Readonly<Record<string, number>>;
}

/** A median of fewer says little on a machine that others use. */
export const roundsForFloors = 5;
/** So many disturbed rounds of a side can move its median to where it would not be by itself; one cannot do so by much. */
export const disturbedForDoubt = 2;

export const floorMarks: Readonly<Record<FloorState, string>> = { met: '✓', missed: '✗', open: '○' };

export function settled({ isMet, ...judged }: Judged, evidence: Evidence): FloorVerdict {
  const doubts = doubtsAbout(evidence);
  const remarks = [...(judged.remark === undefined ? [] : [judged.remark]), ...doubts];
  const state = isMet === false ? 'missed' : isMet === null || doubts.length > 0 ? 'open' : 'met';
  return { ...judged, state, ...(remarks.length === 0 ? {} : { remark: remarks.join(', ') }) };
}

/** Whether results of this commit are those of a build that others can have. */
export function isDirty(commit: string | null): boolean {
  return commit === null || commit.endsWith('+');
}

function doubtsAbout({ rounds, commit, disturbed = {} }: Evidence): string[] {
  return [
    ...(rounds < roundsForFloors ? [`only ${rounds} of ${roundsForFloors} rounds`] : []),
    ...Object.entries(disturbed)
      .filter(([, count]) => count >= disturbedForDoubt)
      .map(([side, count]) => `${count} of ${rounds} rounds of ${side} disturbed`),
    ...(isDirty(commit) ? ['of files that no commit has'] : []),
  ];
}
