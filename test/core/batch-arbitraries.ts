/** Arbitrary records and batches for the core's property tests. */

import fc from 'fast-check';
import { batchBytes, bodyBytes, type TwinBatch, type TwinRecord } from './batch-twin.ts';

const bytes = fc.uint8Array({ maxLength: 90 });
const headers = fc.array(fc.record({ key: bytes, value: fc.option(bytes) }), { maxLength: 3 });

/** Records of a client: offset deltas 0, 1, 2, … */
export const contiguousRecords: fc.Arbitrary<TwinRecord[]> = fc
  .array(
    fc.record({
      timestampDelta: fc.oneof(fc.integer({ min: -100, max: 100 }), fc.integer({ min: -(2 ** 45), max: 2 ** 45 })),
      key: fc.option(bytes),
      value: fc.option(bytes),
      headers,
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((records) => records.map((record, offsetDelta) => ({ ...record, offsetDelta })));

export interface ArbitraryBatch {
  readonly batch: TwinBatch;
  readonly records: readonly TwinRecord[];
  readonly bytes: Uint8Array;
}

/** A whole, right and uncompressed batch of a client. */
export const arbitraryBatch: fc.Arbitrary<ArbitraryBatch> = fc
  .record({
    records: contiguousRecords,
    baseOffset: fc.nat(2 ** 40),
    leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    attributes: fc.constantFrom(0, 8, 16, 32),
    baseTimestamp: fc.nat(2 ** 42),
    maxTimestamp: fc.integer({ min: -1, max: 2 ** 42 }),
    producerId: fc.integer({ min: -1, max: 2 ** 50 }),
    producerEpoch: fc.integer({ min: -1, max: 32_767 }),
    baseSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  })
  .map(({ records, ...fields }) => {
    const batch = { ...fields, lastOffsetDelta: records.length - 1, recordCount: records.length };
    return { batch, records, bytes: batchBytes(batch, bodyBytes(records)) };
  });
