/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4) in TypeScript: for browsers, for tests, and for small files that are
 * checked before there is an arena. Any thread. Produced batches are checked by the WebAssembly core, which is faster.
 */

/** Computes the CRC-32C of `bytes` as an unsigned 32-bit number; batches and framings take one of these. */
export type Crc32c = (bytes: Uint8Array) => number;

/** The polynomial 0x1EDC6F41 with its bits reversed. */
const reversedPolynomial = 0x82f63b78;

// Eight tables, so that eight bytes are folded at once ("slicing-by-8", Kounavis and Berry 2005).
const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/** Fills the tables; at the first use and not before, because it takes some milliseconds of every start. */
function fillTables(): void {
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? reversedPolynomial : 0);
    t0[byte] = crc >>> 0;
  }
  for (let slice = 1; slice < 8; slice++) {
    for (let byte = 0; byte < 256; byte++) {
      const previous = tables[slice - 1]![byte]!;
      tables[slice]![byte] = ((previous >>> 8) ^ t0[previous & 0xff]!) >>> 0;
    }
  }
}

/** The CRC-32C of all of `bytes`, unsigned. */
export const crc32c: Crc32c = (bytes) => {
  // No entry but the first of a filled table is 0.
  if (t0[1] === 0) fillTables();
  let crc = 0xffffffff;
  let i = 0;
  const wholeEnd = bytes.length & ~7;
  for (; i < wholeEnd; i += 8) {
    const low = crc ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    crc =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]!) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
};
