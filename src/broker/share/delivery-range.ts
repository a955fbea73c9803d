/**
 * A run of records of a share partition that have come equally far: the smallest piece of its state. Any thread.
 *
 *   available ──acquire──► acquired ──accept──────────────────────────► acknowledged
 *      ▲                      │ ├─────reject, gap, too often────────► archived
 *      └──release, lock ends──┘ └─────the same, to be set aside─────► archiving ──set aside──► archived
 */

/** The numbers are those of the wire (KIP-932), and of what is stored. */
export const DeliveryState = { AVAILABLE: 0, ACQUIRED: 1, ACKNOWLEDGED: 2, ARCHIVING: 3, ARCHIVED: 4 } as const;

export type DeliveryState = (typeof DeliveryState)[keyof typeof DeliveryState];

export interface DeliveryRange {
  first: number;
  /** The offset after its last record. */
  end: number;
  state: DeliveryState;
  /** How often its records have been given out, the present time included. */
  deliveryCount: number;
  /** Who has it; empty unless it is acquired. */
  memberId: string;
  /** When its lock ends, by `Clock.heardMs`; 0 unless it is acquired. */
  lockedUntilMs: number;
  /** How many records the batches of the log have in which they were first given out: what fails again is divided by it. */
  batchCount: number;
}

/** Whether nothing more becomes of its records. */
export function isTerminal({ state }: DeliveryRange): boolean {
  return state === DeliveryState.ACKNOWLEDGED || state === DeliveryState.ARCHIVED;
}

/** The part of `range` from `offset` on, which is cut off it. */
export function splitOff(range: DeliveryRange, offset: number): DeliveryRange {
  const rest = { ...range, first: offset };
  range.end = offset;
  return rest;
}

/** Whether `next`, which follows `range`, can be one with it. */
export function canJoin(range: DeliveryRange, next: DeliveryRange): boolean {
  if (range.state !== next.state) return false;
  if (isTerminal(range)) return true;
  return (
    range.deliveryCount === next.deliveryCount &&
    range.memberId === next.memberId &&
    range.lockedUntilMs === next.lockedUntilMs &&
    range.batchCount === next.batchCount
  );
}
