/** The primitives that messages are made of: our reader and writer beside Buffer's methods, which check bounds as well. */

import { Reader } from '../src/protocol/reader.ts';
import { Writer } from '../src/protocol/writer.ts';
import type { Benchmark } from './benchmark.ts';

const count = 256;
/** int16, int32, int64, and a string with its length: about what a partition has in a message. */
const name = 'page-views';
const entryBytes = 2 + 4 + 8 + 2 + name.length;
const offsetOf = (i: number): number => i * 2 ** 33 + i;

export function primitiveBenchmarks(): Benchmark[] {
  const frame = Buffer.concat(written().finish());
  const size = { unit: 'calls', unitsPerRun: 4 * count, bytesPerRun: count * entryBytes } as const;
  return [
    {
      name: 'primitives, reading',
      ...size,
      contenders: [
        { name: 'Reader', run: () => sumOfReader(frame) },
        { name: 'Buffer methods', run: () => sumOfBuffer(frame) },
      ],
    },
    {
      name: 'primitives, writing',
      ...size,
      contenders: [
        { name: 'Writer', run: () => written().finish()[0]!.length },
        { name: 'Buffer methods', run: () => writtenByBuffer().length },
      ],
    },
  ];
}

function sumOfReader(frame: Buffer): number {
  const reader = new Reader(frame);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += reader.int16() + reader.int32() + reader.int64() + reader.string().length;
  reader.expectEnd();
  return sum;
}

function sumOfBuffer(frame: Buffer): number {
  let sum = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const fixed = frame.readInt16BE(at) + frame.readInt32BE(at + 2) + Number(frame.readBigInt64BE(at + 6));
    const end = at + 16 + frame.readInt16BE(at + 14);
    sum += fixed + frame.toString('utf8', at + 16, end).length;
    at = end;
  }
  return sum;
}

function written(): Writer {
  const writer = new Writer(false, count * entryBytes);
  for (let i = 0; i < count; i++) {
    writer.int16(i);
    writer.int32(i);
    writer.int64(offsetOf(i));
    writer.string(name);
  }
  return writer;
}

function writtenByBuffer(): Buffer {
  const buffer = Buffer.allocUnsafe(count * entryBytes);
  let at = 0;
  for (let i = 0; i < count; i++) {
    at = buffer.writeInt16BE(i, at);
    at = buffer.writeInt32BE(i, at);
    at = buffer.writeBigInt64BE(BigInt(offsetOf(i)), at);
    at = buffer.writeInt16BE(Buffer.byteLength(name), at);
    at += buffer.write(name, at);
  }
  return buffer.subarray(0, at);
}
