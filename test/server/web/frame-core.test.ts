/** Frames as a client sends them, read by the core: the same as what was sent, wherever they lie, and nothing that is wrong. */

import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchEncoder } from '../../../src/gateway/batch-encoder.ts';
import { batchField } from '../../../src/records/record-batch.ts';
import { FrameCore, frameMemory, FrameProblem, wrongUtf8 } from '../../../src/server/web/frame-core.ts';
import { FrameRun } from '../../../src/server/web/frame-run.ts';
import { BufferPool } from '../../../src/storage/buffer-pool.ts';
import { frameOf } from './client-frames.ts';

const core = new FrameCore();

/** What is read of `bytes`, laid at `shift` behind where reads begin. */
function read(bytes: Uint8Array, shift = 0, largest = 1 << 20) {
  const at = frameMemory.read + shift;
  core.bytes.set(bytes, at);
  const count = core.readFrames(at, at + bytes.length, largest);
  const frames = Array.from({ length: count }, (_, i) => {
    const row = frameMemory.rows / 4 + (i * frameMemory.sizeOfRow) / 4;
    const [start, end, first] = [core.words[row]!, core.words[row + 1]!, core.words[row + 2]!];
    return { first, payload: Buffer.from(core.bytes.subarray(start, end)) };
  });
  const [stoppedAt, problem] = [core.words[frameMemory.stoppedAt / 4]!, core.words[frameMemory.problem / 4]!];
  return { frames, taken: stoppedAt - at, problem };
}

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 140 }),
  fc.string({ unit: 'binary', maxLength: 60 }).map((text) => Buffer.from(text)),
  fc.integer({ min: 0, max: 70_000 }).map((size) => Buffer.alloc(size, 'a')),
);

describe('FrameCore', () => {
  it('reads what was sent, and stops where a frame is not whole', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(1, 2, 9, 10, 0), payload, fc.integer({ min: 0, max: 2 ** 32 - 1 })), {
          maxLength: 6,
        }),
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 0, max: 20 }),
        (given, shift, missing) => {
          const sent = given.map(([opcode, bytes, mask]) => {
            const isControl = opcode > 7;
            const kept = isControl ? bytes.subarray(0, 125) : bytes;
            return { first: 0x80 | opcode, payload: Buffer.from(kept), bytes: frameOf(opcode, kept, { mask }) };
          });
          const all = Buffer.concat(sent.map(({ bytes }) => bytes));
          const cut = all.subarray(0, Math.max(0, all.length - missing));
          const ends = sent.map((_, i) => sent.slice(0, i + 1).reduce((sum, { bytes }) => sum + bytes.length, 0));
          const whole = ends.filter((end) => end <= cut.length).length;
          const found = read(cut, shift);
          expect(found.taken).toBe(whole === 0 ? 0 : ends[whole - 1]);
          expect(found.problem).toBe(FrameProblem.NONE);
          const expected = sent.slice(0, whole).map(({ first, payload: bytes }) => {
            const isWrong = first === 0x81 && !isUtf8(bytes);
            return { first: isWrong ? first | wrongUtf8 : first, payload: bytes };
          });
          expect(found.frames.map(({ first }) => first)).toEqual(expected.map(({ first }) => first));
          expect(found.frames.every(({ payload: bytes }, i) => bytes.equals(expected[i]!.payload))).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('knows UTF-8 as Node does', () => {
    const fragments = [
      0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5,
      0xff,
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...fragments), { maxLength: 24 }), (bytes) => {
        const text = Buffer.from(bytes);
        const [frame] = read(frameOf(1, text)).frames;
        expect(frame!.first === 0x81).toBe(isUtf8(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('reads as many as there are rows for at once, and the rest with the next call', () => {
    const one = frameOf(2, Buffer.from('x'));
    const all = Buffer.concat(Array.from({ length: 5000 }, () => one));
    const first = read(all);
    expect([first.frames.length, first.taken]).toEqual([4096, 4096 * one.length]);
    expect(read(all.subarray(first.taken)).frames.length).toBe(5000 - 4096);
  });

  it.each([
    ['a frame without a mask', Buffer.from([0x82, 1, 0]), FrameProblem.NOT_MASKED],
    ['a reserved bit', Buffer.from([0xc2, 0x81, 0, 0, 0, 0, 0]), FrameProblem.MALFORMED],
    ['a reserved opcode', Buffer.from([0x83, 0x81, 0, 0, 0, 0, 0]), FrameProblem.MALFORMED],
    ['a reserved opcode of control', Buffer.from([0x8b, 0x81, 0, 0, 0, 0, 0]), FrameProblem.MALFORMED],
    ['a ping in fragments', Buffer.from([0x09, 0x80, 0, 0, 0, 0]), FrameProblem.MALFORMED],
    ['a ping that is long', Buffer.from([0x89, 0xfe, 0, 200]), FrameProblem.MALFORMED],
    ['a length beyond the bound', Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1]), FrameProblem.TOO_LARGE],
    ['a length beyond 32 bits', Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0]), FrameProblem.TOO_LARGE],
    ['a length beyond all', Buffer.alloc(10, 0xff).fill(0x82, 0, 1), FrameProblem.TOO_LARGE],
  ])('stops at %s, behind what came before it', (_what, wrong, problem) => {
    const before = frameOf(2, Buffer.from('before'));
    expect(read(Buffer.concat([before, wrong]))).toMatchObject({
      frames: [{ payload: Buffer.from('before') }],
      taken: before.length,
      problem,
    });
  });
});

/** The batch as it stands; the log writes its CRC. */
function withoutCrc(encoder: BatchEncoder): Buffer {
  return Buffer.from(encoder.finish()).fill(0, batchField.crc, batchField.crc + 4);
}

describe('FrameRun', () => {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.integer({ min: 0, max: 20_000 }).map((size) => new Uint8Array(size).fill(7)),
  );

  it('makes the records that one by one come to, as many as there is room for', () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        fc.integer({ min: 100, max: 200_000 }),
        fc.integer({ min: 100, max: 30_000 }),
        (values, before, laterMs, room, largest) => {
          read(Buffer.concat(values.map((bytes, i) => frameOf(1 + (i % 2), Buffer.from(bytes).fill('a')))));
          const run = new FrameRun(core);
          run.begin(0, values.length);
          const [made, expected] = [new BatchEncoder(new BufferPool(), 4096), new BatchEncoder(new BufferPool(), 4096)];
          for (const encoder of [made, expected])
            for (let i = 0; i <= before; i++) encoder.appendValue(new Uint8Array(0), 0, 0, 1000);
          const startBytes = made.sizeBytes;
          const count = made.appendRun(run, 1000 + laterMs, room, largest);
          expect([run.count, made.sizeBytes - startBytes <= room]).toEqual([values.length - count, true]);
          for (const bytes of values.slice(0, count))
            expected.appendValue(Buffer.from(bytes).fill('a'), 0, bytes.length, 1000 + laterMs);
          expect(withoutCrc(made).equals(withoutCrc(expected))).toBe(true);
          // What it left would not have fitted.
          const next = values[count];
          if (next !== undefined)
            expect(next.length + 32 > Math.min(largest, room - (made.sizeBytes - startBytes))).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('leaves what comes before the first record of a batch, and times before it, to others', () => {
    read(frameOf(1, Buffer.from('a')));
    const run = new FrameRun(core);
    run.begin(0, 1);
    const encoder = new BatchEncoder(new BufferPool(), 4096);
    expect(encoder.appendRun(run, 1000, 1000, 1000)).toBe(0);
    encoder.appendValue(new Uint8Array(1), 0, 1, 1000);
    expect([
      encoder.appendRun(run, 999, 1000, 1000),
      encoder.appendRun(run, 1000 + 2 ** 31, 1000, 1000),
      run.count,
    ]).toEqual([0, 0, 1]);
  });
});
