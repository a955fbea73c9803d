/**
 * A batch that was just put into the ring: scanned by the core, its records checked, its maximum timestamp put right.
 * I/O thread. Whether the partition takes it is decided by `batch-check.ts` and the writer.
 */

import type { Address } from '../base/numbers.ts';
import { ScanFlag } from '../memory/core.ts';
import { isLogAppendTime } from '../records/record-batch.ts';
import { isCompressed, isForRecords, readScanRow, refusalOf, type Refusal, type ScannedBatch } from './batch-check.ts';
import type { LogConfig } from './log-config.ts';
import type { AppendOptions } from './partition-log.ts';
import { recordErrorsOf } from './record-errors.ts';
import { scratchRowsAddress } from './scratch.ts';
import type { StoreContext } from './store-context.ts';

const noLeaderEpoch = -1;

/**
 * The batch in the `sizeBytes` bytes at `address` of the arena as numbers, or why a log with `config` refuses it at
 * `nowMs`. Where the topic keeps the producer's time, the header's maximum timestamp is corrected in place, as Kafka
 * corrects it.
 */
export function scanProduced(
  { arena, validator }: StoreContext,
  address: Address,
  sizeBytes: number,
  { origin, sealed = true }: AppendOptions,
  config: LogConfig,
  nowMs: number,
): { readonly batch: ScannedBatch; readonly refusal: Refusal | null } {
  const { bytes, core, view } = arena;
  const rowsAddress = scratchRowsAddress(arena);
  const flags = sealed ? ScanFlag.CONTIGUOUS : ScanFlag.CONTIGUOUS | ScanFlag.SEAL;
  core.scanBatches(address, sizeBytes, rowsAddress, 1, sizeBytes, flags);
  const batch = readScanRow(view, rowsAddress);
  const statedTimestamp = batch.maxTimestamp;
  const unreadable = validator.validateBatch(batch, address, config);
  let refusal = unreadable ?? refusalOf(batch, sizeBytes, origin, config, nowMs);
  if (refusal !== null && unreadable === null && isForRecords(refusal, batch, config)) {
    const { body } = validator;
    const inflated = isCompressed(batch) ? bytes.subarray(body.address, body.address + body.sizeBytes) : null;
    const { errorCode } = refusal;
    // What a producer says where the log assigns is nothing to go by, and no CRC covers it.
    core.assignOffsets(address, 0, noLeaderEpoch);
    const recordErrors = recordErrorsOf(bytes, batch, address, inflated, errorCode, config, nowMs);
    refusal = { ...refusal, recordErrors };
  }
  const wrong = batch.maxTimestamp !== statedTimestamp || isLogAppendTime(batch.attributes);
  if (refusal === null && config.timestampType === 'CreateTime' && wrong) {
    core.setMaxTimestamp(address, batch.maxTimestamp);
  }
  return { batch, refusal };
}
