/** Putting a group together for a write past the page cache, in whole blocks, over a disk that takes no time. */

import { asAddress } from '../src/base/numbers.ts';
import { DirectFile } from '../src/flush/direct-file.ts';
import { WayOfWriting } from '../src/flush/way-of-writing.ts';
import { directBlockBytes, type FileDescriptor, type FileSystem } from '../src/storage/file-system.ts';
import type { Benchmark } from './benchmark.ts';
import { arena, filledBuilder, outputAddress, placed } from './material.ts';

const batchesPerGroup = 16;
const stagingBytes = 1024 * 1024;

export function directFileBenchmarks(): Benchmark[] {
  const batch = filledBuilder(1024).seal();
  const address = placed(batch);
  const sources = Array.from({ length: batchesPerGroup }, () => arena.bytes.subarray(address, address + batch.length));
  const groupBytes = batchesPerGroup * batch.length;
  const log: FileDescriptor = 1;
  const written = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0);
  // No more of a file system is used.
  const files = { openDirect: () => log, write: (_, parts) => written(parts), close: () => {} } as Partial<FileSystem>;
  const staging = {
    bytes: arena.bytes,
    address: asAddress(Math.ceil(outputAddress / directBlockBytes) * directBlockBytes),
    sizeBytes: stagingBytes,
    copy: (target: number, source: number, sizeBytes: number) => arena.core.copyBytes(target, source, sizeBytes),
  };
  const direct = new DirectFile(files as FileSystem, { way: new WayOfWriting('always', () => 0), staging });
  let position = 0;
  let held = Buffer.alloc(0);
  return [
    {
      name: `a group of ${batchesPerGroup} batches of 16 KiB made whole blocks of`,
      unit: 'calls',
      unitsPerRun: 1,
      bytesPerRun: groupBytes,
      contenders: [
        {
          name: 'DirectFile',
          run() {
            direct.begin('/log', groupBytes, true, () => true);
            const writtenBytes = direct.write(log, sources, position) ?? 0;
            direct.end();
            position += writtenBytes;
            return writtenBytes;
          },
        },
        {
          name: 'Buffer.concat',
          run() {
            const whole = Buffer.concat([held, ...sources]);
            const paddingBytes = (directBlockBytes - (whole.length % directBlockBytes)) % directBlockBytes;
            const padded = Buffer.concat([whole, Buffer.alloc(paddingBytes)]);
            const heldBytes = held.length;
            held = Buffer.from(whole.subarray(whole.length - (whole.length % directBlockBytes)));
            return written([padded]) - paddingBytes - heldBytes;
          },
        },
      ],
    },
  ];
}
