/** The parts of the load client that could count or send something wrong without anybody noticing. */

import { crc32c } from '@node-rs/crc32';
import { describe, expect, it } from 'vitest';
import { summaryOf } from '../../bench/load/latency-recorder.ts';
import { prepareBatch, SequencePatcher } from '../../bench/load/prepared-batch.ts';
import { FrameStripper } from '../../bench/load/web-socket-frames.ts';
import { batchField, hasValidCrc } from '../../src/records/record-batch.ts';

describe('a sequence patched into a prepared batch', () => {
  it.each([0, 1, 2, 0x7fff_ffff, 0x1234_5678])('%i leaves a valid CRC', async (sequence) => {
    const { bytes } = await prepareBatch(
      { recordBytes: 100, batchBytes: 2000, compression: 'none' },
      { producerId: 5, producerEpoch: 0, baseSequence: 0 },
    );
    const copies = Buffer.concat([Buffer.alloc(3), bytes]);
    new SequencePatcher(bytes).patch(copies, 3, sequence);
    expect(copies.readInt32BE(3 + batchField.baseSequence)).toBe(sequence);
    expect(hasValidCrc(copies, 3, copies.length, (each) => crc32c(each))).toBe(true);
  });
});

describe('WebSocket frames', () => {
  const payloads = [Buffer.from('short'), Buffer.alloc(300, 'a'), Buffer.alloc(70_000, 'b')];
  const frames = payloads.map((payload, i) => {
    const header = [
      Buffer.from([0x82, payload.length]),
      Buffer.from([0x82, 126, payload.length >> 8, payload.length & 255]),
      Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]),
    ][i]!;
    return Buffer.concat([header, payload]);
  });
  const ping = Buffer.from([0x89, 3, 1, 2, 3]);
  const stream = Buffer.concat([frames[0]!, ping, frames[1]!, frames[2]!]);

  it.each([1, 7, 4096, stream.length])('come out as their payloads in pieces of %i', (pieceBytes) => {
    const stripper = new FrameStripper();
    const out: Buffer[] = [];
    for (let at = 0; at < stream.length; at += pieceBytes) {
      const piece = Buffer.from(stream.subarray(at, at + pieceBytes));
      out.push(piece.subarray(0, stripper.strip(piece, 0, piece.length)));
    }
    expect(Buffer.concat(out).equals(Buffer.concat(payloads))).toBe(true);
  });
});

it('takes percentiles as nearest ranks', () => {
  const values = Float64Array.from({ length: 1000 }, (_, i) => ((i * 7) % 1000) + 1);
  expect(summaryOf(values)).toEqual({
    count: 1000,
    p50: 500,
    p90: 900,
    p99: 990,
    p999: 999,
    p9999: 1000,
    max: 1000,
  });
  expect(summaryOf(new Float64Array(0))).toBeNull();
});
