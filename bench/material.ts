/** What benchmarks work on: an arena, and batches of records that look like what producers send. */

import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { assert } from '../src/base/assert.ts';
import { asAddress, type Address } from '../src/base/numbers.ts';
import { Arena } from '../src/memory/arena.ts';
import { BatchBuilder } from '../src/records/batch-builder.ts';
import { RecordReader } from '../src/records/record-reader.ts';
import { jsonValue } from './json-value.ts';

const mebibyte = 1024 * 1024;

export const arena: Arena = Arena.create({
  flushWorkerCount: 1,
  queueCapacity: 1024,
  ringSizeBytes: 8 * mebibyte,
  scratchSizeBytes: 8 * mebibyte,
  heapSizeBytes: mebibyte,
});

/** Where benchmarks let write; nothing is kept there. */
export const outputAddress: Address = asAddress(arena.layout.scratchAddress);
export const outputSizeBytes: number = arena.layout.scratchSizeBytes;

let nextAddress = arena.layout.ringAddress;

/** Puts `bytes` where they stay, and returns where that is. */
export function placed(bytes: Uint8Array): Address {
  const address = reserved(bytes.length);
  arena.bytes.set(bytes, address);
  return address;
}

/** Room of `sizeBytes` that no other benchmark uses. */
export function reserved(sizeBytes: number): Address {
  const address = asAddress(nextAddress);
  nextAddress += Math.ceil(sizeBytes / 64) * 64;
  assert(nextAddress <= arena.layout.ringAddress + arena.layout.ringSizeBytes, 'the benchmarks fit their arena');
  return address;
}

/** A builder with as many records of `valueBytes` bytes as fit about 16 KiB, a producer's usual batch. */
export function filledBuilder(valueBytes: number, batchBytes = 16 * 1024): BatchBuilder {
  const builder = new BatchBuilder((bytes) => nativeCrc32c(bytes));
  for (let i = 0; builder.recordCount === 0 || builder.sizeBytes + valueBytes <= batchBytes; i++) {
    builder.append({ key: null, value: jsonValue(i, valueBytes), timestampMs: 1_700_000_000_000 + i });
  }
  return builder;
}

/** How many records the batch has, each of them parsed; `body` has them inflated where it was compressed. */
export function readAll(batch: Uint8Array, body: Uint8Array | null = null): number {
  const reader = new RecordReader(batch, 0, batch.length, body);
  let count = 0;
  while (reader.next()) count++;
  return count;
}
