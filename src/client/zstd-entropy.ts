/**
 * The entropy coding of Zstandard (RFC 8878, section 4): bits read backwards, FSE tables, Huffman tables. Any thread.
 *
 *   FSE table:     for each state the symbol, how many bits come next, and the base that they are added to
 *   Huffman table: for each prefix of the longest code's length the symbol and the length of its own code
 */

import { MalformedZstd } from './malformed-zstd.ts';

export interface FseTable {
  readonly accuracyLog: number;
  readonly symbol: Uint8Array;
  readonly bitCount: Uint8Array;
  readonly base: Uint16Array;
}

export interface HuffmanTable {
  readonly maxBits: number;
  readonly symbol: Uint8Array;
  readonly bitCount: Uint8Array;
}

const largestCode = 11;

/** Bits [at, at + count) of `bytes` from `start`, the lowest first; up to 24. What lies beyond the bytes is 0. */
function bitsAt(bytes: Uint8Array, start: number, at: number, count: number): number {
  const byte = start + (at >>> 3);
  const word =
    (bytes[byte] ?? 0) |
    ((bytes[byte + 1] ?? 0) << 8) |
    ((bytes[byte + 2] ?? 0) << 16) |
    ((bytes[byte + 3] ?? 0) << 24);
  return (word >>> (at & 7)) & ((1 << count) - 1);
}

/** Reads a stream from its end: below the highest set bit of the last byte, the higher bits first. */
export class BackwardBits {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  /** How many bits are left; below 0 they were zeros. */
  left: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    const last = end > start ? bytes[end - 1]! : 0;
    if (last === 0) throw new MalformedZstd('a stream of bits has no end');
    this.#bytes = bytes;
    this.#start = start;
    this.left = (end - start) * 8 - 1 - Math.clz32(last << 24);
  }

  /** The next `count` bits, up to 31. */
  read(count: number): number {
    if (count > 24) return this.read(count - 16) * 65_536 + this.read(16);
    const bits = this.peek(count);
    this.left -= count;
    return bits;
  }

  /** As `read`, up to 24, without taking them. */
  peek(count: number): number {
    const at = this.left - count;
    if (at >= 0) return bitsAt(this.#bytes, this.#start, at, count);
    return this.left <= 0 ? 0 : bitsAt(this.#bytes, this.#start, 0, this.left) << -at;
  }
}

/** The table of `counts`, of which -1 stands for less than one state. They sum up to 2^accuracyLog states. */
export function fseTable(counts: readonly number[], accuracyLog: number): FseTable {
  const size = 1 << accuracyLog;
  const symbol = new Uint8Array(size);
  const bitCount = new Uint8Array(size);
  const base = new Uint16Array(size);
  const next = counts.map((count) => Math.abs(count));
  let high = size - 1;
  counts.forEach((count, value) => {
    if (count === -1) symbol[high--] = value;
  });
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  counts.forEach((count, value) => {
    for (let i = 0; i < count; i++) {
      symbol[at] = value;
      do at = (at + step) & (size - 1);
      while (at > high);
    }
  });
  for (let state = 0; state < size; state++) {
    const number = next[symbol[state]!]!++;
    bitCount[state] = accuracyLog - (31 - Math.clz32(number));
    base[state] = (number << bitCount[state]!) - size;
  }
  return { accuracyLog, symbol, bitCount, base };
}

/** The table that has one symbol and no bits. */
export function singleTable(value: number): FseTable {
  return { accuracyLog: 0, symbol: Uint8Array.of(value), bitCount: new Uint8Array(1), base: new Uint16Array(1) };
}

/** Reads the description of a table, section 4.1.1; gives it and where it ends. */
export function readFseTable(
  bytes: Uint8Array,
  start: number,
  end: number,
  largestLog: number,
  largestSymbol: number,
): { readonly table: FseTable; readonly end: number } {
  const accuracyLog = bitsAt(bytes, start, 0, 4) + 5;
  if (accuracyLog > largestLog) throw new MalformedZstd('a table is larger than it may be');
  let at = 4;
  let left = (1 << accuracyLog) + 1;
  let threshold = 1 << accuracyLog;
  let bits = accuracyLog + 1;
  const counts: number[] = [];
  while (left > 1) {
    if (counts.length > largestSymbol || start + (at >> 3) >= end) throw new MalformedZstd('a table does not end');
    const short = 2 * threshold - 1 - left;
    let value = bitsAt(bytes, start, at, bits);
    if ((value & (threshold - 1)) < short) {
      value &= threshold - 1;
      at += bits - 1;
    } else {
      if (value >= threshold) value -= short;
      at += bits;
    }
    const count = value - 1;
    left -= Math.abs(count);
    counts.push(count);
    if (count === 0) {
      let zeros: number;
      do {
        zeros = bitsAt(bytes, start, at, 2);
        at += 2;
        for (let i = 0; i < zeros; i++) counts.push(0);
      } while (zeros === 3 && counts.length <= largestSymbol);
    }
    while (left < threshold) {
      bits--;
      threshold >>= 1;
    }
  }
  const tableEnd = start + ((at + 7) >> 3);
  if (left !== 1 || counts.length > largestSymbol + 1 || tableEnd > end) {
    throw new MalformedZstd('a table does not come out even');
  }
  return { table: fseTable(counts, accuracyLog), end: tableEnd };
}

/** Reads the description of a Huffman table, section 4.2.1; gives it and where it ends. */
export function readHuffmanTable(
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly table: HuffmanTable; readonly end: number } {
  const header = start < end ? bytes[start]! : 0;
  const isDirect = header >= 128;
  const count = header - 127;
  const tableEnd = start + 1 + (isDirect ? (count + 1) >> 1 : header);
  if (header === 0 || tableEnd > end) throw new MalformedZstd('a Huffman table is cut off');
  let weights: number[];
  if (isDirect) {
    weights = Array.from({ length: count }, (_, i) => (bytes[start + 1 + (i >> 1)]! >> (i % 2 === 0 ? 4 : 0)) & 15);
  } else weights = readWeights(bytes, start + 1, tableEnd);
  return { table: huffmanTable(weights), end: tableEnd };
}

function readWeights(bytes: Uint8Array, start: number, end: number): number[] {
  const { table, end: tableEnd } = readFseTable(bytes, start, end, 6, 15);
  const bits = new BackwardBits(bytes, tableEnd, end);
  const weights: number[] = [];
  let state = bits.read(table.accuracyLog);
  let other = bits.read(table.accuracyLog);
  // Two states take turns; where the bits are used up the other one still has a symbol.
  while (weights.length < 255) {
    weights.push(table.symbol[state]!);
    const next = table.base[state]! + bits.read(table.bitCount[state]!);
    if (bits.left < 0) {
      weights.push(table.symbol[other]!);
      return weights;
    }
    state = other;
    other = next;
  }
  throw new MalformedZstd('a Huffman table has too many weights');
}

function huffmanTable(weights: number[]): HuffmanTable {
  let sum = 0;
  for (const weight of weights) if (weight > 0) sum += 2 ** (weight - 1);
  const maxBits = sum === 0 ? 0 : 32 - Math.clz32(sum);
  const rest = 2 ** maxBits - sum;
  if (maxBits === 0 || maxBits > largestCode || (rest & (rest - 1)) !== 0) {
    throw new MalformedZstd('the weights of a Huffman table do not come out even');
  }
  // The last symbol has what is left.
  weights.push(32 - Math.clz32(rest));
  const symbol = new Uint8Array(1 << maxBits);
  const bitCount = new Uint8Array(1 << maxBits);
  let at = 0;
  for (let weight = 1; weight <= maxBits; weight++) {
    weights.forEach((own, value) => {
      if (own !== weight) return;
      const entries = 1 << (weight - 1);
      symbol.fill(value, at, at + entries);
      bitCount.fill(maxBits + 1 - weight, at, at + entries);
      at += entries;
    });
  }
  return { maxBits, symbol, bitCount };
}

/** Decodes exactly `count` symbols to `target` from the stream that fills the range. */
export function huffmanDecode(
  { maxBits, symbol, bitCount }: HuffmanTable,
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
  count: number,
): void {
  const bits = new BackwardBits(bytes, start, end);
  for (let i = at; i < at + count; i++) {
    const prefix = bits.peek(maxBits);
    target[i] = symbol[prefix]!;
    bits.left -= bitCount[prefix]!;
  }
  if (bits.left !== 0) throw new MalformedZstd('a Huffman stream does not come out even');
}
