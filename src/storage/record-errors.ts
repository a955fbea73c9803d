/**
 * Which records of a refused batch are to blame, for producers that ask (KIP-467). I/O thread. Only for what was refused:
 * it makes an object for each such record.
 */

import { ErrorCode } from '../base/error-code.ts';
import { noTimestamp } from '../base/numbers.ts';
import type { Address } from '../base/numbers.ts';
import { RecordReader } from '../records/record-reader.ts';
import type { ScannedBatch } from './batch-check.ts';
import type { LogConfig } from './log-config.ts';
import type { RecordError } from './partition-log.ts';

/** More say nothing more, and a response has to hold them. */
const mostErrors = 1000;

/**
 * The records of the batch at `address` of `bytes`, with the body inflated where it was compressed, that a topic with
 * `config` refuses at `nowMs` for the reason `errorCode`.
 */
export function recordErrorsOf(
  bytes: Uint8Array,
  batch: ScannedBatch,
  address: Address,
  body: Uint8Array | null,
  errorCode: ErrorCode,
  config: LogConfig,
  nowMs: number,
): RecordError[] {
  const reader = new RecordReader(bytes, address, address + batch.sizeBytes, body);
  const errors: RecordError[] = [];
  for (let index = 0; errors.length < mostErrors && reader.next(); index++) {
    const message =
      errorCode === ErrorCode.INVALID_TIMESTAMP
        ? timestampProblem(reader.timestampMs, config, nowMs)
        : keyProblem(reader);
    if (message !== null) errors.push({ index, message });
  }
  return errors;
}

function keyProblem({ key }: RecordReader): string | null {
  return key === null ? 'The record has no key, which a compacted topic needs.' : null;
}

function timestampProblem(
  timestampMs: number,
  { timestampAfterMaxMs, timestampBeforeMaxMs }: LogConfig,
  nowMs: number,
): string | null {
  if (timestampMs === noTimestamp) return null;
  if (timestampMs - nowMs <= timestampAfterMaxMs && nowMs - timestampMs <= timestampBeforeMaxMs) return null;
  return `The timestamp ${timestampMs} is not between ${nowMs - timestampBeforeMaxMs} and ${nowMs + timestampAfterMaxMs}.`;
}
