/** What is done to every produced batch: it is copied, its header and CRC are checked, and every record. */

import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { ScanFlag, ScanStatus } from '../src/memory/core.ts';
import { batchHeaderSizeBytes, hasValidCrc, recordCountAt } from '../src/records/record-batch.ts';
import { type Benchmark, repeated } from './benchmark.ts';
import { arena, filledBuilder, outputAddress, placed, readAll } from './material.ts';

const batchesPerRun = 8;

export function batchBenchmarks(): Benchmark[] {
  return [...copyBenchmarks(), ...[100, 1024].flatMap(checkBenchmarks)];
}

/** A batch begins anywhere in its frame, and seldom lies within a word as its place in the ring does. */
function copyBenchmarks(): Benchmark[] {
  const batch = filledBuilder(100).seal();
  const frame = Buffer.alloc(batch.length + 3);
  frame.set(batch, 3);
  const part = frame.subarray(3);
  const address = placed(part);
  const target = new Uint8Array(frame.length);
  const size = {
    unit: 'records',
    unitsPerRun: batchesPerRun * recordCountAt(batch, 0),
    bytesPerRun: batchesPerRun * batch.length,
  } as const;
  const copyIn = (copy: () => void) =>
    repeated(batchesPerRun, () => {
      copy();
      return arena.bytes[address + part.length - 1]!;
    });
  const copyOut = (copy: () => void) =>
    repeated(batchesPerRun, () => {
      copy();
      return target[target.length - 1]!;
    });
  return [
    {
      name: 'copy of a batch into the arena',
      ...size,
      contenders: [
        { name: 'arena.copyIn', run: copyIn(() => arena.copyIn(part, address)) },
        { name: 'Uint8Array.set', run: copyIn(() => arena.bytes.set(part, address)) },
      ],
    },
    {
      name: 'copy of a batch out of the arena',
      ...size,
      contenders: [
        { name: 'arena.copyOut', run: copyOut(() => arena.copyOut(address, part.length, target, 3)) },
        {
          name: 'Uint8Array.set',
          run: copyOut(() => target.set(arena.bytes.subarray(address, address + part.length), 3)),
        },
      ],
    },
  ];
}

function checkBenchmarks(valueBytes: number): Benchmark[] {
  const batch = filledBuilder(valueBytes).seal();
  const count = recordCountAt(batch, 0);
  const address = placed(batch);
  const { core } = arena;
  const scan = (flags: number): (() => number) =>
    repeated(batchesPerRun, () => core.scanBatches(address, batch.length, outputAddress, 1, batch.length, flags));
  const nativeCheck = (): number => (hasValidCrc(batch, 0, batch.length, nativeCrc32c) ? 1 : 0);
  const name = `${count} records of ${valueBytes} B`;
  const size = {
    unit: 'records',
    unitsPerRun: batchesPerRun * count,
    bytesPerRun: batchesPerRun * batch.length,
  } as const;
  return [
    {
      name: `batch scan, ${name}`,
      ...size,
      contenders: [
        { name: 'core: header, CRC', run: scan(ScanFlag.CONTIGUOUS) },
        { name: 'JavaScript with @node-rs/crc32', run: repeated(batchesPerRun, nativeCheck) },
      ],
    },
    {
      name: `record validation, ${name}`,
      ...size,
      contenders: [
        {
          name: 'core',
          run: repeated(batchesPerRun, () => {
            const body = address + batchHeaderSizeBytes;
            const sizeBytes = batch.length - batchHeaderSizeBytes;
            const status = core.validateRecords(body, sizeBytes, count, ScanFlag.CONTIGUOUS, outputAddress);
            return status === ScanStatus.OK ? count : 0;
          }),
        },
        { name: 'JavaScript', run: repeated(batchesPerRun, () => readAll(batch)) },
      ],
    },
  ];
}
