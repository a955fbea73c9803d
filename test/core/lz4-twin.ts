/** LZ4 blocks written from their sequences and inflated a byte at a time: the obvious twin of the core's. */

export interface Lz4Sequence {
  readonly literals: Uint8Array;
  readonly distance: number;
  /** At least 4. */
  readonly matchSize: number;
}

function extension(size: number): number[] {
  if (size < 15) return [];
  const bytes: number[] = [];
  for (size -= 15; size >= 255; size -= 255) bytes.push(255);
  return [...bytes, size];
}

export function lz4Block(sequences: readonly Lz4Sequence[], lastLiterals: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  for (const { literals, distance, matchSize } of sequences) {
    bytes.push((Math.min(literals.length, 15) << 4) | Math.min(matchSize - 4, 15));
    bytes.push(...extension(literals.length), ...literals, distance & 255, distance >> 8, ...extension(matchSize - 4));
  }
  bytes.push(Math.min(lastLiterals.length, 15) << 4, ...extension(lastLiterals.length), ...lastLiterals);
  return Uint8Array.from(bytes);
}

/** The inflated bytes, or null where the block is malformed. */
export function inflateLz4Twin(block: Uint8Array, history: Uint8Array): Uint8Array | null {
  const out = [...history];
  let at = 0;
  const more = (nibble: number): number => {
    let size = nibble;
    for (let byte = 255; nibble === 15 && byte === 255; size += byte) byte = block[at++] ?? Number.NaN;
    return size;
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = more(token >> 4);
    if (Number.isNaN(literals) || at + literals > block.length) return null;
    for (let i = 0; i < literals; i++) out.push(block[at++] ?? 0);
    if (at === block.length) return Uint8Array.from(out.slice(history.length));
    if (at + 2 > block.length) return null;
    const distance = (block[at] ?? 0) + 256 * (block[at + 1] ?? 0);
    at += 2;
    const matchSize = more(token & 15) + 4;
    if (Number.isNaN(matchSize) || distance === 0 || distance > out.length) return null;
    for (let i = 0; i < matchSize; i++) out.push(out[out.length - distance] ?? 0);
  }
  return null;
}
