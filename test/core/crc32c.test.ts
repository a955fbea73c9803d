import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tablesAddress } from '../../src/memory/core.ts';
import { arena, inputAddress, outputAddress, place } from './core-arena.ts';
import { crc32cTwin } from './crc32c-twin.ts';

/** The word of the table region that says whether a thread has the fold window (`assembly/layout.ts`). */
const foldLockAddress = tablesAddress + 16 * 1024;

function coreCrc(bytes: Uint8Array, address: number = inputAddress): number {
  return arena.core.crc32c(place(bytes, address), bytes.length) >>> 0;
}

/** Bytes that repeat nowhere near: a linear congruential generator's upper bits. */
function noise(sizeBytes: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = seed | 1;
  for (let i = 0; i < sizeBytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

describe('crc32c', () => {
  it("gives RFC 3720's values", () => {
    const up = Uint8Array.from({ length: 32 }, (_, i) => i);
    expect(coreCrc(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(coreCrc(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(coreCrc(up)).toBe(0x46dd794e);
    expect(coreCrc(up.toReversed())).toBe(0x113fdb5c);
    expect(coreCrc(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(coreCrc(new Uint8Array(0))).toBe(0);
  });

  it('equals the bitwise twin for small inputs at any alignment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(63), (bytes, shift) => {
        expect(coreCrc(bytes, inputAddress + shift)).toBe(crc32cTwin(bytes));
      }),
    );
  });

  it('equals a native CRC for sizes on both sides of every way of computing it, and leaves the data alone', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer({ min: 1900, max: 2500 }),
          fc.integer({ min: 13_900, max: 15_000 }),
          fc.integer({ min: 0, max: 300_000 }),
        ),
        fc.nat(63),
        fc.integer(),
        (sizeBytes, shift, seed) => {
          const bytes = noise(sizeBytes, seed);
          expect(coreCrc(bytes, inputAddress + shift)).toBe(crc32c(bytes));
          const address = inputAddress + shift;
          expect(Buffer.compare(arena.bytes.subarray(address, address + sizeBytes), bytes)).toBe(0);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('is right around the slide of the fold window', () => {
    const bytes = noise(40_000, 7);
    for (const slides of [2, 3]) {
      const around = slides * 9984 + 5275;
      for (let sizeBytes = around - 130; sizeBytes < around + 130; sizeBytes++) {
        const part = bytes.subarray(0, sizeBytes);
        expect(coreCrc(part)).toBe(crc32c(part));
      }
    }
  });

  it('computes the same while another thread has the fold window, and gives it back itself', () => {
    const bytes = noise(100_000, 3);
    const expected = crc32c(bytes);
    expect(coreCrc(bytes)).toBe(expected);
    expect(arena.view.getInt32(foldLockAddress, true)).toBe(0);
    arena.view.setInt32(foldLockAddress, 1, true);
    expect(coreCrc(bytes)).toBe(expected);
    expect(arena.view.getInt32(foldLockAddress, true)).toBe(1);
    arena.view.setInt32(foldLockAddress, 0, true);
  });

  it('is right in two threads at once', async () => {
    const here = noise(30_000, 11);
    const there = noise(30_000, 12);
    const thereAddress = place(there, outputAddress);
    place(here);
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const { module, memory, address, sizeBytes } = workerData;
       const { crc32c } = new WebAssembly.Instance(module, { env: { memory } }).exports;
       const results = new Set();
       parentPort.postMessage('started');
       for (let i = 0; i < 3000; i++) results.add(crc32c(address, sizeBytes) >>> 0);
       parentPort.postMessage([...results]);`,
      { eval: true, workerData: { ...arena.ticket, address: thereAddress, sizeBytes: there.length } },
    );
    try {
      expect(await once(worker, 'message')).toEqual(['started']);
      const finished = once(worker, 'message');
      const results = new Set<number>();
      for (let i = 0; i < 3000; i++) results.add(arena.core.crc32c(inputAddress, here.length) >>> 0);
      expect([...results]).toEqual([crc32c(here)]);
      expect(await finished).toEqual([[crc32c(there)]]);
    } finally {
      await worker.terminate();
    }
  });
});
