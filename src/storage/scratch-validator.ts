/** The validator that works in an arena's scratch. Of whoever checks batches. */

import type { Arena } from '../memory/arena.ts';
import { RecordValidator } from './record-validation.ts';
import { scratchBodyAddress, scratchBodySizeBytes } from './scratch.ts';

/** Kafka's producers end a batch at some megabytes before compression; a kilobyte can stand for gigabytes. */
export const largestInflatedBytes = 64 * 1024 * 1024;

/** A validator for all of the scratch behind the rows, as far as it may be used. */
export function scratchValidator(arena: Arena): RecordValidator {
  return new RecordValidator(
    arena,
    scratchBodyAddress(arena),
    Math.min(scratchBodySizeBytes(arena), largestInflatedBytes),
  );
}
