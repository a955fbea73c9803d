/**
 * Walks a segment file's batches with the core, piece by piece through the arena's scratch: whole, CRC right, next in
 * sequence. Synchronous; at the start, and offline (`millrace verify`). I/O thread.
 *
 * It says where the first batch begins that is not so, and why; what to do about it is the caller's to decide. Zeros up
 * to the end of the file are room that the writer made ahead and did not use, and no problem.
 */

import { asOffset, asPosition, type Offset, type Position } from '../base/numbers.ts';
import type { Arena } from '../memory/arena.ts';
import { scanRow, ScanStatus } from '../memory/core.ts';
import { batchField, batchHeaderSizeBytes, batchPrefixSizeBytes } from '../records/record-batch.ts';
import type { FileDescriptor, FileSystem } from './file-system.ts';
import { scratchBodyAddress, scratchBodySizeBytes, scratchRowsAddress, scratchRowsMax } from './scratch.ts';
import { readFully } from './whole-transfers.ts';

/** A batch as it lies in a file. One object serves a whole scan. */
export interface FileBatch {
  position: Position;
  sizeBytes: number;
  baseOffset: Offset;
  lastOffset: Offset;
  maxTimestamp: number;
  leaderEpoch: number;
  attributes: number;
  producerId: number;
  producerEpoch: number;
  baseSequence: number;
  lastOffsetDelta: number;
  recordCount: number;
  /** In the arena's scratch, valid until the next batch is asked for. */
  address: number;
}

export interface ScanEnd {
  /** Where the whole and valid batches end. */
  readonly endPosition: Position;
  /** Null where that is the end of the file, or only zeros follow; else what is there instead of a batch. */
  readonly problem: string | null;
  /** So many zeros stand behind the batches, up to the end of the file. */
  readonly zeroBytes: number;
}

const pieceBytes = 4 * 1024 * 1024;

const problems: Readonly<Record<number, string>> = {
  [ScanStatus.TRUNCATED]: 'a batch that is not whole',
  [ScanStatus.BAD_LENGTH]: 'a batch with an impossible length',
  [ScanStatus.BAD_MAGIC]: 'no record batch of format 2',
  [ScanStatus.BAD_CRC]: 'a batch whose CRC does not match its bytes',
  [ScanStatus.BAD_COUNT]: 'a batch whose record count contradicts its offsets',
  [ScanStatus.BAD_ATTRIBUTES]: 'a batch with an unknown compression',
};

/**
 * Gives `take` each batch of `file` from `from` on, up to the file's `sizeBytes`, until one is not whole, not valid or
 * does not begin exactly at `nextOffset`, before `gapsBefore` (what compaction took out lies there) at or after it, or `take`
 * answers with a problem of its own.
 * `taken` is given the taken batches of each piece, as they stand in the arena, before the next piece replaces them.
 */
export function scanSegmentFile(
  arena: Arena,
  fileSystem: FileSystem,
  file: FileDescriptor,
  sizeBytes: number,
  from: Position,
  nextOffset: Offset,
  gapsBefore: number,
  take: (batch: FileBatch) => string | null,
  taken: (address: number, position: Position, sizeBytes: number) => void = () => {},
): ScanEnd {
  const { bytes, core, view } = arena;
  const bodyAddress = scratchBodyAddress(arena);
  const capacityBytes = scratchBodySizeBytes(arena);
  const rowsAddress = scratchRowsAddress(arena);
  const batch = blankBatch();
  let position: number = from;
  let expected: number = nextOffset;
  let wantedBytes = Math.min(pieceBytes, capacityBytes);
  const ended = (problem: string | null): ScanEnd => {
    const isRoom = problem !== null && hasOnlyZeros(arena, fileSystem, file, position, sizeBytes);
    const zeroBytes = isRoom ? sizeBytes - position : 0;
    return { endPosition: asPosition(position), problem: isRoom ? null : problem, zeroBytes };
  };
  while (position < sizeBytes) {
    const pieceSize = Math.min(wantedBytes, sizeBytes - position);
    const filled = readFully(fileSystem, file, bytes.subarray(bodyAddress, bodyAddress + pieceSize), position);
    const rowCount = core.scanBatches(bodyAddress, filled, rowsAddress, scratchRowsMax, capacityBytes, 0);
    const pieceStart = asPosition(position);
    let problem: string | null = null;
    for (let i = 0; i < rowCount && problem === null; i++) {
      const row = rowsAddress + i * scanRow.sizeOfRow;
      const status = view.getInt32(row + scanRow.status, true);
      if (status !== ScanStatus.OK) {
        const claimedBytes = claimedSize(view, bodyAddress + position - pieceStart, pieceStart + filled - position);
        const more = status === ScanStatus.TRUNCATED && filled === pieceSize && position + claimedBytes <= sizeBytes;
        if (!more || claimedBytes > capacityBytes) problem = problems[status] ?? 'a batch that is damaged';
        // The batch goes on in the next piece, which begins with it and has room for all of it.
        else wantedBytes = Math.max(Math.min(pieceBytes, capacityBytes), claimedBytes);
        break;
      }
      readRow(view, row, batch);
      batch.position = asPosition(position);
      batch.address = bodyAddress + position - pieceStart;
      if (
        !Number.isSafeInteger(batch.lastOffset) ||
        batch.baseOffset < expected ||
        (batch.baseOffset > expected && batch.baseOffset >= gapsBefore)
      ) {
        problem = `a batch that begins at offset ${batch.baseOffset} where ${expected} is next`;
        break;
      }
      problem = take(batch);
      if (problem !== null) break;
      position += batch.sizeBytes;
      expected = batch.lastOffset + 1;
    }
    if (position > pieceStart) taken(bodyAddress, pieceStart, position - pieceStart);
    if (problem !== null) return ended(problem);
    if (rowCount === 0 || (filled < pieceSize && position === pieceStart))
      return ended('fewer bytes than the file has');
  }
  return ended(null);
}

/** Whether the file has zeros from `from` to `end`, looked at piece by piece; overwrites the scratch. */
function hasOnlyZeros(arena: Arena, fileSystem: FileSystem, file: FileDescriptor, from: number, end: number): boolean {
  const bodyAddress = scratchBodyAddress(arena);
  const capacityBytes = Math.min(pieceBytes, scratchBodySizeBytes(arena));
  // Most often the first few bytes decide.
  for (let position = from, wantedBytes = batchHeaderSizeBytes; position < end; wantedBytes = capacityBytes) {
    const piece = arena.bytes.subarray(bodyAddress, bodyAddress + Math.min(wantedBytes, end - position));
    const filled = readFully(fileSystem, file, piece, position);
    if (filled < piece.length || piece.some((byte) => byte !== 0)) return false;
    position += filled;
  }
  return true;
}

function claimedSize(view: DataView, address: number, availableBytes: number): number {
  // A header that is not whole itself asks for another look at this place at least.
  if (availableBytes < batchPrefixSizeBytes) return batchHeaderSizeBytes;
  return Math.max(batchPrefixSizeBytes + view.getInt32(address + batchField.length), batchHeaderSizeBytes);
}

function readRow(view: DataView, row: number, batch: FileBatch): void {
  batch.sizeBytes = view.getInt32(row + scanRow.sizeBytes, true);
  // The CRC does not cover it, so it may be anything until it was compared with what is next.
  batch.baseOffset = view.getFloat64(row + scanRow.baseOffset, true) as Offset;
  batch.lastOffsetDelta = view.getInt32(row + scanRow.lastOffsetDelta, true);
  batch.lastOffset = (batch.baseOffset + batch.lastOffsetDelta) as Offset;
  batch.maxTimestamp = view.getFloat64(row + scanRow.maxTimestamp, true);
  batch.leaderEpoch = view.getInt32(row + scanRow.leaderEpoch, true);
  batch.attributes = view.getInt32(row + scanRow.attributes, true);
  batch.producerId = view.getFloat64(row + scanRow.producerId, true);
  batch.producerEpoch = view.getInt32(row + scanRow.producerEpoch, true);
  batch.baseSequence = view.getInt32(row + scanRow.baseSequence, true);
  batch.recordCount = view.getInt32(row + scanRow.recordCount, true);
}

function blankBatch(): FileBatch {
  return {
    position: asPosition(0),
    sizeBytes: 0,
    baseOffset: asOffset(0),
    lastOffset: asOffset(0),
    maxTimestamp: -1,
    leaderEpoch: -1,
    attributes: 0,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    lastOffsetDelta: 0,
    recordCount: 0,
    address: 0,
  };
}
