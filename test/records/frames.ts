/**
 * What tests inflate: bodies compressed by others' implementations (node:zlib, @platformatic/kafka's LZ4 and Snappy,
 * @foxglove/wasm-zstd), and frames written byte by byte, to be wrong in any place.
 */

import { compressionsAlgorithms } from '@platformatic/kafka';
import * as wasmZstd from '@foxglove/wasm-zstd';
import { gzipSync } from 'node:zlib';
import { Compression } from '../../src/records/record-batch.ts';
import { arena, place } from '../core/core-arena.ts';

await wasmZstd.isLoaded;

export type Compress = (body: Uint8Array) => Uint8Array;

/** Every codec of Kafka, as others write it. */
export const compressors: Readonly<Record<string, { codec: Compression; compress: Compress }>> = {
  gzip: { codec: Compression.GZIP, compress: (body) => gzipSync(body) },
  'snappy block': { codec: Compression.SNAPPY, compress: snappyBlockOf },
  'snappy-java': { codec: Compression.SNAPPY, compress: (body) => snappyJava(chunksOf(body, 32 * 1024)) },
  lz4: { codec: Compression.LZ4, compress: (body) => compressWith('lz4', body) },
  zstd: { codec: Compression.ZSTD, compress: (body) => wasmZstd.compress(body) },
  'streamed zstd': { codec: Compression.ZSTD, compress: (body) => withoutContentSize(wasmZstd.compress(body)) },
};

function snappyBlockOf(body: Uint8Array): Uint8Array {
  return compressWith('snappy', body);
}

function compressWith(codec: 'lz4' | 'snappy', body: Uint8Array): Uint8Array {
  const { compressSync } = compressionsAlgorithms[codec];
  // When its memory grew in the call before, it fails for an empty body, and only for that: a byte puts it right.
  if (body.length === 0) compressSync(Buffer.of(0));
  return compressSync(Buffer.from(body));
}

function chunksOf(body: Uint8Array, sizeBytes: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += sizeBytes) chunks.push(body.subarray(at, at + sizeBytes));
  return chunks;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

function uint32LittleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

export const snappyJavaHeader: Buffer = Buffer.concat([Buffer.from('\x82SNAPPY\0', 'latin1'), int32(1), int32(1)]);

/** snappy-java's framing, each of `bodies` compressed to one chunk. */
export function snappyJava(bodies: readonly Uint8Array[]): Buffer {
  const chunks = bodies.map(snappyBlockOf);
  return Buffer.concat([snappyJavaHeader, ...chunks.flatMap((chunk) => [int32(chunk.length), chunk])]);
}

export interface Lz4FrameParts {
  readonly blocks: readonly { readonly bytes: Uint8Array; readonly isStored: boolean }[];
  readonly version?: number;
  readonly independent?: boolean;
  readonly blockChecksums?: boolean;
  readonly contentSize?: number;
  /** The content, where its checksum is wanted. */
  readonly checksumOf?: Uint8Array;
  readonly reservedFlags?: number;
  /** 4 to 7: 64 KiB to 4 MiB. */
  readonly blockSizeCode?: number;
}

function xxh32(bytes: Uint8Array): number {
  return arena.core.xxh32(place(bytes), bytes.length, 0) >>> 0;
}

/** An LZ4 frame, with whatever the parts say even where the format does not allow it. */
export function lz4Frame(parts: Lz4FrameParts): Buffer {
  const { contentSize, checksumOf, blockChecksums = false } = parts;
  const flags =
    ((parts.version ?? 1) << 6) |
    ((parts.independent ?? true) ? 0x20 : 0) |
    (blockChecksums ? 0x10 : 0) |
    (contentSize === undefined ? 0 : 0x08) |
    (checksumOf === undefined ? 0 : 0x04) |
    (parts.reservedFlags ?? 0);
  const size = Buffer.alloc(contentSize === undefined ? 0 : 8);
  if (contentSize !== undefined) size.writeBigUInt64LE(BigInt(contentSize));
  const descriptor = Buffer.concat([Buffer.from([flags, (parts.blockSizeCode ?? 4) << 4]), size]);
  const blocks = parts.blocks.flatMap(({ bytes, isStored }) => [
    uint32LittleEndian(bytes.length + (isStored ? 2 ** 31 : 0)),
    bytes,
    blockChecksums ? uint32LittleEndian(xxh32(bytes)) : Buffer.alloc(0),
  ]);
  return Buffer.concat([
    uint32LittleEndian(0x184d2204),
    descriptor,
    Buffer.from([(xxh32(descriptor) >>> 8) & 0xff]),
    ...blocks,
    uint32LittleEndian(0),
    checksumOf === undefined ? Buffer.alloc(0) : uint32LittleEndian(xxh32(checksumOf)),
  ]);
}

export interface ZstdFrameParts {
  /** 0 raw, 1 RLE (one byte, `size` times), 2 compressed. */
  readonly blocks: readonly { readonly type: number; readonly size: number; readonly bytes: Uint8Array }[];
  /** Left out, the frame states none and has a window of 128 KiB. */
  readonly contentSize?: number;
  readonly windowDescriptor?: number;
  readonly reserved?: boolean;
}

/** A Zstandard frame without checksum. A content size takes eight bytes and makes the frame a single segment. */
export function zstdFrame(parts: ZstdFrameParts): Buffer {
  const { contentSize } = parts;
  const size = Buffer.alloc(contentSize === undefined ? 0 : 8);
  if (contentSize !== undefined) size.writeBigUInt64LE(BigInt(contentSize));
  const descriptor = (contentSize === undefined ? 0 : 0xe0) | ((parts.reserved ?? false) ? 0x08 : 0);
  const start = contentSize === undefined ? [descriptor, parts.windowDescriptor ?? 7 << 3] : [descriptor];
  const blocks = parts.blocks.flatMap(({ type, size: blockSize, bytes }, i) => [
    uint32LittleEndian((blockSize << 3) | (type << 1) | (i === parts.blocks.length - 1 ? 1 : 0)).subarray(0, 3),
    bytes,
  ]);
  return Buffer.concat([uint32LittleEndian(0xfd2fb528), Buffer.from(start), size, ...blocks]);
}

/** The same frame with a window of 128 MiB in place of its content size, as encoders that stream write it. */
function withoutContentSize(frame: Uint8Array): Buffer {
  const descriptor = frame[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = descriptor >> 6 === 0 ? (isSingleSegment ? 1 : 0) : 2 ** (descriptor >> 6);
  const blocksAt = 5 + (isSingleSegment ? 0 : 1) + sizeBytes;
  return Buffer.concat([frame.subarray(0, 4), Buffer.from([descriptor & 0x04, 17 << 3]), frame.subarray(blocksAt)]);
}
