/** What consumers inflate, against others' compressors, and against bytes that are wrong. */

import * as wasmZstd from '@foxglove/wasm-zstd';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CompressionCodec, gzip, KafkaError, lz4, snappy, zstd } from '../../src/client/index.ts';
import { MalformedZstd } from '../../src/client/malformed-zstd.ts';
import { compressors } from '../records/frames.ts';

const codecs: readonly CompressionCodec[] = [gzip, snappy, lz4, zstd];
const maxBytes = 64 * 1024 * 1024;

/** Bytes with all that compressors look for: runs, repeats near and far, text, noise. */
function material(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  const random = (bound: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  for (let at = 0; at < length;) {
    const size = Math.min(length - at, 1 + random(random(10) === 0 ? 5000 : 60));
    const kind = random(5);
    if (kind === 0) bytes.fill(random(256), at, at + size);
    else if (kind === 1 && at > 0)
      for (let i = 0, back = 1 + random(at); i < size; i++) bytes[at + i] = bytes[at + i - back]!;
    else if (kind === 2) for (let i = 0; i < size; i++) bytes[at + i] = random(256);
    else for (let i = 0; i < size; i++) bytes[at + i] = 97 + random(1 + random(20));
    at += size;
  }
  return bytes;
}

const sizes = [0, 1, 2, 3, 15, 100, 1000, 5000, 70_000, 140_000, 400_000, 3_000_000];

describe.each(Object.entries(compressors))('%s', (_, { codec: id, compress }) => {
  const codec = codecs.find((each) => each.id === id)!;

  it('comes out as it was', async () => {
    for (const [seed, size] of sizes.entries()) {
      const body = material(seed + 1, size);
      const inflated = await codec.decompress(compress(body), maxBytes);
      expect(Buffer.compare(inflated, body), `${size} bytes`).toBe(0);
    }
  });

  it('is refused where it is cut off or wrong, and ends whatever is in it', async () => {
    const body = material(7, 3000);
    const whole = compress(body);
    for (let end = 0; end < whole.length - 1; end += 7) {
      // A zstd frame without a size may end early at its checksum, and gzip's streams wait for more: they never succeed.
      const outcome = await Promise.resolve()
        .then(() => codec.decompress(whole.subarray(0, end), maxBytes))
        .catch((error: unknown) => error);
      if (outcome instanceof Uint8Array) expect(outcome.length).toBeLessThan(body.length);
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const wrong = Uint8Array.from(whole);
        wrong[at]! ^= change;
        const outcome = await Promise.resolve()
          .then(() => codec.decompress(wrong, 100_000))
          .catch((error: unknown) => error);
        if (outcome instanceof Uint8Array) expect(outcome.length).toBeLessThanOrEqual(100_000);
        else expect(outcome).toBeInstanceOf(Error);
        if (codec !== gzip && !(outcome instanceof Uint8Array)) {
          expect(outcome instanceof KafkaError || outcome instanceof MalformedZstd).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is refused beyond the bound', async () => {
    const bomb = compress(new Uint8Array(2_000_000));
    await expect(Promise.resolve().then(() => codec.decompress(bomb, 1_000_000))).rejects.toThrow(
      'inflates to more than 1000000 bytes',
    );
    expect((await codec.decompress(bomb, 2_000_000)).length).toBe(2_000_000);
  });
});

describe('zstd', () => {
  it('inflates what every level of the reference implementation makes', async () => {
    await wasmZstd.isLoaded;
    for (const level of [1, 3, 6, 9, 12, 16, 19, 22]) {
      for (const [seed, size] of [40, 2000, 60_000, 500_000].entries()) {
        const body = material(seed + level, size);
        const inflated = await zstd.decompress(wasmZstd.compress(body, level), maxBytes);
        expect(Buffer.compare(inflated, body), `level ${level}, ${size} bytes`).toBe(0);
      }
    }
    const json = new TextEncoder().encode(
      JSON.stringify(Array.from({ length: 3000 }, (_, id) => ({ id, name: `device ${id % 97}`, on: id % 3 === 0 }))),
    );
    expect(Buffer.compare(await zstd.decompress(wasmZstd.compress(json, 3), maxBytes), json)).toBe(0);
  });
});

describe('gzip', () => {
  it('makes what others inflate', async () => {
    const body = material(3, 100_000);
    expect(Buffer.compare(zlib.gunzipSync(await gzip.compress!(body)), body)).toBe(0);
  });
});
