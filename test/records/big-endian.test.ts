import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  readInt16,
  readInt32,
  readInt64,
  readUint32,
  writeInt16,
  writeInt32,
  writeInt64,
} from '../../src/records/big-endian.ts';

describe('big-endian integers', () => {
  it('agree with DataView', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -32768, max: 32767 }), (i64, i32, i16) => {
        const bytes = new Uint8Array(15);
        const view = new DataView(bytes.buffer);
        writeInt64(bytes, 1, i64);
        writeInt32(bytes, 9, i32);
        writeInt16(bytes, 13, i16);
        expect(view.getBigInt64(1)).toBe(BigInt(i64));
        expect(view.getInt32(9)).toBe(i32);
        expect(view.getInt16(13)).toBe(i16);
        expect(readInt64(bytes, 1)).toBe(i64 + 0);
        expect(readInt32(bytes, 9)).toBe(i32);
        expect(readUint32(bytes, 9)).toBe(i32 >>> 0);
        expect(readInt16(bytes, 13)).toBe(i16);
      }),
    );
  });
});
