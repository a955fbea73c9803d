/**
 * Inflates Zstandard (RFC 8878) in TypeScript, for platforms without it. Any thread. It does not compress, knows no
 * dictionaries, and leaves frames' checksums to the batch's own CRC.
 *
 *   compressed block: literals section │ sequences section
 *   literals:         header │ [Huffman table] │ [sizes of 4 streams] │ streams
 *   sequences:        count │ modes of 3 tables │ tables │ bits: { offset, match length, literal length }
 */

import { ErrorCode } from '../base/error-code.ts';
import { InflationFailure } from '../records/inflation.ts';
import { Compression } from '../records/record-batch.ts';
import { walkZstdFrames } from '../records/zstd-frame.ts';
import type { CompressionCodec } from './compression.ts';
import { KafkaError } from './kafka-error.ts';
import { MalformedZstd } from './malformed-zstd.ts';
import {
  BackwardBits,
  type FseTable,
  fseTable,
  huffmanDecode,
  type HuffmanTable,
  readFseTable,
  readHuffmanTable,
  singleTable,
} from './zstd-entropy.ts';

export const zstd: CompressionCodec = {
  id: Compression.ZSTD,
  name: 'zstd',
  decompress(bytes, maxBytes) {
    // That the frames and their blocks are whole is known after this, and how much they can come to.
    const frames = walkZstdFrames(bytes, 0, bytes.length);
    if (typeof frames === 'number') {
      const tooLarge = frames === InflationFailure.TOO_LARGE;
      throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `a batch is ${tooLarge ? 'too large a' : 'no valid'} zstd`);
    }
    const out = new Output(Math.min(frames.boundBytes, maxBytes));
    for (let at = 0; at < bytes.length;) at = inflateFrame(bytes, at, out);
    return out.bytes.subarray(0, out.size);
  },
};

const frameMagic = 0xfd2fb528;
const blockType = { raw: 0, rle: 1 } as const;
const largestBlockBytes = 128 * 1024;

class Output {
  readonly bytes: Uint8Array;
  size = 0;

  constructor(capacityBytes: number) {
    this.bytes = new Uint8Array(capacityBytes);
  }

  /** Advances by `count` bytes and returns where they begin. */
  take(count: number): number {
    if (count > this.bytes.length - this.size) {
      throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `a batch inflates to more than ${this.bytes.length} bytes`);
    }
    this.size += count;
    return this.size - count;
  }
}

/** What one block of a frame leaves to the next. */
class FrameState {
  huffman: HuffmanTable | null = null;
  literalLengths: FseTable | null = null;
  offsets: FseTable | null = null;
  matchLengths: FseTable | null = null;
  readonly repeated = [1, 4, 8] as [number, number, number];
}

/** Inflates the frame at `at`, or passes over it where it is skippable; returns where it ends. */
function inflateFrame(bytes: Uint8Array, at: number, out: Output): number {
  if (littleEndian(bytes, at, 4) !== frameMagic) return at + 8 + littleEndian(bytes, at + 4, 4);
  const descriptor = bytes[at + 4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 2 ** sizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  if (dictionaryBytes > 0) throw new MalformedZstd('it takes a dictionary');
  let to = at + 5 + (isSingleSegment ? 0 : 1) + sizeBytes;
  const state = new FrameState();
  const frameStart = out.size;
  for (let isLast = false; !isLast;) {
    const header = littleEndian(bytes, to, 3);
    isLast = (header & 1) === 1;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    to += 3;
    if (type === blockType.raw) {
      out.bytes.set(bytes.subarray(to, to + size), out.take(size));
      to += size;
    } else if (type === blockType.rle) {
      const start = out.take(size);
      out.bytes.fill(bytes[to++]!, start, start + size);
    } else {
      inflateBlock(bytes, to, to + size, state, out, frameStart);
      to += size;
    }
  }
  return to + ((descriptor & 0x04) === 0 ? 0 : 4);
}

function inflateBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  state: FrameState,
  out: Output,
  frameStart: number,
): void {
  const { literals, end: literalsEnd } = readLiterals(bytes, start, end, state);
  let at = literalsEnd;
  if (at >= end) throw new MalformedZstd('a block has no sequences section');
  let count = bytes[at++]!;
  if (count >= 128) {
    if (end - at < 2) throw new MalformedZstd('a sequences section is cut off');
    if (count < 255) count = (count - 128) * 256 + bytes[at++]!;
    else {
      count = 0x7f00 + littleEndian(bytes, at, 2);
      at += 2;
    }
  }
  let literalsAt = 0;
  if (count > 0) {
    if (at >= end) throw new MalformedZstd('a sequences section is cut off');
    const modes = bytes[at++]!;
    const read = (kind: TableKind, mode: number, previous: FseTable | null): FseTable => {
      const found = readTable(bytes, at, end, kind, mode, previous);
      at = found.end;
      return found.table;
    };
    state.literalLengths = read(literalLengthKind, modes >> 6, state.literalLengths);
    state.offsets = read(offsetKind, (modes >> 4) & 3, state.offsets);
    state.matchLengths = read(matchLengthKind, (modes >> 2) & 3, state.matchLengths);
    literalsAt = runSequences(new BackwardBits(bytes, at, end), count, literals, state, out, frameStart);
  } else if (at !== end) throw new MalformedZstd('bytes follow a block without sequences');
  out.bytes.set(literals.subarray(literalsAt), out.take(literals.length - literalsAt));
}

/** The literals of a block, section 3.1.1.3.1. */
function readLiterals(
  bytes: Uint8Array,
  start: number,
  end: number,
  state: FrameState,
): { readonly literals: Uint8Array; readonly end: number } {
  if (end - start < 1) throw new MalformedZstd('a block is empty');
  const type = bytes[start]! & 3;
  const format = (bytes[start]! >> 2) & 3;
  if (type < 2) {
    const headerBytes = (format & 1) === 0 ? 1 : format === 1 ? 2 : 3;
    if (end - start < headerBytes) throw new MalformedZstd('literals are cut off');
    const size = littleEndian(bytes, start, headerBytes) >>> (headerBytes === 1 ? 3 : 4);
    const at = start + headerBytes;
    const stored = type === 0 ? size : 1;
    if (stored > end - at || size > largestBlockBytes) throw new MalformedZstd('literals are cut off');
    const literals = type === 0 ? bytes.subarray(at, at + size) : new Uint8Array(size).fill(bytes[at]!);
    return { literals, end: at + stored };
  }
  const headerBytes = format < 2 ? 3 : format + 2;
  const sizeBits = [10, 10, 14, 18][format]!;
  if (end - start < headerBytes) throw new MalformedZstd('literals are cut off');
  const header = Math.floor(littleEndian(bytes, start, headerBytes) / 16);
  const size = header % 2 ** sizeBits;
  const compressedBytes = Math.floor(header / 2 ** sizeBits);
  let at = start + headerBytes;
  const literalsEnd = at + compressedBytes;
  if (literalsEnd > end || size > largestBlockBytes) throw new MalformedZstd('literals are cut off');
  if (type === 2) {
    const read = readHuffmanTable(bytes, at, literalsEnd);
    state.huffman = read.table;
    at = read.end;
  }
  const { huffman } = state;
  if (huffman === null) throw new MalformedZstd('a block goes on with a Huffman table that there is not');
  const literals = new Uint8Array(size);
  if (format === 0) huffmanDecode(huffman, bytes, at, literalsEnd, literals, 0, size);
  else fourStreams(huffman, bytes, at, literalsEnd, literals);
  return { literals, end: literalsEnd };
}

function fourStreams(huffman: HuffmanTable, bytes: Uint8Array, start: number, end: number, literals: Uint8Array): void {
  if (end - start < 6) throw new MalformedZstd('literals are cut off');
  const share = (literals.length + 3) >> 2;
  let at = start + 6;
  for (let stream = 0; stream < 4; stream++) {
    const streamEnd = stream === 3 ? end : at + littleEndian(bytes, start + stream * 2, 2);
    const from = share * stream;
    const count = stream === 3 ? literals.length - from : share;
    if (streamEnd > end || count < 0) throw new MalformedZstd('literals are cut off');
    huffmanDecode(huffman, bytes, at, streamEnd, literals, from, count);
    at = streamEnd;
  }
}

/** One of the three kinds of codes of sequences: its table where none is given, and what its codes stand for. */
interface TableKind {
  readonly standard: () => FseTable;
  readonly largestLog: number;
  readonly largestSymbol: number;
}

function readTable(
  bytes: Uint8Array,
  at: number,
  end: number,
  { standard, largestLog, largestSymbol }: TableKind,
  mode: number,
  previous: FseTable | null,
): { readonly table: FseTable; readonly end: number } {
  if (mode === 0) return { table: standard(), end: at };
  if (mode === 2) return readFseTable(bytes, at, end, largestLog, largestSymbol);
  if (mode === 3) {
    if (previous === null) throw new MalformedZstd('a block goes on with a table that there is not');
    return { table: previous, end: at };
  }
  if (at >= end || bytes[at]! > largestSymbol) throw new MalformedZstd('a table has an impossible symbol');
  return { table: singleTable(bytes[at]!), end: at + 1 };
}

/** Carries the sequences out, section 3.1.1.4; returns how many literals they took. */
function runSequences(
  bits: BackwardBits,
  count: number,
  literals: Uint8Array,
  { literalLengths, offsets, matchLengths, repeated }: FrameState,
  out: Output,
  frameStart: number,
): number {
  const [literalTable, offsetTable, matchTable] = [literalLengths!, offsets!, matchLengths!];
  let literalState = bits.read(literalTable.accuracyLog);
  let offsetState = bits.read(offsetTable.accuracyLog);
  let matchState = bits.read(matchTable.accuracyLog);
  let literalsAt = 0;
  for (let left = count; left > 0; left--) {
    const offsetCode = offsetTable.symbol[offsetState]!;
    const matchCode = matchTable.symbol[matchState]!;
    const literalCode = literalTable.symbol[literalState]!;
    const offsetValue = 2 ** offsetCode + bits.read(offsetCode);
    const matchLength = matchBase[matchCode]! + bits.read(matchBits[matchCode]!);
    const literalLength = literalBase[literalCode]! + bits.read(literalBits[literalCode]!);
    if (left > 1) {
      literalState = literalTable.base[literalState]! + bits.read(literalTable.bitCount[literalState]!);
      matchState = matchTable.base[matchState]! + bits.read(matchTable.bitCount[matchState]!);
      offsetState = offsetTable.base[offsetState]! + bits.read(offsetTable.bitCount[offsetState]!);
    }
    if (bits.left < 0 || literalLength > literals.length - literalsAt) throw new MalformedZstd('a sequence is cut off');
    out.bytes.set(literals.subarray(literalsAt, literalsAt + literalLength), out.take(literalLength));
    literalsAt += literalLength;
    const offset = offsetOf(offsetValue, literalLength, repeated);
    if (offset < 1 || offset > out.size - frameStart) throw new MalformedZstd('a match lies before its frame');
    const to = out.take(matchLength);
    const memory = out.bytes;
    for (let i = to; i < to + matchLength; i++) memory[i] = memory[i - offset]!;
  }
  if (bits.left !== 0) throw new MalformedZstd('the sequences do not come out even');
  return literalsAt;
}

/** The offset that `value` stands for, section 3.1.1.5: one of the last three, or a new one, which then is the last. */
function offsetOf(value: number, literalLength: number, repeated: [number, number, number]): number {
  const back = value - 1 + (literalLength === 0 ? 1 : 0);
  if (value <= 3 && back === 0) return repeated[0];
  const offset = value > 3 ? value - 3 : back < 3 ? repeated[back as 1 | 2] : repeated[0] - 1;
  if (value > 3 || back > 1) repeated[2] = repeated[1];
  repeated[1] = repeated[0];
  repeated[0] = offset;
  return offset;
}

/** Up to five bytes. */
function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

/** `[value, how often]` in a row. */
function spread(...runs: readonly (readonly [number, number])[]): number[] {
  return runs.flatMap(([value, times]) => new Array<number>(times).fill(value));
}

/** What codes with these bits behind them begin at, one behind the other from `first`. */
function bases(first: number, bits: readonly number[]): number[] {
  let base = first;
  return bits.map((count) => {
    base += 2 ** count;
    return base - 2 ** count;
  });
}

// Section 3.1.1.3.2.1.1, tables 16 and 17, and the distributions of section 3.1.1.3.2.2.
const literalBits = [...spread([0, 16], [1, 4], [2, 2], [3, 2]), 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const literalBase = bases(0, literalBits);
const matchBits = [...spread([0, 32], [1, 4], [2, 2], [3, 2], [4, 2]), 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const matchBase = bases(3, matchBits);

const literalLengthKind: TableKind = {
  standard: () => fseTable([4, 3, ...spread([2, 11], [1, 3], [2, 9]), 3, 2, ...spread([1, 5], [-1, 4])], 6),
  largestLog: 9,
  largestSymbol: 35,
};
const offsetKind: TableKind = {
  standard: () => fseTable(spread([1, 6], [2, 3], [1, 15], [-1, 5]), 5),
  largestLog: 8,
  largestSymbol: 31,
};
const matchLengthKind: TableKind = {
  standard: () => fseTable([1, 4, 3, ...spread([2, 6], [1, 37], [-1, 7])], 6),
  largestLog: 9,
  largestSymbol: 52,
};
