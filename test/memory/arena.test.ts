import fc from 'fast-check';
import { expect, it } from 'vitest';
import { asAddress } from '../../src/base/numbers.ts';
import { Arena } from '../../src/memory/arena.ts';

const arena = Arena.create({
  flushWorkerCount: 1,
  queueCapacity: 16,
  ringSizeBytes: 512 * 1024,
  scratchSizeBytes: 128 * 1024,
  heapSizeBytes: 64 * 1024,
});
const material = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2_654_435_761) >>> 11);
const guardSizeBytes = 32;
const sizes = fc.oneof(fc.nat(300), fc.integer({ min: 61_000, max: 62_000 }), fc.nat(200_000));

it('copies in what is given, wherever either side begins, and nothing beside it', () => {
  fc.assert(
    fc.property(sizes, fc.nat(20), fc.nat(20), (sizeBytes, from, to) => {
      const source = material.subarray(from, from + sizeBytes);
      const target = asAddress(arena.layout.ringAddress + guardSizeBytes + to);
      const end = target + sizeBytes;
      arena.bytes.fill(0x5c, target - guardSizeBytes, end + guardSizeBytes);
      arena.copyIn(source, target);
      expect(Buffer.compare(arena.bytes.subarray(target, end), source)).toBe(0);
      const around = [
        ...arena.bytes.slice(target - guardSizeBytes, target),
        ...arena.bytes.slice(end, end + guardSizeBytes),
      ];
      expect(around.every((byte) => byte === 0x5c)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

it('copies out as well', () => {
  const target = Buffer.alloc(300_000);
  fc.assert(
    fc.property(sizes, fc.nat(20), fc.nat(20), (sizeBytes, from, to) => {
      const source = asAddress(arena.layout.ringAddress + from);
      arena.bytes.set(material.subarray(0, sizeBytes), source);
      target.fill(0x5c);
      arena.copyOut(source, sizeBytes, target, to);
      expect(Buffer.compare(target.subarray(to, to + sizeBytes), material.subarray(0, sizeBytes))).toBe(0);
      const around = [...target.subarray(0, to), ...target.subarray(to + sizeBytes, to + sizeBytes + guardSizeBytes)];
      expect(around.every((byte) => byte === 0x5c)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
