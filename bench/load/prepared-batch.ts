/**
 * A record batch made once and sent again and again. Load thread.
 *
 * A sequence number lies under the batch's CRC. A CRC is linear, so each bit of the number changes it by a value that
 * depends on that bit alone: 32 of them are found once, and a batch of any size gets a new number by a few XORs.
 */

import { crc32c } from '@node-rs/crc32';
import { writeInt32 } from '../../src/records/big-endian.ts';
import { BatchBuilder, type BatchOptions } from '../../src/records/batch-builder.ts';
import { batchField, Compression } from '../../src/records/record-batch.ts';
import { jsonValue } from '../json-value.ts';
import type { BatchCompression, BatchShape } from './load-job.ts';

const sequenceBits = 32;
/** What a record takes beside its value, at most, for the values sent here. */
const recordOverheadBytes = 16;
/** An hour ago: a broker that keeps records for some days would soon remove older ones, before they are read. */
const firstTimestampMs = Date.now() - 3_600_000;

export interface PreparedBatch {
  readonly bytes: Uint8Array;
  readonly recordCount: number;
}

export async function prepareBatch(shape: BatchShape, options: BatchOptions = {}): Promise<PreparedBatch> {
  const builder = new BatchBuilder((bytes) => crc32c(bytes), options);
  const { recordBytes, batchBytes, compression } = shape;
  while (builder.recordCount === 0 || builder.sizeBytes + recordBytes + recordOverheadBytes <= batchBytes) {
    const i = builder.recordCount;
    builder.append({ key: null, value: jsonValue(i, recordBytes), timestampMs: firstTimestampMs + i });
  }
  return { bytes: await seal(builder, compression), recordCount: builder.recordCount };
}

async function seal(builder: BatchBuilder, compression: BatchCompression): Promise<Uint8Array> {
  switch (compression) {
    case 'none':
      return builder.seal();
    case 'lz4': {
      const { compressionsAlgorithms } = await import('@platformatic/kafka');
      const body = compressionsAlgorithms.lz4.compressSync(Buffer.from(builder.body));
      return builder.sealCompressed(Compression.LZ4, body);
    }
    case 'zstd': {
      const zstd = await import('@foxglove/wasm-zstd');
      await zstd.isLoaded;
      return builder.sealCompressed(Compression.ZSTD, zstd.compress(Buffer.from(builder.body)));
    }
  }
}

/** Gives copies of one batch their sequence numbers. */
export class SequencePatcher {
  readonly #crcAtZero: number;
  readonly #changes = new Int32Array(sequenceBits);

  constructor(batch: Uint8Array) {
    const copy = Uint8Array.from(batch);
    const crcWith = (sequence: number): number => {
      writeInt32(copy, batchField.baseSequence, sequence);
      return crc32c(copy.subarray(batchField.attributes)) | 0;
    };
    this.#crcAtZero = crcWith(0);
    for (let bit = 0; bit < sequenceBits; bit++) this.#changes[bit] = crcWith(1 << bit) ^ this.#crcAtZero;
  }

  /** Writes `sequence` and the CRC that follows from it into the copy that begins at `at`. */
  patch(bytes: Uint8Array, at: number, sequence: number): void {
    let crc = this.#crcAtZero;
    for (let rest = sequence; rest !== 0; rest &= rest - 1) crc ^= this.#changes[31 - Math.clz32(rest & -rest)]!;
    writeInt32(bytes, at + batchField.baseSequence, sequence);
    writeInt32(bytes, at + batchField.crc, crc);
  }
}
