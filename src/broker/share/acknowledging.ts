/**
 * What a member says of records of a share partition that it has, and what comes of it. Any thread.
 */

/** The numbers of the wire. */
export const AcknowledgeType = { GAP: 0, ACCEPT: 1, RELEASE: 2, REJECT: 3, RENEW: 4 } as const;

export interface AcknowledgementBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** One for all its offsets, or one for each. */
  readonly acknowledgeTypes: readonly number[];
}

/** What decides over acknowledgements and locks that end. */
export interface DeliveryRules {
  readonly deliveryLimit: number;
  /** Whether records that are given up are set aside first. */
  readonly setsAside: boolean;
}

export interface AcknowledgeRules extends DeliveryRules {
  readonly mayRenew: boolean;
  /** Until when what is renewed is locked, by `Clock.heardMs`. */
  readonly lockedUntilMs: number;
}

/** Why acknowledgements are not taken: offsets that never were given out, or records that the member does not have. */
export type AcknowledgeProblem = { readonly kind: 'request' | 'state'; readonly message: string };

/** Records that are given up, and are to be set aside. */
export interface GivenUp {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly deliveryCount: number;
  readonly cause: 'rejected' | 'delivered too often';
}

/** The type for the offset with that index in its batch. */
export function typeAt(types: readonly number[], index: number): number {
  return types.length === 1 ? types[0]! : types[index]!;
}
