/**
 * The control batch that ends a producer's transaction in one partition. Any thread. It has one record, whose key says how
 * the transaction ended (KIP-98):
 *
 *   batch header, 61 bytes   attributes: transactional, control │ base sequence -1
 *   record, 17 bytes         i8 16 │ attributes 0 │ timestamp delta 0 │ offset delta 0
 *     key    varint 4        i16 version = 0 │ i16 type: 0 abort, 1 commit
 *     value  varint 6        i16 version = 0 │ i32 coordinator epoch
 *     headers varint 0
 *
 * It does not say which batches belong to the transaction: those of the producer since its last marker.
 */

import { readInt16, readInt32, writeInt16, writeInt32, writeInt64 } from './big-endian.ts';
import { attributeBit, batchField, batchHeaderSizeBytes, batchPrefixSizeBytes, currentMagic } from './record-batch.ts';
import type { RecordReader } from './record-reader.ts';

export type TransactionOutcome = 'commit' | 'abort';

/** Who ends which transaction, and how. */
export interface MarkerFields {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Of the coordinator's run: markers of an older one are refused. */
  readonly coordinatorEpoch: number;
  readonly outcome: TransactionOutcome;
  /** In milliseconds since 1970. */
  readonly timestampMs: number;
}

/** What a control record says, as far as it is known here: there are other types, which end no transaction. */
export interface ControlRecord {
  readonly outcome: TransactionOutcome;
  readonly coordinatorEpoch: number;
}

const typeNumbers: Readonly<Record<TransactionOutcome, number>> = { abort: 0, commit: 1 };
const keySizeBytes = 4;
const valueSizeBytes = 6;
const zigzag = 2;
const recordBodySizeBytes = 3 + 1 + keySizeBytes + 1 + valueSizeBytes + 1;

/** The size of every marker's batch. */
export const markerSizeBytes = batchHeaderSizeBytes + 1 + recordBodySizeBytes;

/** The batch of a marker, without a CRC and with the offset 0: the log gives it both. */
export function encodeMarker({
  producerId,
  producerEpoch,
  coordinatorEpoch,
  outcome,
  timestampMs,
}: MarkerFields): Uint8Array {
  const bytes = new Uint8Array(markerSizeBytes);
  writeInt32(bytes, batchField.length, markerSizeBytes - batchPrefixSizeBytes);
  writeInt32(bytes, batchField.leaderEpoch, -1);
  bytes[batchField.magic] = currentMagic;
  writeInt16(bytes, batchField.attributes, attributeBit.transactional | attributeBit.control);
  writeInt64(bytes, batchField.baseTimestamp, timestampMs);
  writeInt64(bytes, batchField.maxTimestamp, timestampMs);
  writeInt64(bytes, batchField.producerId, producerId);
  writeInt16(bytes, batchField.producerEpoch, producerEpoch);
  writeInt32(bytes, batchField.baseSequence, -1);
  writeInt32(bytes, batchField.recordCount, 1);
  const record = batchHeaderSizeBytes;
  bytes[record] = recordBodySizeBytes * zigzag;
  const key = record + 4;
  bytes[key] = keySizeBytes * zigzag;
  writeInt16(bytes, key + 3, typeNumbers[outcome]);
  const value = key + 1 + keySizeBytes;
  bytes[value] = valueSizeBytes * zigzag;
  writeInt32(bytes, value + 3, coordinatorEpoch);
  return bytes;
}

/**
 * What the record says that `reader` stands at, in a control batch; null where it ends no transaction. Later versions
 * only add fields at the end.
 */
export function readControlRecord({ key, value }: RecordReader): ControlRecord | null {
  if (key === null || key.length < keySizeBytes || readInt16(key, 0) < 0) return null;
  const type = readInt16(key, 2);
  if (type !== typeNumbers.abort && type !== typeNumbers.commit) return null;
  const coordinatorEpoch = value === null || value.length < valueSizeBytes ? -1 : readInt32(value, 2);
  return { outcome: type === typeNumbers.commit ? 'commit' : 'abort', coordinatorEpoch };
}
