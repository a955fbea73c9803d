import fc from 'fast-check';
import * as zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { asAddress } from '../../src/base/numbers.ts';
import { Arena } from '../../src/memory/arena.ts';
import { InflationFailure } from '../../src/records/inflation.ts';
import { Compression } from '../../src/records/record-batch.ts';
import { inflateBatch } from '../../src/storage/batch-inflater.ts';
import { inflateZstd } from '../../src/storage/zstd-inflater.ts';
import { lz4Block } from '../core/lz4-twin.ts';
import { compressors, int32, lz4Frame, snappyJava, snappyJavaHeader, zstdFrame } from '../records/frames.ts';

const { MALFORMED, TOO_LARGE } = InflationFailure;
const mebibyte = 1024 * 1024;
const guardSizeBytes = 64;
const guard = Buffer.alloc(guardSizeBytes, 0x5c);

const arena = Arena.create({
  flushWorkerCount: 1,
  queueCapacity: 16,
  ringSizeBytes: mebibyte,
  scratchSizeBytes: 96 * mebibyte,
  heapSizeBytes: 64 * 1024,
});
const source = asAddress(arena.layout.ringAddress);
const target = asAddress(arena.layout.scratchAddress + guardSizeBytes);

/** What comes out; it checks that nothing before the target or beyond the capacity was written. */
function inflate(codec: Compression, packed: Uint8Array, capacityBytes: number): Buffer | number {
  arena.bytes.fill(0xaa, source, source + packed.length + 256);
  arena.bytes.set(packed, source);
  arena.bytes.set(guard, target - guardSizeBytes);
  arena.bytes.set(guard, target + capacityBytes);
  const size = inflateBatch(arena, codec, source, packed.length, target, capacityBytes);
  expect(Buffer.compare(guard, arena.bytes.subarray(target - guardSizeBytes, target))).toBe(0);
  const after = target + capacityBytes;
  expect(Buffer.compare(guard, arena.bytes.subarray(after, after + guardSizeBytes))).toBe(0);
  expect(size).toBeLessThanOrEqual(capacityBytes);
  return size < 0 ? size : Buffer.from(arena.bytes.slice(target, target + size));
}

/** As `toEqual`, which takes seconds for large buffers. */
function expectBytes(out: Buffer | number, expected: Uint8Array): void {
  if (typeof out === 'number' || !out.equals(expected)) expect(out).toEqual(Buffer.from(expected));
}

const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  // Repetitions, with matches of every length and distance.
  fc
    .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(400)), { maxLength: 12 })
    .map((parts) => Buffer.concat(parts.flatMap(([bytes, count]) => Array.from({ length: count }, () => bytes)))),
);

describe.each(Object.entries(compressors))('%s', (_, { codec, compress }) => {
  it('inflates to what was compressed, into no more room than that', () => {
    fc.assert(
      fc.property(bodies, fc.nat(70), (body, spare) => {
        const packed = compress(body);
        expectBytes(inflate(codec, packed, body.length + spare), body);
        if (body.length > 0) expect(inflate(codec, packed, body.length - 1)).toBe(TOO_LARGE);
      }),
      { numRuns: 200 },
    );
  });

  it('inflates several blocks', () => {
    const body = Buffer.from(Array.from({ length: 60_000 }, (__, i) => `${i * 7919},`).join(''));
    expectBytes(inflate(codec, compress(body), body.length), body);
  });

  it('takes no byte sequence for more than it is', () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(bodies, edits, (body, changes) => {
        const packed = Buffer.from(compress(body));
        for (const [pick, value] of changes) packed[pick % packed.length] = value;
        // What comes out of it is anything; that it stays within its bounds is checked inside.
        inflate(codec, packed, body.length + 1000);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (packed) => {
        inflate(codec, packed, 1000);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses what was cut anywhere, and nothing at all', () => {
    const body = Buffer.from('a body that is long enough, long enough, long enough to compress'.repeat(20));
    const packed = Buffer.from(compress(body));
    // Of snappy-java's framing one to three bytes at the end are passed over, and a whole header is a stream of nothing.
    const isFramed = packed.subarray(0, snappyJavaHeader.length).equals(snappyJavaHeader);
    for (let size = 0; size < packed.length; size++) {
      const out = inflate(codec, packed.subarray(0, size), body.length);
      if (isFramed && size >= 16 && size < 20) expect(out).toEqual(Buffer.alloc(0));
      else if (isFramed) expect(out).toBeLessThan(0);
      else expect(out).toBe(MALFORMED);
    }
  });

  it('stops a bomb of 64 MiB at the bound', () => {
    const bomb = compress(Buffer.alloc(64 * mebibyte));
    const capacityBytes = mebibyte / 2;
    if (bomb.length > mebibyte - 256) return expect(codec).toBe(Compression.SNAPPY);
    expect(inflate(codec, bomb, capacityBytes)).toBe(TOO_LARGE);
    expect(inflate(codec, bomb, 64 * mebibyte)).toHaveLength(64 * mebibyte);
  });
});

describe('gzip', () => {
  const one = zlib.gzipSync('one,');
  const two = zlib.gzipSync('two');

  it('inflates members one after another, whatever size the last of them states', () => {
    expect(inflate(Compression.GZIP, Buffer.concat([one, two]), 7)).toEqual(Buffer.from('one,two'));
    expect(inflate(Compression.GZIP, Buffer.concat([one, two]), 6)).toBe(TOO_LARGE);
    const many = Array.from({ length: 500 }, () => zlib.gzipSync(Buffer.alloc(1000)));
    expect(inflate(Compression.GZIP, Buffer.concat([...many, zlib.gzipSync('')]), 500_000)).toHaveLength(500_000);
  });

  it('passes over zeros behind the last member and refuses anything else', () => {
    expect(inflate(Compression.GZIP, Buffer.concat([one, Buffer.alloc(9)]), 100)).toEqual(Buffer.from('one,'));
    expect(inflate(Compression.GZIP, Buffer.concat([one, Buffer.from('garbage')]), 100)).toBe(MALFORMED);
  });

  it('refuses a wrong checksum and a wrong size', () => {
    for (const fromEnd of [8, 4]) {
      const wrong = Buffer.from(one);
      wrong[wrong.length - fromEnd]! ^= 1;
      expect(inflate(Compression.GZIP, wrong, 100)).toBe(MALFORMED);
    }
    const boast = Buffer.from(one);
    boast.writeUInt32LE(0xffffffff, boast.length - 4);
    expect(inflate(Compression.GZIP, boast, 64 * mebibyte)).toBe(MALFORMED);
  });
});

describe('snappy', () => {
  const bodyOf = (text: string): Buffer => snappyJava([Buffer.from(text)]);
  const run = (packed: Uint8Array): Buffer | number => inflate(Compression.SNAPPY, packed, 100);

  it('takes joined streams, and passes over up to three bytes at the end, as snappy-java does', () => {
    expect(run(Buffer.concat([bodyOf('one,'), bodyOf('two')]))).toEqual(Buffer.from('one,two'));
    expect(run(Buffer.concat([bodyOf('one'), Buffer.from([1, 2, 3])]))).toEqual(Buffer.from('one'));
    expect(run(snappyJavaHeader)).toEqual(Buffer.alloc(0));
  });

  it('refuses chunks and headers that are none', () => {
    expect(run(Buffer.concat([bodyOf('one'), int32(0)]))).toBe(MALFORMED);
    expect(run(Buffer.concat([bodyOf('one'), int32(-1)]))).toBe(MALFORMED);
    expect(run(Buffer.concat([bodyOf('one'), int32(2 ** 31 - 1), Buffer.alloc(9)]))).toBe(MALFORMED);
    expect(run(Buffer.concat([bodyOf('one'), snappyJavaHeader.subarray(0, 15)]))).toBe(MALFORMED);
    const old = Buffer.from(bodyOf('one'));
    old.writeInt32BE(0, 8);
    expect(run(old)).toBe(MALFORMED);
  });

  it('bounds the sum of the chunks', () => {
    const packed = snappyJava([Buffer.alloc(60), Buffer.alloc(40)]);
    expect(inflate(Compression.SNAPPY, packed, 100)).toEqual(Buffer.alloc(100));
    expect(inflate(Compression.SNAPPY, packed, 99)).toBe(TOO_LARGE);
  });

  it('stops a block that declares 4 GiB before it inflates anything', () => {
    const packed = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
    expect(inflate(Compression.SNAPPY, packed, 64 * mebibyte)).toBe(TOO_LARGE);
  });
});

describe('lz4', () => {
  const text = Buffer.from('literals only');
  const block = { bytes: lz4Block([], text), isStored: false };
  const run = (packed: Uint8Array, capacityBytes = 1000): Buffer | number =>
    inflate(Compression.LZ4, packed, capacityBytes);

  it('inflates stored and compressed blocks with every checksum there is', () => {
    const content = Buffer.concat([text, text, text]);
    const frame = lz4Frame({
      blocks: [block, { bytes: text, isStored: true }, block],
      blockChecksums: true,
      contentSize: content.length,
      checksumOf: content,
    });
    expect(run(frame, content.length)).toEqual(content);
    for (const capacityBytes of [0, 13, 20, 26, 38]) expect(run(frame, capacityBytes)).toBe(TOO_LARGE);
    // Every bit of it is checked by something.
    for (let at = 0; at < frame.length; at++) {
      const flipped = Buffer.from(frame);
      flipped[at]! ^= 1 << (at % 8);
      expect(run(flipped, 1 << 16)).toBe(MALFORMED);
    }
  });

  it('reads the first frame and ignores what follows, as Kafka does', () => {
    const frame = lz4Frame({ blocks: [block] });
    expect(run(Buffer.concat([frame, frame]))).toEqual(text);
    expect(run(Buffer.concat([frame, Buffer.from('garbage')]))).toEqual(text);
    expect(run(lz4Frame({ blocks: [] }))).toEqual(Buffer.alloc(0));
  });

  it('refuses what Kafka cannot read back: linked blocks, dictionaries, other versions, reserved bits', () => {
    expect(run(lz4Frame({ blocks: [block] }))).toEqual(text);
    expect(run(lz4Frame({ blocks: [block], independent: false }))).toBe(MALFORMED);
    expect(run(lz4Frame({ blocks: [block], version: 2 }))).toBe(MALFORMED);
    expect(run(lz4Frame({ blocks: [block], reservedFlags: 1 }))).toBe(MALFORMED);
    expect(run(lz4Frame({ blocks: [block], reservedFlags: 2 }))).toBe(MALFORMED);
    expect(run(lz4Frame({ blocks: [block], blockSizeCode: 3 }))).toBe(MALFORMED);
    expect(run(lz4Frame({ blocks: [block], blockSizeCode: 8 }))).toBe(MALFORMED);
  });

  it('refuses a content size that lies, either way', () => {
    for (const contentSize of [text.length - 1, text.length + 1, 0]) {
      expect(run(lz4Frame({ blocks: [block], contentSize }))).toBe(MALFORMED);
    }
    expect(run(lz4Frame({ blocks: [block], contentSize: 2 ** 52 }))).toBe(TOO_LARGE);
  });

  it('holds every block to the size that the frame names', () => {
    const filling = (size: number): Uint8Array =>
      lz4Block([{ literals: Buffer.from('x'), distance: 1, matchSize: size - 2 }], Buffer.from('x'));
    const frameOf = (size: number): Buffer => lz4Frame({ blocks: [{ bytes: filling(size), isStored: false }] });
    expectBytes(run(frameOf(65_536), mebibyte), Buffer.alloc(65_536, 'x'));
    for (const size of [65_537, 65_600, 65_601, 500_000]) expect(run(frameOf(size), mebibyte)).toBe(MALFORMED);
    expect(run(frameOf(65_537), 1000)).toBe(TOO_LARGE);
    const stored = lz4Frame({ blocks: [{ bytes: Buffer.alloc(65_537), isStored: true }] });
    expect(run(stored, mebibyte)).toBe(MALFORMED);
  });
});

describe.each([['wasm', false], ...('zstdDecompressSync' in zlib ? [['node:zlib', true] as const] : [])] as const)(
  'zstd through %s',
  (_, useNative) => {
    const run = (packed: Uint8Array, capacityBytes: number): Buffer | number => {
      arena.bytes.set(packed, source);
      const size = inflateZstd(arena.bytes, source, packed.length, target, capacityBytes, useNative);
      return size < 0 ? size : Buffer.from(arena.bytes.slice(target, target + size));
    };
    const raw = (text: string): { type: number; size: number; bytes: Buffer } => {
      return { type: 0, size: text.length, bytes: Buffer.from(text) };
    };
    const rle = { type: 1, size: 1000, bytes: Buffer.from('r') };

    it('inflates frames that state no size, joined frames, and passes over skippable ones', () => {
      const frame = zstdFrame({ blocks: [raw('raw,'), rle] });
      const content = Buffer.concat([Buffer.from('raw,'), Buffer.alloc(1000, 'r')]);
      expect(run(frame, 1004)).toEqual(content);
      expect(run(frame, 1003)).toBe(TOO_LARGE);
      const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
      const joined = Buffer.concat([frame, skippable, zstdFrame({ blocks: [raw('end')], contentSize: 3 })]);
      expect(run(joined, 1007)).toEqual(Buffer.concat([content, Buffer.from('end')]));
    });

    it('refuses sizes that lie, garbage behind, and reserved bits and types', () => {
      expect(run(zstdFrame({ blocks: [raw('abc')], contentSize: 4 }), 100)).toBe(MALFORMED);
      expect(run(zstdFrame({ blocks: [raw('abc')], contentSize: 2 }), 100)).toBe(MALFORMED);
      expect(run(zstdFrame({ blocks: [raw('abc')], contentSize: 2 ** 52 }), 100)).toBe(TOO_LARGE);
      expect(run(Buffer.concat([zstdFrame({ blocks: [raw('abc')] }), Buffer.from('garbage')]), 100)).toBe(MALFORMED);
      expect(run(zstdFrame({ blocks: [raw('abc')], reserved: true }), 100)).toBe(MALFORMED);
      expect(run(zstdFrame({ blocks: [{ ...raw('abc'), type: 3 }] }), 100)).toBe(MALFORMED);
      expect(run(zstdFrame({ blocks: [{ ...rle, size: 128 * 1024 + 1 }] }), mebibyte)).toBe(MALFORMED);
    });

    it('refuses windows that consumers do not take', () => {
      expect(run(zstdFrame({ blocks: [raw('abc')], windowDescriptor: 17 << 3 }), 100)).toEqual(Buffer.from('abc'));
      expect(run(zstdFrame({ blocks: [raw('abc')], windowDescriptor: (17 << 3) | 1 }), 100)).toBe(TOO_LARGE);
    });

    it('stops a bomb of RLE blocks at the bound', () => {
      const blocks = Array.from({ length: 512 }, () => ({ type: 1, size: 128 * 1024, bytes: Buffer.from('r') }));
      const bomb = zstdFrame({ blocks });
      expect(bomb.length).toBeLessThan(4096);
      expect(run(bomb, mebibyte)).toBe(TOO_LARGE);
      expect(run(bomb, 64 * mebibyte)).toHaveLength(64 * mebibyte);
    });
  },
);
