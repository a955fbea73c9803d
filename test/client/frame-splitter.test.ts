/** Frames out of a stream, however it is cut. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FrameSplitter } from '../../src/client/frame-splitter.ts';
import { int32 } from '../records/frames.ts';

it('gives the same frames for every way to cut the stream', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
      (frames, cuts) => {
        const stream = new Uint8Array(Buffer.concat(frames.flatMap((frame) => [int32(frame.length), frame])));
        const splitter = new FrameSplitter(100);
        const seen: Uint8Array[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length]!;
          expect(splitter.push(stream.subarray(at, at + size), (frame) => seen.push(frame.slice()))).toBe(true);
          at += size;
        }
        expect(seen).toEqual(frames.map((frame) => Uint8Array.from(frame)));
      },
    ),
  );
});

it('says so where a size is none, also when it comes in pieces', () => {
  for (const size of [-1, 101, 0x7fffffff]) {
    expect(new FrameSplitter(100).push(new Uint8Array(int32(size)), () => {})).toBe(false);
    const splitter = new FrameSplitter(100);
    expect(splitter.push(new Uint8Array(int32(size)).subarray(0, 2), () => {})).toBe(true);
    expect(splitter.push(new Uint8Array(int32(size)).subarray(2), () => {})).toBe(false);
  }
});
