/**
 * The records in the bytes that a fetch or a read gave, as the checker wants them. Any thread.
 */

import { gunzipSync } from 'node:zlib';
import type { Offset } from '../../src/base/numbers.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import {
  attributesAt,
  batchField,
  batchSizeAt,
  Compression,
  compressionOf,
  hasValidCrc,
  leaderEpochAt,
} from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import type { SeenRecord } from './anomaly-checker.ts';

/** What is in `bytes` from `offset` on. Throws where a batch is damaged; a last one that is cut off is left out. */
export function readRecords(bytes: Uint8Array, offset: Offset): SeenRecord[] {
  const records: SeenRecord[] = [];
  let at = 0;
  for (let size = batchSizeAt(bytes, 0, bytes.length); size > 0; size = batchSizeAt(bytes, at, bytes.length)) {
    const end = at + size;
    if (!hasValidCrc(bytes, at, size, crc32c)) throw new Error(`a batch at ${at} of what was read has a wrong CRC`);
    const compression = compressionOf(attributesAt(bytes, at));
    const body = compression === Compression.GZIP ? gunzipSync(bytes.subarray(at + batchField.records, end)) : null;
    const reader = new RecordReader(bytes, at, end, body);
    const leaderEpoch = leaderEpochAt(bytes, at);
    while (reader.next()) {
      if (reader.offset < offset) continue;
      const value = Buffer.from(reader.value ?? []).toString('latin1');
      records.push({ offset: reader.offset, leaderEpoch, value });
    }
    at = end;
  }
  return records;
}
