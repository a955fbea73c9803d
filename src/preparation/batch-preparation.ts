/**
 * Prepares one batch after the other: checks it and brings it into the compression that its topic asks for, in an arena of
 * its own, of which only what is touched costs anything. Of whoever prepares batches.
 *
 *   │ scratch, as the I/O thread's (`scratch.ts`) │ the batch as it came │
 *
 * It checks as the I/O thread does, with the same code and the same bounds, so that it makes no difference who did.
 */

import { ErrorCode } from '../base/error-code.ts';
import { asAddress, type Address } from '../base/numbers.ts';
import { Arena } from '../memory/arena.ts';
import { batchHeaderSizeBytes } from '../records/record-batch.ts';
import { refusalOfSize, refuse, type Refusal } from '../storage/batch-check.ts';
import { refusedBatch, type PreparationOutcome, type PreparationTask } from '../storage/batch-preparer.ts';
import { needsRecompression, recompressBatch } from '../storage/batch-recompression.ts';
import { scanProduced } from '../storage/batch-scan.ts';
import type { RecordValidator } from '../storage/record-validation.ts';
import { scratchValidator } from '../storage/scratch-validator.ts';

export interface PreparationOptions {
  /** As the I/O thread's arena has them. */
  readonly scratchSizeBytes: number;
  readonly ringSizeBytes: number;
}

const pageBytes = 65_536;

export class BatchPreparation {
  readonly arena: Arena;
  readonly validator: RecordValidator;
  readonly #batch: Address;

  constructor({ scratchSizeBytes, ringSizeBytes }: PreparationOptions) {
    const heapSizeBytes = Math.ceil(ringSizeBytes / pageBytes) * pageBytes;
    this.arena = Arena.create({
      flushWorkerCount: 1,
      queueCapacity: 2,
      ringSizeBytes: 64,
      scratchSizeBytes,
      heapSizeBytes,
    });
    this.validator = scratchValidator(this.arena);
    this.#batch = asAddress(this.arena.layout.heapAddress);
  }

  /** The batch of `task`, prepared. Its memory is used again where the batch is stored as it came. */
  prepare(task: PreparationTask): PreparationOutcome {
    const { arena } = this;
    const { batch, origin, sealed, config, nowMs } = task;
    // It was not too large when it came; settings may be others since.
    const tooLarge = refusalOfSize(batch.length, origin, config);
    if (tooLarge !== null) return refusedBatch(tooLarge);
    const address = this.#batch;
    arena.copyIn(batch, address);
    const { batch: scanned, refusal } = scanProduced(this, address, batch.length, { origin, sealed }, config, nowMs);
    if (refusal !== null) return refusedBatch(refusal);
    if (!needsRecompression(scanned, config)) {
      // Its header may have been put right.
      batch.set(arena.bytes.subarray(address, address + batchHeaderSizeBytes));
      return { bytes: batch, outcome: scanned };
    }
    const made = recompressBatch(this, scanned, address, config);
    if ('errorCode' in made) return refusedBatch(made);
    const problem = refusalOfStored(made.sizeBytes, task);
    if (problem !== null) return refusedBatch(problem);
    const bytes = new Uint8Array(new SharedArrayBuffer(made.sizeBytes));
    arena.copyOut(made.address, made.sizeBytes, bytes, 0);
    return { bytes, outcome: scanned };
  }
}

function refusalOfStored(sizeBytes: number, { origin, config, storedBytesMax }: PreparationTask): Refusal | null {
  if (sizeBytes <= storedBytesMax) return refusalOfSize(sizeBytes, origin, config);
  return refuse(
    ErrorCode.MESSAGE_TOO_LARGE,
    `The record batch would be stored with ${sizeBytes} bytes, and ${storedBytesMax} are allowed: send smaller batches.`,
  );
}
