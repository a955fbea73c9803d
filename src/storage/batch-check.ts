/**
 * Whether a partition takes a batch: reads the core's scan row and answers with Kafka's error where it does not.
 * I/O thread. It decides nothing that depends on what was appended before (see `producer-state.ts`).
 */

import { ErrorCode } from '../base/error-code.ts';
import { noTimestamp } from '../base/numbers.ts';
import { scanRow, ScanStatus } from '../memory/core.ts';
import { isNamedProducerId } from '../records/named-records.ts';
import type { LogConfig } from './log-config.ts';
import type { RecordError } from './partition-log.ts';

/** One batch as the core scanned it, in numbers, and what was seen of its records since. */
export interface ScannedBatch {
  sizeBytes: number;
  status: ScanStatus;
  attributes: number;
  baseTimestamp: number;
  /** The header's, until the records were looked at; then theirs. */
  maxTimestamp: number;
  producerId: number;
  producerEpoch: number;
  baseSequence: number;
  recordCount: number;
  lastOffsetDelta: number;
  /** Of the records, which the row says nothing of: the header's timestamp, none and -1 until they were looked at (`record-validation.ts`). */
  minTimestamp: number;
  keylessCount: number;
  firstBadRecord: number;
}

/** Why a batch is refused. */
export interface Refusal {
  readonly errorCode: ErrorCode;
  readonly message: string;
  readonly recordErrors: readonly RecordError[];
}

export const noRecordErrors: readonly RecordError[] = [];

const compressionMask = 0x07;
const controlMask = 0x20;
/** Kafka takes it of a producer that is not known yet, and so is it taken here. */
const noEpoch = -1;

/** The batch as its row at `address` of `view` has it, before anybody has looked at its records. */
export function readScanRow(view: DataView, address: number): ScannedBatch {
  const maxTimestamp = view.getFloat64(address + scanRow.maxTimestamp, true);
  return {
    sizeBytes: view.getInt32(address + scanRow.sizeBytes, true),
    status: view.getInt32(address + scanRow.status, true) as ScanStatus,
    attributes: view.getInt32(address + scanRow.attributes, true),
    baseTimestamp: view.getFloat64(address + scanRow.baseTimestamp, true),
    maxTimestamp,
    producerId: view.getFloat64(address + scanRow.producerId, true),
    producerEpoch: view.getInt32(address + scanRow.producerEpoch, true),
    baseSequence: view.getInt32(address + scanRow.baseSequence, true),
    recordCount: view.getInt32(address + scanRow.recordCount, true),
    lastOffsetDelta: view.getInt32(address + scanRow.lastOffsetDelta, true),
    minTimestamp: maxTimestamp,
    keylessCount: 0,
    firstBadRecord: -1,
  };
}

/** Whether the records of the batch are compressed, so that the scan could not look at them. */
export function isCompressed(batch: ScannedBatch): boolean {
  return (batch.attributes & compressionMask) !== 0;
}

/** Null where a batch of `sizeBytes` from a client or coordinator is not too large; else the refusal. */
export function refusalOfSize(sizeBytes: number, origin: 'client' | 'coordinator', config: LogConfig): Refusal | null {
  if (sizeBytes > config.maxMessageBytes && origin === 'client') {
    return refuse(
      ErrorCode.MESSAGE_TOO_LARGE,
      `The record batch has ${sizeBytes} bytes, and ${config.maxMessageBytes} are allowed (max.message.bytes).`,
    );
  }
  if (sizeBytes <= config.segmentBytes) return null;
  return refuse(
    ErrorCode.RECORD_LIST_TOO_LARGE,
    `The record batch has ${sizeBytes} bytes, and a segment holds ${config.segmentBytes} (segment.bytes).`,
  );
}

/**
 * Null where the batch, the only one in `givenBytes` bytes from a client or coordinator, may be appended at `nowMs`;
 * else the refusal. A topic that stamps LogAppendTime does not look at timestamps.
 */
export function refusalOf(
  batch: ScannedBatch,
  givenBytes: number,
  origin: 'client' | 'coordinator',
  config: LogConfig,
  nowMs: number,
): Refusal | null {
  const structural = structuralRefusal(batch, givenBytes);
  if (structural !== null) return structural;
  if (origin === 'coordinator') return null;
  if ((batch.attributes & controlMask) !== 0) {
    return refuse(ErrorCode.INVALID_RECORD, 'Clients may not write control batches.');
  }
  const producer = batch.producerId >= 0 ? producerRefusal(batch) : null;
  if (producer !== null) return producer;
  if (config.compactPolicy && batch.keylessCount > 0) {
    return refuse(
      ErrorCode.INVALID_RECORD,
      `${batch.keylessCount} of ${batch.recordCount} records have no key, which a compacted topic needs.`,
    );
  }
  return config.timestampType === 'CreateTime' ? timestampRefusal(batch, config, nowMs) : null;
}

/** Whether single records are to blame for the refusal, which `refusalOf` gave. */
export function isForRecords({ errorCode }: Refusal, batch: ScannedBatch, config: LogConfig): boolean {
  if (batch.status !== ScanStatus.OK) return false;
  const isKeyless = config.compactPolicy && batch.keylessCount > 0;
  return errorCode === ErrorCode.INVALID_TIMESTAMP || (errorCode === ErrorCode.INVALID_RECORD && isKeyless);
}

function structuralRefusal(batch: ScannedBatch, givenBytes: number): Refusal | null {
  switch (batch.status) {
    case ScanStatus.OK:
      if (batch.sizeBytes === givenBytes) return null;
      return refuse(
        ErrorCode.INVALID_RECORD,
        `One record batch a partition is taken; ${givenBytes - batch.sizeBytes} bytes follow the first.`,
      );
    case ScanStatus.BAD_MAGIC:
      return refuse(ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT, 'Only record batches of format 2 are taken.');
    case ScanStatus.BAD_CRC:
      return refuse(ErrorCode.CORRUPT_MESSAGE, 'The CRC of the record batch does not match its bytes.');
    case ScanStatus.TRUNCATED:
    case ScanStatus.BAD_LENGTH:
      return refuse(ErrorCode.CORRUPT_MESSAGE, `The record batch is not whole: ${givenBytes} bytes were sent.`);
    case ScanStatus.BAD_ATTRIBUTES:
      return refuse(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, `The attributes ${batch.attributes} name no compression.`);
    case ScanStatus.BAD_COUNT:
      return refuse(
        ErrorCode.INVALID_RECORD,
        `${batch.recordCount} records contradict the last offset delta ${batch.lastOffsetDelta}.`,
      );
    default: {
      const message = `Record ${batch.firstBadRecord} of the batch does not parse or contradicts the header.`;
      const recordErrors = batch.firstBadRecord < 0 ? [] : [{ index: batch.firstBadRecord, message }];
      return { errorCode: ErrorCode.INVALID_RECORD, message, recordErrors };
    }
  }
}

/** Of an idempotent producer's batch: what it says goes into snapshots, which hold nothing that is out of range. */
function producerRefusal({ producerId, producerEpoch, baseSequence }: ScannedBatch): Refusal | null {
  if (!Number.isSafeInteger(producerId) || isNamedProducerId(producerId)) {
    return refuse(ErrorCode.INVALID_RECORD, `No InitProducerId gave out the producer id ${producerId}.`);
  }
  if (baseSequence < 0) {
    return refuse(
      ErrorCode.INVALID_RECORD,
      `A batch of producer ${producerId} has the sequence ${baseSequence}; it must be at least 0.`,
    );
  }
  if (producerEpoch < noEpoch) {
    return refuse(
      ErrorCode.INVALID_PRODUCER_EPOCH,
      `A batch of producer ${producerId} has the epoch ${producerEpoch}; it must be at least 0.`,
    );
  }
  return null;
}

function timestampRefusal(batch: ScannedBatch, config: LogConfig, nowMs: number): Refusal | null {
  // Records without a timestamp carry -1, which no bound is for.
  if (batch.maxTimestamp === noTimestamp) return null;
  if (batch.maxTimestamp - nowMs > config.timestampAfterMaxMs) {
    return refuse(
      ErrorCode.INVALID_TIMESTAMP,
      `The timestamp ${batch.maxTimestamp} lies more than ${config.timestampAfterMaxMs} ms ahead (message.timestamp.after.max.ms).`,
    );
  }
  if (batch.minTimestamp !== noTimestamp && nowMs - batch.minTimestamp > config.timestampBeforeMaxMs) {
    return refuse(
      ErrorCode.INVALID_TIMESTAMP,
      `The timestamp ${batch.minTimestamp} lies more than ${config.timestampBeforeMaxMs} ms back (message.timestamp.before.max.ms).`,
    );
  }
  return null;
}

/** A refusal of a batch as a whole. */
export function refuse(errorCode: ErrorCode, message: string): Refusal {
  return { errorCode, message, recordErrors: noRecordErrors };
}
