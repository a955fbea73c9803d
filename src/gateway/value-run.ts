/** Values that came together, of records that have nothing else. I/O thread. Only the shape. */
export interface ValueRun {
  /** Where the values lie, and records that are made of them. */
  readonly bytes: Uint8Array;
  /** How many are left. */
  readonly count: number;
  /** The first of them is `[start, end)` of the bytes. */
  readonly start: number;
  readonly end: number;
  /** Passes over the first. */
  next(): void;
  /**
   * Makes records of as many as fit `roomBytes` together and `largestBytes` each, and passes over them; returns how many. Their offset
   * deltas begin at `delta`, and `timestampDeltaMs` is below 2^31. They are `[encodedStart, encodedEnd)` of the bytes until the next
   * call.
   */
  encode(delta: number, timestampDeltaMs: number, roomBytes: number, largestBytes: number): number;
  readonly encodedStart: number;
  readonly encodedEnd: number;
}
