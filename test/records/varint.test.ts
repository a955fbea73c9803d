import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MalformedRecordsError,
  readVarint,
  readVarlong,
  varintSizeBytes,
  varlongSizeBytes,
  writeVarint,
  writeVarlong,
} from '../../src/records/varint.ts';

/** The definition, over bigints. */
function reference(value: bigint, bits: bigint): number[] {
  let raw = BigInt.asUintN(Number(bits), (value << 1n) ^ (value >> (bits - 1n)));
  const bytes: number[] = [];
  while (raw >= 0x80n) {
    bytes.push(Number(raw & 0x7fn) | 0x80);
    raw >>= 7n;
  }
  bytes.push(Number(raw));
  return bytes;
}

const int32Edges = [0, -1, 1, 63, -64, 64, -65, 8191, 8192, 1048575, 1048576, 2 ** 31 - 1, -(2 ** 31)];
const int64Edges = [
  ...int32Edges,
  2 ** 31,
  2 ** 32,
  2 ** 34 - 1,
  2 ** 34,
  2 ** 48 - 1,
  2 ** 48,
  2 ** 53 - 1,
  -(2 ** 53) + 1,
];

describe('varints', () => {
  const checkInt32 = (value: number): void => {
    const bytes = new Uint8Array(8);
    const end = writeVarint(bytes, 1, value);
    expect([...bytes.subarray(1, end)]).toEqual(reference(BigInt(value), 32n));
    expect(varintSizeBytes(value)).toBe(end - 1);
    expect(readVarint({ bytes, at: 1, end })).toBe(value);
    for (let cut = 1; cut < end; cut++) {
      expect(() => readVarint({ bytes, at: 1, end: cut })).toThrow(MalformedRecordsError);
    }
  };
  const checkInt64 = (value: number): void => {
    const bytes = new Uint8Array(12);
    const end = writeVarlong(bytes, 1, value);
    expect([...bytes.subarray(1, end)]).toEqual(reference(BigInt(value), 64n));
    expect(varlongSizeBytes(value)).toBe(end - 1);
    expect(readVarlong({ bytes, at: 1, end })).toBe(value);
    for (let cut = 1; cut < end; cut++) {
      expect(() => readVarlong({ bytes, at: 1, end: cut })).toThrow(MalformedRecordsError);
    }
  };

  it('code every int32 as protobuf does', () => {
    for (const value of int32Edges) checkInt32(value);
    fc.assert(fc.property(fc.integer(), checkInt32));
  });

  it('code every safe integer as protobuf does', () => {
    for (const value of int64Edges) checkInt64(value);
    fc.assert(fc.property(fc.maxSafeInteger(), (value) => checkInt64(value + 0)));
  });

  it('reads the ends of int64 as the nearest doubles', () => {
    const largest = Uint8Array.from(reference(2n ** 63n - 1n, 64n));
    expect(readVarlong({ bytes: largest, at: 0, end: largest.length })).toBe(2 ** 63);
    const smallest = Uint8Array.from(reference(-(2n ** 63n), 64n));
    expect(readVarlong({ bytes: smallest, at: 0, end: smallest.length })).toBe(-(2 ** 63));
  });

  it('refuse what is longer than the type', () => {
    const long = new Uint8Array(20).fill(0xff);
    expect(() => readVarint({ bytes: long, at: 0, end: 20 })).toThrow(MalformedRecordsError);
    expect(() => readVarlong({ bytes: long, at: 0, end: 20 })).toThrow(MalformedRecordsError);
    const fiveGroups = Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x10);
    expect(() => readVarint({ bytes: fiveGroups, at: 0, end: 5 })).toThrow(MalformedRecordsError);
  });
});
