/**
 * Inflates Snappy as Kafka's clients write it: raw blocks, by themselves or in snappy-java's framing
 * (`records/snappy-framing.ts`). Any thread. It does not compress.
 *
 *   block: varint size of what comes out │ { literal | copy }       (the format description of Snappy, 2011)
 *   tag:   ….00 literal of 1 to 60 bytes, or with its length in 1 to 4 bytes that follow
 *          ….01 copy of 4 to 11 bytes, offset of 11 bits   ….10 offset of 16 bits   ….11 offset of 32 bits
 */

import { Compression } from '../records/record-batch.ts';
import { InflationFailure } from '../records/inflation.ts';
import { inflateSnappy } from '../records/snappy-framing.ts';
import type { CompressionCodec } from './compression.ts';
import { inflatedInPlace } from './in-place.ts';

export const snappy: CompressionCodec = {
  id: Compression.SNAPPY,
  name: 'snappy',
  decompress: (bytes, maxBytes) =>
    inflatedInPlace(bytes, maxBytes, snappy.name, (memory, sourceBytes, capacityBytes) =>
      inflateSnappy(memory, 0, sourceBytes, sourceBytes, capacityBytes, {
        snappyInflateBlock: (source, sizeBytes, target, roomBytes) =>
          inflateBlock(memory, source, source + sizeBytes, target, roomBytes),
      }),
    ),
};

function inflateBlock(memory: Uint8Array, source: number, end: number, target: number, roomBytes: number): number {
  let at = source;
  let size = 0;
  for (let shift = 0; ; shift += 7) {
    if (at === end || shift > 28) return InflationFailure.MALFORMED;
    const byte = memory[at++]!;
    size += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (size > roomBytes) return InflationFailure.TOO_LARGE;
  const targetEnd = target + size;
  let to = target;
  while (at < end) {
    const tag = memory[at++]!;
    const kind = tag & 3;
    let length: number;
    if (kind === 0) {
      length = tag >>> 2;
      if (length >= 60) {
        const lengthBytes = length - 59;
        if (at + lengthBytes > end) return InflationFailure.MALFORMED;
        length = littleEndian(memory, at, lengthBytes);
        at += lengthBytes;
      }
      length++;
      if (length > end - at || length > targetEnd - to) return InflationFailure.MALFORMED;
      memory.copyWithin(to, at, at + length);
      at += length;
      to += length;
      continue;
    }
    const offsetBytes = kind === 3 ? 4 : kind;
    if (at + offsetBytes > end) return InflationFailure.MALFORMED;
    const offset = littleEndian(memory, at, offsetBytes) + (kind === 1 ? (tag >>> 5) * 256 : 0);
    at += offsetBytes;
    length = kind === 1 ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2);
    if (offset === 0 || offset > to - target || length > targetEnd - to) return InflationFailure.MALFORMED;
    for (const copyEnd = to + length; to < copyEnd; to++) memory[to] = memory[to - offset]!;
  }
  return to === targetEnd ? size : InflationFailure.MALFORMED;
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}
