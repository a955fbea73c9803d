import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asAddress } from '../../src/base/numbers.ts';
import { Arena } from '../../src/memory/arena.ts';
import { deflateTableBytes } from '../../src/memory/core.ts';
import { Compression } from '../../src/records/record-batch.ts';
import { defaultCompressionLevels, deflateBatch, deflatedBound } from '../../src/storage/batch-deflater.ts';
import { inflateBatch } from '../../src/storage/batch-inflater.ts';

const arena = Arena.create({
  flushWorkerCount: 1,
  queueCapacity: 2,
  ringSizeBytes: 64,
  scratchSizeBytes: 64 * 1024,
  heapSizeBytes: 4 * 1024 * 1024,
});
const table = asAddress(arena.layout.heapAddress);
const source = asAddress(table + deflateTableBytes);
const target = asAddress(source + 1024 * 1024);
const back = asAddress(target + 2 * 1024 * 1024);
const guardBytes = 64;

/** The size that `content` has compressed; it comes back whole, and nothing beyond the bound is written. */
function roundTrip(codec: Compression, content: Uint8Array, levels = defaultCompressionLevels): number {
  const boundBytes = deflatedBound(codec, content.length);
  arena.bytes.set(content, source);
  arena.bytes.fill(0x5c, target + boundBytes, target + boundBytes + guardBytes);
  const size = deflateBatch(arena, codec, levels, source, content.length, target, table);
  expect(size).toBeLessThanOrEqual(boundBytes);
  const guard = arena.bytes.slice(target + boundBytes, target + boundBytes + guardBytes);
  expect(guard.every((byte) => byte === 0x5c)).toBe(true);
  if (codec === Compression.NONE) return size;
  expect(inflateBatch(arena, codec, target, size, back, content.length)).toBe(content.length);
  expect(Buffer.compare(arena.bytes.slice(back, back + content.length), content)).toBe(0);
  return size;
}

/** Bytes with long and short repetitions, near and far, and some without. */
const contents = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.record({ byte: fc.nat(255), count: fc.nat(3000) }).map(({ byte, count }) => new Uint8Array(count).fill(byte)),
      fc
        .record({ piece: fc.uint8Array({ minLength: 1, maxLength: 90 }), count: fc.nat(2000) })
        .map(({ piece, count }) => Uint8Array.from({ length: count }, (_, i) => piece[i % piece.length]!)),
    ),
    { maxLength: 60 },
  )
  .map((pieces) => Buffer.concat(pieces));

describe.each(Object.entries(Compression).filter(([, codec]) => codec !== Compression.NONE))('%s', (_name, codec) => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(contents, (content) => void roundTrip(codec, content)),
      { numRuns: 100 },
    );
  });

  test('makes text smaller, and takes what cannot become smaller', () => {
    const text = new TextEncoder().encode('{"device":"thermostat-17","celsius":21.5,"at":"2026-11-29"}\n'.repeat(4000));
    expect(roundTrip(codec, text)).toBeLessThan(text.length / 10);
    const noise = Uint8Array.from({ length: 200_000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> (i % 23));
    roundTrip(codec, noise);
  });
});

test('levels of gzip and zstd count', () => {
  const text = new TextEncoder().encode(
    Array.from({ length: 4000 }, (_, i) => `line ${(i * 7919) % 1013} of ${i}\n`).join(''),
  );
  expect(roundTrip(Compression.GZIP, text, { gzip: 9, zstd: 3 })).toBeLessThan(
    roundTrip(Compression.GZIP, text, { gzip: 1, zstd: 3 }),
  );
  expect(roundTrip(Compression.ZSTD, text, { gzip: -1, zstd: 19 })).toBeLessThan(
    roundTrip(Compression.ZSTD, text, { gzip: -1, zstd: -50 }),
  );
});
