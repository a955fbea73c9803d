/**
 * Brings a batch that stands in the ring into the compression that its topic asks for (`compression.type`). I/O thread;
 * synchronous, from the records that the validator has just looked at, through the arena's scratch:
 *
 *   │ scan rows: the codecs' working memory │ inflated body │ the batch as it will be stored │
 *
 * Everything of the batch but its compression stays as it is. It decides nothing about offsets or producers.
 */

import { ErrorCode } from '../base/error-code.ts';
import { asAddress, type Address } from '../base/numbers.ts';
import { attributeBit, batchHeaderSizeBytes, compressionOf, isControl } from '../records/record-batch.ts';
import type { Refusal, ScannedBatch } from './batch-check.ts';
import { deflateBatch, deflatedBound } from './batch-deflater.ts';
import type { LogConfig } from './log-config.ts';
import { scratchBodyAddress, scratchBodySizeBytes, scratchRowsAddress } from './scratch.ts';
import type { StoreContext } from './store-context.ts';

const alignmentBytes = 64;

/** Whether a topic with `config` stores the batch in another compression than it has. */
export function needsRecompression({ attributes }: ScannedBatch, { compression }: LogConfig): boolean {
  return compression !== null && compressionOf(attributes) !== compression && !isControl(attributes);
}

/**
 * The batch at `address`, whose records the context's validator has checked last, in the topic's compression: where it
 * stands in the scratch, and its size, which `batch` is told, too. MESSAGE_TOO_LARGE where it inflates to more than can be
 * compressed again here.
 */
export function recompressBatch(
  { arena, validator }: StoreContext,
  batch: ScannedBatch,
  address: Address,
  { compression, compressionLevels }: LogConfig,
): { readonly address: Address; readonly sizeBytes: number } | Refusal {
  const { body } = validator;
  const codec = compression ?? 0;
  const scratch = scratchBodyAddress(arena);
  const scratchEnd = scratch + scratchBodySizeBytes(arena);
  const isInflated = body.address >= scratch && body.address < scratchEnd;
  const used = isInflated ? body.address + body.sizeBytes : scratch;
  const target = asAddress(Math.ceil(used / alignmentBytes) * alignmentBytes);
  const neededBytes = batchHeaderSizeBytes + deflatedBound(codec, body.sizeBytes);
  if (target + neededBytes > scratchEnd) {
    const message = `The records of the batch have ${body.sizeBytes} bytes, more than can be compressed again for compression.type: send smaller batches.`;
    return { errorCode: ErrorCode.MESSAGE_TOO_LARGE, message, recordErrors: [] };
  }
  const bodyBytes = deflateBatch(
    arena,
    codec,
    compressionLevels,
    body.address,
    body.sizeBytes,
    asAddress(target + batchHeaderSizeBytes),
    scratchRowsAddress(arena),
  );
  batch.attributes = (batch.attributes & ~attributeBit.compressionMask) | codec;
  batch.sizeBytes = batchHeaderSizeBytes + bodyBytes;
  arena.core.encodeRetainedHeader(target, address, bodyBytes, batch.recordCount, batch.attributes, -1, 0);
  return { address: target, sizeBytes: batch.sizeBytes };
}
