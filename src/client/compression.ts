/** What a compression of record batches is to this client. Any thread. The codecs stand in files of their own. */

import type { Compression } from '../records/record-batch.ts';

export interface CompressionCodec {
  /** The number in a batch's attributes. */
  readonly id: Compression;
  readonly name: 'gzip' | 'snappy' | 'lz4' | 'zstd';
  /** Absent where it only inflates. */
  readonly compress?: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  /** Throws, or rejects, where `bytes` are not of the format or more than `maxBytes` come out. */
  readonly decompress: (bytes: Uint8Array, maxBytes: number) => Uint8Array | Promise<Uint8Array>;
}

/** Joins what a stream gave, `length` bytes in all. */
export function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
