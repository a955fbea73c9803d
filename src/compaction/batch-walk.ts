/**
 * Walks the batches of a segment's file through the input of a compaction's memory, piece by piece. Of whoever runs the
 * compaction. It stops at what is damaged: a log that cannot be read whole is not compacted.
 */

import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import type { Address } from '../base/numbers.ts';
import { readInt32 } from '../records/big-endian.ts';
import { batchField, batchHeaderSizeBytes, batchPrefixSizeBytes, batchSizeAt } from '../records/record-batch.ts';
import { readUint32 } from '../records/big-endian.ts';
import type { FileSystem } from '../storage/file-system.ts';
import type { CompactionMemory } from './compaction-memory.ts';

/**
 * Gives `take` each batch of the first `sizeBytes` bytes of the file at `path`, which are whole batches, until it answers
 * false; yields after each piece with its bytes. Throws `EnvironmentError` DATA_CORRUPT for what is no whole and right
 * batch, or is larger than the memory takes, and the file system's errors.
 */
export function* walkBatches(
  { arena, input }: CompactionMemory,
  fileSystem: FileSystem,
  path: string,
  sizeBytes: number,
  pieceBytes: number,
  take: (address: Address, batchBytes: number) => boolean,
): Generator<number, void> {
  const { bytes, core } = arena;
  const file = fileSystem.open(path, 'read');
  try {
    let wantedBytes = Math.min(pieceBytes, input.sizeBytes);
    for (let position = 0; position < sizeBytes;) {
      const piece = bytes.subarray(input.address, input.address + Math.min(wantedBytes, sizeBytes - position));
      let filled = 0;
      while (filled < piece.length) {
        const count = fileSystem.read(file, piece.subarray(filled), position + filled);
        if (count === 0) throw damaged(path, position + filled, 'the file ends');
        filled += count;
      }
      let at = 0;
      for (let size = batchSizeAt(piece, at, filled); size >= 0; size = batchSizeAt(piece, at, filled)) {
        const address = (input.address + at) as Address;
        const crc = core.crc32c(address + batchField.attributes, size - batchField.attributes) >>> 0;
        if (crc !== readUint32(piece, at + batchField.crc)) throw damaged(path, position + at, 'a CRC does not fit');
        if (!take(address, size)) return;
        at += size;
      }
      if (at === 0) {
        // The batch is not whole in the piece: it is read again with room for all of it.
        const claimed =
          filled < batchPrefixSizeBytes
            ? batchHeaderSizeBytes
            : batchPrefixSizeBytes + readInt32(piece, batchField.length);
        if (claimed <= filled || claimed > sizeBytes - position) throw damaged(path, position, 'there is no batch');
        if (claimed > input.sizeBytes) throw damaged(path, position, `a batch has ${claimed} bytes, which is too many`);
        wantedBytes = claimed;
        continue;
      }
      wantedBytes = Math.min(pieceBytes, input.sizeBytes);
      position += at;
      yield at;
    }
  } finally {
    fileSystem.close(file);
  }
}

export function damaged(path: string, position: number, what: string): EnvironmentError {
  return new EnvironmentError(
    EnvironmentErrorCode.DATA_CORRUPT,
    `${path} cannot be compacted: ${what} at position ${position}. Run millrace verify.`,
  );
}
