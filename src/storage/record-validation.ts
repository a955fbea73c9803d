/**
 * Checks every record of a batch that waits in the arena, inflating it first where it is compressed. I/O thread;
 * synchronous, and nothing is allocated per record.
 *
 *   scratch:  records result | inflated body …                      overwritten by every call, nothing is kept
 *
 * The batch stays as it came. What its records say goes into the scan row's numbers, on which `batch-check.ts` decides.
 */

import { assert } from '../base/assert.ts';
import { ErrorCode } from '../base/error-code.ts';
import { asAddress, type Address } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { recordsResult, ScanFlag, ScanStatus } from '../memory/core.ts';
import { InflationFailure } from '../records/inflation.ts';
import { batchHeaderSizeBytes, compressionOf } from '../records/record-batch.ts';
import { isCompressed, type Refusal, type ScannedBatch } from './batch-check.ts';
import { inflateBatch } from './batch-inflater.ts';
import type { LogConfig } from './log-config.ts';

const codecNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
/** The result comes first; the body after it, on a cache line. */
const bodyPlace = 64;

export class RecordValidator {
  readonly #arena: Arena;
  readonly #resultAddress: Address;
  readonly #bodyAddress: Address;
  readonly #bodyCapacityBytes: number;
  /** Where the records of the batch that was validated last lie as plain bytes: in the batch itself, or inflated here. */
  readonly body: { address: Address; sizeBytes: number };

  /**
   * A validator that uses `[scratchAddress, scratchAddress + scratchSizeBytes)` of the arena and nothing else of it.
   * Leave out what scan rows take. A compressed batch and what it inflates to must fit there together, because whoever
   * looks at it again has it in a piece of a file, which needs room there too.
   */
  constructor(arena: Arena, scratchAddress: Address, scratchSizeBytes: number) {
    assert(scratchSizeBytes > bodyPlace, 'there is room for a result and a body');
    assert(recordsResult.sizeOfResult <= bodyPlace, 'a result ends where the body begins');
    this.#arena = arena;
    this.#resultAddress = scratchAddress;
    this.#bodyAddress = asAddress(scratchAddress + bodyPlace);
    this.#bodyCapacityBytes = scratchSizeBytes - bodyPlace;
    this.body = { address: this.#bodyAddress, sizeBytes: 0 };
  }

  /**
   * Checks the records of the batch at `batchAddress`, whose scan row says OK; call it after `scanBatches` and before
   * `refusalOf`, which decides on what this fills in:
   *
   *   core.scanBatches(address, givenBytes, rowsAddress, 1, maxMessageBytes, ScanFlag.CONTIGUOUS);
   *   const batch = readScanRow(view, rowsAddress);
   *   const statedMaxTimestamp = batch.maxTimestamp;
   *   const refusal = validator.validateBatch(batch, address, config)
   *     ?? refusalOf(batch, givenBytes, origin, config, nowMs);
   *   // Where it is null and the topic keeps CreateTime: core.setMaxTimestamp(address, batch.maxTimestamp), if
   *   // batch.maxTimestamp !== statedMaxTimestamp or the batch says LogAppendTime, as Kafka corrects both.
   *
   * `maxTimestamp`, `minTimestamp` and `keylessCount` become what the records say. Where one does not parse or contradicts the header (another count, a gap in the offsets, bytes left over) the status becomes BAD_RECORD and
   * `firstBadRecord` its index. A row whose status is not OK is left as it is.
   *
   * Returns INVALID_RECORD where the body does not inflate, inflates to more than the scratch holds, or has a record
   * larger than `config.maxDecompressedBytes` (Kafka's max.decompressed.message.bytes, which bounds single records of
   * compressed batches); else null. Kafka answers a body that does not inflate with UNKNOWN_SERVER_ERROR, which tells a
   * producer nothing.
   */
  validateBatch(batch: ScannedBatch, batchAddress: Address, config: LogConfig): Refusal | null {
    if (batch.status !== ScanStatus.OK) return null;
    let address = asAddress(batchAddress + batchHeaderSizeBytes);
    let sizeBytes = batch.sizeBytes - batchHeaderSizeBytes;
    if (isCompressed(batch)) {
      sizeBytes = inflateBatch(
        this.#arena,
        batch.attributes,
        address,
        sizeBytes,
        this.#bodyAddress,
        this.#capacityFor(batch),
      );
      address = this.#bodyAddress;
      if (sizeBytes < 0) return this.#inflationRefusal(batch, sizeBytes);
    }

    this.body.address = address;
    this.body.sizeBytes = sizeBytes;
    const { core, view } = this.#arena;
    const result = this.#resultAddress;
    batch.status = core.validateRecords(
      address,
      sizeBytes,
      batch.recordCount,
      // Compaction leaves gaps; of a client's batch the scan has made sure that its header counts every offset.
      batch.recordCount === batch.lastOffsetDelta + 1 ? ScanFlag.CONTIGUOUS : 0,
      result,
    ) as ScanStatus;
    batch.firstBadRecord = view.getInt32(result + recordsResult.firstBadRecord, true);
    if (batch.status !== ScanStatus.OK) return null;
    batch.maxTimestamp = batch.baseTimestamp + view.getFloat64(result + recordsResult.maxTimestampDelta, true);
    batch.minTimestamp = batch.baseTimestamp + view.getFloat64(result + recordsResult.minTimestampDelta, true);
    batch.keylessCount = view.getInt32(result + recordsResult.keylessCount, true);
    const largestBytes = view.getInt32(result + recordsResult.largestRecordBytes, true);
    if (isCompressed(batch) && largestBytes > config.maxDecompressedBytes) {
      return refuse(
        `A record of ${largestBytes} bytes is larger than the ${config.maxDecompressedBytes} that max.decompressed.message.bytes allows.`,
      );
    }
    return null;
  }

  #capacityFor({ sizeBytes }: ScannedBatch): number {
    return Math.max(this.#bodyCapacityBytes - sizeBytes, 0);
  }

  #inflationRefusal(batch: ScannedBatch, failure: number): Refusal {
    const codec = codecNames[compressionOf(batch.attributes)] ?? 'unknown';
    return refuse(
      failure === InflationFailure.TOO_LARGE
        ? `The ${codec} records of the batch inflate to more than ${this.#capacityFor(batch)} bytes; send smaller batches.`
        : `The records of the batch are not whole and right ${codec} data.`,
    );
  }
}

function refuse(message: string): Refusal {
  return { errorCode: ErrorCode.INVALID_RECORD, message, recordErrors: [] };
}
