/** Varints in JavaScript, as clients without the core read and write them. */

import { type Cursor, readVarint, readVarlong, writeVarint } from '../src/records/varint.ts';
import { type Benchmark } from './benchmark.ts';

const count = 512;

export function varintBenchmarks(): Benchmark[] {
  const values = Array.from({ length: count }, (_, i) => ((i * 2_654_435_761) >>> (i % 30)) >> 1);
  const bytes = new Uint8Array(count * 5);
  let end = 0;
  for (const value of values) end = writeVarint(bytes, end, value);
  const target = new Uint8Array(bytes.length);
  const cursor: Cursor = { bytes, at: 0, end };
  const size = { unit: 'calls', unitsPerRun: count, bytesPerRun: end } as const;

  const readAll = (read: (from: Cursor) => number) => () => {
    cursor.at = 0;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += read(cursor);
    return sum;
  };
  const writeAll = (write: (into: Uint8Array, at: number, value: number) => number) => () => {
    let at = 0;
    for (const value of values) at = write(target, at, value);
    return at;
  };
  return [
    {
      name: 'varints, reading',
      ...size,
      contenders: [
        { name: 'readVarint', run: readAll(readVarint) },
        { name: 'readVarlong', run: readAll(readVarlong) },
        { name: 'bigints', run: readAll(readNaive) },
      ],
    },
    {
      name: 'varints, writing',
      ...size,
      contenders: [
        { name: 'writeVarint', run: writeAll(writeVarint) },
        { name: 'bigints', run: writeAll(writeNaive) },
      ],
    },
  ];
}

function readNaive(cursor: Cursor): number {
  let raw = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = cursor.bytes[cursor.at++]!;
    raw |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return Number((raw >> 1n) ^ -(raw & 1n));
  }
}

function writeNaive(bytes: Uint8Array, at: number, value: number): number {
  const wide = BigInt(value);
  let raw = (wide << 1n) ^ (wide >> 63n);
  for (; raw >= 0x80n; raw >>= 7n) bytes[at++] = Number(raw & 0x7fn) | 0x80;
  bytes[at++] = Number(raw);
  return at;
}
