/** Raw Snappy blocks written from their elements and inflated a byte at a time: the obvious twin of the core's. */

export type SnappyElement =
  | { readonly kind: 'literal'; readonly bytes: Uint8Array; readonly sizeBytesUsed: 0 | 1 | 2 | 3 | 4 }
  | { readonly kind: 'copy'; readonly distance: number; readonly size: number; readonly form: 1 | 2 | 4 };

function littleEndian(value: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** i) % 256);
}

function elementBytes(element: SnappyElement): number[] {
  if (element.kind === 'literal') {
    const { bytes, sizeBytesUsed } = element;
    const last = bytes.length - 1;
    const tag = sizeBytesUsed === 0 ? last << 2 : (59 + sizeBytesUsed) << 2;
    return [tag, ...littleEndian(last, sizeBytesUsed), ...bytes];
  }
  const { distance, size, form } = element;
  if (form === 1) return [((distance >> 8) << 5) | ((size - 4) << 2) | 1, distance & 255];
  return [((size - 1) << 2) | (form === 2 ? 2 : 3), ...littleEndian(distance, form)];
}

export function snappyBlock(inflatedSize: number, elements: readonly SnappyElement[]): Uint8Array {
  const bytes: number[] = [];
  let size = inflatedSize;
  for (; size >= 128; size = Math.floor(size / 128)) bytes.push((size % 128) + 128);
  bytes.push(size);
  return Uint8Array.from([...bytes, ...elements.flatMap(elementBytes)]);
}

/** The inflated bytes; null where the block is malformed, `too large` where it declares more than `capacity`. */
export function inflateSnappyTwin(block: Uint8Array, capacity: number): Uint8Array | 'too large' | null {
  let at = 0;
  let inflatedSize = 0;
  for (let i = 0; ; i++) {
    if (i === 5 || at === block.length) return null;
    const byte = block[at++] ?? 0;
    inflatedSize += (byte & 127) * 128 ** i;
    if (byte < 128) break;
  }
  if (inflatedSize >= 2 ** 32) return null;
  if (inflatedSize > capacity) return 'too large';
  const out: number[] = [];
  while (at < block.length) {
    const tag = block[at++] ?? 0;
    const upper = tag >> 2;
    const extra = [upper < 60 ? 0 : upper - 59, 1, 2, 4][tag & 3] ?? 0;
    if (at + extra > block.length) return null;
    let operand = 0;
    for (let i = 0; i < extra; i++) operand += (block[at++] ?? 0) * 256 ** i;
    if ((tag & 3) === 0) {
      const size = extra === 0 ? upper + 1 : operand + 1;
      if (at + size > block.length || out.length + size > inflatedSize) return null;
      for (let i = 0; i < size; i++) out.push(block[at++] ?? 0);
    } else {
      const distance = (tag & 3) === 1 ? operand + 256 * (tag >> 5) : operand;
      const size = (tag & 3) === 1 ? ((tag >> 2) & 7) + 4 : upper + 1;
      if (distance === 0 || distance > out.length || out.length + size > inflatedSize) return null;
      for (let i = 0; i < size; i++) out.push(out[out.length - distance] ?? 0);
    }
  }
  return out.length === inflatedSize ? Uint8Array.from(out) : null;
}
