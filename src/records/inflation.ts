/** How inflating ends where it does not give a size. Any thread. The core's block inflaters answer the same way. */

export const InflationFailure = {
  /** The bytes are not what the codec's format says. */
  MALFORMED: -1,
  /** More bytes come out than the capacity given; what was written until then means nothing. */
  TOO_LARGE: -2,
} as const;
export type InflationFailure = (typeof InflationFailure)[keyof typeof InflationFailure];
