/**
 * What a log has its flush worker do, as the fields of submissions (`memory/flush-messages.ts`). I/O thread.
 * One object serves all logs: whoever fills it submits it at once, which copies it. When something is submitted, and what
 * follows from it, decides `log-flusher.ts`.
 */

import { present } from '../base/assert.ts';
import type { Offset, RingPosition } from '../base/numbers.ts';
import { blankSubmission, SubmissionFlag, type Submission, type SubmissionKind } from '../memory/flush-messages.ts';
import type { LogState } from './log-state.ts';
import type { Segment } from './segment.ts';
import { tailText } from './unsettled-tail.ts';

const encoder = new TextEncoder();
const submission: Submission = blankSubmission();

/** A submission of the slot that says no more than its kind. */
export function submissionFields(kind: SubmissionKind, slot: number, generation: number): Submission {
  submission.kind = kind;
  submission.slot = slot;
  submission.generation = generation;
  submission.flags = 0;
  submission.sizeBytes = 0;
  return submission;
}

/** What an OPEN needs in the ring: the directory, the topic's id and, where the worker is to write it again, the tail. */
export function openingText({ directory, topicId, journaledTail: tail, segments }: LogState): Uint8Array {
  const isActives = tail !== null && tail.segmentBaseOffset === segments.active?.baseOffset;
  return encoder.encode(`${directory}\n${topicId}${isActives ? `\n${tailText(tail)}` : ''}`);
}

/** Makes `fields` the OPEN of a log whose active segment is in the list, and whose text of `textBytes` stands at `position`. */
export function openingFields(
  fields: Submission,
  log: LogState,
  position: RingPosition,
  textBytes: number,
): Submission {
  const active = activeFields(fields, log);
  fields.flags = log.hasFiles ? 0 : SubmissionFlag.CREATE;
  if (log.indexPoint < log.recoveryPoint || log.tail !== null) fields.flags |= SubmissionFlag.INDEXES_UNSURE;
  fields.ringPosition = position;
  fields.sizeBytes = textBytes;
  fields.baseOffset = active.baseOffset;
  fields.endOffset = log.progress.end;
  return fields;
}

/** Makes `fields` the ROLL that ends `sealed`, with its largest timestamp as a last time index entry where asked. */
export function rollFields(
  fields: Submission,
  sealed: Segment,
  withTimeEntry: boolean,
  baseOffset: Offset,
): Submission {
  fields.baseOffset = baseOffset;
  if (withTimeEntry) {
    fields.flags = SubmissionFlag.TIME_INDEX_ENTRY;
    fields.timeIndexTimestamp = sealed.largestTimestampMs;
    fields.timeIndexRelativeOffset = sealed.offsetOfLargestTimestamp - sealed.baseOffset;
  }
  return fields;
}

/** Makes `fields` the RESUME that cuts the files to what counts of them. */
export function resumptionFields(fields: Submission, log: LogState): Submission {
  activeFields(fields, log);
  return fields;
}

/** How much of the active segment's files counts. */
function activeFields(fields: Submission, { segments }: LogState): Segment {
  const active = present(segments.active, 'a log that is written has a segment');
  fields.filePosition = active.sizeBytes;
  fields.indexSizeBytes = active.offsetIndexSizeBytes;
  fields.timeIndexSizeBytes = active.timeIndexSizeBytes;
  fields.transactionIndexSizeBytes = active.transactionIndexSizeBytes;
  return active;
}
